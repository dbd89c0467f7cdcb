"""`sendAudio` on Powertools: Logger, Metrics, the parser with its WebSocket envelope, decorators."""

from __future__ import annotations

import time
from binascii import a2b_base64
from typing import Annotated, Any, Literal

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.parser import (
    BaseModel,
    Field,
    ValidationError,
    envelopes,
    parse,
)
from pydantic import AfterValidator

logger = Logger(service="audio", level="INFO")
metrics = Metrics(namespace="WebSocketAudio", service="audio")


def _decoded(text: str) -> bytes:
    audio = a2b_base64(text, strict_mode=True)
    if not 100 <= len(audio) <= 24_000 or len(audio) % 2:
        raise ValueError("audioData must be 100 to 24,000 bytes of whole samples")
    return audio


# Powertools has no check of base64 that does not decode; this one costs the least.
Audio = Annotated[str, AfterValidator(_decoded)]


class SendAudio(BaseModel):
    action: Literal["sendAudio"]
    audioData: Audio
    sequenceNumber: Annotated[int, Field(ge=0, lt=2**53, strict=True)]
    timestamp: Annotated[int, Field(ge=0, lt=2**53, strict=True)]
    sessionId: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+-[0-9]{3}$")] | None = None
    requestId: Annotated[str, Field(max_length=128)] | None = None


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started = time.perf_counter_ns()
    logger.append_keys(connectionId=event["requestContext"]["connectionId"])
    try:
        message: Any = parse(event, model=SendAudio, envelope=envelopes.ApiGatewayWebSocketEnvelope)
    except ValidationError:
        logger.warning("Message refused")
        metrics.add_metric("MessageFailures", "Count", 1)
        return {"statusCode": 400, "body": "refused"}
    logger.append_keys(sessionId=message.sessionId)
    size = len(message.audioData)
    latency_ms = (time.perf_counter_ns() - started) / 1e6
    logger.info(
        "Audio chunk accepted",
        sequenceNumber=message.sequenceNumber,
        chunkBytes=size,
        latencyMs=latency_ms,
        final=False,
    )
    metrics.add_dimension("ActionType", "sendAudio")
    metrics.add_metric("AudioChunksReceived", "Count", 1)
    metrics.add_metric("AudioChunkSize", "Bytes", size)
    metrics.add_metric("AudioProcessingLatency", "Milliseconds", latency_ms)
    metrics.add_metadata("sessionId", message.sessionId)
    return {"statusCode": 200}


decoding_handler = handler
