"""How fast one sender may send: a token bucket for each, in this environment's memory.

Best effort: another environment counts for itself. What is remembered is bounded.
"""

from __future__ import annotations

import math
import time

from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_SENDERS", "Pace", "PaceDecision", "PerMinute", "TokenBuckets"]

MAX_SENDERS = 10_000

# A warning is due when less than a fifth of the burst is left, and once in so many seconds.
_WARN_BELOW_ONE_IN = 5
_SECONDS_BETWEEN_WARNINGS = 5.0
# A sender that goes on for so many seconds' worth of refused messages does not listen; it is closed.
_SECONDS_OF_REFUSALS = 5


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
        return self.draw(sender) >= 0

    def draw(self, sender: str) -> float:
        """Take one token and return how many are left; below 0, none was there to be taken."""
        now = self._clock()
        # Taken out and put back last, so that the first one is the sender that has been silent longest.
        tokens, then = self._buckets.pop(sender, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._per_second)
        left = tokens - 1
        self._buckets[sender] = (left if left >= 0 else tokens, now)
        if len(self._buckets) > MAX_SENDERS:
            self._buckets.pop(next(iter(self._buckets)), None)
        return left


class PaceDecision(Value):
    """What to do with a message: take it or not, warn its sender, close the connection."""

    allowed: bool
    warn: bool = False
    close: bool = False
    retry_after_ms: int = 0


_FINE = PaceDecision(allowed=True)


class PerMinute:
    """At most `limit` a minute from each sender, as many at once after a rest.

    `warn` says that a refusal is the first one in its minute.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._taken = TokenBuckets(limit / 60, limit, clock)
        self._warnings = TokenBuckets(1 / 60, 1, clock)

    def judge(self, sender: str) -> PaceDecision:
        """Count one and say what to do."""
        if self._taken.take(sender):
            return _FINE
        return PaceDecision(allowed=False, warn=self._warnings.take(sender))


class Pace:
    """At most `limit` messages a second from each sender, and as many at once after a rest."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._messages = TokenBuckets(limit, limit, clock)
        self._warnings = TokenBuckets(1 / _SECONDS_BETWEEN_WARNINGS, 1, clock)
        self._refusals = TokenBuckets(limit / 10, limit * _SECONDS_OF_REFUSALS, clock)

    def judge(self, sender: str) -> PaceDecision:
        """Count a message and say what to do."""
        left = self._messages.draw(sender)
        if left >= self.limit // _WARN_BELOW_ONE_IN:
            return _FINE
        # Until the bucket is full again: then the sender has its whole burst.
        retry_after_ms = math.ceil((self.limit - max(left, 0)) / self.limit * 1000)
        return PaceDecision(
            allowed=left >= 0,
            warn=self._warnings.take(sender),
            close=left < 0 and not self._refusals.take(sender),
            retry_after_ms=retry_after_ms,
        )
