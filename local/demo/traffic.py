"""What the demo sends: a recording in chunks, and messages that are broken on purpose.

Every message knows which answer is due, so that the demo can tell when something is wrong.
"""

from __future__ import annotations

import base64
import json
import time
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# fmt: off
__all__ = [
    "BROKEN", "CHUNK_MS", "LATECOMER", "SPEAKER", "Message",
    "api_gateway_event", "flood", "half_a_sample", "read_chunks", "stream",
]
# fmt: on

CHUNK_MS = 100
SESSION_ID = "golden-eagle-427"
# As API Gateway makes them, with characters that a URL would have to escape.
SPEAKER, FLOODER, LATECOMER = "R0oXAdfD0kwCH6w=", "Fl00d_fD0-wCH6w=", "L8com_fD0-wCH6w="
UNREADABLE = {"VALIDATION_INVALID_MESSAGE_FORMAT", "VALIDATION_MESSAGE_TOO_LARGE"}

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A body for the socket; `due` is the error code of its reply, None for a chunk to take.

    A chunk to take says how much audio is in it.
    """

    kind: str
    body: str
    due: str | None = None
    connection_id: str = SPEAKER
    audio_bytes: int = 0

    @property
    def request_id(self) -> str | None:
        """What a reply has to echo; None for a body that cannot be read, or has none."""
        fields = {} if self.due in UNREADABLE else json.loads(self.body)
        return fields.get("requestId")


def _cut(body: str) -> str:
    return body[: len(body) // 2]


def _with(**fields: object) -> Callable[[Fields], str]:
    return lambda chunk: json.dumps({**chunk, **fields})


def _without(field: str) -> Callable[[Fields], str]:
    return lambda chunk: json.dumps({name: v for name, v in chunk.items() if name != field})


def _audio(num_bytes: int) -> Callable[[Fields], str]:
    return _with(audioData=base64.b64encode(bytes(num_bytes)).decode())


# What is broken, the code that is due, and how to break a good chunk.
BROKEN: list[tuple[str, str, Callable[[Fields], str]]] = [
    ("not JSON", "VALIDATION_INVALID_MESSAGE_FORMAT", lambda chunk: _cut(json.dumps(chunk))),
    ("an empty body", "VALIDATION_INVALID_MESSAGE_FORMAT", lambda _: ""),
    ("a list", "VALIDATION_INVALID_MESSAGE_FORMAT", lambda chunk: json.dumps([chunk])),
    ("raw samples", "VALIDATION_INVALID_MESSAGE_FORMAT", lambda _: "\x00\x7f\xff\x01" * 800),
    ("100,000 open brackets", "VALIDATION_INVALID_MESSAGE_FORMAT", lambda _: "[" * 100_000),
    ("timestamp is NaN", "VALIDATION_INVALID_MESSAGE_FORMAT", _with(timestamp=float("nan"))),
    ("above 128 KB", "VALIDATION_MESSAGE_TOO_LARGE", _with(note="x" * 131_072)),
    ("no sequenceNumber", "VALIDATION_MISSING_PARAMETER", _without("sequenceNumber")),
    ("no action", "VALIDATION_MISSING_PARAMETER", _without("action")),
    ("an unknown action", "VALIDATION_INVALID_ACTION", _with(action="sendVideo")),
    ("another route's action", "VALIDATION_INVALID_ACTION", lambda _: '{"action":"heartbeat"}'),
    ("sequenceNumber is -1", "VALIDATION_INVALID_PARAMETER", _with(sequenceNumber=-1)),
    ("sequenceNumber is true", "VALIDATION_INVALID_PARAMETER", _with(sequenceNumber=True)),
    ("sessionId is upper case", "SESSION_INVALID_ID_FORMAT", _with(sessionId="GOLDEN-EAGLE-427")),
    ("base64 with a blank", "AUDIO_INVALID_ENCODING", _with(audioData="AAAA AAA" * 40)),
    ("base64 without padding", "AUDIO_INVALID_ENCODING", _with(audioData="A" * 201)),
    ("24,002 bytes of audio", "AUDIO_CHUNK_TOO_LARGE", _audio(24_002)),
    ("98 bytes of audio", "AUDIO_CHUNK_TOO_SMALL", _audio(98)),
    ("3,201 bytes: half a sample", "AUDIO_INVALID_FORMAT", _audio(3_201)),
]


def read_chunks(recording: Path) -> list[bytes]:
    """Return a WAV file's samples in chunks of `CHUNK_MS`; the last may be shorter.

    ValueError unless the file is a session's default format: PCM16, 16 kHz, one channel.
    """
    with wave.open(str(recording)) as file:
        found = file.getsampwidth() * 8, file.getframerate(), file.getnchannels()
        if found != (16, 16_000, 1):
            raise ValueError(
                "a recording must be 16 bit, 16000 Hz, 1 channel; "
                f"{recording.name} is {found[0]} bit, {found[1]} Hz, {found[2]} channels"
            )
        pcm = file.readframes(file.getnframes())
    size = 16_000 * 2 * CHUNK_MS // 1000
    return [pcm[start : start + size] for start in range(0, len(pcm), size)]


def stream(chunks: list[bytes]) -> Iterator[Message]:
    """Yield every chunk in order, and after some of them each broken message once."""
    every = max(1, len(chunks) // len(BROKEN))
    waiting = list(BROKEN)
    for number, pcm in enumerate(chunks):
        chunk = _fields(number, pcm)
        yield Message("chunk", json.dumps(chunk), audio_bytes=len(pcm))
        if waiting and number % every == every - 1:
            kind, due, break_it = waiting.pop(0)
            yield Message(kind, break_it(chunk), due)
    for kind, due, break_it in waiting:
        yield Message(kind, break_it(_fields(len(chunks), chunks[0])), due)


def _fields(number: int, pcm: bytes) -> Fields:
    return {
        "action": "sendAudio",
        "sessionId": SESSION_ID,
        "audioData": base64.b64encode(pcm).decode(),
        "sequenceNumber": number,
        "timestamp": time.time_ns() // 1_000_000,
        "requestId": f"chunk-{number}",
    }


def flood(chunk: bytes, count: int) -> Iterator[Message]:
    """Yield `count` good chunks of one connection, to be sent as fast as it goes."""
    for number in range(count):
        body = json.dumps(_fields(number, chunk))
        yield Message("flood", body, None, FLOODER, len(chunk))


def half_a_sample(chunk: bytes, connection_id: str) -> Message:
    """Return a chunk that the function itself refuses."""
    body = json.dumps(_fields(0, chunk + b"\0"))
    return Message("half a sample, to end with", body, "AUDIO_INVALID_FORMAT", connection_id)


def api_gateway_event(message: Message, number: int) -> dict[str, Any]:
    """Return the MESSAGE event that API Gateway makes of a frame, in the shape it really has."""
    now = time.time()
    request_id = f"BFaVt{number:06d}IAMFZEQ="
    return {
        "requestContext": {
            "routeKey": "sendAudio",
            "messageId": f"BFaVt{number:06d}IAMCKug=",
            "eventType": "MESSAGE",
            "extendedRequestId": request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "messageDirection": "IN",
            "stage": "local",
            "connectedAt": int(now * 1000) - 60_000,
            "requestTimeEpoch": int(now * 1000),
            "identity": {"sourceIp": "127.0.0.1"},
            "requestId": request_id,
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "connectionId": message.connection_id,
            "apiId": "a1b2c3d4e5",
        },
        "body": message.body,
        "isBase64Encoded": False,
    }
