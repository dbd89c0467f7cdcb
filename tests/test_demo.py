"""The demo tells when something is not as it should be."""

import http.client
import json
import re
import subprocess
import sys
import wave
from collections import Counter
from pathlib import Path

import pytest

from local.__main__ import SPEECH
from local.demo.gateway import Gateway, Post
from local.demo.record import Record, percentile
from local.demo.traffic import (
    BROKEN,
    SPEAKER,
    Message,
    flood,
    half_a_sample,
    read_chunks,
    stream,
)
from local.lambda_host import FunctionError, InvocationResult

ROOT = Path(__file__).parent.parent
CHUNK = Message(
    "chunk", json.dumps({"audioData": "A" * 64, "requestId": "chunk-0"}), audio_bytes=3200
)
BAD = Message("not JSON", "{", due="VALIDATION_INVALID_MESSAGE_FORMAT")
TAKEN = {"statusCode": 200}
REFUSED = {"statusCode": 400}
REPLY = Post(SPEAKER, '{"code":"VALIDATION_INVALID_MESSAGE_FORMAT","message":"no"}')
METRICS = (
    '{"level":"INFO","_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":['
    '{"Name":"AudioChunksReceived","Unit":"Count"},{"Name":"AudioChunkSize","Unit":"Bytes"},'
    '{"Name":"ColdStarts","Unit":"Count"},{"Name":"MessageLatency","Unit":"Milliseconds"}]}]},'
    '"AudioChunksReceived":1,"AudioChunkSize":[3200],"ColdStarts":1,"MessageLatency":[0.5]}'
)

FLOOD = next(flood(bytes(3200), 1))
TOO_FAST = Post(
    FLOOD.connection_id, '{"code":"RATE_LIMIT_AUDIO_CHUNKS","message":"no","requestId":"chunk-0"}'
)


def demo(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "local", "demo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def result(payload: dict | None, *stdout: str, **more: object) -> InvocationResult:
    body = None if payload is None else json.dumps(payload).encode()
    rest = {"error": None, "stderr": [], "duration_ms": 1.0, "init_ms": None}
    return InvocationResult("request-1", body, stdout=list(stdout), **{**rest, **more})


def problems(message: Message, answer: InvocationResult, *posts: Post) -> list[str]:
    record = Record()
    record.add(message, answer, list(posts))
    return record.problems


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_demo_ends_well_and_is_plain_without_a_terminal(log_format):
    run = demo("--speed", "0.2", "--log-format", log_format)

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    assert run.stdout.endswith("demo: as expected\n")
    assert "\x1b" not in run.stdout
    assert "MessageLatency" in run.stdout
    assert [kind for kind, _, _ in BROKEN if kind not in run.stdout] == []
    sent, taken, refused = (
        int(re.search(rf"{label} +(\d+)", run.stdout)[1])
        for label in ("messages sent", "chunks taken", "messages refused")
    )
    assert sent == taken + refused == 53 + 19 + 200 + 2


def test_demo_without_its_recording_says_so(tmp_path):
    run = demo("--recording", str(tmp_path / "missing.wav"))

    assert run.returncode == 2
    assert "does not exist" in run.stderr


def test_demo_refuses_a_recording_of_another_format(tmp_path):
    path = tmp_path / "music.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(bytes(400))

    run = demo("--recording", str(path))

    assert run.returncode == 1
    assert run.stderr == (
        "Error: a recording must be 16 bit, 16000 Hz, 1 channel; "
        "music.wav is 16 bit, 44100 Hz, 2 channels\n"
    )


def test_speech_is_cut_into_chunks_that_lose_nothing():
    chunks = read_chunks(SPEECH)

    assert {len(chunk) for chunk in chunks[:-1]} == {3200}
    with wave.open(str(SPEECH)) as file:
        assert b"".join(chunks) == file.readframes(file.getnframes())


@pytest.mark.parametrize("count", [1, 5, 53])
def test_stream_holds_each_chunk_and_each_broken_message_once(count):
    kinds = Counter(message.kind for message in stream([bytes(3200)] * count))

    assert kinds.pop("chunk") == count
    assert kinds == {kind: 1 for kind, _, _ in BROKEN}


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        (CHUNK, "chunk-0"),
        (BAD, None),
        (Message("a list", '["chunk-0"]', due="VALIDATION_INVALID_MESSAGE_FORMAT"), None),
        (Message("no id", '{"action":"heartbeat"}', due="VALIDATION_INVALID_ACTION"), None),
        (half_a_sample(bytes(3200), SPEAKER), "chunk-0"),
    ],
)
def test_message_knows_what_its_reply_has_to_echo(message, request_id):
    assert message.request_id == request_id


@pytest.mark.parametrize(
    ("message", "answer", "posts"),
    [
        pytest.param(CHUNK, result(TAKEN), [], id="chunk-taken"),
        pytest.param(BAD, result(REFUSED), [REPLY], id="bad-message-refused"),
        pytest.param(CHUNK, result(TAKEN, '{"level":"INFO"}', METRICS), [], id="lines"),
        pytest.param(CHUNK, result(TAKEN, '{"level":"INFO","requestId":"request-1"}'), [], id="id"),
        pytest.param(FLOOD, result(TAKEN), [], id="flood-taken"),
        pytest.param(FLOOD, result({"statusCode": 429}), [TOO_FAST], id="flood-refused"),
    ],
)
def test_what_is_as_it_should_be_is_no_problem(message, answer, posts):
    assert problems(message, answer, *posts) == []


@pytest.mark.parametrize(
    ("message", "answer", "problem"),
    [
        pytest.param(
            BAD,
            result(TAKEN),
            "not JSON: due was VALIDATION_INVALID_MESSAGE_FORMAT, got taken",
            id="bad-message-taken",
        ),
        pytest.param(
            CHUNK,
            result(None, error=FunctionError("KeyError", "'x'")),
            "chunk: the function failed: 'x'",
            id="function-failed",
        ),
        pytest.param(
            CHUNK, result(TAKEN, "hello"), "not a log line: 'hello'", id="line-is-not-json"
        ),
        pytest.param(
            CHUNK,
            result(TAKEN, '{"level":"INFO","x":NaN}'),
            """not a log line: '{"level":"INFO","x":NaN}'""",
            id="line-with-nan",
        ),
        pytest.param(
            CHUNK,
            result(TAKEN, '{"level":"WARNING"}'),
            """not a log line: '{"level":"WARNING"}'""",
            id="level-that-lambda-does-not-know",
        ),
        pytest.param(
            CHUNK,
            result(TAKEN, '{"level":"INFO","requestId":"other"}'),
            "a line carries another invocation's id: "
            """'{"level":"INFO","requestId":"other"}'""",
            id="stale-id",
        ),
        pytest.param(
            CHUNK,
            result(TAKEN, json.dumps({"level": "INFO", "body": "A" * 64})),
            "a line holds audio",
            id="audio-in-a-line",
        ),
        pytest.param(CHUNK, result(TAKEN, stderr=["oops"]), "stderr has 'oops'", id="stderr"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(message, answer, problem):
    assert problems(message, answer) == [problem]


@pytest.mark.parametrize(
    ("message", "answer", "posts", "problem"),
    [
        pytest.param(
            CHUNK,
            REFUSED,
            [Post(SPEAKER, '{"code":"AUDIO_INVALID_FORMAT","requestId":"chunk-0"}')],
            "chunk: due was taken, got AUDIO_INVALID_FORMAT",
            id="chunk-refused",
        ),
        pytest.param(BAD, TAKEN, [REPLY], "not JSON: a reply, and the status 200", id="200"),
        pytest.param(CHUNK, REFUSED, [], "chunk: due was taken, got no reply", id="no-reply"),
        pytest.param(FLOOD, REFUSED, [], "flood: due was taken, got no reply", id="flood-no-reply"),
        pytest.param(BAD, REFUSED, [REPLY, REPLY], "not JSON: 2 replies", id="two-replies"),
        pytest.param(
            BAD,
            REFUSED,
            [Post(FLOOD.connection_id, REPLY.body)],
            "not JSON: the reply went to another connection",
            id="another-connection",
        ),
        pytest.param(
            FLOOD,
            {"statusCode": 429},
            [Post(FLOOD.connection_id, TOO_FAST.body.replace("chunk-0", "chunk-1"))],
            "flood: the reply has the requestId 'chunk-1'",
            id="another-request",
        ),
    ],
)
def test_reply_that_is_not_as_it_should_be_is_named(message, answer, posts, problem):
    assert problems(message, result(answer), *posts) == [problem]


def test_bytes_of_the_speech_are_told_from_those_of_refusals():
    record = Record()
    record.add(CHUNK, result(TAKEN, '{"level":"INFO"}'), [])
    record.add(BAD, result(REFUSED, '{"level":"WARN","errorCode":"X"}', METRICS), [REPLY])
    record.add(FLOOD, result(TAKEN, '{"level":"INFO"}'), [])
    record.add(FLOOD, result({"statusCode": 429}, '{"level":"INFO"}'), [TOO_FAST])

    assert record.speech_bytes == 17 + len(METRICS) + 1
    assert record.refusal_bytes == 33 + 17


def test_totals_that_add_up_are_no_problem():
    record = Record()
    record.add(CHUNK, result(TAKEN, METRICS, init_ms=50.0), [])

    record.check_totals()

    assert record.problems == []


def test_totals_that_do_not_add_up_are_named():
    record = Record()
    record.add(CHUNK, result(TAKEN, METRICS, init_ms=50.0), [])
    record.add(CHUNK, result(TAKEN, init_ms=50.0), [])
    record.add(BAD, result(REFUSED), [REPLY])
    record.add(FLOOD, result({"statusCode": 429}), [TOO_FAST])

    record.check_totals()

    assert record.problems == [
        "AudioChunksReceived adds up to 1, due was 2",
        "AudioChunkSize adds up to 3200, due was 6400",
        "AudioChunksDropped adds up to 0, due was 1",
        "RateLimitViolations adds up to 0, due was 1",
        "MessageFailures adds up to 0, due was 2",
        "MessageLatency has 1 values, due were 4",
        "the function started 2 times",
    ]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([5], 95, 5),
        (list(range(1, 101)), 95, 95),
        (list(range(1, 101)), 0, 1),
        ([3, 1, 2], 50, 2),
        ([3, 1, 2], 100, 3),
    ],
)
def test_percentile_is_a_value_that_was_seen(values, percent, expected):
    assert percentile(values, percent) == expected


def request(gateway: Gateway, path: str, signature: str | None) -> int:
    connection = http.client.HTTPConnection(gateway.endpoint.removeprefix("http://"), timeout=5)
    headers = {} if signature is None else {"Authorization": signature}
    connection.request("POST", path, b'{"type":"error"}', headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    ("path", "signature", "status", "posts"),
    [
        pytest.param(
            "/%40connections/R0oXAdfD0kwCH6w%3D",
            "AWS4-HMAC-SHA256 Credential=demo",
            200,
            [Post("R0oXAdfD0kwCH6w=", '{"type":"error"}')],
            id="signed",
        ),
        pytest.param("/@connections/c", None, 403, [], id="not-signed"),
        pytest.param("/connections/c", "AWS4-HMAC-SHA256 x", 404, [], id="another-path"),
    ],
)
def test_gateway_keeps_what_is_signed(path, signature, status, posts):
    with Gateway() as gateway:
        assert request(gateway, path, signature) == status
        assert gateway.take() == posts
        assert gateway.take() == []
