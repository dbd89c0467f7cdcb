"""How commands write: on when nobody reads it any more, or the disk is full: nothing is said of that."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

__all__ = ["LastingStream", "keep_streams"]


class LastingStream:
    """A text stream that takes everything; once a write has failed, `is_lost`, and it goes nowhere."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.is_lost = False
        self.error: OSError | None = None  # why

    def write(self, text: str) -> int:
        """Write the text; return its length."""
        try:
            return self._stream.write(text)
        except OSError as error:  # a pipe without a reader, a terminal that is gone, a full disk
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """Have everything from now on, and what is buffered, go nowhere: also at the interpreter's end."""
        self.is_lost, self.error = True, error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def keep_streams() -> None:
    """Have stdout and stderr of this process take everything; one that was closed before stays away."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None:
            setattr(sys, name, LastingStream(stream))
