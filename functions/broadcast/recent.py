"""Sessions that were looked up a short time ago, so that they need not be looked up again."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .sessions import Session

__all__ = ["RecentSessions"]

_MAX_ENTRIES = 1000


class RecentSessions:
    """Sessions by key, each for `seconds`; the one that was put first goes when there are too many."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._entries: dict[str, tuple[float, Session]] = {}

    def get(self, key: str) -> Session | None:
        """Return the session, None if there is none or it is too old."""
        then, session = self._entries.get(key, (0.0, None))
        return session if session and self._clock() - then < self._seconds else None

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
