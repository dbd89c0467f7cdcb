"""The speaker's control: everyone is told, and it is so from then on."""

import pytest

from shared_utils.dynamodb import DynamoDBError

STATE = {"isPaused": False, "isMuted": False, "volume": 1}
ACTIONS = {
    "pauseBroadcast": ({}, "broadcastPaused", {}, {"isPaused": True}),
    "resumeBroadcast": ({}, "broadcastResumed", {}, {"isPaused": False}),
    "muteBroadcast": ({}, "broadcastMuted", {}, {"isMuted": True}),
    "unmuteBroadcast": ({}, "broadcastUnmuted", {}, {"isMuted": False}),
    "setVolume": (
        {"volumeLevel": 0.25},
        "volumeChanged",
        {"volumeLevel": 0.25},
        {"volume": 0.25},
    ),
    "speakerStateChange": (
        {"state": {"isMuted": True, "volume": 0}},
        "speakerStateChanged",
        {"broadcastState": {"isPaused": False, "isMuted": True, "volume": 0}},
        {"isMuted": True, "volume": 0},
    ),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_speaker_and_listeners_are_notified_and_the_state_is_so(system, action):
    fields, kind, content, change = ACTIONS[action]
    session_id = system.open("ann", "bob")

    assert system.send("speaker", action, **fields, requestId="mine") == 200

    sent = system.take()
    assert [name for name, _ in sent] == ["ann", "bob", "speaker"]
    for _, message in sent:
        common = {"type": kind, "sessionId": session_id, "timestamp": message["timestamp"]}
        echo = {"requestId": "mine"} if message is sent[-1][1] else {}
        assert message == {**common, **content, **echo}
    assert system.store.session(session_id).state.to_dict() == {**STATE, **change}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("ann", 403, "AUTH_INVALID_ROLE"), ("nobody", 404, "SESSION_NOT_FOUND")],
)
@pytest.mark.threat("listener-speaks", "ws-each-message")
def test_nobody_else_may(system, action, name, status, code):
    session_id = system.open("ann")

    assert system.send(name, action, **ACTIONS[action][0]) == status
    [(recipient, message)] = system.take()
    assert (recipient, message["code"]) == (name, code)
    assert system.store.session(session_id).state.to_dict() == STATE


@pytest.mark.threat("other-session", "ws-each-message")
def test_session_of_another_speaker_cannot_be_named(system):
    system.open()
    other = system.open(speaker="other")

    assert system.send("speaker", "pauseBroadcast", sessionId=other) == 403
    assert system.store.session(other).state.isPaused is False


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda system: system.send("speaker", "endSession"), "SESSION_INACTIVE"),
        (lambda system: setattr(system.clock, "now", system.clock.now + 7200), "SESSION_EXPIRED"),
    ],
)
def test_session_that_is_over_is_not_changed(system, change, code):
    system.open("ann")
    change(system)
    system.take()

    assert system.send("speaker", "pauseBroadcast") == 410
    [(_, message)] = system.take()
    assert message["code"] == code


def test_change_moves_the_last_activity(system):
    system.open()
    system.clock.now += 30

    system.send("speaker", "pauseBroadcast")

    assert system.store.participant("speaker").last_activity_at == int(system.clock.now * 1000)


def test_who_paused_playback_is_notified_too(system):
    system.open("ann")
    system.send("ann", "pausePlayback")
    system.take()

    system.send("speaker", "pauseBroadcast")

    assert system.types() == [("ann", "broadcastPaused"), ("speaker", "broadcastPaused")]


def test_listener_who_is_gone_is_counted_out(system):
    session_id = system.open("ann", "bob")
    system.clients.gone.add("ann")

    system.send("speaker", "pauseBroadcast")

    assert system.types() == [
        ("bob", "broadcastPaused"),
        ("speaker", "listenerLeft"),
        ("speaker", "broadcastPaused"),
    ]
    assert system.store.session(session_id).listener_count == 1


def test_control_is_counted(system):
    session_id = system.open("ann", "bob", "eve")
    system.lines().clear()
    system.clients.failing["eve"] = "throttled"

    system.send("speaker", "pauseBroadcast")

    lines = system.lines()
    metrics = lines.metrics()
    assert metrics["ControlMessagesReceived"] == [1]
    assert metrics["ListenersNotified"] == [2]
    assert metrics["ListenerNotificationFailures"] == [1]
    assert len(metrics["ControlMessageLatency"]) == len(metrics["ListenerNotificationLatency"]) == 1
    [failure] = [line for line in lines if "ListenerNotificationFailures" in line]
    assert (failure["ErrorType"], failure["sessionId"]) == ("throttled", session_id)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ("InternalServerError", "INTERNAL_DATABASE_ERROR"),
        ("TimeoutError", "INTERNAL_DATABASE_ERROR"),
        ("AccessDeniedException", "INTERNAL_CONFIGURATION_ERROR"),
        ("ValidationException", "INTERNAL_SERVER_ERROR"),
    ],
)
@pytest.mark.threat("error-tells")
def test_database_that_fails_is_counted_and_said_without_details(system, failure, code):
    """Never as the client's own mistake."""
    system.open()
    system.calls.failing = DynamoDBError("UpdateItem", failure, "secret host")

    assert system.send("speaker", "pauseBroadcast") == 500

    [(_, message)] = system.take()
    assert message["code"] == code
    assert "secret" not in str(message)
    errors = [line for line in system.lines() if "DynamoDBErrors" in line]
    assert [(line["Operation"], line["ErrorCode"]) for line in errors] == [("update_item", failure)]
