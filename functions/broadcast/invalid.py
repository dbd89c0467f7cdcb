"""How many messages that nothing can be done with a connection may send, in this environment's memory.

Invalid is what parsing or a check refuses: no JSON, an unknown action, a field that is wrong. Nothing
is stored: a bad message must not cost a write. Each environment counts for itself, so that a flood
gets as many answers as each of those that it reaches gives, and the first one at the limit closes the
connection for all. What is remembered is bounded.
"""

from __future__ import annotations

import time

from .pace import MAX_SENDERS, PaceDecision, TokenBuckets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["IN_A_ROW", "InvalidMessages"]

# A client that is wrong so often without a valid message between repeats itself.
IN_A_ROW = 5

# How long the messages of a closed connection are dropped: as long as those that the gateway took
# before the close may still come. It is no longer, because the gateway may have closed nothing.
_SECONDS_SHUT = 60.0
# How soon a close is tried again that failed.
_SECONDS_TO_CLOSE_AGAIN = 1.0


class _Sender:
    """One connection: its invalid messages in a row, and how long nothing of it is read."""

    __slots__ = ("in_a_row", "is_valid", "shut_until")

    def __init__(self) -> None:
        self.in_a_row = 0
        self.is_valid = True  # the last message, as far as is known
        self.shut_until = 0.0


class InvalidMessages:
    """At most 5 invalid messages in a row from each sender, and `per_minute` in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._minute = TokenBuckets(per_minute / 60, per_minute, clock)
        self._warnings = TokenBuckets(1 / 60, 1, clock)
        self._senders: dict[str, _Sender] = {}  # those without an invalid message are not in it

    def is_shut(self, sender: str) -> bool:
        """Return whether a message is to be dropped unread; called for each one before `judge` is.

        A message that `judge` was not called for was valid, which the next one shows.
        """
        known = self._senders.get(sender)
        if known is None:
            return False
        if known.shut_until > self._clock():
            return True
        if known.is_valid:
            known.in_a_row = 0
        known.is_valid = True
        return False

    def judge(self, sender: str) -> PaceDecision:
        """Count an invalid message: answer it, warn at the limit, once a minute; close beyond it."""
        known = self._remember(sender)
        known.in_a_row += 1
        known.is_valid = False
        left = self._minute.draw(sender)
        is_over = known.in_a_row > IN_A_ROW or left < 0
        is_last = not is_over and (known.in_a_row == IN_A_ROW or left < 1)
        warn = is_last and self._warnings.take(sender)
        return PaceDecision(allowed=not is_over, warn=warn, close=is_over)

    def shut(self, sender: str, *, closed: bool) -> None:
        """Drop what still comes of a connection; for a second only, if it could not be closed."""
        seconds = _SECONDS_SHUT if closed else _SECONDS_TO_CLOSE_AGAIN
        self._remember(sender).shut_until = self._clock() + seconds

    def _remember(self, sender: str) -> _Sender:
        # Taken out and put back last, as the buckets are.
        known = self._senders.pop(sender, None) or _Sender()
        self._senders[sender] = known
        if len(self._senders) > MAX_SENDERS:
            del self._senders[next(iter(self._senders))]
        return known
