import base64
import json
from types import SimpleNamespace

import pytest

import handlers.audio
from broadcast.pace import TokenBuckets
from handlers.audio import handler

CONTEXT = SimpleNamespace(aws_request_id="8f5b1c1e-0000-4000-8000-000000000001")
CHUNK = {
    "action": "sendAudio",
    "sessionId": "golden-eagle-427",
    "audioData": base64.b64encode(bytes(3200)).decode(),
    "sequenceNumber": 7,
    "timestamp": 1_763_900_000_000,
    "requestId": "mine-7",
}


@pytest.fixture(autouse=True)
def fresh_pace(monkeypatch):
    """Every test's sender starts with a full bucket, and no time passes."""
    monkeypatch.setattr(handlers.audio, "pace", TokenBuckets(50, 50, clock=lambda: 0.0))


def event(body: str | dict, **more: object) -> dict:
    return {
        "requestContext": {
            "routeKey": "sendAudio",
            "eventType": "MESSAGE",
            "connectionId": "R0oXAdfD0kwCH6w=",
            "requestId": "BFaVtfGSIAMFZEQ=",
        },
        "body": body if isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
        **more,
    }


def answer(body: str | dict, **more: object) -> tuple[int, dict]:
    response = handler(event(body, **more), CONTEXT)
    return response["statusCode"], json.loads(response["body"])


def written(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_chunk_is_taken_without_a_body():
    assert handler(event(CHUNK), CONTEXT) == {"statusCode": 200}


def test_chunk_in_a_base64_body_is_taken():
    body = base64.b64encode(json.dumps(CHUNK).encode()).decode()

    assert handler(event(body, isBase64Encoded=True), CONTEXT) == {"statusCode": 200}


def test_chunk_is_counted_with_its_size_and_session(capsys):
    handler(event(CHUNK), CONTEXT)

    [metrics] = [line for line in written(capsys) if "AudioChunksReceived" in line]
    assert metrics["AudioChunksReceived"] == 1
    assert metrics["AudioChunkSize"] == 3200
    assert metrics["AudioProcessingLatency"] > 0
    assert metrics["sessionId"] == "golden-eagle-427"


def test_one_line_stands_for_ten_chunks(capsys):
    [handler(event(CHUNK), CONTEXT) for _ in range(20)]

    lines = [line for line in written(capsys) if line.get("message") == "Audio chunk received"]
    assert len(lines) == 2
    assert lines[0]["samplingRate"] == 10
    assert lines[0]["sessionId"] == "golden-eagle-427"
    assert lines[0]["connectionId"] == "R0oXAdfD0kwCH6w="
    assert lines[0]["requestId"] == CONTEXT.aws_request_id
    assert lines[0]["correlationId"] == "mine-7"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        pytest.param("{", 400, "VALIDATION_INVALID_MESSAGE_FORMAT", None, id="not-json"),
        pytest.param("", 400, "VALIDATION_INVALID_MESSAGE_FORMAT", None, id="empty"),
        pytest.param({}, 400, "VALIDATION_MISSING_PARAMETER", "action", id="no-action"),
        pytest.param(
            {"action": "heartbeat"}, 400, "VALIDATION_INVALID_ACTION", "action", id="other-route"
        ),
        pytest.param(
            {**CHUNK, "audioData": base64.b64encode(bytes(3201)).decode()},
            400,
            "AUDIO_INVALID_FORMAT",
            "audioData",
            id="half-a-sample",
        ),
        pytest.param(
            {**CHUNK, "audioData": base64.b64encode(bytes(24_002)).decode()},
            413,
            "AUDIO_CHUNK_TOO_LARGE",
            "audioData",
            id="too-large",
        ),
        pytest.param(
            {**CHUNK, "sequenceNumber": -1},
            400,
            "VALIDATION_INVALID_PARAMETER",
            "sequenceNumber",
            id="negative-number",
        ),
    ],
)
def test_refusal_names_code_and_field(body, status, code, field):
    got_status, reply = answer(body)

    assert got_status == status
    assert reply["type"] == "error"
    assert reply["code"] == code
    assert reply.get("details", {}).get("field") == field


def test_largest_chunk_is_taken():
    largest = {**CHUNK, "audioData": base64.b64encode(bytes(24_000)).decode()}

    assert handler(event(largest), CONTEXT) == {"statusCode": 200}


def test_refusal_echoes_the_clients_request_id():
    _, reply = answer({**CHUNK, "timestamp": "now"})

    assert reply["requestId"] == "mine-7"


def test_refusal_is_logged_and_counted_without_the_audio(capsys):
    answer({**CHUNK, "audioData": "c2VjcmV0IGF1ZGlv!"})

    output = capsys.readouterr().out
    lines = [json.loads(line) for line in output.splitlines()]
    [warning] = [line for line in lines if line["level"] == "WARN"]
    assert warning["errorCode"] == "AUDIO_INVALID_ENCODING"
    assert [line["Reason"] for line in lines if "AudioChunksDropped" in line] == [
        "AUDIO_INVALID_ENCODING"
    ]
    assert "c2VjcmV0" not in output


def test_fifty_chunks_at_once_are_taken_and_the_next_is_refused(capsys):
    statuses = [handler(event(CHUNK), CONTEXT)["statusCode"] for _ in range(51)]

    assert statuses == [200] * 50 + [429]
    [violation] = [line for line in written(capsys) if "RateLimitViolations" in line]
    assert violation["connectionId"] == "R0oXAdfD0kwCH6w="


def test_what_nobody_expected_is_logged_whole_and_revealed_to_nobody(capsys):
    response = handler({"body": json.dumps(CHUNK)}, CONTEXT)

    reply = json.loads(response["body"])
    assert response["statusCode"] == 500
    assert reply["code"] == "INTERNAL_SERVER_ERROR"
    assert reply["correlationId"] == CONTEXT.aws_request_id
    assert "requestContext" not in response["body"]
    [error] = [line for line in written(capsys) if line.get("level") == "ERROR"]
    assert error["error"]["type"] == "KeyError"
    assert "receive" in "".join(error["error"]["stack"])
