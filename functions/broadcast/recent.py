"""Sessions that were looked up a short time ago, so that they need not be looked up again.

What is known is asked for again beside the events, in a thread: an event that waited long would leave
the next ones to another environment, which may not know the session. While the store is silent or fails,
what is remembered serves for longer.
"""

from __future__ import annotations

import math
import threading
import time
from contextvars import copy_context

from shared_utils.error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .sessions import Session

__all__ = ["KEEP_SECONDS", "RecentSessions"]

# For so long a session serves without the store: a pause or an end takes effect that late.
KEEP_SECONDS = 30.0
# An event that asks waits so long, which is enough for a store that is well. Then what is no longer
# fresh serves for half a second, while the store is asked. After a longer rest of the sender, whose
# session may have changed much, an event waits until the question has its answer or its end.
_WAIT_SECONDS = 0.02
_SERVES_MEANWHILE_SECONDS = 0.5
_LONG_WAIT_SECONDS = 0.25
# After a failure the store is asked again, by one reader, so many seconds later; and for so many
# nobody waits for it.
_ASK_AGAIN_SECONDS = 1.0
_FAILS_SECONDS = 2.0
_MAX_ENTRIES = 1000


class RecentSessions:
    """Sessions by key, each fresh for `seconds`; the one that was put first goes when there are too many."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._entries: dict[str, tuple[float, Session]] = {}
        self._changing = threading.Lock()
        self._questions: dict[str, threading.Thread] = {}
        self._failed_at = -math.inf

    def read(self, key: str, load: Callable[[Session | None], Session]) -> Session:
        """Return the session, by `load(the last known)` unless it is fresh, or the store does not answer.

        If that fails with a 5xx, a session serves for `KEEP_SECONDS`, whosever read has failed. Without
        one the failure is raised, and INTERNAL_DATABASE_ERROR by those after it, who do not wait.
        """
        entry = self._entries.get(key)
        age = self._clock() - entry[0] if entry else KEEP_SECONDS
        if entry and age < self._seconds:
            return entry[1]
        last = entry[1] if entry else None
        is_kept = age < KEEP_SECONDS
        if is_kept or self._fails:
            asked = self._ask_beside(key, load, last)
            if asked and not self._fails:
                rested = age >= self._seconds + _SERVES_MEANWHILE_SECONDS
                asked.join(_LONG_WAIT_SECONDS if rested else _WAIT_SECONDS)
            entry = self._entries.get(key)
            if entry and is_kept:
                return entry[1]
        if self._fails:
            raise ApplicationError(ErrorCode.INTERNAL_DATABASE_ERROR)
        return self._load(key, load, last)

    def _ask_beside(
        self, key: str, load: Callable[[Session | None], Session], last: Session | None
    ) -> threading.Thread | None:
        """Return the thread that asks for a session now, None if one does, or the store is not to be asked."""
        if key in self._questions or not self.may_ask:
            return None
        if self._fails:
            self.note_failure()  # the others leave it to this one
        context = copy_context()  # with the ids of the event that asks
        asked = threading.Thread(
            target=context.run, args=(self._reload, key, load, last), daemon=True
        )
        self._questions[key] = asked
        asked.start()
        return asked

    def _reload(
        self, key: str, load: Callable[[Session | None], Session], last: Session | None
    ) -> None:
        """Ask for a session again; one that is refused is forgotten, so that the next event is told why."""
        try:
            self._load(key, load, last)
        except Exception as error:  # nobody waits for it
            if not isinstance(error, ApplicationError) or error.code.status < 500:
                with self._changing:
                    self._entries.pop(key, None)
        finally:
            self._questions.pop(key, None)

    def _load(
        self, key: str, load: Callable[[Session | None], Session], last: Session | None
    ) -> Session:
        asked_at = self._clock()
        try:
            session = load(last)
        except ApplicationError as error:
            self._failed_at = self._clock() if error.code.status >= 500 else -math.inf
            raise
        self._failed_at = -math.inf
        self.put(key, session, asked_at)
        return session

    @property
    def may_ask(self) -> bool:
        """Whether the store has not failed a short time ago."""
        return self._clock() - self._failed_at >= _ASK_AGAIN_SECONDS

    @property
    def _fails(self) -> bool:
        return self._clock() - self._failed_at < _FAILS_SECONDS

    def note_failure(self) -> None:
        """Note that the store is silent or fails."""
        self._failed_at = self._clock()

    def last(self, key: str) -> Session | None:
        """Return the session, however old it is."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def put(self, key: str, session: Session, asked_at: float | None = None) -> None:
        """Remember a session, as old as the question: a frozen environment may read the answer late."""
        with self._changing:  # a thread puts, too
            self._entries.pop(key, None)
            self._entries[key] = (self._clock() if asked_at is None else asked_at, session)
            if len(self._entries) > _MAX_ENTRIES:
                del self._entries[next(iter(self._entries))]

    def replace(self, key: str, session: Session) -> None:
        """Put another session in the place of one that is remembered; it grows old as that one would."""
        if entry := self._entries.get(key):
            self._entries[key] = (entry[0], session)

    def doubt(self, key: str) -> None:
        """Let the next event ask for a session again, because something of it is not as it was."""
        if entry := self._entries.get(key):
            self._entries[key] = (min(entry[0], self._clock() - self._seconds), entry[1])
