"""What is being done, for a person who waits: said only if it takes longer than a moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Progress"]

_PATIENCE_SECONDS = 1.0  # ours


class Progress:
    """Writes what it is called with in a `with` block on a loop, from `patience_seconds` after its begin on."""

    def __init__(
        self, write: Callable[[str], None], patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._write = write
        self._patience_seconds = patience_seconds
        self._doing = ""
        self._is_late = False

    def __call__(self, doing: str) -> None:
        """Take note of what is being done from now on."""
        self._doing = doing
        if self._is_late:
            self._show()

    def __enter__(self) -> Self:
        self._timer = asyncio.get_running_loop().call_later(
            self._patience_seconds, self._become_late
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def _become_late(self) -> None:
        self._is_late = True
        if self._doing:
            self._show()

    def _show(self) -> None:
        self._write(f"{self._doing} ...")
