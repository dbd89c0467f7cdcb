"""`sendAudio` on the whole layer, through `websocket_handler`.

`handler` writes a line and its metrics for every message, like the other stacks; `default_handler`
has the settings of the audio function: one line in a hundred, metrics that share a document.
"""

from __future__ import annotations

from shared_utils.structured_logger import bind_context
from shared_utils.websocket_handler import WebSocketHandler
from shared_utils.websocket_messages import SendAudio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from shared_utils.websocket_handler import Request


class Nobody:
    """Stands where the connections are: what is refused is answered, and nothing is sent."""

    def send(self, connection_id: str, message: object, *, timeout_seconds: float) -> None: ...


def accept(request: Request[SendAudio]) -> None:
    record(request, request.message.num_audio_bytes)


def accept_decoded(request: Request[SendAudio]) -> None:
    record(request, len(request.message.audio))


def record(request: Request[SendAudio], size: int) -> None:
    message = request.message
    bind_context(
        sessionId=message.sessionId,
        sequenceNumber=message.sequenceNumber,
        chunkBytes=size,
        final=False,
    )
    # With the handler's own latency, these make three metrics of one dimension set.
    dimensions = {"ActionType": "sendAudio"}
    request.metrics.emit_metric("AudioChunksReceived", 1, "Count", dimensions)
    request.metrics.emit_metric("AudioChunkSize", size, "Bytes", dimensions)


nobody: Any = Nobody()
handler = WebSocketHandler("audio", connections=nobody)
handler.route(SendAudio)(accept)

decoding_handler = WebSocketHandler("audio", connections=nobody)
decoding_handler.route(SendAudio)(accept_decoded)

default_handler = WebSocketHandler("audio", sampled={"sendAudio": 100}, connections=nobody)
default_handler.route(SendAudio)(accept)
