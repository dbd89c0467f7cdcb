"""Listeners who take no audio: who else notices, what is counted, and how they are closed."""

import base64
import time

import pytest
from connections_server import ENVIRON, OK, SILENCE, Server

from broadcast.deliveries import Deliveries
from broadcast.pace import PaceDecision
from shared_utils import ApplicationError, Connections, ErrorCode, Outcome

NOW_MS = 1_767_225_600_000
LOUD = base64.b64encode(b"\xff\x7f" * 1600).decode()


def counts(system, metric: str, by: str) -> dict[str, float]:
    """Return the sums of a metric by a dimension."""
    sums: dict[str, float] = {}
    for line in list(system.lines()):
        if metric in line:
            sums[line[by]] = sums.get(line[by], 0) + line[metric]
    return sums


def failures(system) -> dict[str, float]:
    return counts(system, "ListenerNotificationFailures", "ErrorType")


def dropped(system) -> dict[str, float]:
    return counts(system, "AudioChunksDropped", "Reason")


# --- who is closed


@pytest.mark.parametrize("kind", ["timeout", "throttled"])
def test_listener_who_takes_nothing_is_closed_and_taken_out_at_the_tenth_post(system, kind):
    session_id = system.open("ann", "bob")
    system.clients.failing["ann"] = kind

    [system.chunk("speaker", number) for number in range(9)]
    before = list(system.clients.closed)
    system.clients.posts.clear()
    [system.chunk("speaker", number) for number in (9, 10)]

    assert (before, system.clients.closed) == ([], ["ann"])
    assert [(name, type_) for name, type_, _ in system.clients.posts] == [
        ("bob", "audio"),
        ("ann", "audio"),
        ("ann", "error"),
        ("speaker", "listenerLeft"),
        ("bob", "audio"),
    ]
    assert system.store.session(session_id).audience == ["bob"]
    assert failures(system) == {kind: 10}
    [line] = [line for line in system.lines() if "takes nothing" in line.get("message", "")]
    assert (line["level"], line["sessionId"]) == ("WARN", session_id)
    assert line["context"] == {"closedConnectionId": "ann"}


def test_who_is_closed_learns_why_if_that_is_taken(system, monkeypatch):
    """The tenth post of audio fails, and what comes after it does not."""
    system.open("ann", "bob")
    system.clients.failing["ann"] = "throttled"
    [system.chunk("speaker", number) for number in range(9)]
    system.take()
    kinds = {"bob": iter(["sent"]), "ann": iter(["throttled", "sent", "sent"])}
    kinds["speaker"] = iter(["sent"])

    monkeypatch.setattr(system.clients, "_outcome", lambda name: Outcome(next(kinds[name])))
    system.chunk("speaker", 9)

    [error] = [message for name, message in system.take() if name == "ann"]
    assert (error["type"], error["code"]) == ("error", "CONNECTION_TIMEOUT")
    assert error["retryable"] is True


def test_one_is_closed_at_a_time_and_the_next_chunk_closes_the_next(system):
    names = [f"listener-{number}" for number in range(4)]
    session_id = system.open(*names)
    system.clients.failing |= {"listener-0": "timeout", "listener-1": "timeout"}

    [system.chunk("speaker", number) for number in range(10)]
    first = list(system.clients.closed)
    system.chunk("speaker", 10)

    assert (first, system.clients.closed) == (["listener-0"], ["listener-0", "listener-1"])
    assert system.store.session(session_id).audience == ["listener-2", "listener-3"]


def test_nobody_is_closed_when_most_get_429(system):
    """It is the account's rate: each chunk is dropped and counted."""
    session_id = system.open("ann", "bob", "eve")
    system.clients.failing |= dict.fromkeys(("ann", "bob", "eve"), "throttled")

    statuses = [system.chunk("speaker", number) for number in range(40)]

    assert statuses == [200] * 40
    assert system.clients.closed == []
    assert system.store.session(session_id).listener_count == 3
    assert failures(system) == {"throttled": 120}


def test_posts_of_another_session_say_that_the_gateway_takes_them(system):
    stuck = system.open("ann")
    system.open("bob", speaker="other")
    system.clients.failing["ann"] = "throttled"

    for number in range(10):
        system.chunk("other", number)
        system.chunk("speaker", number)

    assert system.clients.closed == ["ann"]
    assert system.store.session(stuck).audience == []


def test_who_is_closed_and_still_in_the_store_gets_nothing_more(system, monkeypatch):
    """The store failed when the listener was to be taken out; the next try is a read later."""
    session_id = system.open("ann", "bob")
    system.clients.failing["ann"] = "throttled"
    [system.chunk("speaker", number) for number in range(9)]
    leave = system.app("audio").store.leave
    monkeypatch.setattr(system.app("audio").store, "leave", refuse)
    system.chunk("speaker", 9)
    audience = system.store.session(session_id).audience
    monkeypatch.setattr(system.app("audio").store, "leave", leave)
    system.clients.posts.clear()

    system.clock.now += 2.5
    system.chunk("speaker", 10)
    system.answered()
    system.chunk("speaker", 11)

    assert audience == ["ann", "bob"]
    assert [name for name, type_, _ in system.clients.posts if type_ == "audio"] == ["bob", "bob"]
    assert system.store.session(session_id).audience == ["bob"]
    assert failures(system) == {"throttled": 10, "gone": 1}


def refuse(connection_id):
    raise ApplicationError(ErrorCode.INTERNAL_DATABASE_ERROR)


# --- how they are posted to


def test_audio_is_never_sent_again_and_a_post_has_half_a_second_at_most(system):
    system.open("ann", "bob")
    system.clients.posts.clear()

    system.chunk("speaker")

    [(_, _, options), _] = system.clients.posts
    assert options == {"retries": 0, "answer_seconds": 0.5, "timeout_seconds": 0.504}


def test_suspect_is_posted_to_after_the_others_and_for_a_shorter_time(system):
    system.open("ann", "bob")
    system.chunk("speaker", 0)
    system.clients.failing["ann"] = "timeout"
    system.chunk("speaker", 1)
    system.clients.posts.clear()

    system.chunk("speaker", 2)

    assert [(name, o["answer_seconds"]) for name, _, o in system.clients.posts] == [
        ("bob", 0.05),
        ("ann", 0.01),
    ]


def test_suspect_for_whom_there_is_no_time_is_skipped_and_counted(system):
    deliveries = Deliveries(system.clock)
    system.module("audio").live.deliveries = deliveries
    system.open("ann", "bob")
    deliveries.count({"ann": "timeout"}, 1.0)

    system.chunk("speaker")

    assert system.types() == [("bob", "audio")]
    assert failures(system) == {"skipped": 1}


def test_speaker_who_does_not_read_is_warned_once_and_holds_up_no_chunk(system):
    """The warning comes after the chunk, in one try."""
    system.open("ann")
    system.clients.failing["speaker"] = "timeout"
    system.clients.posts.clear()

    for number in range(60):
        system.chunk("speaker", number, audioData=LOUD)
        system.clock.now += 0.2

    posts = [(name, type_) for name, type_, _ in system.clients.posts]
    warnings = [post for post in posts if post[0] == "speaker"]
    assert warnings == [("speaker", "audioQualityWarning")]
    assert posts[posts.index(warnings[0]) - 1] == ("ann", "audio")
    assert [o["retries"] for name, _, o in system.clients.posts if name == "speaker"] == [0]


def test_warning_of_the_pace_comes_after_the_chunk(system):
    system.open("ann")
    [system.chunk("speaker", number) for number in range(40)]
    system.take()

    system.chunk("speaker", 40)

    assert system.types() == [("ann", "audio"), ("speaker", "rateLimitWarning")]


def test_warning_that_comes_with_a_refusal_is_sent_before_it(system, monkeypatch):
    system.open("ann")
    refused = PaceDecision(allowed=False, warn=True, retry_after_ms=900)
    monkeypatch.setattr(system.app("audio").pace, "judge", lambda _: refused)

    assert system.chunk("speaker") == 429

    assert system.types() == [("speaker", "rateLimitWarning"), ("speaker", "error")]


# --- everything is counted


@pytest.mark.parametrize(
    "kind", ["gone", "throttled", "timeout", "failed", "forbidden", "too_large"]
)
def test_delivery_that_fails_is_counted_once_by_why(system, kind):
    system.open("ann", "bob", "eve")
    system.clients.failing |= {"ann": kind, "bob": kind}

    system.chunk("speaker")

    assert [name for name, type_ in system.types() if type_ == "audio"] == ["eve"]
    assert failures(system) == {kind: 2}
    assert dropped(system) == {}


def test_chunk_for_nobody_is_counted(system):
    system.open()

    assert system.chunk("speaker") == 200

    assert dropped(system) == {"no_listeners": 1}


def test_chunk_that_cannot_be_posted_is_counted(system, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError

    system.open("ann")
    real = system.clients.broadcast
    monkeypatch.setattr(system.clients, "broadcast", fail)
    monkeypatch.setattr(system.clients, "send", lambda name, data, **o: real([name], data))

    assert system.chunk("speaker") == 500

    assert dropped(system) == {"INTERNAL_SERVER_ERROR": 1}


def test_sent_is_delivered_and_counted_whatever_happens(system):
    """Of every chunk and every listener, over two sessions."""
    system.open("ann", "bob", "eve")
    system.open("dan", "fay", speaker="other")
    sessions = system.module("audio").live.sessions
    kinds = ["sent", "timeout", "throttled", "failed", "sent", "timeout", "gone"]
    recipients = 5
    [
        system.chunk(speaker, 0) for speaker in ("speaker", "other")
    ]  # so that the sessions are in memory

    for number in range(1, 70):
        system.clients.failing["ann"] = kinds[number % 7]
        system.clients.failing["dan"] = "timeout"
        system.clients.failing["bob"] = kinds[number // 7 % 3]
        for speaker in ("speaker", "other"):
            recipients += len(sessions.last(speaker).recipients("floor"))
            assert system.chunk(speaker, number) == 200
        system.clock.now += 0.02  # as fast as a speaker may

    delivered = sum(message["type"] == "audio" for _, message in system.take())
    counted = failures(system)
    assert delivered + sum(counted.values()) == recipients
    assert set(counted) == {"gone", "timeout", "throttled", "failed"}


# --- audio that is too old


@pytest.mark.parametrize(
    ("came", "is_late"),
    [
        pytest.param(NOW_MS - 2001, True, id="late"),
        pytest.param(NOW_MS - 2000.5, True, id="late-by-half-a-millisecond"),
        pytest.param(NOW_MS - 2000, False, id="just-in-time"),
        pytest.param(NOW_MS + 60_000, False, id="in-the-future"),
        pytest.param(None, False, id="null"),
        pytest.param(str(NOW_MS - 9000), False, id="text"),
        pytest.param(True, False, id="bool"),
        pytest.param(float("nan"), False, id="nan"),
    ],
)
def test_late_audio_is_dropped_counted_and_not_answered(system, came, is_late):
    session_id = system.open("ann")
    system.chunk("speaker", 0)
    system.take()

    status = system.chunk("speaker", 1, request_context={"requestTimeEpoch": came})

    assert status == 200
    assert system.types() == ([] if is_late else [("ann", "audio")])
    assert dropped(system) == ({"late": 1} if is_late else {})
    lines = [line for line in system.lines() if "AudioChunksDropped" in line]
    assert all(line["sessionId"] == session_id for line in lines)


def test_late_audio_asks_nobody_and_takes_nothing_of_the_pace(system):
    system.open("ann")
    late = {"requestTimeEpoch": NOW_MS - 2001}

    statuses = [system.chunk("speaker", n, request_context=late) for n in range(100)]
    statuses.append(system.chunk("speaker", 100))

    assert statuses == [200] * 101
    assert system.types() == [("ann", "audio")]
    assert system.calls.made == [("get_item", "Connections"), ("get_item", "Sessions")]


def test_audio_that_became_late_while_the_store_was_asked_is_dropped(system, monkeypatch):
    system.open("ann")
    store = system.app("audio").store
    read = store.session_of_sender

    def slow(*arguments):
        system.clock.now += 0.2
        return read(*arguments)

    monkeypatch.setattr(store, "session_of_sender", slow)
    came = {"requestTimeEpoch": NOW_MS - 1900}

    assert system.chunk("speaker", request_context=came) == 200

    assert system.types() == []
    assert dropped(system) == {"late": 1}


# --- with real sockets


@pytest.fixture
def post_through(system):
    """Let the functions post to a scripted gateway; return the function."""
    made = []

    def post(server):
        made.append(Connections(server.endpoint, environ=ENVIRON))
        system.post_through(made[-1])
        system.module("audio").live.deliveries = Deliveries(system.clock)

    yield post
    [connections.close_sockets() for connections in made]


def test_listener_who_is_never_answered_delays_nobody_and_is_closed(system, post_through):
    """A chunk each 100 ms in two sessions; a post that nobody waits for any longer came all the same."""
    session_id = system.open("ann", "stuck", "bob")
    system.open("eve", speaker="other")
    with Server({"stuck": [[OK]] * 5 + [[SILENCE]] * 11 + [[OK]]}) as server:
        post_through(server)
        started = time.monotonic()
        for number in range(90):
            assert system.chunk("speaker", number) == 200
            assert system.chunk("other", number) == 200
            system.clock.now += 0.1
        elapsed = time.monotonic() - started
        requests = [(r.method, r.connection_id) for r in server.requests]

    assert [requests.count(("POST", name)) for name in ("ann", "bob", "eve")] == [90, 90, 90]
    assert ("DELETE", "stuck") in requests
    assert failures(system)["timeout"] >= 10
    assert system.store.session(session_id).audience == ["ann", "bob"]
    # Ten waits. One such listener used to hold up each chunk for two seconds.
    assert elapsed < 5


def test_control_message_is_answered_although_a_listener_and_the_speaker_do_not_read(
    system, post_through
):
    system.open("ann", "stuck")
    with Server({"stuck": [[SILENCE]], "speaker": [[SILENCE]]}) as server:
        post_through(server)
        started = time.monotonic()
        status = system.send("speaker", "pauseBroadcast")
        elapsed = time.monotonic() - started
        heard = [r.connection_id for r in server.requests if b"broadcastPaused" in r.body]

    assert status == 200
    assert sorted(heard) == ["ann", "speaker", "stuck"]
    assert elapsed < 3
    assert failures(system) == {"timeout": 1}


def test_who_does_not_read_is_not_waited_for_again_in_the_same_event(system):
    """Of two messages to the speaker, about a listener with a new language, the second is not tried."""
    session_id = system.open()
    system.clients.failing["speaker"] = "timeout"
    system.clients.posts.clear()

    system.send("ann", "joinSession", sessionId=session_id, targetLanguage="fr")

    assert [(name, type_) for name, type_, _ in system.clients.posts] == [
        ("ann", "sessionJoined"),
        ("speaker", "listenerJoined"),
    ]


def test_posts_of_a_control_message_have_their_time(system):
    """Half a second for a post, and a second for all, with a millisecond more for each listener."""
    system.open("ann", "bob")
    system.clients.posts.clear()

    system.send("speaker", "pauseBroadcast")

    [(_, _, to_listener), _, (_, _, reply)] = system.clients.posts
    assert to_listener == {"timeout_seconds": 1.002, "answer_seconds": 0.5}
    assert reply == {"timeout_seconds": 1.0}
