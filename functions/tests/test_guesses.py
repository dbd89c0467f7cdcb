"""Clients that guess: what they learn, how often they may, and that others are let in all the same."""

import json
import threading
from collections import Counter

import pytest

from broadcast import counters, keys
from shared_utils.dynamodb import DynamoDBError
from shared_utils.testing import message_event
from shared_utils.websocket_messages import CLIENT_MESSAGES

KEY = "k7Qm-wT3x-Rz9"
UNKNOWN = "able-bat-000"
LOOK = ("get_item", "Sessions")


def join(system, name="ann", session_id=UNKNOWN, key=None, **fields):
    said = {} if key is None else {"listenerKey": key}
    return system.send(
        name, "joinSession", sessionId=session_id, targetLanguage="fr", **said, **fields
    )


def answer(system, name="ann") -> dict:
    """Return the one error that was sent, without what differs by time."""
    [(to, message)] = system.take()
    assert to == name
    assert type(message.pop("timestamp")) is int
    return message


def fail(system, times=10, **fields):
    for number in range(times):
        assert join(system, f"guesser-{number}", **fields) == 404
    system.take()


def ended(system):
    system.send("speaker", "endSession")


def expired(system):
    system.clock.now += 7200


def full(system):
    system.set("session", max_listeners=1)


def open_still(system):
    pass


@pytest.fixture
def crowded(unhurried, system, monkeypatch):
    """Return a system where what comes at once has the time that it takes when one process stands for many."""
    monkeypatch.setattr(keys, "_COST", 2)
    monkeypatch.setattr(counters, "_MAX_WAIT_SECONDS", 50.0)
    return system


@pytest.fixture
def planted(system):
    """Return a function that fails when a key stands in anything that was written or sent."""

    def check(*said):
        written = json.dumps([system.lines(), system.clients.sent], ensure_ascii=False)
        for key in said:
            assert key not in written

    return check


# --- what is answered


@pytest.mark.parametrize("key", [pytest.param(None, id="none"), pytest.param(KEY, id="some")])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (open_still, None),
        (ended, "SESSION_INACTIVE"),
        (expired, "SESSION_EXPIRED"),
        (full, "SESSION_MAX_LISTENERS_REACHED"),
    ],
)
def test_session_without_a_key_answers_whatever_key_is_said(system, change, code, key):
    session_id = system.open("bob")
    change(system)
    system.take()

    join(system, session_id=session_id, key=key)

    [(_, message), *_] = system.take()
    assert message.get("code") == code


@pytest.mark.parametrize("change", [open_still, ended, expired, full])
@pytest.mark.parametrize(
    "said", [pytest.param(None, id="missing"), pytest.param("k7Qm-wT3x-Rz8", id="wrong")]
)
@pytest.mark.threat("join-oracle")
def test_who_does_not_know_the_key_gets_what_no_session_gets(system, change, said):
    session_id = system.open(listenerKey=KEY)
    join(system, "bob", session_id, KEY)
    change(system)
    join(system, "eve")  # the first one of its address opens a window
    system.take()
    system.calls.made.clear()

    statuses = [join(system, "ann", UNKNOWN, said)]
    unknown, calls_of_unknown = answer(system), list(system.calls.made)
    system.calls.made.clear()
    statuses.append(join(system, "ann", session_id, said))
    wrong, calls_of_wrong = answer(system), list(system.calls.made)

    assert statuses == [404, 404]
    assert json.dumps(wrong) == json.dumps(unknown)
    assert unknown == {
        "type": "error",
        "code": "SESSION_NOT_FOUND",
        "message": "Session not found",
        "retryable": False,
    }
    update = ("update_item", "RateLimits")
    assert calls_of_wrong == calls_of_unknown
    assert calls_of_wrong == [update, LOOK, update, *([update] if said else [])]
    assert system.store.participant("ann") is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (ended, "SESSION_INACTIVE"),
        (expired, "SESSION_EXPIRED"),
        (full, "SESSION_MAX_LISTENERS_REACHED"),
    ],
)
def test_who_says_the_key_learns_how_it_is(system, change, code):
    session_id = system.open(listenerKey=KEY)
    join(system, "bob", session_id, KEY)
    change(system)
    system.take()

    join(system, "ann", session_id, KEY)

    assert answer(system)["code"] == code
    assert system.store.participant("ann") is None


def test_who_says_the_key_is_in(system):
    session_id = system.open(listenerKey="caf\u00e9-caf\u00e9-2026")

    assert join(system, "ann", session_id, "cafe\u0301-cafe\u0301-2026") == 200
    assert system.store.session(session_id).audience == ["ann"]


@pytest.mark.threat("join-oracle")
def test_unknown_id_and_wrong_key_cost_one_hash_each(system, monkeypatch):
    session_id = system.open(listenerKey=KEY)
    hashed = []
    digest = keys._digest
    monkeypatch.setattr(keys, "_digest", lambda *a: hashed.append(len(a[1])) or digest(*a))
    counts = []

    for wanted, said in ((UNKNOWN, "wrong-key"), (session_id, "wrong-key"), (session_id, None)):
        join(system, "ann", wanted, said)
        counts.append(len(hashed))

    assert counts == [1, 2, 3]
    assert set(hashed) == {16}


def test_look_brings_no_audience(system, monkeypatch):
    """To read 500 listeners would take longer than to find nothing."""
    session_id = system.open("bob")
    items = system.app("session").store.sessions
    seen = []
    get = items.get
    monkeypatch.setattr(items, "get", lambda *a: seen.append(get(*a)) or seen[-1])

    join(system, "ann", session_id)
    system.take()

    names = {"status", "endsAt", "createdAt", "speakerConnectionId", "interpreterKeyHash"}
    assert seen[0].keys() == names


def test_refresh_needs_no_key(system):
    session_id = system.open(listenerKey=KEY)
    join(system, "ann", session_id, KEY)
    token = system.take()[0][1]["refreshToken"]
    system.tokens["ann"] = token

    status = system.send("ann-2", "refreshConnection", sessionId=session_id, refreshToken=token)

    assert status == 200


def test_session_that_another_one_replaces_between_is_not_joined(system, monkeypatch):
    session_id = system.open()
    store = system.app("session").store
    put_new = store.connections.put_new

    def replaced(item):
        key = {"sessionId": session_id}
        store.sessions.table.update_item(
            timeout_seconds=5.0,
            Key=key,
            UpdateExpression="SET createdAt = createdAt + :one",
            ExpressionAttributeValues={":one": 1},
        )
        return put_new(item)

    monkeypatch.setattr(store.connections, "put_new", replaced)

    assert join(system, "ann", session_id) == 404
    assert system.store.session(session_id).audience == []
    assert system.store.participant("ann") is None


# --- the speaker's key


@pytest.mark.parametrize(
    ("key", "warns"),
    [
        pytest.param("k7Qm-wT3", True, id="8"),
        pytest.param("k7Qm-wT3x-R", True, id="11"),
        pytest.param("k7Qm-wT3x-Rz", False, id="12"),
        pytest.param("k7Qm" * 16, False, id="64"),
        pytest.param("\U0001f389\U0001f3a4" * 4, True, id="8-emoji"),
        pytest.param(" " * 64, True, id="64-spaces"),
        pytest.param(None, False, id="none"),
    ],
)
def test_speaker_is_warned_of_a_short_key(system, planted, key, warns):
    said = {} if key is None else {"listenerKey": key}
    system.send("speaker", "createSession", sourceLanguage="en", **said)

    planted(key or KEY)
    [(_, created)] = system.take()
    system.tokens["speaker"] = created["refreshToken"]
    sentence = (
        "The listener key has fewer than 12 visible characters and may be guessed:"
        " take a longer one"
    )
    assert created.get("warning") == (sentence if warns else None)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("k7Qm-wT", id="7"),
        pytest.param("k" * 65, id="65"),
        # Its other form, 40 times é, is a key: clients normalise to NFC before they send.
        pytest.param("e\u0301" * 40, id="80-as-it-comes"),
        pytest.param("\ud800" * 8, id="half-characters"),
    ],
)
def test_key_beyond_its_limits_is_refused_and_not_shown(system, planted, key):
    statuses = [
        system.send("speaker", "createSession", sourceLanguage="en", listenerKey=key),
        join(system, "ann", UNKNOWN, key),
    ]

    assert statuses == [400, 400]
    planted(key)
    fields = [message["details"]["field"] for _, message in system.take()]
    assert fields == ["listenerKey", "listenerKey"]


@pytest.mark.threat("table-keys", "secret-in-repr")
def test_key_is_stored_as_a_hash_and_shown_nowhere(system, planted, dynamodb, tables):
    session_id = system.open(listenerKey=KEY)
    join(system, "ann", session_id, KEY)
    join(system, "bob", session_id, "K7qM-Wt3X-rZ9")

    planted(KEY, "K7qM-Wt3X-rZ9")
    stored = [dynamodb.scan(TableName=name)["Items"] for name in tables.values()]
    session = system.store.session(session_id)
    assert KEY not in str(stored)
    assert "K7qM-Wt3X-rZ9" not in str(stored)
    assert KEY not in repr(session)
    assert keys.is_key_of(KEY, session.listener_key_hash)


# --- messages that name a session and are no joins

NAMING = {
    "sendAudio": {"audioData": "AAAA" * 40, "sequenceNumber": 0, "timestamp": 1_767_225_600_000},
    "refreshConnection": {"refreshToken": "wsr_nobody=.secret"},
    "setVolume": {"volumeLevel": 0.5},
    "speakerStateChange": {"state": {"volume": 0.5}},
    "changeLanguage": {"targetLanguage": "de"},
    "removeInterpreter": {"language": "de"},
    "sendCaption": {"segmentId": "1", "text": "Good morning.", "isFinal": True},
}
JOINS = {"joinSession", "joinAsInterpreter"}
OTHERS = sorted(CLIENT_MESSAGES.keys() - JOINS - {"createSession", "heartbeat"})


@pytest.mark.parametrize("action", OTHERS)
@pytest.mark.threat("join-oracle")
def test_no_message_but_a_join_looks_for_the_session_that_a_stranger_names(system, action):
    session_id = system.open("bob")
    assert join(system, "eve") == 404  # a failure of the address opens its window
    system.take()

    seen = []
    for named in (session_id, UNKNOWN):
        system.calls.made.clear()
        status = system.send("eve", action, sessionId=named, **NAMING.get(action, {}))
        seen.append((status, answer(system, "eve"), list(system.calls.made)))

    assert seen[0] == seen[1]
    assert seen[0][0] in (401, 404)
    assert {table for _, table in seen[0][2]} <= {"Connections", "RateLimits"}


# --- limits by address


@pytest.mark.threat("guessed-id", "guessed-key")
def test_eleventh_failed_join_of_an_address_is_refused_without_a_look_right_or_wrong(system):
    session_id = system.open()
    fail(system)
    system.clock.now += 15
    system.calls.made.clear()

    statuses = [join(system, "ann", wanted) for wanted in (UNKNOWN, session_id)]

    assert statuses == [429, 429]
    assert LOOK not in system.calls.made
    refusals = [message for _, message in system.take()]
    assert [(one["code"], one["details"], one["message"]) for one in refusals] == [
        (
            "RATE_LIMIT_EXCEEDED",
            {"retryAfterMs": 45_000},
            "At most 10 failed joins a minute from one address",
        )
    ] * 2
    assert refusals[0]["retryable"] is True


def test_after_the_window_the_address_may_join_again(system):
    session_id = system.open()
    fail(system)
    before = join(system, "ann", session_id)
    system.clock.now += 60

    assert (before, join(system, "ann", session_id)) == (429, 200)


@pytest.mark.parametrize(
    ("guessers", "neighbour", "status"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", 429, id="same"),
        pytest.param("192.0.2.1", "192.0.2.2", 200, id="another"),
        pytest.param("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 429, id="same-network"),
        pytest.param("2001:db8:1:2::1", "2001:db8:1:3::1", 200, id="another-network"),
        pytest.param("192.0.2.1", "::ffff:192.0.2.1", 429, id="mapped"),
    ],
)
def test_limit_is_for_whoever_shares_the_address(system, guessers, neighbour, status):
    session_id = system.open()
    fail(system, address=guessers)

    assert join(system, "ann", session_id, address=neighbour) == status


def test_limit_is_the_settings(system):
    system.set("session", failed_joins_per_minute=2)
    fail(system, 2)

    assert join(system) == 429
    assert answer(system)["message"] == "At most 2 failed joins a minute from one address"


def test_fifty_wrong_joins_at_once_are_ten_looks(crowded):
    statuses = []

    crowded.at_once(*(lambda n=n: statuses.append(join(crowded, f"g-{n}")) for n in range(50)))

    assert Counter(statuses) == {404: 10, 429: 40}
    assert crowded.calls.made.count(LOOK) == 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "key", [pytest.param(None, id="free", marks=pytest.mark.long), pytest.param(KEY, id="key")]
)
def test_crowd_of_one_address_gets_in(crowded, key):
    session_id = crowded.open(**({} if key is None else {"listenerKey": key}))
    statuses = []

    crowded.at_once(
        *(
            lambda name=f"listener-{n}": statuses.append(join(crowded, name, session_id, key))
            for n in range(200)
        )
    )

    assert Counter(statuses) == {200: 200}
    assert crowded.store.session(session_id).listener_count == 200
    fail(crowded, 10)
    assert join(crowded) == 429


@pytest.mark.threat("shared-address")
def test_joins_of_a_full_session_are_no_guesses(system):
    session_id = system.open("bob")
    system.set("session", max_listeners=1)

    statuses = [join(system, f"late-{number}", session_id) for number in range(12)]

    assert statuses == [429] * 12
    assert {message["code"] for _, message in system.take()} == {"SESSION_MAX_LISTENERS_REACHED"}


@pytest.mark.parametrize("key", [pytest.param(None, id="free"), pytest.param(KEY, id="right-key")])
@pytest.mark.parametrize("change", [ended, expired])
@pytest.mark.threat("shared-address")
def test_late_joins_are_no_guesses(system, change, key):
    """Whoever is answered that it is over knew its name, and its key: neighbours do not suffer."""
    over = system.open(**({} if key is None else {"listenerKey": key}))
    change(system)
    late = []
    for _ in range(12):
        late.append(join(system, "late", over, key))
        system.clock.now += 0.2  # no faster than a client may
    system.take()
    session_id = system.open(speaker="other")

    assert late == [410] * 12
    assert system.clients.closed == []
    assert join(system, "ann", session_id) == 200


@pytest.mark.parametrize("change", [ended, expired])
def test_late_joins_that_say_no_key_are(system, change):
    over = system.open(listenerKey=KEY)
    change(system)

    statuses = [join(system, f"late-{number}", over, "k7Qm-wT3x-Rz8") for number in range(11)]

    assert statuses == [404] * 10 + [429]


def test_look_that_fails_is_no_guess(system, monkeypatch):
    store = system.app("session").store

    def summary(_):
        raise DynamoDBError("GetItem", "InternalServerError")

    monkeypatch.setattr(store, "summary", summary)

    statuses = [join(system, f"ann-{number}") for number in range(12)]

    assert statuses == [500] * 12


def test_joins_beyond_the_limit_are_one_line_a_minute_and_a_count(system):
    fail(system)
    before = len(system.lines())
    for number in range(9):
        join(system, f"late-{number}", address="192.0.2.1")

    lines = [line for line in system.lines()[before:] if line.get("message") == "Message refused"]
    assert [line["errorCode"] for line in lines] == ["RATE_LIMIT_EXCEEDED"]
    assert lines[0]["context"]["sourceIp"] == "192.0.2.1"
    assert sum(system.lines().metrics()["RateLimitViolations"]) == 9
    system.clock.now += 59
    join(system, "later")
    assert len([line for line in system.lines()[before:] if "errorCode" in line]) == 1


def test_one_who_joins_too_many_at_once_is_not_one_who_fails(system, monkeypatch):
    """Others of the address keep on looking: there is no place, and no failure either."""
    monkeypatch.setattr(counters, "_MAX_WAIT_SECONDS", 0)
    session_id = system.open()
    limits = system.app("session").counters
    looking = [limits.begin_join("192.0.2.1", 10) for _ in range(10)]

    statuses = [join(system, "ann", session_id) for _ in range(9)]
    system.clock.now += 2
    statuses += [join(system, "ann", session_id) for _ in range(9)]
    limits.end_join(looking[0], failed=False)

    assert statuses == [429] * 18
    refusals = [message for _, message in system.take() if message["type"] == "error"]
    assert refusals[0]["details"] == {"retryAfterMs": 1000}
    assert system.clients.closed == []
    assert join(system, "ann", session_id) == 200


# --- limits by connection


def test_connection_that_fails_an_eleventh_time_is_closed(system):
    statuses = [join(system, address=f"192.0.2.{number}") for number in range(9)]
    system.clock.now += 0.9
    statuses += [join(system, address=f"192.0.2.{number}") for number in range(9, 12)]

    assert statuses == [404] * 10 + [429] * 2
    assert system.clients.closed == ["ann"]
    lines = [line for line in system.lines() if line.get("errorCode") == "RATE_LIMIT_EXCEEDED"]
    assert [line["context"]["reason"] for line in lines] == [
        "Too many failed joins and refreshes: the connection was closed"
    ]


def test_connection_that_goes_on_beyond_its_addresss_limit_is_refused_and_closed(system):
    for _ in range(10):
        join(system)
        system.clock.now += 0.2
    system.take()

    assert join(system) == 429
    assert answer(system)["code"] == "RATE_LIMIT_EXCEEDED"
    assert system.clients.closed == ["ann"]


# --- refreshes


def failed_refresh(system, name, address="192.0.2.1"):
    """Count a wrong refresh token, as the connection function does."""
    handler, app = system.app("connection").handler, system.app("connection")
    event = message_event({"action": "heartbeat"}, name, identity={"sourceIp": address})
    request = type(
        "Request",
        (),
        {
            "connection_id": name,
            "source_ip": event["requestContext"]["identity"]["sourceIp"],
            "connections": handler.connections,
            "action": "refreshConnection",
        },
    )()
    app.guesses.count_failed_refresh(request)


@pytest.mark.threat("guessed-refresh-token")
def test_wrong_refreshes_count_as_failed_joins_of_their_address(system):
    session_id = system.open()
    for number in range(10):
        failed_refresh(system, f"guesser-{number}")

    assert join(system, "ann", session_id) == 429
    assert join(system, "bob", session_id, address="192.0.2.2") == 200


@pytest.mark.threat("shared-address")
def test_right_refresh_passes_behind_any_address(system):
    session_id = system.open("ann")
    fail(system)

    status = system.send(
        "ann-2", "refreshConnection", sessionId=session_id, refreshToken=system.tokens["ann"]
    )

    assert status == 200


# --- wrong keys of a session


@pytest.fixture
def watched(system, monkeypatch):
    """Return a session with a key, and a function that says a key from so many addresses."""
    monkeypatch.setattr(keys, "_COST", 2)  # what it costs is not looked at here
    session_id = system.open(listenerKey=KEY)

    def say(times, key="k7Qm-wT3x-Rz8", first=0, wanted=session_id):
        return [
            join(system, f"g-{n}", wanted, key, address=f"10.0.{n // 9}.1")
            for n in range(first, first + times)
        ]

    return session_id, say


def warnings(system):
    return [
        line for line in system.lines() if line.get("message") == "Somebody tries keys of a session"
    ]


@pytest.mark.threat("locked-out", "guessed-key")
def test_wrong_keys_beyond_the_limit_are_reported_once_and_a_right_one_passes(system, watched):
    session_id, say = watched

    statuses = say(100)
    before = [name for name, _ in system.take() if name == "speaker"]
    statuses += say(1, first=100)
    at_limit = system.take()
    statuses += say(50, first=101)
    after = [name for name, _ in system.take() if name == "speaker"]

    assert statuses == [404] * 151
    assert (before, after) == ([], [])
    assert [(name, message["type"]) for name, message in at_limit] == [
        ("g-100", "error"),  # first, so that the time does not tell that the session is there
        ("speaker", "rateLimitWarning"),
    ]
    warning = at_limit[1][1]
    del warning["timestamp"]
    assert warning == {
        "type": "rateLimitWarning",
        "limit": 100,
        "windowSeconds": 60,
        "retryAfterMs": 60_000,
        "reason": "wrongKeys",
    }
    [line] = warnings(system)
    assert (line["level"], line["sessionId"], line["context"]) == (
        "WARN",
        session_id,
        {"limit": 100},
    )
    assert "connectionId" in line
    assert "10.0." not in json.dumps(line)
    assert system.lines().metrics()["WrongListenerKeys"] == [1] * 151
    assert join(system, "honest", session_id, KEY) == 200


def test_wrong_key_that_is_reported_is_answered_as_the_others(system, watched):
    _, say = watched
    system.set("session", wrong_keys_per_minute=2)

    say(4)

    errors = [message for _, message in system.take() if message["type"] == "error"]
    assert len({json.dumps({**one, "timestamp": 0}) for one in errors}) == 1
    lines = [line for line in system.lines() if line.get("message") == "Message refused"]
    assert [line["errorCode"] for line in lines] == ["SESSION_NOT_FOUND"] * 4


def test_next_minute_is_reported_again(system, watched):
    _, say = watched
    system.set("session", wrong_keys_per_minute=2)
    say(5)
    system.clock.now += 60
    say(5)

    assert [kind for name, kind in system.types() if name == "speaker"] == ["rateLimitWarning"] * 2
    assert len(warnings(system)) == 2


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        pytest.param(None, None, id="missing-key"),
        pytest.param("k7Qm-wT3x-Rz8", UNKNOWN, id="unknown-id"),
    ],
)
def test_what_is_no_wrong_key_is_not_reported(system, watched, key, wanted):
    session_id, say = watched
    system.set("session", wrong_keys_per_minute=2)

    assert say(9, key, wanted=wanted or session_id) == [404] * 9

    assert [name for name, _ in system.take() if name == "speaker"] == []
    assert warnings(system) == []
    assert "WrongListenerKeys" not in system.lines().metrics()


def test_only_operators_hear_of_wrong_keys_of_a_session_that_is_over(system, watched):
    _, say = watched
    system.set("session", wrong_keys_per_minute=2)
    ended(system)
    system.take()

    say(5)

    assert [name for name, _ in system.take() if name == "speaker"] == []
    assert len(warnings(system)) == 1


def test_speaker_who_turns_out_to_be_gone_is_missed(system, watched):
    session_id, say = watched
    system.set("session", wrong_keys_per_minute=2)
    system.clients.gone.add("speaker")

    assert say(3) == [404] * 3
    assert system.store.session(session_id).speaker_gone_at is not None


# --- the counters fail


def test_nobody_gets_in_while_the_counters_fail_and_all_may_try_again(system):
    """A limit that can be made to fail is none."""
    session_id = system.open()
    table = system.app("session").counters._items.table
    table._calls = type(system.calls)()
    table._calls.failing = DynamoDBError("UpdateItem", "InternalServerError")

    status = join(system, "ann", session_id)

    assert (status, system.calls.made) == (500, [])
    [(_, error)] = system.take()
    assert (error["code"], error["retryable"]) == ("INTERNAL_DATABASE_ERROR", True)
    assert system.lines().metrics()["DynamoDBErrors"] == [1]


@pytest.mark.parametrize(("failures", "left"), [(1, 0), (2, 1)])
def test_listener_who_was_found_gets_in_although_the_counters_fail_then(
    system, monkeypatch, dynamodb, tables, failures, left
):
    """The place that could not be given back is given back after the reply."""
    session_id = system.open()
    limits = system.app("session").counters
    update, failed = limits._items.update, []

    def fails_at_the_end(key, action, *rest, **options):
        if action.startswith("REMOVE") and len(failed) < failures:
            failed.append(key)
            raise DynamoDBError("UpdateItem", "InternalServerError")
        return update(key, action, *rest, **options)

    monkeypatch.setattr(limits._items, "update", fails_at_the_end)

    assert join(system, "ann", session_id) == 200
    items = dynamodb.scan(TableName=tables["counters"])["Items"]
    assert [len(item["attempts"]["M"]) for item in items if "attempts" in item] == [left]


@pytest.mark.slow
def test_silent_counters_end_a_join_in_time(make_system, proxy):
    system = make_system()
    session_id = system.open()
    proxy.lose(lambda operation, count: "time" if operation == "UpdateItem" else "")
    ended_in_time = threading.Event()

    def run():
        assert join(system, "ann", session_id) == 500
        ended_in_time.set()

    threading.Thread(target=run, daemon=True).start()

    assert ended_in_time.wait(3)
    assert proxy.lost == {"UpdateItem": 3}
