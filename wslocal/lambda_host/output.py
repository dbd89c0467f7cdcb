"""What a process writes to one of its streams, in lines.

After `pull` has returned, everything that was written before the call is there.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Output"]

_READ_BYTES = 1 << 16  # what a pipe holds
_READS = 16  # as many as the largest pipe needs; a process that writes without end stops there
# What a function that prints without end may cost us; what comes later is dropped and counted.
_MAX_BYTES = 64 << 20


class Output:
    """Collects a pipe without ever waiting for it; `on_line` gets each line as it is finished."""

    def __init__(self, pipe: IO[bytes], on_line: Callable[[str], None]) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._pipe = pipe
        self._on_line = on_line
        self._unfinished = bytearray()
        self._lines: list[str] = []
        self._kept_bytes = 0
        self._dropped_bytes = 0

    def fileno(self) -> int:
        """Let a selector wait for it."""
        return self._pipe.fileno()

    def pull(self) -> bool:
        """Take what is in the pipe; return False once the writers have closed it."""
        try:
            for _ in range(_READS):
                piece = os.read(self._pipe.fileno(), _READ_BYTES)
                self._keep(piece)
                if len(piece) < _READ_BYTES:
                    return bool(piece)
        except BlockingIOError:
            pass
        return True

    def _keep(self, piece: bytes) -> None:
        if self._kept_bytes + len(piece) > _MAX_BYTES:
            self._dropped_bytes += len(piece)
            return
        self._kept_bytes += len(piece)
        head, newline, tail = piece.rpartition(b"\n")
        if newline:
            self._finish(bytes(self._unfinished + head))
            self._unfinished.clear()
        self._unfinished += tail

    def _finish(self, text: bytes) -> None:
        for line in text.decode(errors="backslashreplace").split("\n"):
            self._lines.append(line)
            self._on_line(line)

    def take(self) -> list[str]:
        """Return the lines pulled so far and forget them; an unfinished last one counts."""
        if self._unfinished:
            self._finish(bytes(self._unfinished))
            self._unfinished.clear()
        if self._dropped_bytes:
            self._finish(b"[%d bytes dropped]" % self._dropped_bytes)
        lines, self._lines = self._lines, []
        self._kept_bytes = self._dropped_bytes = 0
        return lines

    def close(self) -> None:
        """Close our end."""
        self._pipe.close()
