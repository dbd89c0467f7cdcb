"""API Gateway's quotas, each with its source, and the token bucket that it throttles with."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GatewayLimits", "Throttle", "TokenBucket"]


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """What a gateway allows. The defaults are those of an account, unless a comment says "ours".

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
    """

    frame_bytes: int = 32 * 1024
    message_bytes: int = 128 * 1024
    integration_seconds: float = 29.0  # where the integration does not say less
    idle_seconds: float = 10 * 60
    connection_seconds: float = 2 * 60 * 60
    new_connections_per_second: float = 500
    # Shared by the messages of clients and calls of @connections:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    requests_per_second: float = 10_000
    burst: float = 5_000
    url_bytes: int = 4096
    authorizer_bytes: int = 8 * 1024
    # Ours, AWS gives no number: a post is refused with 429 while more than this waits that the
    # client's system has not taken. That is 1.5 s of audio at 43 KB/s: what waits for longer than
    # 2 s is worth nothing to a listener. One message of any size is taken all the same.
    client_buffer_bytes: int = 64 * 1024
    # Ours: how long a client may take to end a closed connection.
    close_seconds: float = 5.0
    # Ours: a client with more messages at work than this is not read from until some are done.
    messages_at_work: int = 500


@dataclass(frozen=True, slots=True)
class Throttle:
    """A limit of a route's or a usage plan's own, in requests a second."""

    rate: float
    burst: float


class TokenBucket:
    """Holds `burst` tokens and gains `rate` a second."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at: float | None = None

    def take(self, now: float) -> bool:
        """Take a token if there is one; `now` in seconds, and may jump back."""
        passed = max(0.0, now - self._filled_at) if self._filled_at is not None else 0.0
        self._filled_at = now
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
