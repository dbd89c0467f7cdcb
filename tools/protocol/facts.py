"""What the protocol rests on beside its messages: limits, close codes, the sub-protocol."""

from __future__ import annotations

from typing import NamedTuple

from shared_utils import validators as v

__all__ = ["CLOSE_CODES", "LIMITS", "SUBPROTOCOL", "VERSION", "Limit"]

SUBPROTOCOL = "websocket-audio.v1"
# Of the protocol, not of the layer: its major version is that of the sub-protocol.
VERSION = "1.0.0"


class Limit(NamedTuple):
    """A number that a client must know, its unit, and what happens beyond it."""

    name: str
    value: int
    unit: str
    beyond: str


LIMITS = [
    Limit("maxFrameBytes", v.MAX_FRAME_BYTES, "bytes", "API Gateway closes with 1009; a browser sends one frame a message"),
    Limit("maxMessageBytes", v.MAX_MESSAGE_BYTES, "bytes", "API Gateway closes with 1009"),
    Limit("maxControlMessageBytes", v.MAX_CONTROL_MESSAGE_BYTES, "bytes", "error VALIDATION_MESSAGE_TOO_LARGE; every action but sendAudio"),
    Limit("maxAudioChunkBytes", v.MAX_AUDIO_CHUNK_BYTES, "bytes", "error AUDIO_CHUNK_TOO_LARGE; counted before base64"),
    Limit("minAudioChunkBytes", v.MIN_AUDIO_CHUNK_BYTES, "bytes", "error AUDIO_CHUNK_TOO_SMALL; counted before base64"),
    Limit("audioChunksPerSecond", 50, "chunks a second", "error RATE_LIMIT_AUDIO_CHUNKS; a deployment may choose another number"),
    Limit("controlMessagesPerSecond", 10, "messages a second", "error RATE_LIMIT_CONTROL_MESSAGES; a deployment may choose another number"),
    Limit("heartbeatSeconds", 30, "seconds", "send a heartbeat this often: an idle connection is ended after 120 seconds"),
    Limit("idleSeconds", 600, "seconds", "API Gateway closes a connection on which nothing was sent"),
    Limit("connectionSeconds", 7200, "seconds", "API Gateway closes every connection after two hours"),
]  # fmt: skip

# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 and what API Gateway makes of it. A function
# behind API Gateway cannot choose a code: what it has to say, it says in a message before the end.
CLOSE_CODES = {
    1000: "Closed by the client.",
    1001: "Going away: the connection was idle or open for too long. Open another and refresh.",
    1003: "A binary frame was sent. Audio goes as base64 in JSON text.",
    1005: "No code was given; never on the wire.",
    1006: "The connection broke; never on the wire. Open another, with backoff, and refresh.",
    1007: "What was sent is not UTF-8.",
    1008: "A policy was violated.",
    1009: "A frame or a message was too big.",
    1011: "The server failed. Open another, with backoff, and refresh.",
}
