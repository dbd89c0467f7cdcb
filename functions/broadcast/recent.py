"""What was looked up a short time ago, so that it need not be looked up again."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Recent"]

V = TypeVar("V")

_MAX_ENTRIES = 1000


class Recent(Generic[V]):
    """Values by key, each for `seconds`; the one that was put first goes when there are too many."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._entries: dict[str, tuple[float, V]] = {}

    def get(self, key: str) -> V | None:
        """Return the value, None if there is none or it is too old."""
        then, value = self._entries.get(key, (0.0, None))
        return value if value is not None and self._clock() - then < self._seconds else None

    def last(self, key: str) -> V | None:
        """Return the value, however old it is."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def put(self, key: str, value: V) -> None:
        """Remember a value from now on."""
        self._entries.pop(key, None)
        self._entries[key] = (self._clock(), value)
        if len(self._entries) > _MAX_ENTRIES:
            self._entries.pop(next(iter(self._entries)), None)

    def replace(self, key: str, value: V) -> None:
        """Put another value in the place of one that is remembered; it grows old as that one would."""
        if entry := self._entries.get(key):
            self._entries[key] = (entry[0], value)
