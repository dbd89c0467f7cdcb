"""`sendAudio` with nothing but the standard library, as it is usually written."""

from __future__ import annotations

import json
import re
import time
from binascii import a2b_base64
from datetime import UTC, datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SESSION_ID = re.compile(r"[a-z]+-[a-z]+-[0-9]{3}")


def log(level: str, message: str, **fields: object) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"timestamp": now, "level": level, "service": "audio", "message": message, **fields}
    print(json.dumps(line))


def parse(event: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    message = json.loads(event["body"])
    if message["action"] != "sendAudio":
        raise ValueError("action must be sendAudio")
    audio = a2b_base64(message["audioData"], strict_mode=True)
    if not 100 <= len(audio) <= 24_000 or len(audio) % 2:
        raise ValueError("audioData must be 100 to 24,000 bytes of whole samples")
    for name in ("sequenceNumber", "timestamp"):
        if type(message[name]) is not int or not 0 <= message[name] < 2**53:
            raise ValueError(f"{name} must be a whole number from 0")
    session_id = message.get("sessionId")
    if session_id is not None and not SESSION_ID.fullmatch(session_id):
        raise ValueError("sessionId must look like golden-eagle-427")
    return message, audio


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started = time.perf_counter_ns()
    ids = {
        "connectionId": event["requestContext"]["connectionId"],
        "requestId": context.aws_request_id,
    }
    try:
        message, audio = parse(event)
    except (KeyError, TypeError, ValueError):
        log("WARN", "Message refused", **ids)
        return {"statusCode": 400, "body": "refused"}
    size, session_id = len(audio), message.get("sessionId")
    latency_ms = (time.perf_counter_ns() - started) / 1e6
    log(
        "INFO",
        "Audio chunk accepted",
        sessionId=session_id,
        **ids,
        sequenceNumber=message["sequenceNumber"],
        chunkBytes=size,
        latencyMs=latency_ms,
        final=False,
    )
    units = {
        "AudioChunksReceived": "Count",
        "AudioChunkSize": "Bytes",
        "AudioProcessingLatency": "Milliseconds",
    }
    directive = {
        "Namespace": "WebSocketAudio",
        "Dimensions": [["service", "ActionType"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    document = {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
        "service": "audio",
        "ActionType": "sendAudio",
        **dict(zip(units, (1, size, latency_ms), strict=True)),
        "sessionId": session_id,
    }
    print(json.dumps(document))
    return {"statusCode": 200}


decoding_handler = handler
