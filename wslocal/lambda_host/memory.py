"""How much memory a function's process and what it has started use, looked at while it works.

Lambda has the kernel end a function that uses more than it is given. Here the kernel's own peak counter of
the process is read after each answer, and five times a second while there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MemoryWatch", "peak_bytes", "used_bytes"]

_EVERY_SECONDS = 0.2
# The largest resident set so far, and a fair share of memory that several processes have: proc(5).
_PEAK = re.compile(rb"VmHWM:\s*([0-9]+) kB")
_SHARE = re.compile(rb"\nPss:\s*([0-9]+) kB")


class MemoryWatch:
    """Calls `kill` when a process and its children use more than `limit_bytes`; once an answer waits."""

    def __init__(self, pid: int, limit_bytes: int, kill: Callable[[], None]) -> None:
        self.peak_bytes = 0
        self._pid = pid
        self._limit_bytes = limit_bytes
        self._kill = kill
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look from now on."""
        self._timer = asyncio.get_running_loop().call_later(_EVERY_SECONDS, self._look)

    def end(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def is_exceeded(self) -> bool:
        """Return whether a process that has just answered has used more at any time; it must run."""
        self.peak_bytes = max(self.peak_bytes, peak_bytes(self._pid))
        return self.peak_bytes > self._limit_bytes

    def _look(self) -> None:
        self.peak_bytes = max(self.peak_bytes, used_bytes(self._pid))
        if self.peak_bytes > self._limit_bytes:
            self._kill()
        else:
            self.begin()


def peak_bytes(pid: int) -> int:
    """Return the most that a process alone has used; 0 if it has ended."""
    return _read(f"/proc/{pid}/status", _PEAK)


def used_bytes(pid: int) -> int:
    """Return what a process and all that it has started use; of a process alone, the most so far."""
    children = list(_descendants(pid))
    if not children:
        return peak_bytes(pid)
    return sum(_read(f"/proc/{each}/smaps_rollup", _SHARE) for each in (pid, *children))


def _read(path: str, pattern: re.Pattern[bytes]) -> int:
    """Return the number of kB in a file of /proc, as bytes."""
    try:
        with open(path, "rb") as file:
            found = pattern.search(file.read())
    except OSError:  # it has ended meanwhile
        return 0
    return int(found[1]) * 1024 if found else 0


def _descendants(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                children = [int(child) for child in file.read().split()]
            for child in children:
                yield child
                yield from _descendants(child)
