"""`sendAudio` on the layer's logger, metrics and messages, without `websocket_handler`."""

from __future__ import annotations

import time

from shared_utils.metrics_emitter import MetricsEmitter
from shared_utils.structured_logger import get_structured_logger, invocation
from shared_utils.validators import ValidationError
from shared_utils.websocket_messages import SendAudio, parse_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

logger = get_structured_logger("audio")
metrics = MetricsEmitter(namespace="WebSocketAudio")
DIMENSIONS = {"service": "audio", "ActionType": "sendAudio"}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return _handle(event, context, decode=False)


def decoding_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return _handle(event, context, decode=True)


def _handle(event: dict[str, Any], context: Any, decode: bool) -> dict[str, Any]:
    started = time.perf_counter_ns()
    with invocation(event, context):
        try:
            message: Any = parse_message(event)
            if type(message) is not SendAudio:
                raise ValidationError("action must be sendAudio", "action")
        except ValidationError as error:
            logger.warning("Message refused", error=error)
            return {"statusCode": 400, "body": error.message}
        size = len(message.audio) if decode else message.num_audio_bytes
        latency_ms = (time.perf_counter_ns() - started) / 1e6
        logger.info(
            "Audio chunk accepted",
            sessionId=message.sessionId,
            sequenceNumber=message.sequenceNumber,
            chunkBytes=size,
            latencyMs=latency_ms,
            final=False,
        )
        with metrics:
            emit, session_id = metrics.emit_metric, message.sessionId
            emit("AudioChunksReceived", 1, "Count", DIMENSIONS, sessionId=session_id)
            emit("AudioChunkSize", size, "Bytes", DIMENSIONS)
            emit("AudioProcessingLatency", latency_ms, "Milliseconds", DIMENSIONS)
        return {"statusCode": 200}
