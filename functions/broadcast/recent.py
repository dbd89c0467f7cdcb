"""Sessions that were looked up a short time ago, so that they need not be looked up again.

While the store is silent or fails, what is remembered serves for longer, and one reader in a while
asks the store: the others do not wait for it.
"""

from __future__ import annotations

import time

from shared_utils.error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .sessions import Session

__all__ = ["KEEP_SECONDS", "RecentSessions"]

# For so long a session serves without the store: a pause or an end takes effect that late.
KEEP_SECONDS = 30.0
# After a failure the store is asked again, by one reader, so many seconds later.
_ASK_AGAIN_SECONDS = 1.0
_MAX_ENTRIES = 1000


class RecentSessions:
    """Sessions by key, each fresh for `seconds`; the one that was put first goes when there are too many."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._entries: dict[str, tuple[float, Session]] = {}
        self._ask_again_at = -1e9

    def read(self, key: str, load: Callable[[Session | None], Session]) -> Session:
        """Return the session, by `load(the last known)` unless it is fresh.

        If that fails with a 5xx, a session serves for `KEEP_SECONDS`, whosever read has failed. Without
        one the failure is raised, and INTERNAL_DATABASE_ERROR by those who do not ask.
        """
        entry, now = self._entries.get(key), self._clock()
        if entry and now - entry[0] < self._seconds:
            return entry[1]
        kept = entry[1] if entry and now - entry[0] < KEEP_SECONDS else None
        if not self.may_ask:
            if kept is None:
                raise ApplicationError(ErrorCode.INTERNAL_DATABASE_ERROR)
            return kept
        try:
            session = load(entry[1] if entry else None)
        except ApplicationError as error:
            if error.code.status < 500:
                self._ask_again_at = now  # it was an answer
                raise
            self.note_failure()
            if kept is None:
                raise
            return kept
        self._ask_again_at = now
        self.put(key, session)
        return session

    @property
    def may_ask(self) -> bool:
        """Whether the store has not failed a short time ago."""
        return self._clock() >= self._ask_again_at

    def note_failure(self) -> None:
        """Note that the store is silent or fails."""
        self._ask_again_at = self._clock() + _ASK_AGAIN_SECONDS

    def last(self, key: str) -> Session | None:
        """Return the session, however old it is."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def put(self, key: str, session: Session) -> None:
        """Remember a session from now on."""
        self._entries.pop(key, None)
        self._entries[key] = (self._clock(), session)
        if len(self._entries) > _MAX_ENTRIES:
            self._entries.pop(next(iter(self._entries)), None)

    def replace(self, key: str, session: Session) -> None:
        """Put another session in the place of one that is remembered; it grows old as that one would."""
        if entry := self._entries.get(key):
            self._entries[key] = (entry[0], session)
