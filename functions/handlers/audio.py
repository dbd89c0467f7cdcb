"""The route `sendAudio`: takes a speaker's audio, chunk by chunk.

Each event is answered: 200 for a chunk that was taken, else the `error` message of the contract.
Nothing of an unexpected exception reaches the client.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from broadcast.audio import check_chunk
from broadcast.pace import TokenBuckets
from broadcast.settings import audio_chunks_per_second
from shared_utils import (
    ApplicationError,
    ErrorCode,
    MetricsEmitter,
    error_code_of,
    error_response,
    get_structured_logger,
    invocation,
    parse_message,
    request_id_of,
    success_response,
)

if TYPE_CHECKING:
    from shared_utils.websocket_messages import SendAudio

# One line stands for so many chunks that were taken; refusals are all written.
LOG_ONE_CHUNK_IN = 10

logger = get_structured_logger("AudioHandler")
metrics = MetricsEmitter()
chunks_per_second = audio_chunks_per_second(os.environ)
pace = TokenBuckets(chunks_per_second, burst=chunks_per_second)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one event of the route."""
    with invocation(event, context), metrics:
        started = time.perf_counter()
        metrics.emit_cold_start("AudioHandler")
        try:
            record(receive(event), (time.perf_counter() - started) * 1000)
            return success_response(200)
        except Exception as error:  # the ladder's last rung: logs everything, reveals nothing
            return refuse(event, error, context.aws_request_id)


def receive(event: dict[str, Any]) -> SendAudio:
    """Return the chunk that `event` carries, if its sender may send it."""
    if not pace.take(connection_of(event)):
        raise ApplicationError(
            ErrorCode.RATE_LIMIT_AUDIO_CHUNKS, f"At most {chunks_per_second} audio chunks a second"
        )
    return check_chunk(parse_message(event))


def record(chunk: SendAudio, latency_ms: float) -> None:
    """Count a chunk that was taken, and write one line for many."""
    session_id = chunk.sessionId or ""
    metrics.emit_audio_chunk_received(session_id, chunk.num_audio_bytes)
    metrics.emit_audio_processing_latency(session_id, latency_ms)
    logger.sampled("sendAudio", LOG_ONE_CHUNK_IN).info(
        "Audio chunk received",
        operation="sendAudio",
        sessionId=session_id,
        correlationId=chunk.requestId,
        sequenceNumber=chunk.sequenceNumber,
        chunkBytes=chunk.num_audio_bytes,
        durationMs=round(latency_ms, 3),
    )


def refuse(event: dict[str, Any], error: Exception, lambda_id: str) -> dict[str, Any]:
    """Count, log and answer what was refused, or what went wrong on our side."""
    code = error_code_of(error)
    client_id = request_id_of(event)
    metrics.emit_audio_chunk_dropped("", code)
    if not isinstance(error, ApplicationError):
        metrics.emit_lambda_error("AudioHandler", type(error).__name__)
        logger.error("Audio chunk failed", operation="sendAudio", error=error)
        return error_response(code, correlation_id=lambda_id, request_id=client_id)
    if code is ErrorCode.RATE_LIMIT_AUDIO_CHUNKS:
        metrics.emit_rate_limit_violation("", connection_of(event), "sendAudio")
    logger.warning(
        "Audio chunk refused",
        operation="sendAudio",
        errorCode=code,
        correlationId=client_id,
        reason=error.message,
    )
    return error_response(code, error.details, message=error.message, request_id=client_id)


def connection_of(event: dict[str, Any]) -> str:
    """Return the id of the connection that the event came over."""
    return str(event["requestContext"]["connectionId"])
