"""`sendAudio` on Powertools' Logger and Metrics, the message checked by hand: no parser to import."""

from __future__ import annotations

import json
import re
import time
from binascii import a2b_base64
from typing import Any

from aws_lambda_powertools import Logger, Metrics

logger = Logger(service="audio", level="INFO")
metrics = Metrics(namespace="WebSocketAudio", service="audio")
SESSION_ID = re.compile(r"[a-z]+-[a-z]+-[0-9]{3}")


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


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started = time.perf_counter_ns()
    logger.append_keys(connectionId=event["requestContext"]["connectionId"])
    try:
        message, audio = parse(event)
    except (KeyError, TypeError, ValueError):
        logger.warning("Message refused")
        metrics.add_metric("MessageFailures", "Count", 1)
        return {"statusCode": 400, "body": "refused"}
    logger.append_keys(sessionId=message.get("sessionId"))
    latency_ms = (time.perf_counter_ns() - started) / 1e6
    logger.info(
        "Audio chunk accepted",
        sequenceNumber=message["sequenceNumber"],
        chunkBytes=len(audio),
        latencyMs=latency_ms,
        final=False,
    )
    metrics.add_dimension("ActionType", "sendAudio")
    metrics.add_metric("AudioChunksReceived", "Count", 1)
    metrics.add_metric("AudioChunkSize", "Bytes", len(audio))
    metrics.add_metric("AudioProcessingLatency", "Milliseconds", latency_ms)
    metrics.add_metadata("sessionId", message.get("sessionId"))
    return {"statusCode": 200}


decoding_handler = handler
