"""The function that the demo runs: it takes and counts audio, and passes it on to nobody."""

from __future__ import annotations

import os

from broadcast.pace import TokenBuckets
from broadcast.settings import Settings
from shared_utils import ApplicationError, ErrorCode, Request, SendAudio, WebSocketHandler
from shared_utils import validate_audio_alignment as check_alignment

handler = WebSocketHandler("AudioHandler")
chunks_per_second = Settings.read(os.environ).audio_chunks_per_second
pace = TokenBuckets(chunks_per_second, burst=chunks_per_second)


@handler.route(SendAudio)
def take_chunk(request: Request[SendAudio]) -> None:
    """Count a chunk, or refuse one that comes too fast or ends in half a sample."""
    chunk, metrics, sender = request.message, request.metrics, request.connection_id
    session_id = chunk.sessionId or ""
    try:
        if not pace.take(sender):
            metrics.emit_rate_limit_violation(session_id, sender, request.action)
            limit = f"At most {chunks_per_second} audio chunks a second"
            raise ApplicationError(ErrorCode.RATE_LIMIT_AUDIO_CHUNKS, limit)
        check_alignment(chunk.num_audio_bytes)
    except ApplicationError as refusal:
        metrics.emit_audio_chunk_dropped(session_id, refusal.code)
        raise
    metrics.emit_audio_chunk_received(session_id, chunk.num_audio_bytes)
