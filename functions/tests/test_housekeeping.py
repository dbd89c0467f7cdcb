"""What nobody else noticed is put right, once, and what went wrong is raised."""

from unittest.mock import Mock

import pytest

from shared_utils.dynamodb import DynamoDBError


def later(system, seconds: float) -> None:
    """Let time pass in which everyone sends heartbeats."""
    system.clock.now += seconds
    found = system.store.open_participants(lambda: True)[0]
    for participant in found:
        system.store.touch(participant.connection_id)


def test_nothing_due_is_nothing_done_but_a_status_for_the_speaker(system):
    session_id = system.open("ann")

    assert system.keep_house() == {"tasks": 1, "left": 0}

    [(name, status)] = system.take()
    assert (name, status["type"], status["updateReason"]) == (
        "speaker",
        "sessionStatus",
        "periodic",
    )
    assert status["sessionId"] == session_id
    assert system.lines().metrics()["PeriodicStatusUpdatesSent"] == [1]


# --- near the end of a connection's two hours


def test_everyone_is_asked_to_refresh_after_100_minutes_once(system):
    session_id = system.open("ann")
    later(system, 6000 - 1)
    system.keep_house()
    early = system.types()
    later(system, 1)
    system.keep_house()
    due = [entry for entry in system.take() if entry[1]["type"] != "sessionStatus"]
    system.keep_house()

    assert early == [("speaker", "sessionStatus")]
    assert sorted((name, message["type"]) for name, message in due) == [
        ("ann", "connectionRefresh"),
        ("ann", "connectionRefreshRequired"),
        ("speaker", "connectionRefresh"),
        ("speaker", "connectionRefreshRequired"),
    ]
    for _, message in due:
        assert (message["sessionId"], message["expiresIn"]) == (session_id, 1200)
    urls = {message["newConnectionUrl"] for _, message in due if "newConnectionUrl" in message}
    assert urls == {"wss://example.execute-api.us-east-1.amazonaws.com/test"}
    assert system.types() == [("speaker", "sessionStatus")]


def test_who_has_not_refreshed_is_warned_after_110_minutes_once(system):
    system.open("ann")
    later(system, 6600)
    system.keep_house()
    first = system.take()
    system.keep_house()

    warnings = [(name, m) for name, m in first if m["type"] == "connectionWarning"]
    assert sorted(name for name, _ in warnings) == ["ann", "speaker"]
    assert {message["remainingMinutes"] for _, message in warnings} == {10}
    to_ann = [message["type"] for name, message in first if name == "ann"]
    assert to_ann == ["connectionWarning", "connectionRefreshRequired", "connectionRefresh"]
    assert system.types() == [("speaker", "sessionStatus")]


def test_nobody_is_asked_to_refresh_for_a_session_that_is_over(system):
    system.open("ann")
    system.send("speaker", "endSession")
    system.take()
    later(system, 6600)

    system.keep_house()

    assert system.take() == []


def test_who_refreshed_is_asked_again_only_when_the_new_connection_is_old(system):
    session_id = system.open("ann")
    later(system, 6000)
    system.keep_house()
    system.send(
        "ann-2",
        "refreshConnection",
        sessionId=session_id,
        refreshToken=system.tokens["ann"],
        connected_at=system.clock.now,
    )
    system.take()

    system.keep_house()

    assert [name for name, _ in system.types() if name.startswith("ann")] == []


# --- silence


@pytest.mark.threat("ws-idle")
def test_idle_connection_is_notified_closed_and_counted_out(system):
    session_id = system.open("ann")
    system.clock.now += 60
    system.send("speaker", "heartbeat")
    system.take()
    system.clock.now += 60

    system.keep_house()

    assert sorted(system.types()) == [
        ("ann", "connectionTimeout"),
        ("speaker", "listenerLeft"),
        ("speaker", "sessionStatus"),
    ]
    assert system.clients.closed == ["ann"]
    assert system.store.session(session_id).listener_count == 0


def test_idle_connection_is_notified_how_long_it_was_silent(system):
    system.open("ann")
    system.clock.now += 125

    system.keep_house()

    received = [m for name, m in system.take() if (name, m["type"]) == ("ann", "connectionTimeout")]
    assert [message["idleSeconds"] for message in received] == [125]


def test_connection_that_the_gateway_saw_alive_stays(system):
    """A speaker whose client sends audio and forgets the heartbeats."""
    session_id = system.open()
    system.clock.now += 120
    system.clients.active_at["speaker"] = system.clock.now - 1

    system.keep_house()

    assert system.clients.closed == []
    assert system.store.participant("speaker").last_activity_at == int(system.clock.now * 1000)
    assert system.store.session(session_id).speaker_gone_at is None


def test_connection_whose_end_nobody_heard_of_is_counted_out(system):
    session_id = system.open("ann")
    system.clients.gone.add("ann")
    system.clock.now += 60
    system.send("speaker", "heartbeat")
    system.take()
    system.clock.now += 60

    system.keep_house()

    assert system.clients.closed == []
    assert ("speaker", "listenerLeft") in system.types()
    assert system.store.session(session_id).listener_count == 0


# --- sessions that are over


def test_speaker_who_is_gone_has_60_seconds_to_come_back(system):
    session_id = system.open("ann", "bob")
    system.disconnect("speaker")
    later(system, 59.9)
    system.keep_house()
    early = system.take()
    later(system, 0.1)

    system.keep_house()

    sent = system.take()
    assert early == []
    assert sorted(name for name, _ in sent) == ["ann", "bob"]
    for _, message in sent:
        assert (message["type"], message["sessionId"]) == ("sessionEnded", session_id)
        assert message["reason"] == "speakerDisconnected"
    assert system.store.session(session_id).status == "ended"


def test_speaker_who_came_back_goes_on(system):
    session_id = system.open("ann")
    system.disconnect("speaker")
    later(system, 50)
    system.send(
        "speaker-2",
        "refreshConnection",
        sessionId=session_id,
        refreshToken=system.tokens["speaker"],
    )
    later(system, 50)
    system.take()

    system.keep_house()

    assert system.types() == [("speaker-2", "sessionStatus")]


def test_session_that_has_lasted_two_hours_is_ended_for_all(system):
    system.open("ann")
    later(system, 7200)

    system.keep_house()

    sent = [entry for entry in system.take() if entry[1]["type"] == "sessionEnded"]
    assert sorted(name for name, _ in sent) == ["ann", "speaker"]
    assert {message["reason"] for _, message in sent} == {"expired"}


def test_session_is_ended_once(system):
    system.open("ann")
    later(system, 7200)
    system.keep_house()
    system.take()

    system.keep_house()

    assert [kind for _, kind in system.types() if kind == "sessionEnded"] == []


# --- counts


def test_listener_who_was_closed_but_not_counted_out_is_counted_out(system):
    """As when a function dies between its two updates."""
    session_id = system.open("ann", "bob")
    system.store.close("ann")

    system.keep_house()

    assert system.store.session(session_id).audience == ["bob"]
    assert sorted(system.types()) == [("speaker", "listenerLeft"), ("speaker", "sessionStatus")]


def test_listener_whose_item_is_lost_is_counted_out(system, dynamodb, tables):
    session_id = system.open("ann", "bob")
    key = {"connectionId": {"S": "ann"}}
    dynamodb.delete_item(TableName=tables["connections"], Key=key)

    system.keep_house()

    assert system.store.session(session_id).listener_count == 1


def test_listener_who_came_while_the_tables_were_read_stays(system, monkeypatch):
    session_id = system.open("ann")
    found, _ = system.store.open_participants(lambda: True)
    late = [p for p in found if p.connection_id != "ann"], True
    store = system.app("housekeeping").store
    monkeypatch.setattr(store, "open_participants", lambda _: late)

    system.keep_house()

    assert system.store.session(session_id).audience == ["ann"]


def test_nobody_is_counted_out_after_a_scan_that_is_not_complete(system, monkeypatch):
    session_id = system.open("ann")
    system.store.close("ann")
    store = system.app("housekeeping").store
    found, _ = store.open_participants(lambda: True)
    part = found, False
    monkeypatch.setattr(store, "open_participants", lambda _: part)

    system.keep_house()

    assert system.store.session(session_id).listener_count == 1


# --- the run itself


def test_work_stops_when_the_time_is_over_and_the_rest_is_left(system):
    system.open("ann")
    system.clock.now += 7200

    assert system.keep_house(remaining_ms=5_000) == {"tasks": 0, "left": 0}
    assert system.take() == []
    assert len(system.store.open_sessions(lambda: True)[0]) == 1


def test_task_that_fails_stops_no_other_and_is_raised_in_the_end(system, monkeypatch):
    system.open("ann")
    other = system.open("bob", speaker="other")
    real = system.clients.send

    def send(name, message, **_):
        if name == "other":
            raise RuntimeError("secret host")
        return real(name, message)

    monkeypatch.setattr(system.clients, "send", send)

    with pytest.raises(ExceptionGroup) as raised:
        system.keep_house()

    assert [str(error) for error in raised.value.exceptions] == ["secret host"]
    assert system.types() == [("speaker", "sessionStatus")]
    lines = system.lines()
    assert lines.metrics()["LambdaErrors"] == [1]
    [done] = [line for line in lines if line.get("message") == "Housekeeping done"]
    assert done["context"] == {"tasks": 2, "failed": 1, "left": 0}
    assert done["durationMs"] >= 0
    assert system.store.session(other).status == "active"


def test_failed_tasks_each_say_what_failed_and_why(system, monkeypatch):
    """A line each, with cause and ids; the metric says the types, and the run is written once."""
    first, second = system.open("ann"), system.open("bob", speaker="other")

    def send(name, message, **_):
        try:
            raise OSError("no route")
        except OSError as cause:
            raise (KeyError(name) if name == "other" else TimeoutError(name)) from cause

    monkeypatch.setattr(system.clients, "send", send)

    with pytest.raises(ExceptionGroup):
        system.keep_house()

    lines = system.lines()
    failed = [line for line in lines if line.get("message") == "Task failed"]
    [whole] = [line for line in lines if line.get("message") == "Invocation failed"]
    counted = [line.get("ErrorType") for line in lines if "LambdaErrors" in line]
    assert {(line["sessionId"], line["operation"], line["error"]["type"]) for line in failed} == {
        (first, "report", "TimeoutError"),
        (second, "report", "KeyError"),
    }
    assert [line["error"]["cause"]["type"] for line in failed] == ["OSError"] * 2
    assert sorted(e["type"] for e in whole["error"]["exceptions"]) == ["KeyError", "TimeoutError"]
    assert sorted(counted) == ["KeyError", "TimeoutError"]


def test_database_that_fails_is_raised(system):
    system.calls.failing = RuntimeError()

    with pytest.raises(RuntimeError):
        system.keep_house()

    assert system.lines().metrics()["LambdaErrors"] == [1]


@pytest.mark.parametrize(
    "code",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TransactionConflictException",
    ],
)
def test_item_that_clients_write_too_fast_is_no_failure_and_tried_again(system, monkeypatch, code):
    system.open("ann")
    later(system, 7200)
    items = system.app("housekeeping").store.sessions
    refused = Mock(side_effect=DynamoDBError("UpdateItem", code))
    with monkeypatch.context() as patch:
        patch.setattr(items, "update", refused)
        first = system.keep_house()
    again = system.keep_house()

    assert (first["tasks"], again["tasks"]) == (1, 1)
    assert ("ann", "sessionEnded") in system.types()
    [line] = [line for line in system.lines() if line.get("message") == "Task failed"]
    assert line["operation"] == "end"
    assert "LambdaErrors" not in system.lines().metrics()
