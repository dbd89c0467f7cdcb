import base64

import pytest

import handlers.audio
from broadcast.pace import TokenBuckets
from handlers.audio import handler
from shared_utils.testing import FakeConnections, FakeContext, capture_lines, message_event

SENDER = "R0oXAdfD0kwCH6w="
CHUNK = {
    "action": "sendAudio",
    "sessionId": "golden-eagle-427",
    "audioData": base64.b64encode(bytes(3200)).decode(),
    "sequenceNumber": 7,
    "timestamp": 1_763_900_000_000,
    "requestId": "mine-7",
}
HALF_A_SAMPLE = {**CHUNK, "audioData": base64.b64encode(bytes(3201)).decode()}


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """Return what is sent. Every sender starts with a full bucket, and no time passes."""
    connections = FakeConnections()
    monkeypatch.setattr(handler, "connections", connections)
    monkeypatch.setattr(handlers.audio, "pace", TokenBuckets(50, 50, clock=lambda: 0.0))
    with capture_lines():  # what an earlier test left
        handler.windowed_metrics.flush()
    return connections.sent


def send(*bodies):
    """Return the statuses, and all lines that come of it."""
    with capture_lines() as lines:
        statuses = [
            handler(message_event(body, SENDER), FakeContext())["statusCode"] for body in bodies
        ]
        handler.windowed_metrics.flush()
    return statuses, lines


def test_chunk_is_taken_without_a_reply(sent):
    statuses, _ = send(CHUNK)

    assert statuses == [200]
    assert sent == []


def test_chunks_are_counted_with_size_and_session():
    _, lines = send(CHUNK, {**CHUNK, "audioData": "AAAA" * 40})

    metrics = lines.metrics()
    assert metrics["AudioChunksReceived"] == [2]
    assert metrics["AudioChunkSize"] == [3200, 120]
    assert "AudioChunksDropped" not in metrics
    [line] = [line for line in lines if "AudioChunkSize" in line]
    assert line["sessionId"] == "golden-eagle-427"


def test_chunk_without_a_session_is_taken():
    statuses, _ = send({name: value for name, value in CHUNK.items() if name != "sessionId"})

    assert statuses == [200]


def test_largest_chunk_is_taken():
    statuses, _ = send({**CHUNK, "audioData": base64.b64encode(bytes(24_000)).decode()})

    assert statuses == [200]


def test_half_a_sample_is_refused_and_counted_without_the_audio(sent):
    statuses, lines = send(HALF_A_SAMPLE)

    assert statuses == [400]
    [(connection, reply)] = sent
    assert connection == SENDER
    assert reply["type"] == "error"
    assert reply["code"] == "AUDIO_INVALID_FORMAT"
    assert reply["details"] == {"field": "audioData"}
    assert reply["requestId"] == "mine-7"
    assert lines.metrics()["AudioChunksDropped"] == [1]
    assert "AudioChunksReceived" not in lines.metrics()
    [dropped] = [line for line in lines if "AudioChunksDropped" in line]
    assert dropped["Reason"] == "AUDIO_INVALID_FORMAT"
    assert dropped["sessionId"] == "golden-eagle-427"
    assert [line["errorCode"] for line in lines.level("WARN")] == ["AUDIO_INVALID_FORMAT"]
    assert "AAAAAAAA" not in str(lines)


def test_fifty_chunks_at_once_are_taken_and_the_next_is_refused(sent):
    statuses, lines = send(*[CHUNK] * 51)

    assert statuses == [200] * 50 + [429]
    [(_, reply)] = sent
    assert reply["code"] == "RATE_LIMIT_AUDIO_CHUNKS"
    assert reply["message"] == "At most 50 audio chunks a second"
    metrics = lines.metrics()
    assert metrics["AudioChunksReceived"] == [50]
    assert metrics["RateLimitViolations"] == metrics["AudioChunksDropped"] == [1]
    [violation] = [line for line in lines if "RateLimitViolations" in line]
    assert violation["connectionId"] == SENDER
    assert violation["MessageType"] == "sendAudio"


def test_senders_have_a_pace_each():
    send(*[CHUNK] * 50)

    with capture_lines():
        other = handler(message_event(CHUNK, "another="), FakeContext())

    assert other == {"statusCode": 200}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param("{", 400, "VALIDATION_INVALID_MESSAGE_FORMAT", id="not-json"),
        pytest.param({"action": "heartbeat"}, 400, "VALIDATION_INVALID_ACTION", id="other-route"),
        pytest.param(
            {**CHUNK, "sequenceNumber": -1}, 400, "VALIDATION_INVALID_PARAMETER", id="number"
        ),
    ],
)
def test_what_is_no_chunk_is_refused_before_it_costs_a_token(sent, body, status, code):
    statuses, _ = send(*[body] * 60, CHUNK)

    assert statuses == [status] * 60 + [200]
    assert {reply["code"] for _, reply in sent} == {code}
