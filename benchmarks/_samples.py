"""The one message that all benchmarks use: real-shaped events, a context, and the facts to log.

The shapes are those that API Gateway sends (`requestContext` of a MESSAGE event); the audio is
200 ms of 16-bit mono sound at 16 kHz, what a browser client usually sends.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

__all__ = [
    "AUDIO_BYTES",
    "BOUND",
    "CONNECTION_ID",
    "FIELDS",
    "MESSAGE",
    "REQUEST_ID",
    "SERVICE",
    "SESSION_ID",
    "audio_event",
    "context",
    "control_event",
    "request_ids",
]

SERVICE = "audio"
SESSION_ID = "golden-eagle-427"
CONNECTION_ID = "BFaT_fALIAMCKug="
REQUEST_ID = "5b0b8a6e-9a4b-4c3f-8a37-2f1d3c0f9b11"
AUDIO_BYTES = 6400

MESSAGE = "Audio chunk accepted"
BOUND = {"sessionId": SESSION_ID, "connectionId": CONNECTION_ID, "requestId": REQUEST_ID}
FIELDS = {
    "sequenceNumber": 17,
    "chunkBytes": 6400,
    "latencyMs": 1.75,
    "language": "en-US",
    "final": False,
}


def request_ids() -> Iterator[str]:
    """Return Lambda's request ids: a new one for each call, so that a cache of them helps nobody."""
    return itertools.cycle([f"{REQUEST_ID[:-12]}{number:012x}" for number in range(5000)])


def context(request_id: str = REQUEST_ID) -> Any:
    """Return what the runtime client hands to a handler, with its attributes and method."""
    return SimpleNamespace(
        aws_request_id=request_id,
        function_name="audio",
        function_version="$LATEST",
        invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:audio",
        memory_limit_in_mb="512",
        log_group_name="/aws/lambda/audio",
        log_stream_name="2026/01/02/[$LATEST]0123456789abcdef",
        tenant_id=None,
        identity=None,
        client_context=None,
        get_remaining_time_in_millis=lambda: 28_000,
    )


def audio_event(sequence_number: int = 17) -> dict[str, Any]:
    """Return a `sendAudio` event: 200 ms of a 440 Hz tone, 8.5 KB as base64."""
    body = {
        "action": "sendAudio",
        "sessionId": SESSION_ID,
        "sequenceNumber": sequence_number,
        "timestamp": 1767322800123,
        "audioData": base64.b64encode(_tone(AUDIO_BYTES // 2, sequence_number)).decode(),
    }
    return _event("sendAudio", json.dumps(body))


def control_event(volume: object = 0.8) -> dict[str, Any]:
    """Return a `setVolume` event."""
    return _event("setVolume", json.dumps({"action": "setVolume", "volumeLevel": volume}))


def _tone(samples: int, start: int) -> bytes:
    # A pure tone repeats itself; the slow second one makes every part of the text differ.
    waves = (
        round(9000 * math.sin(index * 0.1728) + 5000 * math.sin(index * 0.00731))
        for index in range(start * samples, (start + 1) * samples)
    )
    return struct.pack(f"<{samples}h", *waves)


def _event(route: str, body: str) -> dict[str, Any]:
    return {
        "requestContext": {
            "routeKey": route,
            "messageId": "BFaVtfGSIAMCKug=",
            "eventType": "MESSAGE",
            "extendedRequestId": "BFaVtH2HoAMFZEQ=",
            "requestTime": "02/Jan/2026:03:00:00 +0000",
            "messageDirection": "IN",
            "stage": "prod",
            "connectedAt": 1767322735513,
            "requestTimeEpoch": 1767322800123,
            "identity": {"sourceIp": "203.0.113.7"},
            "requestId": "BFaVtH2HoAMFZEQ=",
            "domainName": "abcdef1234.execute-api.eu-central-1.amazonaws.com",
            "connectionId": CONNECTION_ID,
            "apiId": "abcdef1234",
        },
        "body": body,
        "isBase64Encoded": False,
    }
