"""What a function does about a connection that sends what nothing can be done with, or never slows down.

A message beyond a limit costs no reply and no line of its own: it is counted, in a document for
many. Messages that the gateway took before the connection was closed are dropped as well.
"""

from __future__ import annotations

from broadcast.invalid import IN_A_ROW, InvalidMessages
from shared_utils import ErrorCode, SilentRefusal, ValidationError, format_error_response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from shared_utils import Request, WebSocketHandler

__all__ = ["FloodGuard"]

# Ours: a post that takes longer would keep the function from everybody else.
_POST_SECONDS = 1.0


class FloodGuard:
    """Watches the messages of one handler; `per_minute` of a connection's may be invalid."""

    def __init__(self, handler: WebSocketHandler, per_minute: int) -> None:
        self._handler = handler
        self.invalid = InvalidMessages(per_minute)
        handler.before_parsing(self.drop_if_shut)
        handler.exception_handler(ValidationError)(self.count_invalid)

    def drop_if_shut(self, request: Request[Any]) -> None:
        """Drop what still comes of a connection that was closed from here, unread."""
        if self.invalid.is_shut(request.connection_id):
            self._count_violation(request)
            raise SilentRefusal

    def count_invalid(self, error: ValidationError, request: Request[Any]) -> NoReturn:
        """Refuse an invalid message; after too many warn once, then close the connection.

        The warning is an error and no rateLimitWarning: that one says "slower", which mends nothing
        here, and an error's sentence is all that a client can learn of why it will be closed.
        """
        verdict = self.invalid.judge(request.connection_id)
        if verdict.close:
            self._count_violation(request)
            self.cut_off(request, ErrorCode.RATE_LIMIT_EXCEEDED, "Too many invalid messages")
        if verdict.warn:
            warning = format_error_response(
                ErrorCode.RATE_LIMIT_EXCEEDED,
                {"limit": self.invalid.per_minute, "windowSeconds": 60, "limitInARow": IN_A_ROW},
                message="Too many invalid messages: the next one closes the connection",
            )
            name, connections = request.connection_id, request.connections
            connections.send(name, warning, timeout_seconds=_POST_SECONDS)
        raise error

    def cut_off(self, request: Request[Any], code: ErrorCode, message: str) -> NoReturn:
        """Close the sender's connection; only the environment that did it writes a line."""
        name = request.connection_id
        kind = request.connections.close(name, timeout_seconds=_POST_SECONDS).kind
        self.invalid.shut(name, closed=kind in ("sent", "gone"))
        if kind == "sent":
            self._handler.metrics.emit_connection_closed_for_rate_limit("", name)
        raise SilentRefusal(code, f"{message}: the connection was closed", logged=kind == "sent")

    def _count_violation(self, request: Request[Any]) -> None:
        windowed = self._handler.windowed_metrics
        windowed.emit_rate_limit_violation("", request.connection_id, request.action)
