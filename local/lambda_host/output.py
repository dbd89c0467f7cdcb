"""What a process writes to one of its streams, in lines.

After `pull` has returned, everything that was written before the call is there.
"""

from __future__ import annotations

import os
import threading
from typing import IO

__all__ = ["Output"]

_READ_BYTES = 1 << 16
# What a function that prints without end may cost us; what comes later is dropped and counted.
_MAX_BYTES = 64 << 20


class Output:
    """Collects a pipe without ever waiting for it; used by two threads."""

    def __init__(self, pipe: IO[bytes]) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._pipe = pipe
        self._lock = threading.Lock()
        self._pieces: list[bytes] = []
        self._size = 0

    def fileno(self) -> int:
        """Let a selector wait for it."""
        return self._pipe.fileno()

    def pull(self) -> bool:
        """Take what is in the pipe; return False once the writers have closed it."""
        with self._lock:
            try:
                while piece := os.read(self._pipe.fileno(), _READ_BYTES):
                    self._keep(piece)
            except BlockingIOError:
                return True
            return False

    def _keep(self, piece: bytes) -> None:
        if self._size < _MAX_BYTES:
            self._pieces.append(piece)
        self._size += len(piece)

    def take(self) -> list[str]:
        """Return the lines pulled so far and forget them; an unfinished last one counts."""
        with self._lock:
            kept = b"".join(self._pieces)
            dropped = self._size - len(kept)
            self._pieces.clear()
            self._size = 0
        *lines, last = kept.decode(errors="backslashreplace").split("\n")
        lines += [last] if last else []
        return [*lines, f"[{dropped} bytes dropped]"] if dropped else lines

    def close(self) -> None:
        """Close our end."""
        self._pipe.close()
