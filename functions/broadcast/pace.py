"""How fast one sender may send: a token bucket for each, in this environment's memory.

Best effort: another environment counts for itself. What is remembered is bounded.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TokenBuckets"]

MAX_SENDERS = 10_000


class TokenBuckets:
    """`per_second` tokens flow into each sender's bucket, which holds `burst` and starts full."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when there were so many

    def take(self, sender: str) -> bool:
        """Take one token; return False if there is none."""
        now = self._clock()
        # Taken out and put back last, so that the first one is who has been silent longest.
        tokens, then = self._buckets.pop(sender, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._per_second)
        allowed = tokens >= 1
        self._buckets[sender] = (tokens - allowed, now)
        if len(self._buckets) > MAX_SENDERS:
            del self._buckets[next(iter(self._buckets))]
        return allowed
