"""The demo tells when something is not as it should be."""

import json
import re
import subprocess
import sys
import wave
from collections import Counter
from pathlib import Path

import pytest

from local.__main__ import SPEECH
from local.demo.record import Record, percentile
from local.demo.traffic import BROKEN, Message, read_chunks, stream
from local.lambda_host import FunctionError, InvocationResult

ROOT = Path(__file__).parent.parent
CHUNK = Message("chunk", json.dumps({"audioData": "A" * 64}), audio_bytes=3200)
BAD = Message("not JSON", "{", due="VALIDATION_INVALID_MESSAGE_FORMAT")
TAKEN = {"statusCode": 200}
REFUSED = {"statusCode": 400, "body": '{"code":"VALIDATION_INVALID_MESSAGE_FORMAT","message":"no"}'}
METRICS = (
    '{"level":"INFO","_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":['
    '{"Name":"AudioChunksReceived","Unit":"Count"},{"Name":"AudioChunkSize","Unit":"Bytes"},'
    '{"Name":"ColdStarts","Unit":"Count"}]}]},"AudioChunksReceived":1,"AudioChunkSize":[3200],'
    '"ColdStarts":1}'
)


def demo(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "local", "demo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def result(payload: dict | None, *stdout: str, **more: object) -> InvocationResult:
    body = None if payload is None else json.dumps(payload).encode()
    rest = {"error": None, "stderr": [], "duration_ms": 1.0, "init_ms": None}
    return InvocationResult("request-1", body, stdout=list(stdout), **{**rest, **more})


def problems(message: Message, answer: InvocationResult) -> list[str]:
    record = Record()
    record.add(message, answer)
    return record.problems


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_demo_ends_well_and_is_plain_without_a_terminal(log_format):
    run = demo("--speed", "0.2", "--log-format", log_format)

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    assert run.stdout.endswith("demo: as expected\n")
    assert "\x1b" not in run.stdout
    assert "AudioProcessingLatency" in run.stdout
    assert [kind for kind, _, _ in BROKEN if kind not in run.stdout] == []
    sent, taken, refused = (
        int(re.search(rf"{label} +(\d+)", run.stdout)[1])
        for label in ("messages sent", "chunks taken", "messages refused")
    )
    assert sent == taken + refused == 53 + 19 + 200


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
    ("message", "answer"),
    [
        pytest.param(CHUNK, result(TAKEN), id="chunk-taken"),
        pytest.param(BAD, result(REFUSED), id="bad-message-refused"),
        pytest.param(CHUNK, result(TAKEN, '{"level":"INFO"}', METRICS), id="lines"),
        pytest.param(CHUNK, result(TAKEN, '{"level":"INFO","requestId":"request-1"}'), id="id"),
    ],
)
def test_what_is_as_it_should_be_is_no_problem(message, answer):
    assert problems(message, answer) == []


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
            result(REFUSED),
            "chunk: due was taken, got VALIDATION_INVALID_MESSAGE_FORMAT",
            id="chunk-refused",
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


def test_totals_that_add_up_are_no_problem():
    record = Record()
    record.add(CHUNK, result(TAKEN, METRICS, init_ms=50.0))

    record.check_totals()

    assert record.problems == []


def test_totals_that_do_not_add_up_are_named():
    record = Record()
    record.add(CHUNK, result(TAKEN, METRICS, init_ms=50.0))
    record.add(CHUNK, result(TAKEN, init_ms=50.0))
    record.add(BAD, result(REFUSED))

    record.check_totals()

    assert record.problems == [
        "AudioChunksReceived adds up to 1, due was 2",
        "AudioChunkSize adds up to 3200, due was 6400",
        "AudioChunksDropped adds up to 0, due was 1",
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
