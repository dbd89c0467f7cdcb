"""`sendAudio` on Powertools as `powertools_parser`, its leanest use: one model, read in one pass."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools.utilities.parser import ValidationError
from aws_lambda_powertools.utilities.parser.models import APIGatewayWebSocketMessageEventModel
from pydantic import Json

from stacks.powertools_parser import SendAudio, logger, metrics


class Event(APIGatewayWebSocketMessageEventModel):
    body: Json[SendAudio]  # type: ignore[assignment]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started = time.perf_counter_ns()
    try:
        request = Event.model_validate(event)
    except ValidationError:
        logger.warning("Message refused")
        return {"statusCode": 400, "body": "refused"}
    message: Any = request.body
    size = len(message.audioData)
    latency_ms = (time.perf_counter_ns() - started) / 1e6
    logger.info(
        "Audio chunk accepted",
        sessionId=message.sessionId,
        connectionId=request.request_context.connection_id,
        requestId=context.aws_request_id,
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
    metrics.flush_metrics()
    return {"statusCode": 200}


decoding_handler = handler
