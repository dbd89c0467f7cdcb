"""Interpreters, listeners and the speaker at once: one interpreter a language, and whoever was removed stays out.

What threads do at once is in an order that nobody chooses. Where an order matters, it is played too, in
each order of two: before every call of the store that one makes, the other one does all that it does.
"""

import pytest
from test_states import LossyTable

from broadcast import channels

# Twenty threads at once take a busy machine longer than a message has.
pytestmark = pytest.mark.usefixtures("unhurried")

# Before each call of the store that a refresh makes, or another message, and after the last one.
CALLS = range(9)


def types_of(system):
    """Return who was sent what, apart from the speaker's reports."""
    return [(name, kind) for name, kind in system.types() if kind != "sessionStatus"]


def interpret(system, name, session_id, language="de", **fields):
    """Join as an interpreter from an address of its own; return the status."""
    address = f"192.0.2.{sum(name.encode()) % 250}"
    return system.interpret(name, session_id, language, address=address, **fields)


@pytest.fixture
def play(before_call):
    """Return a function that does one thing, and another one before its call with a number, or after it."""

    def play(number, first, second):
        done = []

        def second_once():
            if not done:
                done.append(True)
                second()

        before_call(number, second_once)
        first()
        second_once()

    return play


def begin(system, *listeners):
    """Open a session with listeners of German and its interpreter Ida; return its id."""
    session_id = system.open()
    for name in listeners:
        system.send(name, "joinSession", sessionId=session_id, targetLanguage="de")
    assert interpret(system, "ida", session_id) == 200
    take_tokens(system)
    return session_id


def take_tokens(system):
    """Return what was sent since the last time, and keep the tokens of it."""
    sent = system.take()
    system.tokens |= {n: m["refreshToken"] for n, m in sent if "refreshToken" in m}
    return sent


def refresh(system, session_id, name):
    """Use Ida's first token on a connection."""
    token = system.tokens["ida"]
    return system.send(name, "refreshConnection", sessionId=session_id, refreshToken=token)


def remove(system):
    return system.send("speaker", "removeInterpreter", language="de")


def open_interpreters(system):
    """Return the connections of interpreters that are not marked as closed."""
    found = system.store.open_participants(lambda: True)[0]
    return sorted(one.connection_id for one in found if one.role == "interpreter")


def standing(system, session_id, language="de"):
    """Return the connection of the interpreter who stands in the session, None without one."""
    interpreter = system.store.session(session_id).interpreters.get(language)
    return None if interpreter is None else interpreter.connection_id


def last_change(sent, name):
    """Return what a listener hears by the last message that says it."""
    return [m["hears"] for n, m in sent if n == name and m["type"] == "channelChanged"][-1]


# --- many want one language


def test_of_twenty_interpreters_of_a_language_one_is_in_and_nineteen_leave_nothing(system):
    session_id = system.open("ann")
    names = [f"ida-{number}" for number in range(20)]

    system.at_once(*(lambda name=name: interpret(system, name, session_id, "fr") for name in names))

    sent = take_tokens(system)
    session = system.store.session(session_id)
    [ready] = [name for name, message in sent if message["type"] == "interpreterReady"]
    refused = [name for name, m in sent if m.get("code") == "SESSION_LANGUAGE_TAKEN"]
    assert [one.connection_id for one in session.interpreters.values()] == [ready]
    assert sorted([ready, *refused]) == sorted(names)
    assert [name for name in names if system.store.participant(name)] == [ready]
    assert [(n, m["language"]) for n, m in sent if m["type"] == "interpreterJoined"] == [
        ("speaker", "fr")
    ]
    assert [n for n, m in sent if m["type"] == "channelChanged"] == ["ann"]
    assert (session.listener_count, system.clients.closed) == (1, [])


def test_of_twenty_one_replaces_the_silent_interpreter_who_is_closed_once(system):
    session_id = begin(system, "ann")
    system.clock.now += channels.SILENT_MS / 1000
    names = [f"new-{number}" for number in range(20)]

    system.at_once(*(lambda name=name: interpret(system, name, session_id) for name in names))

    sent = take_tokens(system)
    [ready] = [name for name, message in sent if message["type"] == "interpreterReady"]
    assert standing(system, session_id) == ready
    assert open_interpreters(system) == [ready]
    assert system.clients.closed == ["ida"]
    assert [m["code"] for name, m in sent if name == "ida"] == ["CONNECTION_CLOSED"]
    assert [m["code"] for name, m in sent if name in {*names} - {ready}] == [
        "SESSION_LANGUAGE_TAKEN"
    ] * 19
    assert last_change(sent, "ann") == "de"


def test_session_takes_fifty_interpreters_of_any_who_come_at_once(system):
    session_id = system.open("ann")
    for number in range(channels.MAX_INTERPRETERS - 3):
        assert interpret(system, f"old-{number}", session_id, f"de-{number:03}") == 200
    names = [f"new-{number}" for number in range(10)]

    system.at_once(
        *(
            lambda name=name: interpret(system, name, session_id, f"fr-{name[4:]:0>3}")
            for name in names
        ),
        lambda: system.disconnect("old-0"),
    )

    refused = {
        n for n, m in take_tokens(system) if m.get("code") == "SESSION_MAX_LISTENERS_REACHED"
    }
    session = system.store.session(session_id)
    assert len(refused) in (6, 7)  # whether one has left before the last one came
    assert len(session.interpreters) == channels.MAX_INTERPRETERS - 4 + 10 - len(refused)
    assert {*session.interpreter_connections} == {*open_interpreters(system)}
    assert refused.isdisjoint(open_interpreters(system))
    assert session.listener_count == 1


def test_interpreters_and_listeners_who_come_and_go_at_once_are_counted_apart(system):
    session_id = system.open(*(f"old-{number}" for number in range(4)))
    for number in range(4):
        assert interpret(system, f"out-{number}", session_id, f"de-{number:03}") == 200
    system.take()
    listen = {"sessionId": session_id, "targetLanguage": "de"}

    system.at_once(
        *(lambda n=f"old-{n}": system.disconnect(n) for n in range(4)),
        *(lambda n=f"out-{n}": system.disconnect(n) for n in range(4)),
        *(lambda n=f"new-{n}": system.send(n, "joinSession", **listen) for n in range(5)),
        *(lambda n=n: interpret(system, f"in-{n}", session_id, f"it-{n:03}") for n in range(4)),
    )

    session = system.store.session(session_id)
    kinds = [kind for name, kind in types_of(system) if name == "speaker"]
    assert (session.listener_count, session.languages) == (5, {"de": 5})
    assert session.channels == [f"it-{number:03}" for number in range(4)]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "listenerJoined": 5,
        "listenerLeft": 4,
        "interpreterJoined": 4,
        "interpreterLeft": 4,
    }


def test_interpreter_who_was_replaced_goes_unnoticed_when_answers_are_lost(system, monkeypatch):
    session_id = begin(system, "ann")
    system.clock.now += channels.SILENT_MS / 1000
    assert interpret(system, "new", session_id) == 200
    system.take()
    for attribute in ("sessions", "connections"):
        items = getattr(system.app("connection").store, attribute)
        lossy = LossyTable(items.table, lambda: None, "answer", 1)
        monkeypatch.setattr(items, "table", lossy)

    system.disconnect("ida")

    assert types_of(system) == []
    assert standing(system, session_id) == "new"


# --- a sign and a replacement


def assert_one_of_both(system, session_id, sent):
    """Either Ida has given the sign in time, or the new one has replaced her, and she knows."""
    here = standing(system, session_id)
    answers = {n: m.get("code", m["type"]) for n, m in sent if n in ("ida", "new")}
    assert open_interpreters(system) == [here]
    assert (here, answers) in [
        ("ida", {"ida": "heartbeatAck", "new": "SESSION_LANGUAGE_TAKEN"}),
        ("new", {"ida": "CONNECTION_CLOSED", "new": "interpreterReady"}),
    ]
    assert ("ida" in system.clients.closed) == (here == "new")


def test_heartbeat_in_the_moment_of_a_replacement_comes_before_it_or_is_refused(system):
    session_id = begin(system)
    system.clock.now += channels.SILENT_MS / 1000

    system.at_once(
        lambda: system.send("ida", "heartbeat"), lambda: interpret(system, "new", session_id)
    )

    here = standing(system, session_id)
    errors = [m["code"] for n, m in take_tokens(system) if n == "ida" and m["type"] == "error"]
    assert open_interpreters(system) == [here]
    assert ("ida" in system.clients.closed) == ("CONNECTION_CLOSED" in errors) == (here == "new")


@pytest.mark.parametrize("number", CALLS)
def test_heartbeat_in_the_midst_of_a_replacement_comes_before_it_or_is_refused(
    system, play, number
):
    session_id = begin(system)
    system.clock.now += channels.SILENT_MS / 1000

    play(
        number,
        lambda: interpret(system, "new", session_id),
        lambda: system.send("ida", "heartbeat"),
    )

    assert_one_of_both(system, session_id, take_tokens(system))


@pytest.mark.parametrize("number", range(3))
def test_replacement_in_the_midst_of_a_heartbeat_comes_after_it_or_refuses_it(system, play, number):
    session_id = begin(system)
    system.clock.now += channels.SILENT_MS / 1000

    play(
        number,
        lambda: system.send("ida", "heartbeat"),
        lambda: interpret(system, "new", session_id),
    )

    assert_one_of_both(system, session_id, take_tokens(system))


def test_heartbeat_in_the_moment_of_housekeeping_comes_before_it_or_is_refused(system):
    session_id = begin(system, "ann")
    system.clock.now += channels.SILENT_MS / 1000

    system.at_once(lambda: system.send("ida", "heartbeat"), system.keep_house, system.keep_house)

    sent = take_tokens(system)
    is_in = standing(system, session_id) == "ida"
    left = [name for name, message in sent if message["type"] == "interpreterLeft"]
    assert open_interpreters(system) == (["ida"] if is_in else [])
    assert left == ([] if is_in else ["speaker"])
    assert system.clients.closed == ([] if is_in else ["ida"])
    assert is_in or last_change(sent, "ann") == "floor"


@pytest.mark.parametrize("number", range(5))
def test_heartbeat_in_the_midst_of_housekeeping_comes_before_it_or_is_refused(system, play, number):
    session_id = begin(system, "ann")
    system.clock.now += channels.SILENT_MS / 1000
    statuses = []

    play(number, system.keep_house, lambda: statuses.append(system.send("ida", "heartbeat")))

    is_in = standing(system, session_id) == "ida"
    assert statuses == [200 if is_in else 410]
    assert open_interpreters(system) == (["ida"] if is_in else [])
    assert ("speaker" in [n for n, kind in types_of(system) if kind == "interpreterLeft"]) != is_in


# --- removal and refresh


def assert_is_out(system, session_id):
    """Nobody interprets, no connection of Ida is open, and the listener has heard of it."""
    session = system.store.session(session_id)
    sent = take_tokens(system)
    assert session.interpreters == {}
    assert open_interpreters(system) == []
    assert {*(n for n, _ in sent if n.startswith("ida"))} <= {*system.clients.closed} | {
        n for n, m in sent if m["type"] == "error"
    }
    assert last_change(sent, "ann") == "floor"
    assert session.listener_count == 1
    for name in ("ida", "ida-2"):
        assert system.chunk(name) >= 400
    assert refresh(system, session_id, "ida-9") in (401, 429)
    assert system.store.session(session_id).interpreters == {}


@pytest.mark.threat("interpreter-removed")
@pytest.mark.parametrize("removals", [1, 4])
def test_interpreter_who_is_removed_in_the_moment_of_a_refresh_is_not_back_in_the_end(
    system, removals
):
    session_id = begin(system, "ann")

    system.at_once(
        lambda: refresh(system, session_id, "ida-2"),
        *[lambda: remove(system)] * removals,
    )

    assert_is_out(system, session_id)


@pytest.mark.parametrize("number", CALLS)
def test_interpreter_who_is_removed_in_the_midst_of_a_refresh_is_not_back_in_the_end(
    system, play, number
):
    session_id = begin(system, "ann")

    play(number, lambda: refresh(system, session_id, "ida-2"), lambda: remove(system))

    assert_is_out(system, session_id)


@pytest.mark.parametrize("number", range(8))
def test_interpreter_who_refreshes_in_the_midst_of_a_removal_is_not_back_in_the_end(
    system, play, number
):
    session_id = begin(system, "ann")

    play(number, lambda: remove(system), lambda: refresh(system, session_id, "ida-2"))

    assert_is_out(system, session_id)
    assert "ida-2" not in open_interpreters(system)


@pytest.mark.threat("interpreter-removed")
@pytest.mark.parametrize("number", CALLS)
def test_interpreter_who_was_away_and_is_removed_in_the_midst_of_a_return_is_not_back_in_the_end(
    system, play, number
):
    """The speaker had not yet heard that she has left."""
    session_id = begin(system, "ann")
    system.disconnect("ida")

    play(number, lambda: refresh(system, session_id, "ida-2"), lambda: remove(system))

    assert_is_out(system, session_id)


def test_removals_at_once_leave_the_key_of_one_of_them(system):
    session_id = begin(system, "ann")

    system.at_once(*[lambda: remove(system)] * 6)

    sent = take_tokens(system)
    keys = [m["interpreterKey"] for _, m in sent if m["type"] == "interpreterLeft"]
    statuses = [
        interpret(system, f"new-{n}", session_id, "fr", interpreterKey=key)
        for n, key in enumerate(keys)
    ]
    assert sorted(statuses) == [200] + [404] * 5
    assert system.clients.closed == ["ida"]


# --- two of one interpreter


@pytest.mark.parametrize("is_away", [False, True])
def test_interpreter_on_several_connections_at_once_is_on_one(system, is_away):
    session_id = begin(system, "ann")
    if is_away:
        system.disconnect("ida")
        system.take()
    names = [f"ida-{number}" for number in range(2, 7)]

    system.at_once(*(lambda name=name: refresh(system, session_id, name) for name in names))

    here = standing(system, session_id)
    sent = take_tokens(system)
    errors = {name for name, message in sent if message["type"] == "error"}
    joined = [n for n, m in sent if m["type"] == "interpreterJoined"]
    assert here in names
    assert open_interpreters(system) == [here]
    assert here not in errors | {*system.clients.closed}
    assert errors | {*system.clients.closed} >= {*names} - {here}
    assert joined == ["speaker"] * is_away


def test_interpreter_whose_old_connection_ends_in_the_moment_of_a_refresh_is_on_the_new_one(system):
    session_id = begin(system, "ann")

    system.at_once(
        lambda: refresh(system, session_id, "ida-2"),
        lambda: system.disconnect("ida"),
        lambda: system.disconnect("ida"),
    )

    left, joined = (
        [n for n, m in system.clients.sent if m["type"] == kind]
        for kind in ("interpreterLeft", "interpreterJoined")
    )
    assert standing(system, session_id) == "ida-2"
    assert open_interpreters(system) == ["ida-2"]
    assert left == joined
    assert len(left) <= 1


@pytest.mark.parametrize("number", CALLS)
def test_interpreter_whose_old_connection_ends_in_the_midst_of_a_refresh_is_on_the_new_one(
    system, play, number
):
    session_id = begin(system, "ann")

    play(
        number,
        lambda: refresh(system, session_id, "ida-2"),
        lambda: system.disconnect("ida"),
    )

    sent = take_tokens(system)
    changes = [m["hears"] for n, m in sent if (n, m["type"]) == ("ann", "channelChanged")]
    assert standing(system, session_id) == "ida-2"
    assert open_interpreters(system) == ["ida-2"]
    assert changes in ([], ["floor", "de"])


@pytest.mark.parametrize("number", CALLS)
def test_language_that_another_one_takes_in_the_midst_of_a_refresh_has_one_interpreter(
    system, play, number
):
    """Ida has been away: whoever comes first has the language, and the other one is refused."""
    session_id = begin(system, "ann")
    system.disconnect("ida")
    system.take()

    play(
        number,
        lambda: refresh(system, session_id, "ida-2"),
        lambda: interpret(system, "new", session_id),
    )

    here = standing(system, session_id)
    sent = take_tokens(system)
    answers = {n: m.get("code") for n, m in sent if n in {"new", "ida-2"} - {here}}
    assert open_interpreters(system) == [here]
    assert answers == {next(iter({"new", "ida-2"} - {here})): "SESSION_LANGUAGE_TAKEN"}
    assert last_change(sent, "ann") == "de"


def test_interpreter_who_comes_back_on_the_connection_that_is_being_closed_leaves_nobody_deaf(
    system, before_call
):
    """Housekeeping has freed the channel, and is about to close the connection of the silent interpreter."""
    session_id = begin(system, "ann")
    system.clock.now += channels.SILENT_MS / 1000
    before_call(
        3, lambda: refresh(system, session_id, "ida")
    )  # two scans, and the update that frees

    system.keep_house()
    system.disconnect("ida")

    sent = take_tokens(system)
    assert ("ida", "connectionRefreshComplete") in [(n, m["type"]) for n, m in sent]
    assert standing(system, session_id) is None
    assert last_change(sent, "ann") == "floor"
    assert [m["type"] for n, m in sent if n == "speaker" and "interpreter" in m["type"]] == [
        *("interpreterLeft", "interpreterJoined", "interpreterLeft"),
    ]


@pytest.mark.parametrize("is_back", [False, True])
def test_interpreter_who_is_gone_before_the_reply_leaves_nobody_deaf(system, is_back):
    """What the others are sent last is that the channel has ended."""
    session_id = begin(system, "ann")
    system.disconnect("ida")
    system.take()
    system.clients.gone.add("ida-2")

    (refresh(system, session_id, "ida-2") if is_back else interpret(system, "ida-2", session_id))

    sent = take_tokens(system)
    assert standing(system, session_id) is None
    assert [m["hears"] for n, m in sent if m["type"] == "channelChanged"][-1:] in ([], ["floor"])
    assert [m["type"] for n, m in sent if n == "speaker"][-1:] in ([], ["interpreterLeft"])


# --- listeners


def test_listeners_who_change_while_channels_come_and_go_hear_what_the_rules_say(system):
    session_id = system.open("ann", "bob", "carl", "dora")
    for name, language in (("out", "it"), ("back", "pt")):
        assert interpret(system, name, session_id, language) == 200
    system.take()

    def change(name, *wanted):
        for language, audio in wanted:
            fields = {"targetLanguage": language, "audio": audio}
            assert system.send(name, "changeLanguage", **fields) == 200

    def come_and_go(name, language):
        assert interpret(system, name, session_id, language) == 200
        system.disconnect(name)
        assert interpret(system, f"{name}-2", session_id, language) == 200

    system.at_once(
        lambda: change("ann", ("de-AT", "original"), ("it", "original"), ("de-AT", "interpreted")),
        lambda: change("bob", ("it", "interpreted"), ("fr", "original"), ("it", "interpreted")),
        lambda: change("carl", ("fr", "original"), ("de", "interpreted"), ("pt-BR", "interpreted")),
        lambda: change("dora", ("it", "interpreted"), ("fr", "interpreted"), ("fr", "original")),
        lambda: come_and_go("ida", "de"),
        lambda: come_and_go("fay", "fr"),
        lambda: system.disconnect("out"),
    )

    system.take()
    reached = {}
    for sender in ("speaker", "ida-2", "fay-2", "back"):
        system.chunk(sender)
        reached[sender] = sorted(name for name, kind in system.types() if kind == "audio")
    assert reached == {
        "speaker": ["back", "bob", "dora", "fay-2", "ida-2"],
        "ida-2": ["ann"],
        "fay-2": [],
        "back": ["carl"],
    }
    session = system.store.session(session_id)
    assert session.languages == {"de-AT": 1, "it": 1, "pt-BR": 1, "fr": 1}
    assert (session.listener_count, session.channels) == (4, ["de", "fr", "pt"])


# --- the end


def test_interpreter_who_joins_in_the_moment_of_the_end_is_notified_of_it_or_refused(system):
    session_id = system.open("ann")
    names = [f"ida-{number}" for number in range(8)]

    system.at_once(
        *(
            lambda name=name: interpret(system, name, session_id, f"de-{name[4:]:0>3}")
            for name in names
        ),
        lambda: system.send("speaker", "endSession"),
    )

    sent = take_tokens(system)
    ready = {name for name, message in sent if message["type"] == "interpreterReady"}
    ended = {name for name, m in sent if m["type"] == "sessionEnded"} - {"speaker", "ann"}
    refused = {name for name, message in sent if message.get("code") == "SESSION_INACTIVE"}
    assert ready == ended == {*system.store.session(session_id).interpreter_connections}
    assert ready | refused == {*names}
    assert [name for name in refused if system.store.participant(name)] == []


@pytest.mark.parametrize("number", range(6))
def test_session_that_ends_in_the_midst_of_a_join_is_over_for_the_interpreter(system, play, number):
    session_id = system.open("ann")

    play(
        number,
        lambda: interpret(system, "ida", session_id),
        lambda: system.send("speaker", "endSession"),
    )

    kinds = [m.get("code", m["type"]) for name, m in take_tokens(system) if name == "ida"]
    assert (open_interpreters(system), sorted(kinds)) in [
        (["ida"], ["interpreterReady", "sessionEnded"]),
        ([], ["SESSION_INACTIVE"]),
    ]
