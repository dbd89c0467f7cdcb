"""The example of a program that interprets: what it hears, and what its stand-in for an engine makes of that.

What it does in a running session: `end_to_end/test_interpreter_program.py`.
"""

import asyncio
import base64
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from websockets.exceptions import ConnectionClosedError

from local.__main__ import SPEECH
from local.talk import CHUNK_MS
from tests.sounds import read_wav

PROGRAM = Path(__file__).parent.parent / "examples/interpreter_program.py"
MAX_LINES = 100
ENDED = {"type": "sessionEnded", "sessionId": "golden-eagle-427", "reason": "speakerEnded"}
REFUSED = {"type": "error", "code": "AUTH_INVALID_ROLE", "message": "Not you", "retryable": False}
CLOSED = "The connection is closed"
GONE = {"type": "error", "code": "CONNECTION_CLOSED", "message": CLOSED, "retryable": False}
REMOVED = GONE | {"message": "The speaker has removed this interpreter"}
THROTTLED = {"type": "error", "code": "RATE_LIMIT_EXCEEDED", "message": "!", "retryable": True}


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("interpreter_program", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_program_is_short_and_in_the_readme():
    link = "[interpreter_program.py](interpreter_program.py)"

    assert len(PROGRAM.read_text().splitlines()) <= MAX_LINES
    assert link in (PROGRAM.parent / "README.md").read_text()


async def given(values):
    """Give values as a connection or a speaker does, and then no more."""
    for value in values:
        yield value


def all_of(values):
    """Return what comes of an asynchronous iterator."""

    async def collected():
        return [value async for value in values]

    return asyncio.run(collected())


def chunk(number):
    """Return a message with a chunk that holds its number."""
    audio = base64.b64encode(bytes([number, 0])).decode()
    return {"type": "audio", "sequenceNumber": number, "audioData": audio}


def hear(program, *messages, connection=given):
    """Return the numbers of the chunks that are heard of these messages, and what the program ends with."""
    numbers = []

    async def heard():
        async for pcm in program.hear(connection(map(json.dumps, messages))):
            numbers.append(pcm[0])

    with pytest.raises(SystemExit) as ended:
        asyncio.run(heard())
    return numbers, ended.value.code


@pytest.mark.parametrize(
    ("came", "heard"),
    [
        pytest.param([0, 1, 2], [0, 1, 2], id="in-order"),
        pytest.param([0, 2, 3, 1, 4], [0, 1, 2, 3, 4], id="overtaken"),
        pytest.param([0, 2, 3, 4], [0], id="a-gap-that-may-be-filled"),
        pytest.param([0, 2, 3, 4, 5], [0, 2, 3, 4, 5], id="a-gap"),
        pytest.param([70, 72, 71, 73], [70, 71, 72, 73], id="joined-late"),
        pytest.param(
            [70, 71, 72, 73, 0, 1], [70, 71, 72, 73, 0, 1], id="a-speaker-who-begins-anew"
        ),
    ],
)
def test_floor_is_heard_in_order(program, came, heard):
    assert hear(program, *map(chunk, came), ENDED) == (heard, None)


@pytest.mark.parametrize(
    ("message", "ends_with"),
    [
        pytest.param(ENDED, None, id="the-session"),
        pytest.param(REFUSED, "Not you", id="a-refusal"),
        pytest.param({"type": "heartbeatAck"}, CLOSED, id="nothing"),
        pytest.param(THROTTLED, CLOSED, id="what-may-be-sent-again"),
    ],
)
def test_program_ends_with(program, message, ends_with):
    assert hear(program, chunk(0), message) == ([0], ends_with)


def test_reason_may_come_after_an_error_without_one(program):
    assert hear(program, chunk(0), GONE, chunk(1), REMOVED) == ([0, 1], REMOVED["message"])


def test_program_ends_where_no_reason_comes(program, monkeypatch):
    monkeypatch.setattr(program, "REASON_SECONDS", 0.01)

    async def stays_open(values):
        for value in values:
            yield value
        await asyncio.Event().wait()

    assert hear(program, chunk(0), GONE, connection=stays_open) == ([0], CLOSED)


def test_connection_that_breaks_is_closed(program):
    async def breaks(values):
        for value in values:
            yield value
        raise ConnectionClosedError(None, None)

    assert hear(program, chunk(0), connection=breaks) == ([0], CLOSED)


class Closing:
    """A connection that is closed when the first caption is sent; the reason has come by then."""

    state = SimpleNamespace(name="CLOSED")

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        return None

    async def recv(self):
        audio_format = {"encoding": "pcm_s16le", "sampleRate": 16_000, "channels": 1}
        return json.dumps({"type": "interpreterReady", "audioFormat": audio_format})

    async def send(self, text):
        if json.loads(text)["action"] == "sendCaption":
            raise ConnectionClosedError(None, None)

    async def __aiter__(self):
        half_a_second = base64.b64encode(bytes([0, 64]) * 8000).decode()
        yield json.dumps({"type": "audio", "sequenceNumber": 0, "audioData": half_a_second})
        yield json.dumps(REMOVED)


def test_reason_is_heard_when_a_caption_cannot_be_sent(program, monkeypatch):
    monkeypatch.setattr(program, "connect", lambda *_, **__: Closing())

    with pytest.raises(SystemExit) as ended:
        asyncio.run(program.run("ws://127.0.0.1:1", "golden-eagle-427", "de", "key"))

    assert ended.value.code == REMOVED["message"]


def test_stand_in_says_how_long_each_segment_is(program):
    speech = read_wav(SPEECH)
    second = speech.sample_rate * speech.channels * 2

    results = all_of(program.interpret(given(speech.chunks(CHUNK_MS)), second))

    assert [(text, is_final) for _, text, is_final, _ in results] == [
        ("0.5 s", False),
        ("1.0 s", False),
        ("1.5 s", False),
        ("1.7 s", True),
        ("0.5 s", False),
        ("1.0 s", False),
        ("1.5 s", False),
        ("2.0 s", False),
        ("2.5 s", False),
        ("2.9 s", False),
        ("2.9 s", True),
    ]
    assert [results[0][0], results[4][0]] == [*dict.fromkeys(segment for segment, *_ in results)]
    assert [len(tone) / second for *_, is_final, tone in results if is_final] == [1.7, 2.9]
    assert not any(tone for *_, is_final, tone in results if not is_final)


def test_stand_in_says_nothing_of_silence(program):
    assert all_of(program.interpret(given([bytes(3200)] * 50), 32_000)) == []
