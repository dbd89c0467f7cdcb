"""Refresh tokens as clients and thieves use them: who sees what, in messages, closes, lines and metrics."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_states import LossyTable

from shared_utils import ApplicationError, ErrorCode

OWNERS = ("speaker", "ann")
# So many calls of the store a refresh makes; that which moves the participant; the last one replaces the token.
CALLS, MOVES = 7, 4


class Cut(BaseException):
    """An invocation ends here."""


class Scene:
    """A session of a speaker and two listeners, one of whose tokens is used."""

    def __init__(self, system, owner: str) -> None:
        self.system = system
        self.owner = owner
        self.session_id = system.open("ann", "bob")
        self.first_token = system.tokens[owner]
        system.lines().clear()

    def refresh(self, name: str, token: str, **fields) -> int:
        message = {"sessionId": self.session_id, "refreshToken": token, **fields}
        return self.system.send(name, "refreshConnection", **message)

    def take_token(self) -> str:
        """Return the token that came, of all that was sent since the last time."""
        [token] = self.take_tokens()
        return token

    def take_tokens(self) -> list[str]:
        kind = "connectionRefreshComplete"
        found = [m["refreshToken"] for _, m in self.system.take() if m["type"] == kind]
        numbers = itertools.count(len(self.system.tokens))
        self.system.tokens |= {f"token-{next(numbers)}": token for token in found}
        return found

    def next_token(self, name: str, token: str) -> str:
        """Use a token, which has to be good, and return the next one."""
        assert self.refresh(name, token) == 200
        return self.take_token()

    def speak_from(self, name: str) -> None:
        """Send something from a connection, which shows that the answer has arrived there."""
        assert self.system.send(name, "heartbeat") == 200
        assert self.system.types() == [(name, "heartbeatAck")]

    def is_on(self) -> str | None:
        """Return the connection that the participant is on."""
        session = self.system.store.session(self.session_id)
        if self.owner == "speaker":
            return None if session.speaker_gone_at else session.speaker_connection_id
        listener = session.listeners.get(self.owner)
        return listener and listener.connection_id

    def assert_shut_out(self, holder: str, thief: str, *dead_tokens: str) -> None:
        """Both were told the same and closed, the speaker notified, it is in the log, and no token is good."""
        answered = [(m.get("code") == "AUTH_TOKEN_INVALID", n) for n, m in self.system.take()]
        left = [] if self.owner == "speaker" else [(False, "speaker")]
        assert answered == [(True, holder), (True, thief), *left]
        assert self.system.clients.closed[-2:] == [holder, thief]
        assert self.is_on() is None
        session = self.system.store.session(self.session_id)
        assert session.listener_count == len(session.listeners) == 2 - len(left)
        self.assert_reuse_is_seen(holder, thief)
        for number, token in enumerate(dead_tokens):
            assert self.refresh(f"too-late-{number}", token) == 401
        assert self.system.clients.closed[-2:] == [holder, thief]
        assert self.is_on() is None
        assert self.reuses() == []

    def assert_reuse_is_seen(self, holder: str, thief: str) -> None:
        [line] = self.reuses()
        assert (line["level"], line["sessionId"]) == ("WARN", self.session_id)
        assert line["connectionId"] == thief
        assert line["context"]["closedConnectionIds"] == [holder]

    def assert_only_one_stays(self, stays: str) -> None:
        """The others, the connection before too, were closed or told that they are refused."""
        closed = {*self.system.clients.closed}
        errors = {name for name, message in self.system.clients.sent if message["type"] == "error"}
        assert stays not in errors | closed
        assert {self.owner, "tab-1", "tab-2"} - {stays} <= errors | closed
        assert self.owner in closed
        assert self.reuses() == []

    def reuses(self) -> list[dict]:
        """Return the lines about reuse since the last time, each of which was counted."""
        lines = self.system.lines()
        found = [line for line in lines if line.get("context", {}).get("reason") == "token_reused"]
        counted = [line for line in lines if line.get("Reason") == "token_reused"]
        assert len(counted) == len(found)
        lines.clear()
        return found

    def stored(self, dynamodb, tables) -> str:
        return str([dynamodb.scan(TableName=table)["Items"] for table in tables.values()])


@pytest.fixture(params=OWNERS)
def scene(system, request):
    """Return the scene with each kind of participant as the token's owner."""
    return Scene(system, request.param)


def cut():
    raise Cut


def fail():
    raise ApplicationError(ErrorCode.INTERNAL_DATABASE_ERROR)


# --- the next token


@pytest.mark.threat("table-tokens", "ws-rotation")
def test_refresh_gives_the_next_token_and_only_hashes_are_stored(scene, dynamodb, tables):
    token = scene.first_token
    for number in range(2, 6):
        token = scene.next_token(f"new-{number}", token)
        scene.speak_from(f"new-{number}")

    assert scene.is_on() == "new-5"
    assert len({*scene.system.tokens.values()}) == 3 + 4
    stored = scene.stored(dynamodb, tables)
    for known in scene.system.tokens.values():
        assert known.rpartition(".")[2] not in stored
    assert scene.reuses() == []


def test_token_of_an_item_that_was_stored_before_tokens_were_for_one_use_is_the_newest(
    scene, dynamodb, tables
):
    item = dynamodb.get_item(
        TableName=tables["connections"], Key={"connectionId": {"S": scene.owner}}
    )["Item"]
    assert {"rotation", "isUnused", "tokensRevokedAt"}.isdisjoint(item)

    token = scene.next_token("new", scene.first_token)

    assert scene.next_token("newer", token) != token


def test_speaker_whom_an_earlier_version_has_moved_comes_back(system, dynamodb, tables):
    """It moved the session, and gave the same token back."""
    scene = Scene(system, "speaker")
    dynamodb.update_item(
        TableName=tables["sessions"],
        Key={"sessionId": {"S": scene.session_id}},
        UpdateExpression="SET speakerConnectionId = :name",
        ExpressionAttributeValues={":name": {"S": "speaker-2"}},
    )

    scene.next_token("speaker-3", scene.first_token)

    assert scene.is_on() == "speaker-3"


@pytest.mark.parametrize("is_moved", [False, True])
def test_token_opens_no_later_session_that_has_drawn_the_same_id(
    system, dynamodb, tables, is_moved
):
    scene = Scene(system, "speaker")
    token = scene.next_token("speaker-2", scene.first_token)
    strangers = "speakerConnectionId = :name, speakerTokenHash = :name"
    dynamodb.update_item(
        TableName=tables["sessions"],
        Key={"sessionId": {"S": scene.session_id}},
        UpdateExpression=f"SET {strangers}, speakerId = :name"
        if is_moved
        else f"SET {strangers} REMOVE speakerId, speakerMovedTo",
        ExpressionAttributeValues={":name": {"S": "stranger"}},
    )

    assert scene.refresh("speaker-3", token) == 401
    assert scene.is_on() == "stranger"


@pytest.mark.parametrize(("later_ms", "status"), [(60_000, 200), (60_001, 401)])
def test_listener_of_an_earlier_session_is_none_of_the_one_with_the_same_id(
    system, dynamodb, tables, later_ms, status
):
    scene = Scene(system, "ann")
    dynamodb.update_item(
        TableName=tables["sessions"],
        Key={"sessionId": {"S": scene.session_id}},
        UpdateExpression="SET createdAt = createdAt + :later",
        ExpressionAttributeValues={":later": {"N": str(later_ms)}},
    )

    assert scene.refresh("ann-2", scene.first_token) == status


def test_participant_may_refresh_on_the_connection_that_it_is_on(scene):
    token = scene.next_token(scene.owner, scene.first_token)

    assert scene.is_on() == scene.owner
    assert scene.system.clients.closed == []
    scene.next_token("new", token)
    assert scene.is_on() == "new"


# --- lost answers, and requests that are sent again


def test_lost_answer_is_made_good_by_the_same_token_from_another_connection(scene):
    scene.next_token("lost", scene.first_token)
    scene.system.clock.now += 29.999

    token = scene.next_token("new", scene.first_token)

    assert scene.is_on() == "new"
    assert scene.system.clients.closed == [scene.owner, "lost"]
    scene.next_token("newer", token)
    assert scene.reuses() == []


def test_token_that_arrived_late_is_as_good_as_the_one_that_came_for_the_second_request(scene):
    late = scene.next_token("lost", scene.first_token)
    scene.next_token("new", scene.first_token)

    scene.next_token("newer", late)

    assert scene.is_on() == "newer"
    assert scene.reuses() == []


@pytest.mark.parametrize("which", [0, 1])
def test_each_answer_to_a_request_that_was_sent_twice_works_next_time_and_one_lives_on(
    scene, which
):
    """They may arrive in either order."""
    assert [scene.refresh("new", scene.first_token) for _ in range(2)] == [200, 200]
    tokens = scene.take_tokens()
    scene.speak_from("new")

    token = scene.next_token("newer", tokens[which])

    assert scene.reuses() == []
    scene.speak_from("newer")
    assert scene.refresh("new-again", tokens[1 - which]) == 401
    scene.assert_shut_out("newer", "new-again", token, *tokens)


def test_one_of_two_answers_lives_on_if_the_other_one_is_never_used(scene):
    assert [scene.refresh("new", scene.first_token) for _ in range(2)] == [200, 200]
    token = scene.next_token("newer", scene.take_tokens()[1])
    scene.speak_from("newer")
    scene.system.clock.now += 3600

    scene.next_token("newest", token)

    assert scene.is_on() == "newest"
    assert scene.reuses() == []


def test_request_that_was_sent_twice_and_comes_late_is_no_reuse(scene):
    token = scene.next_token("new", scene.first_token)
    scene.speak_from("new")
    scene.system.clock.now += 31

    late = scene.next_token("new", scene.first_token)

    assert (scene.is_on(), scene.reuses()) == ("new", [])
    assert scene.next_token("newer", token) != scene.refresh("newer", late)
    assert scene.reuses() == []


def test_request_of_a_connection_that_was_left_comes_late_and_is_no_reuse(scene):
    """It was sent twice; after the first answer was lost, its sender went on elsewhere."""
    scene.next_token("lost", scene.first_token)
    scene.next_token("new", scene.first_token)
    scene.speak_from("new")

    assert scene.refresh("lost", scene.first_token) == 410

    assert scene.system.take() == []  # nobody is there to read it
    assert (scene.is_on(), scene.reuses()) == ("new", [])


def test_request_that_failed_after_the_move_may_be_repeated_there_at_any_time(scene, before_call):
    scene.next_token("lost", scene.first_token)
    before_call(CALLS, cut)  # one call more: what came from the other connection
    scene.refresh("new", scene.first_token)
    assert scene.is_on() == "new"
    scene.system.clock.now += 31
    scene.system.take()

    scene.next_token("new", scene.first_token)

    assert scene.reuses() == []


def test_connection_that_took_over_and_failed_afterwards_may_be_used(system, before_call):
    scene = Scene(system, "ann")
    before_call(CALLS - 1, fail)
    assert scene.refresh("new", scene.first_token) == 500

    assert scene.is_on() == "new"
    assert system.send("new", "pausePlayback") == 200


def test_lost_answer_on_the_connection_that_the_participant_was_on_is_made_good(scene):
    scene.speak_from(scene.owner)
    scene.next_token(scene.owner, scene.first_token)

    scene.next_token("new", scene.first_token)

    assert scene.is_on() == "new"
    assert scene.reuses() == []


@pytest.mark.parametrize("number", range(CALLS))
def test_two_requests_of_one_connection_at_once_are_both_answered(scene, before_call, number):
    statuses = []
    before_call(number, lambda: statuses.append(scene.refresh("new", scene.first_token)))

    statuses.append(scene.refresh("new", scene.first_token))

    tokens = scene.take_tokens()
    assert (statuses, len(tokens)) == ([200, 200], 2)
    assert scene.is_on() == "new"
    assert scene.system.clients.closed == [scene.owner]
    scene.next_token("newer", tokens[0])


@pytest.mark.parametrize("is_one", [True, False])
def test_ninth_answer_without_anything_heard_is_one_too_many(scene, is_one):
    names = ["new" if is_one else f"new-{number}" for number in range(8)]
    for name in names:
        assert scene.refresh(name, scene.first_token) == 200
        scene.system.clock.now += 0.2
    tokens = scene.take_tokens()
    assert (len(tokens), scene.reuses()) == (8, [])

    assert scene.refresh("one-more", scene.first_token) == 401

    scene.assert_shut_out(names[-1], "one-more", *tokens, scene.first_token)


def test_ninth_answer_is_one_too_many_on_the_connection_itself(scene):
    for _ in range(8):
        assert scene.refresh("new", scene.first_token) == 200
        scene.system.clock.now += 0.2
    tokens = scene.take_tokens()

    assert scene.refresh("new", scene.first_token) == 401

    assert (scene.is_on(), scene.system.clients.closed) == (None, [scene.owner, "new"])
    assert scene.refresh("newer", tokens[-1]) == 401
    assert len(scene.reuses()) == 1


def test_client_that_loses_every_answer_goes_on_as_long_as_the_token_before_is_good(scene):
    """It asks again after 0.5, 1, 2, 4, 8 and 15 seconds, which is longer."""
    for number, seconds in enumerate((0.5, 1, 2, 4, 8, 14.4, 0)):
        assert scene.refresh(f"lost-{number}", scene.first_token) == 200
        scene.system.clock.now += seconds
    token = scene.take_tokens()[-1]

    scene.speak_from("lost-6")

    scene.next_token("newer", token)
    assert scene.reuses() == []


@pytest.mark.parametrize("wait_seconds", [0, 600])
@pytest.mark.parametrize("again", ["new", "newer"])
@pytest.mark.parametrize("number", range(CALLS))
def test_request_whose_invocation_ended_anywhere_is_made_good_by_the_same_one(
    scene, before_call, number, again, wait_seconds
):
    before_call(number, cut)
    assert scene.refresh("new", scene.first_token) == 500
    scene.system.clock.now += wait_seconds
    scene.system.take()

    scene.next_token(again, scene.first_token)

    assert scene.is_on() == again
    session = scene.system.store.session(scene.session_id)
    assert session.listener_count == len(session.listeners) == 2
    assert scene.reuses() == []


def test_refusal_for_want_of_room_uses_no_token_up(system):
    scene = Scene(system, "ann")
    system.disconnect("ann")
    system.set("connection", max_listeners=1)
    assert scene.refresh("new", scene.first_token) == 429
    system.clock.now += 600
    system.set("connection", max_listeners=2)
    system.take()

    scene.next_token("new", scene.first_token)

    assert scene.is_on() == "new"


# --- theft


@pytest.mark.parametrize("action", ["heartbeat", "own", "audio"])
def test_replay_after_the_first_message_ends_both_and_the_family(system, action):
    scene = Scene(system, "ann" if action == "own" else "speaker")
    token = scene.next_token("new", scene.first_token)
    if action == "audio":
        system.chunk("new", sessionId=scene.session_id)
    else:
        system.send("new", {"own": "pausePlayback"}.get(action, action))
    system.take()

    assert scene.refresh("thief", scene.first_token, requestId="mine") == 401

    assert {"mine"} == {m["requestId"] for n, m in system.clients.sent if n == "thief"}
    scene.assert_shut_out("new", "thief", token, scene.first_token)


@pytest.mark.threat("stolen-refresh-token")
def test_replay_ends_both_after_half_a_minute_without_a_message_too(scene):
    token = scene.next_token("new", scene.first_token)
    scene.system.clock.now += 30

    assert scene.refresh("thief", scene.first_token) == 401

    scene.assert_shut_out("new", "thief", token, scene.first_token)


def test_time_of_a_token_is_not_prolonged_by_its_use(scene):
    scene.next_token("new", scene.first_token)
    scene.system.clock.now += 29
    token = scene.next_token("newer", scene.first_token)
    scene.system.clock.now += 1

    assert scene.refresh("thief", scene.first_token) == 401

    scene.assert_shut_out("newer", "thief", token)


def test_theft_of_the_newest_token_is_seen_when_its_owner_uses_it(scene):
    stolen = scene.next_token("thief", scene.first_token)
    scene.speak_from("thief")
    assert scene.system.clients.closed == [scene.owner]

    assert scene.refresh("owner-again", scene.first_token) == 401

    scene.assert_shut_out("thief", "owner-again", stolen, scene.first_token)


def test_theft_in_the_time_of_grace_is_seen_when_the_second_one_goes_on(scene):
    """Owner and thief each got one of the newest tokens; whoever uses it second is one too many."""
    owners = scene.next_token("new", scene.first_token)
    stolen = scene.next_token("thief", scene.first_token)
    token = scene.next_token("newer", owners)
    scene.speak_from("newer")

    assert scene.refresh("thief-2", stolen) == 401

    scene.assert_shut_out("newer", "thief-2", token, stolen)


def test_thief_who_listens_to_the_same_session_is_put_out_as_well(system):
    scene = Scene(system, "ann")
    token = scene.next_token("new", scene.first_token)
    scene.speak_from("new")

    assert scene.refresh("bob", scene.first_token) == 401

    codes = [(name, message.get("code")) for name, message in system.take()]
    assert codes[:2] == [("new", "AUTH_TOKEN_INVALID"), ("bob", "AUTH_TOKEN_INVALID")]
    assert codes[2:] == [("speaker", None)] * 2
    assert system.clients.closed == ["ann", "new", "bob"]
    session = system.store.session(scene.session_id)
    assert (session.listener_count, session.audience) == (0, [])
    scene.assert_reuse_is_seen("new", "bob")
    assert scene.refresh("too-late", token) == 401


def test_connection_of_another_participant_takes_nobody_over(scene):
    assert scene.refresh("bob", scene.first_token) == 409

    assert scene.is_on() == scene.owner
    scene.next_token("new", scene.first_token)


def test_thief_who_was_silent_first_is_seen_with_the_token_that_it_got_beside_the_owners(scene):
    """The owner's refresh closed the thief's connection, as if its own first answer had been lost."""
    stolen = scene.next_token("thief", scene.first_token)
    owners = scene.next_token("new", scene.first_token)
    scene.speak_from("new")
    assert scene.is_on() == "new"

    assert scene.refresh("thief-2", stolen) == 401

    scene.assert_shut_out("new", "thief-2", owners, stolen, scene.first_token)


def test_owner_sees_the_thief_who_was_heard_first(scene):
    owners = scene.next_token("new", scene.first_token)
    stolen = scene.next_token("thief", scene.first_token)
    scene.speak_from("thief")

    assert scene.refresh("newer", owners) == 401

    scene.assert_shut_out("thief", "newer", owners, stolen)


def test_silent_thief_is_seen_after_the_speakers_first_chunk(system):
    scene = Scene(system, "speaker")
    stolen = scene.next_token("thief", scene.first_token)
    owners = scene.next_token("new", scene.first_token)
    system.chunk("new", sessionId=scene.session_id)
    system.take()

    assert scene.refresh("thief-2", stolen) == 401

    assert system.clients.closed[-2:] == ["new", "thief-2"]
    assert scene.refresh("newer", owners) == 401
    scene.assert_reuse_is_seen("new", "thief-2")


@pytest.mark.parametrize("who", ["owner", "thief"])
def test_connection_that_was_heard_and_has_ended_counts_still(scene, who):
    tokens = {"owner": scene.next_token("new", scene.first_token)}
    tokens["thief"] = scene.next_token("thief", scene.first_token)
    if who == "owner":  # the last one stays
        tokens["owner"] = scene.next_token("new-2", scene.first_token)
    heard = "new-2" if who == "owner" else "thief"
    scene.speak_from(heard)
    scene.system.disconnect(heard)
    scene.system.take()

    other = "thief" if who == "owner" else "owner"
    assert scene.refresh("too-much", tokens[other]) == 401

    assert [line["connectionId"] for line in scene.reuses()] == ["too-much"]
    assert scene.refresh("newer", tokens[who]) == 401


def send_late(scene, action: str) -> None:
    """Send something that was under way when its connection was closed."""
    if action == "audio":
        assert scene.system.chunk("new", sessionId=scene.session_id) == 410
    else:
        assert scene.system.send("new", action) == 410
    scene.system.take()


@pytest.mark.parametrize(
    ("owner", "action"), [("speaker", "heartbeat"), ("speaker", "audio"), ("ann", "heartbeat")]
)
def test_message_under_way_when_a_thief_takes_over_is_refused_and_counts(system, owner, action):
    scene = Scene(system, owner)
    owners = scene.next_token("new", scene.first_token)
    stolen = scene.next_token("thief", scene.first_token)
    send_late(scene, action)

    assert scene.refresh("thief-2", stolen) == 401

    scene.assert_shut_out("thief", "thief-2", owners, stolen)


@pytest.mark.parametrize("number", range(3))
def test_chunk_in_whose_midst_a_thief_takes_over_counts(system, before_call, number):
    scene = Scene(system, "speaker")
    owners = scene.next_token("new", scene.first_token)
    before_call(number, lambda: scene.refresh("thief", scene.first_token))
    status = system.chunk("new", sessionId=scene.session_id)
    assert status == (200 if number == 2 else 410)
    [stolen] = scene.take_tokens()

    assert scene.refresh("thief-2", stolen) == 401

    scene.assert_shut_out("thief", "thief-2", owners, stolen)


@pytest.mark.parametrize("number", range(7))
def test_first_chunk_in_the_midst_of_a_thiefs_move_stops_it(system, before_call, number):
    """It may come up to the move: the owner's connection was heard, so that the thief's token is spent."""
    scene = Scene(system, "speaker")
    stolen = scene.next_token("thief", scene.first_token)
    owners = scene.next_token("new", scene.first_token)
    before_call(number, lambda: system.chunk("new", sessionId=scene.session_id))

    assert scene.refresh("thief-2", stolen) == 401

    assert scene.is_on() is None
    assert scene.refresh("newer", owners) == 401
    scene.assert_reuse_is_seen("new", "thief-2")


def test_two_who_were_both_heard_end_with_the_next_use_of_either(scene):
    owners = scene.next_token("new", scene.first_token)
    stolen = scene.next_token("thief", scene.first_token)
    scene.speak_from("thief")
    send_late(scene, "heartbeat")

    assert scene.refresh("thief-2", stolen) == 401

    scene.assert_shut_out("thief", "thief-2", owners, stolen)


def test_token_that_is_pushed_out_by_many_uses_ends_both(scene):
    """A thief asks again and again before the owner is heard."""
    owners = scene.next_token("new", scene.first_token)
    statuses = [scene.refresh(f"thief-{number}", scene.first_token) for number in range(8)]

    assert statuses == [200] * 7 + [401]
    assert scene.is_on() is None
    assert len(scene.reuses()) == 1
    assert scene.refresh("newer", owners) == 401


def test_race_that_is_repeated_before_each_message_ends_both(scene):
    """Neither is ever heard: each takes over before the other one has said anything."""
    tokens, statuses = [scene.first_token] * 2, []
    for number in range(9):
        statuses.append(scene.refresh(f"new-{number}", tokens[number % 2]))
        tokens[number % 2] = (scene.take_tokens() or [""])[0]

    assert statuses == [200] * 8 + [401]
    assert scene.is_on() is None
    assert len(scene.reuses()) == 1


def test_thief_who_goes_on_quickly_is_seen_by_the_first_use_of_an_older_token(scene):
    token = scene.first_token
    for number in range(12):
        token = scene.next_token(f"thief-{number}", token)
        scene.speak_from(f"thief-{number}")

    assert scene.refresh("owner-again", scene.first_token) == 401

    scene.assert_shut_out("thief-11", "owner-again", token, scene.first_token)


def test_duplicated_tab_takes_over_and_both_end_when_the_first_one_comes_back(scene):
    """A browser copies what a tab has stored, the newest token too."""
    token = scene.next_token("tab-2", scene.first_token)
    scene.speak_from("tab-2")
    assert (scene.is_on(), scene.system.clients.closed) == ("tab-2", [scene.owner])

    assert scene.refresh("tab-1", scene.first_token) == 401

    scene.assert_shut_out("tab-2", "tab-1", token)


@pytest.mark.parametrize("number", range(CALLS))
def test_two_tabs_at_once_leave_one_of_them_and_the_other_knows(scene, before_call, number):
    statuses = {}

    def use(name):
        statuses[name] = scene.refresh(name, scene.first_token)

    before_call(number, lambda: use("tab-2"))
    use("tab-1")

    stays = scene.is_on()
    assert stays == ("tab-1" if number <= MOVES else "tab-2")  # who moves last
    assert statuses == {
        "tab-1": 200 if number <= MOVES else 410,
        "tab-2": 200,
    }
    scene.assert_only_one_stays(stays)
    scene.next_token("newer", scene.take_tokens()[-1])


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize(
    ("times", "number"),
    [
        pytest.param(times, number, marks=() if number % 4 == 0 else pytest.mark.long)
        for times, count in ((1, 11), (2, 15))
        for number in range(count)
    ],
)
def test_two_tabs_at_once_leave_one_of_them_when_answers_of_the_store_are_lost(
    system, monkeypatch, owner, times, number
):
    """One that was overtaken before it knew that it had moved takes nothing back."""
    scene, numbers = Scene(system, owner), itertools.count()

    def count():
        if next(numbers) == number:
            scene.refresh("tab-2", scene.first_token)

    for name in ("sessions", "connections"):
        items = getattr(system.app("connection").store, name)
        monkeypatch.setattr(items, "table", LossyTable(items.table, count, "answer", times))
    scene.refresh("tab-1", scene.first_token)

    scene.assert_only_one_stays(scene.is_on())
    scene.next_token("newer", scene.take_tokens()[-1])


@pytest.mark.parametrize("number", [1, 2])
def test_token_that_grows_old_in_the_midst_of_its_use_ends_both(scene, before_call, number):
    """Meanwhile its owner has used it, and the next one as well."""

    def go_on():
        token = scene.next_token("new", scene.first_token)
        scene.speak_from("new")
        scene.next_token("newer", token)

    before_call(number, go_on)

    assert scene.refresh("thief", scene.first_token) == 401
    assert (scene.is_on(), scene.system.clients.closed[-2:]) == (None, ["newer", "thief"])
    scene.assert_reuse_is_seen("newer", "thief")


@pytest.mark.parametrize("token", ["wrong", "another's", "nobody's"])
def test_token_that_is_no_good_closes_nobody(scene, token):
    tokens = [scene.first_token]
    for name in ("new", "newer"):
        tokens.append(scene.next_token(name, tokens[-1]))
        scene.speak_from(name)
    closed = [*scene.system.clients.closed]
    text = {
        "wrong": f"wsr_{scene.owner}.guess",
        "another's": scene.system.tokens["bob"].replace("bob", scene.owner),
        "nobody's": "wsr_nobody.guess",
    }[token]

    assert scene.refresh("thief", text) == 401

    assert [(n, m["code"]) for n, m in scene.system.take()] == [("thief", "AUTH_TOKEN_INVALID")]
    assert (scene.is_on(), scene.system.clients.closed) == ("newer", closed)
    lines = scene.system.lines()
    assert [line["Reason"] for line in lines if "RefreshTokensRefused" in line] == ["token_invalid"]
    assert scene.reuses() == []
    scene.next_token("newest", tokens[-1])


def test_wrong_tokens_count_as_failed_joins_of_their_address(system):
    scene = Scene(system, "ann")
    joining = {"sessionId": scene.session_id, "targetLanguage": "fr"}

    guesses = [scene.refresh(f"thief-{number}", "wsr_ann.guess") for number in range(10)]
    system.take()

    assert guesses == [401] * 10
    assert system.send("eve", "joinSession", **joining) == 429
    assert system.send("eve-2", "joinSession", **joining, address="192.0.2.99") == 200
    assert scene.next_token("new", scene.first_token)


def test_expired_token_is_not_counted_as_a_guess(system):
    system.set("session", session_hours=5)
    scene = Scene(system, "ann")
    system.clock.now += 3 * 3600

    assert scene.refresh("new", scene.first_token) == 401

    assert [m["code"] for _, m in system.take()] == ["AUTH_TOKEN_EXPIRED"]
    assert not any("RefreshTokensRefused" in line for line in system.lines())


class TwoHolders:
    """A participant and a thief, who each have the first token; nobody knows who is who."""

    numbers = itertools.count()

    def __init__(self, system, role: str) -> None:
        self.system, self.number = system, next(self.numbers)
        system.clock.now += 60  # so many sessions a minute from one address
        listener, speaker = f"listener-{self.number}", f"speaker-{self.number}"
        self.session_id = system.open(listener, speaker=speaker)
        owner = speaker if role == "speaker" else listener
        self.tokens = {who: [system.tokens[owner]] for who in "AB"}
        self.here, self.heard, self.unheard, self.is_over = owner, "", 0, False
        system.lines().clear()

    def speak(self, who: str) -> None:
        """Send something, if the participant is on this one's connection."""
        if self.here.startswith(who) and who in self.tokens and not self.is_over:
            assert self.system.send(self.here, "heartbeat") == 200
            self.heard, self.unheard = self.heard or who, 0
            assert self.heard == who

    def use(self, who: str, back: int) -> None:
        """Use a token, of which so many others came later."""
        tokens = self.tokens[who]
        token, name = tokens[-1 - back % len(tokens)], f"{who}-{self.number}-{len(tokens)}"
        fields = {"sessionId": self.session_id, "refreshToken": token}
        status = self.system.send(name, "refreshConnection", **fields)
        sent = [message for to, message in self.system.take() if to == name]
        if status == 200:
            assert self.heard in ("", who)
            self.unheard += 1
            assert self.unheard <= 8
            self.here = name
            tokens.append(sent[0]["refreshToken"])
            self.system.tokens[name] = tokens[-1]
        else:
            assert (status, sent[0]["code"]) == (401, "AUTH_TOKEN_INVALID")
            assert self.heard != who or token != tokens[-1] or self.unheard == 8
            self.is_over = True
            self.assert_both_are_out(name)

    def assert_both_are_out(self, name: str) -> None:
        assert {self.here, name} <= {*self.system.clients.closed}
        lines = self.system.lines()
        assert [one["Reason"] for one in lines if "RefreshTokensRefused" in one] == ["token_reused"]
        for number, token in enumerate(itertools.chain(*self.tokens.values())):
            fields = {"sessionId": self.session_id, "refreshToken": token}
            late = f"late-{self.number}-{number}"
            assert self.system.send(late, "refreshConnection", **fields) == 401


@pytest.mark.parametrize("role", ["speaker", "listener"])
def test_of_two_holders_of_a_token_one_is_refused_or_both_learn_of_it_in_every_order_of_four(
    system, role
):
    """Each use is good, or ends both. Once one was heard, the other one's uses are never good."""
    for order in itertools.product(["A", "B", "speak"], repeat=3):
        two = TwoHolders(system, role)
        for event in ("A", *order):
            if event == "speak":
                two.speak(two.here[0])
            elif not two.is_over:
                two.use(event, 0)
            system.take()


@pytest.mark.long
@settings(
    max_examples=settings.default.max_examples * 3 // 10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    role=st.sampled_from(["speaker", "listener"]),
    events=st.lists(
        st.tuples(
            st.sampled_from("AB"),
            st.sampled_from([*["use"] * 6, "speak", "wait"]),
            st.sampled_from([0, 0, 0, 0, 1, 9]),
        ),
        min_size=6,
        max_size=25,
    ),
)
def test_of_two_holders_of_a_token_one_is_refused_or_both_learn_of_it_in_any_order(
    system, role, events
):
    """In longer orders than every one that can be tried, with older tokens and time between."""
    two = TwoHolders(system, role)
    for who, what, number in events:
        if two.is_over:
            break
        if what == "use":
            two.use(who, number)
        elif what == "speak":
            two.speak(who)
        else:
            system.clock.now += 4 * number
        system.take()


# --- what follows of a theft


def stolen(scene) -> str:
    """Return a token that is too late, of a participant on the connection "new"."""
    scene.next_token("new", scene.first_token)
    scene.speak_from("new")
    return scene.first_token


def test_session_whose_speakers_token_was_stolen_ends_in_a_minute(system):
    scene = Scene(system, "speaker")
    scene.refresh("thief", stolen(scene))
    system.take()
    system.clients.active_at.update(dict.fromkeys(("ann", "bob"), system.clock.now))

    system.clock.now += 59
    system.keep_house()
    assert "sessionEnded" not in [kind for _, kind in system.types()]
    system.clock.now += 1
    system.keep_house()

    ended = [name for name, kind in system.types() if kind == "sessionEnded"]
    assert sorted(ended) == ["ann", "bob"]


def test_late_disconnects_after_a_theft_notify_nobody_again(scene):
    scene.refresh("thief", stolen(scene))
    scene.system.take()

    for name in ("new", "thief", scene.owner):
        assert scene.system.disconnect(name) == {"statusCode": 200}

    assert scene.system.take() == []


@pytest.mark.parametrize(
    ("action", "number", "status"),
    [
        ("heartbeat", 0, 410),
        ("pausePlayback", 0, 410),
        ("pausePlayback", 1, 410),
        ("changeLanguage", 0, 410),
        ("changeLanguage", 1, 410),
        pytest.param("changeLanguage", 2, 200, id="changeLanguage-is-done-before"),
    ],
)
def test_message_in_flight_when_its_listener_is_shut_out_is_refused_unless_it_was_done_before(
    system, before_call, action, number, status
):
    """The listener is counted out once, and the speaker notified once, whichever comes first."""
    scene = Scene(system, "ann")
    token = stolen(scene)
    before_call(number, lambda: scene.refresh("thief", token))
    fields = {"targetLanguage": "de"} if action == "changeLanguage" else {}

    assert system.send("new", action, **fields) == status
    system.disconnect("new")

    types = system.types()
    assert ("thief", "error") in types
    assert types.count(("speaker", "listenerLeft")) == 1
    session = system.store.session(scene.session_id)
    assert (session.listener_count, session.audience) == (1, ["bob"])


@pytest.mark.parametrize("number", range(12))
def test_theft_whose_invocation_ended_anywhere_is_dealt_with_by_the_next_use(
    scene, before_call, number
):
    token = stolen(scene)
    before_call(number, cut)
    scene.refresh("thief", token)

    scene.refresh("thief-2", token)

    assert "new" in scene.system.clients.closed
    scene.system.disconnect("new")
    assert scene.is_on() is None
    session = scene.system.store.session(scene.session_id)
    assert session.listener_count == len(session.listeners)
    assert scene.refresh("too-late", token) == 401


@pytest.mark.parametrize("number", range(CALLS))
def test_theft_in_the_midst_of_a_refresh_leaves_nobody_in_without_a_good_token(
    scene, before_call, number
):
    old = stolen(scene)
    newest = [*scene.system.tokens.values()][-1]
    before_call(number, lambda: scene.refresh("thief", old))

    scene.refresh("newer", newest)

    tokens = scene.take_tokens()
    if scene.is_on() is None:
        assert {"thief", "new"} <= {*scene.system.clients.closed}
    else:
        assert scene.is_on() == "newer"
        scene.next_token("newest", tokens[-1])
    session = scene.system.store.session(scene.session_id)
    assert session.listener_count == len(session.listeners)


# --- audio


def writes(system) -> list[tuple[str, str]]:
    return [call for call in system.calls.made if call[0] != "get_item"]


def test_audio_writes_nothing_without_a_refresh(system):
    scene = Scene(system, "speaker")

    for number in range(40):
        system.chunk("speaker", number, sessionId=scene.session_id)
        system.clock.now += 0.1

    assert writes(system) == []


def test_first_chunk_after_a_refresh_is_one_write(system):
    scene = Scene(system, "speaker")
    system.chunk("speaker", sessionId=scene.session_id)
    scene.next_token("new", scene.first_token)
    system.calls.made.clear()

    for number in range(1, 40):
        assert system.chunk("new", number, sessionId=scene.session_id) == 200
        system.clock.now += 0.1
    system.answered()

    assert writes(system) == [("update_item", "Sessions")]


def test_first_chunk_that_cannot_be_noted_is_passed_on_and_a_later_one_is_noted(
    system, before_call
):
    scene = Scene(system, "speaker")
    scene.next_token("new", scene.first_token)
    system.calls.made.clear()
    before_call(2, fail)  # after the two reads

    statuses = [system.chunk("new", 1, sessionId=scene.session_id)]
    assert writes(system) == []
    for number in range(2, 4):
        system.clock.now += 2
        statuses.append(system.chunk("new", number, sessionId=scene.session_id))
        system.answered()

    assert statuses == [200] * 3
    assert [kind for name, kind in system.types() if name == "ann"] == ["audio"] * 3
    assert writes(system) == [("update_item", "Sessions")]
