"""Messages that are broken on purpose, each with the answer that is due. Nothing here sends them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

__all__ = ["BROKEN", "BROKEN_IN_A_SESSION", "CLOSING", "Broken", "chunk_message"]

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """What is broken, the error code (or the close code) that is due, and the frame."""

    kind: str
    due: str
    frame: str | bytes


def chunk_message(number: int, pcm: bytes) -> Fields:
    """Return a good `sendAudio` message."""
    return {
        "action": "sendAudio",
        "audioData": base64.b64encode(pcm).decode(),
        "sequenceNumber": number,
        "timestamp": 1_700_000_000_000,
    }


_CHUNK = chunk_message(0, bytes(3200))


def _with(**fields: object) -> str:
    return json.dumps({**_CHUNK, **fields})


def _without(field: str) -> str:
    return json.dumps({name: value for name, value in _CHUNK.items() if name != field})


def _audio(num_bytes: int) -> str:
    return _with(audioData=base64.b64encode(bytes(num_bytes)).decode())


# The connection stays open after each of these.
BROKEN = [
    Broken("half of a message", "VALIDATION_INVALID_MESSAGE_FORMAT", json.dumps(_CHUNK)[:1000]),
    Broken("a list", "VALIDATION_INVALID_MESSAGE_FORMAT", json.dumps([_CHUNK])),
    Broken("30,000 open brackets", "VALIDATION_INVALID_MESSAGE_FORMAT", "[" * 30_000),
    Broken("timestamp is NaN", "VALIDATION_INVALID_MESSAGE_FORMAT", _with(timestamp=float("nan"))),
    Broken("no action", "VALIDATION_MISSING_PARAMETER", _without("action")),
    Broken("an unknown action", "VALIDATION_INVALID_ACTION", _with(action="sendVideo")),
    Broken("no sequenceNumber", "VALIDATION_MISSING_PARAMETER", _without("sequenceNumber")),
    Broken("sequenceNumber is true", "VALIDATION_INVALID_PARAMETER", _with(sequenceNumber=True)),
    Broken("base64 with a blank", "AUDIO_INVALID_ENCODING", _with(audioData="AAAA AAA" * 40)),
    Broken("98 bytes of audio", "AUDIO_CHUNK_TOO_SMALL", _audio(98)),
    Broken("24,002 bytes of audio", "AUDIO_CHUNK_TOO_LARGE", _audio(24_002)),
]

# The same, sent by the speaker of a session.
BROKEN_IN_A_SESSION = [
    Broken("3,201 bytes: half a sample", "AUDIO_INVALID_FORMAT", _audio(3_201)),
    Broken("somebody else's session", "AUTH_UNAUTHORIZED", _with(sessionId="golden-eagle-427")),
    Broken(
        "a second session",
        "SESSION_ALREADY_EXISTS",
        '{"action":"createSession","sourceLanguage":"en"}',
    ),
]

# The gateway itself closes the connection, with this code.
CLOSING = [
    Broken("raw samples in a binary frame", "1003", bytes(3200)),
    Broken("a frame above 32 KB", "1009", _with(note="x" * 32_768)),
]
