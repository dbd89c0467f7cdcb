"""Failures that repeat are logged once and then as a count: what floods a log hides what began it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

__all__ = ["FailureLog"]

_EVERY_SECONDS = 60.0


@dataclass(slots=True)
class _Kind:
    """Failures that have the same context and the same type."""

    logged_at: float
    more: int = 0
    last: str = ""


class FailureLog:
    """Logs the first failure of a kind at once, the later ones as a count, at most once a minute.

    `expected` are types whose message says all that a person needs; any other failure has its
    traceback in the first line. `clock` gives seconds.
    """

    def __init__(
        self,
        log: logging.Logger,
        expected: tuple[type[BaseException], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._expected = expected
        self._clock = clock
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def report(self, context: str, error: BaseException) -> None:
        """Log `error`, or count it; `context` says in few words what has failed."""
        now, name = self._clock(), type(error).__name__
        kind = self._kinds.get((context, name))
        text = f"{context}: {str(error) or name}"
        if kind is None:
            self._kinds[context, name] = _Kind(now)
            is_expected = isinstance(error, self._expected)
            self._log.error("%s", text, exc_info=None if is_expected else error)
            return
        kind.more += 1
        kind.last = text
        if now - kind.logged_at >= _EVERY_SECONDS:
            self._write_count(kind, now)

    def flush(self) -> None:
        """Log the counts that were not logged yet."""
        for kind in self._kinds.values():
            if kind.more:
                self._write_count(kind, self._clock())

    def _write_count(self, kind: _Kind, now: float) -> None:
        self._log.error("%s (%d more of this kind)", kind.last, kind.more)
        kind.logged_at, kind.more = now, 0
