"""Connections that send what nothing can be done with, or that never slow down."""

import json

import pytest

from shared_utils.testing import FakeContext, message_event

AUDIO = {"action": "sendAudio", "audioData": "AAAA AAAA", "sequenceNumber": 0, "timestamp": 1}
# By function: something that it is sent and cannot take.
INVALID = {
    "connection": {"action": "dance"},
    "session": {"action": "createSession"},
    "audio": AUDIO,
    "control": {"action": "setVolume", "volumeLevel": 2},
    "listener": {"action": "changeLanguage", "targetLanguage": "xx"},
}
WARNING = {
    "code": "RATE_LIMIT_EXCEEDED",
    "message": "Too many invalid messages: the next one closes the connection",
    "details": {"limit": 20, "windowSeconds": 60, "limitInARow": 5},
}


def codes(system) -> list[str]:
    return [message["code"] for _, message in system.take() if message["type"] == "error"]


def refusals(lines) -> list[dict]:
    return [line for line in lines if line.get("message") == "Message refused"]


@pytest.mark.parametrize(("function", "body"), INVALID.items())
def test_fifth_invalid_message_is_warned_of_and_the_sixth_closes(system, function, body):
    statuses = [system.send_to(function, "ann", body) for _ in range(6)]

    assert statuses == [400] * 5 + [429]
    assert system.clients.closed == ["ann"]
    sent = [message for _, message in system.take()]
    warnings = [message for message in sent if message["code"] == "RATE_LIMIT_EXCEEDED"]
    assert len(sent) == 6
    assert [{name: warning[name] for name in WARNING} for warning in warnings] == [WARNING]
    assert sent.index(warnings[0]) == 4


def test_text_that_is_no_json_is_invalid(system):
    handler = system.app("connection").handler

    for _ in range(6):
        handler(message_event("no JSON", "ann"), FakeContext())

    assert system.clients.closed == ["ann"]


@pytest.mark.threat("flood-junk", "log-flood", "log-no-exhaustion")
def test_only_the_close_is_a_line_beyond_the_limit_and_the_rest_a_count(system):
    [system.send_to("connection", "ann", {"action": "dance"}) for _ in range(1000)]

    lines = system.lines()
    written = refusals(lines)
    assert [line["errorCode"] for line in written] == [
        *["VALIDATION_INVALID_ACTION"] * 5,
        "RATE_LIMIT_EXCEEDED",
    ]
    assert written[5]["context"]["reason"] == "Too many invalid messages: the connection was closed"
    assert written[5]["connectionId"] == "ann"
    metrics = lines.metrics()
    assert metrics["ConnectionsClosedForRateLimit"] == [1]
    assert sum(metrics["RateLimitViolations"]) == 995
    assert len(metrics["RateLimitViolations"]) <= 5
    assert len(json.dumps(lines)) < 12_000
    assert len(system.take()) == 6
    assert system.calls.made == []


def test_valid_message_ends_the_row(system):
    for _ in range(4):
        [system.send_to("connection", "ann", {"action": "dance"}) for _ in range(4)]
        system.send("ann", "heartbeat")

    assert system.clients.closed == []
    assert "RATE_LIMIT_EXCEEDED" not in [m.get("code") for _, m in system.take()]


def test_twenty_first_in_a_minute_closes_whatever_was_valid_between(system):
    for _ in range(21):
        system.send_to("connection", "ann", {"action": "dance"})
        system.send("ann", "heartbeat")
        system.clock.now += 0.1

    assert system.clients.closed == ["ann"]


def test_refusals_of_valid_messages_are_not_invalid(system):
    for _ in range(9):
        system.send("ann", "pausePlayback")

    assert system.clients.closed == []
    assert codes(system) == ["SESSION_NOT_FOUND"] * 9


def test_check_after_parsing_counts_as_well(system):
    """The session is of 16 bits a sample: an odd number of bytes is no whole sample."""
    system.open()
    for number in range(6):
        system.chunk("speaker", number, audioData="AAAA" * 40 + "AA==")

    assert system.clients.closed == ["speaker"]
    assert codes(system).count("AUDIO_INVALID_FORMAT") == 5


def test_closed_connections_valid_messages_are_dropped_too(system):
    system.open()
    [system.send_to("connection", "speaker", {"action": "dance"}) for _ in range(6)]
    system.take()
    system.lines().clear()
    system.calls.made.clear()

    assert system.send("speaker", "heartbeat") == 429
    assert (system.take(), refusals(system.lines()), system.calls.made) == ([], [], [])


@pytest.mark.threat("log-no-lockout")
def test_another_connection_is_not_hurt(system):
    [system.send_to("connection", "ann", {"action": "dance"}) for _ in range(100)]
    system.take()

    assert system.send("bob", "heartbeat") == 200
    assert system.types() == [("bob", "heartbeatAck")]


def test_environment_that_finds_the_connection_closed_answers_and_writes_nothing(system):
    """Another one was faster: here the gateway says 410."""
    system.clients.gone.add("ann")

    statuses = [system.send_to("connection", "ann", {"action": "dance"}) for _ in range(100)]

    assert statuses == [400] * 5 + [429] * 95
    assert (system.take(), refusals(system.lines())) == ([], [])
    metrics = system.lines().metrics()
    assert "ConnectionsClosedForRateLimit" not in metrics
    assert sum(metrics["MessageFailures"]) == 5
    assert sum(metrics["RateLimitViolations"]) == 95


def test_connection_that_another_environment_closed_is_not_closed_again(system):
    system.clients.gone.add("ann")
    [system.send_to("connection", "ann", {"action": "dance"}) for _ in range(6)]
    system.clock.now += 59

    assert system.send_to("connection", "ann", {"action": "dance"}) == 429
    assert system.clients.closed == ["ann"]


def test_close_that_failed_is_tried_again_after_a_second(system, monkeypatch):
    system.clients.failing["ann"] = "failed"
    [system.send_to("connection", "ann", {"action": "dance"}) for _ in range(9)]
    tried = list(system.clients.closed)
    system.clients.gone.clear()
    system.clients.failing.clear()
    system.clock.now += 1

    system.send_to("connection", "ann", {"action": "dance"})

    assert (tried, system.clients.closed) == (["ann"], ["ann", "ann"])
    assert system.lines().metrics()["ConnectionsClosedForRateLimit"] == [1]


@pytest.mark.threat("flood-control", "log-excessive-use")
def test_who_never_slows_down_is_cut_off_and_then_dropped(system):
    system.open()

    statuses = [system.send("speaker", "heartbeat") for _ in range(100)]

    assert statuses == [200] * 10 + [429] * 90
    assert system.clients.closed == ["speaker"]
    # Ten acknowledged, fifty refused, one warning in time.
    assert len(system.take()) == 61
    written = refusals(system.lines())
    assert (len(written), written[50]["errorCode"]) == (51, "RATE_LIMIT_CONTROL_MESSAGES")
    assert written[50]["context"]["reason"] == (
        "At most 10 control messages a second: the connection was closed"
    )
    metrics = system.lines().metrics()
    assert metrics["ConnectionsClosedForRateLimit"] == [1]
    assert sum(metrics["RateLimitViolations"]) == 90


def test_good_audio_costs_no_entry_in_memory(system):
    system.open("ann")

    system.chunk("speaker")

    assert system.app("audio").floods.invalid._senders == {}
