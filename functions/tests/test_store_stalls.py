"""The store is silent, or fails: what goes on, what is refused how soon, and what is done again later."""

import time

import pytest

from broadcast import tables
from shared_utils.dynamodb import DynamoDBError

FAILURES = ["ThrottlingException", "InternalServerError", "ConnectionRefusedError", "TimeoutError"]


def silent(operation: str, count: int) -> str:
    return "time"


def well(operation: str, count: int) -> str:
    return ""


def failing(code: str) -> DynamoDBError:
    return DynamoDBError("GetItem", code)


@pytest.fixture
def two_sessions(make_system, proxy):
    """Return a system behind the proxy, with two sessions in memory that are no longer fresh."""
    system = make_system()
    system.open("ann")
    system.open("bob", speaker="other")
    [system.chunk(speaker, 0) for speaker in ("speaker", "other")]
    system.clock.now += 2.5
    system.take()
    return system


# --- audio


def test_after_a_rest_one_chunk_waits_for_a_silent_store_and_the_others_do_not(two_sessions, proxy):
    system = two_sessions
    proxy.lose(silent)

    started = time.monotonic()
    statuses = [system.chunk(who, n) for n in range(1, 11) for who in ("speaker", "other")]
    elapsed = time.monotonic() - started

    assert statuses == [200] * 20
    assert system.types() == [("ann", "audio"), ("bob", "audio")] * 10
    assert proxy.lost == {"GetItem": 1}
    assert 0.2 <= elapsed < 1


@pytest.mark.parametrize("code", FAILURES)
def test_store_that_fails_is_as_one_that_is_silent(two_sessions, code):
    system = two_sessions
    system.calls.failing = failing(code)
    system.calls.made.clear()

    statuses = [system.chunk(who, n) for n in range(1, 6) for who in ("speaker", "other")]

    assert statuses == [200] * 10
    assert system.types() == [("ann", "audio"), ("bob", "audio")] * 5
    assert system.calls.made == [("get_item", "Sessions")]
    assert system.lines().metrics()["DynamoDBErrors"] == [1]


def test_what_is_in_memory_serves_for_half_a_minute(two_sessions):
    system = two_sessions
    system.calls.failing = failing("InternalServerError")

    system.clock.now += 27.4
    last = system.chunk("speaker", 1)
    system.clock.now += 0.1
    refused = system.chunk("speaker", 2)

    assert (last, refused) == (200, 500)
    [(_, audio), (_, error)] = system.take()
    assert (audio["type"], error["code"]) == ("audio", "INTERNAL_DATABASE_ERROR")
    assert error["retryable"] is True


def test_all_is_fresh_within_two_seconds_of_the_stores_return(two_sessions, proxy):
    system = two_sessions
    proxy.lose(silent)
    [system.chunk(speaker, 1) for speaker in ("speaker", "other")]
    proxy.lose(well)
    for speaker in ("speaker", "other"):
        system.send(speaker, "pauseBroadcast")
    system.take()

    system.clock.now += 1
    [system.chunk(speaker, 2) for speaker in ("speaker", "other")]
    system.answered()
    system.take()
    system.clock.now += 0.1
    [system.chunk(speaker, 3) for speaker in ("speaker", "other")]
    system.answered()
    [system.chunk(speaker, 4) for speaker in ("speaker", "other")]

    assert [
        number for _, message in system.take() if (number := message["sequenceNumber"]) > 3
    ] == []


def test_chunk_of_a_session_that_is_not_in_memory_is_refused_soon(make_system, proxy):
    """And the next ones at once: they would hold up sessions that are."""
    system = make_system()
    session_id = system.open("ann")
    proxy.lose(silent)

    started = time.monotonic()
    statuses = [system.chunk("speaker", number, sessionId=session_id) for number in range(5)]
    elapsed = time.monotonic() - started

    assert statuses == [500] * 5
    assert proxy.lost == {"GetItem": 1}
    assert elapsed < 0.5 + 0.25  # one that waits, four that do not, and the machine's own slowness
    errors = [message for _, message in system.take()]
    assert [(e["code"], e["retryable"]) for e in errors] == [("INTERNAL_DATABASE_ERROR", True)] * 5
    reasons = [line["Reason"] for line in system.lines() if "AudioChunksDropped" in line]
    assert set(reasons) == {"INTERNAL_DATABASE_ERROR"}
    assert sum(system.lines().metrics()["AudioChunksDropped"]) == 5


def test_listeners_who_are_gone_are_not_waited_for_and_found_later(make_system, proxy):
    """The first one's removal waits for a silent store, the next one's does not."""
    system = make_system()
    system.open("ann", "bob", "eve")
    system.chunk("speaker", 1)
    proxy.lose(silent)

    started = time.monotonic()
    system.clients.gone.add("ann")
    statuses = [system.chunk("speaker", 2)]
    system.clients.gone.add("bob")
    statuses.append(system.chunk("speaker", 3))
    elapsed = time.monotonic() - started
    asked = dict(proxy.lost)
    proxy.lose(well)
    before = len(system.store.session(system.store.participant("eve").session_id).audience)
    system.clock.now += 2.5
    system.chunk("speaker", 4)
    system.answered()
    system.chunk("speaker", 5)

    assert statuses == [200, 200]
    assert asked == {"UpdateItem": 1}
    assert elapsed < 1
    assert before == 3
    assert system.store.participant("ann").disconnected_at is not None
    assert system.store.participant("bob").disconnected_at is not None


# --- control messages


ACTIONS = {
    "pauseBroadcast": lambda s, i: s.send("speaker", "pauseBroadcast"),
    "createSession": lambda s, i: s.send("new", "createSession", sourceLanguage="en"),
    "joinSession": lambda s, i: s.send("new", "joinSession", sessionId=i, targetLanguage="fr"),
    "refreshConnection": lambda s, i: s.send(
        "new", "refreshConnection", sessionId=i, refreshToken=s.tokens["ann"]
    ),
    "heartbeat": lambda s, i: s.send("ann", "heartbeat"),
    "changeLanguage": lambda s, i: s.send("ann", "changeLanguage", targetLanguage="de"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "action",
    # One that needs a new item, and one that changes an item that is there; the others call the same.
    [
        pytest.param(name, marks=() if name in ("createSession", "heartbeat") else pytest.mark.long)
        for name in ACTIONS
    ],
)
def test_control_message_fails_within_three_seconds(make_system, proxy, action):
    system = make_system()
    session_id = system.open("ann")
    proxy.lose(silent)

    started = time.monotonic()
    status = ACTIONS[action](system, session_id)
    elapsed = time.monotonic() - started

    [(_, error)] = system.take()
    assert (status, error["code"]) == (500, "INTERNAL_DATABASE_ERROR")
    assert error["retryable"] is True
    assert elapsed < 3


@pytest.mark.slow
def test_departure_ends_in_time_too(make_system, proxy):
    system = make_system()
    system.open("ann")
    proxy.lose(silent)

    started = time.monotonic()
    system.disconnect("ann")

    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("function", "called", "send"),
    [
        ("control", "touch", lambda system: system.send("speaker", "pauseBroadcast")),
        ("connection", "leave", lambda system: system.disconnect("ann")),
    ],
)
def test_event_has_a_deadline_for_all_its_calls(system, monkeypatch, function, called, send):
    system.open("ann")
    seen = []
    store = system.app(function).store
    monkeypatch.setattr(store, called, lambda _: seen.append(tables.seconds_left()))

    send(system)

    assert 0 < seen[0] <= 1.8
    assert tables.seconds_left() == float("inf")


@pytest.mark.slow
def test_connection_of_a_join_that_ran_out_of_time_is_free_to_try_again(make_system, proxy):
    """The first of two writes is undone, although the time was over at the second."""
    system = make_system()
    session_id = system.open("ann")
    proxy.lose(lambda operation, count: "time" if operation == "UpdateItem" else "")
    failed = system.send("new", "joinSession", sessionId=session_id, targetLanguage="fr")
    proxy.lose(well)

    again = system.send("new", "joinSession", sessionId=session_id, targetLanguage="fr")

    assert (failed, again) == (500, 200)
    assert system.store.session(session_id).audience == ["ann", "new"]


def test_control_message_whose_listeners_are_gone_is_done_although_the_store_fails_then(
    system, monkeypatch
):
    session_id = system.open("ann", "bob")
    system.clients.gone.add("ann")
    store = system.app("control").store

    def fail(connection_id):
        raise failing("InternalServerError")

    monkeypatch.setattr(store, "leave", fail)

    assert system.send("speaker", "pauseBroadcast") == 200
    assert system.types() == [("bob", "broadcastPaused"), ("speaker", "broadcastPaused")]
    assert system.store.session(session_id).state.isPaused is True


def test_housekeeping_keeps_its_own_time(system, monkeypatch):
    """A run has most of a minute, and no event's deadline."""
    seen = []
    store = system.app("housekeeping").store
    for items in (store.sessions, store.connections):
        monkeypatch.setattr(items.table, "_table", Recording(items.table._table, seen))

    system.keep_house()

    assert len(seen) == 2
    assert min(seen) == pytest.approx(6, abs=0.5)


class Recording:
    """A table that keeps how long its scans might take."""

    def __init__(self, table, seen) -> None:
        self._table = table
        self._seen = seen

    def scan(self, *, timeout_seconds, **arguments):
        self._seen.append(timeout_seconds)
        return self._table.scan(timeout_seconds=timeout_seconds, **arguments)
