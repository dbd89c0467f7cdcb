"""What is open during an `async with` block, and given back at its end in reverse order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from types import TracebackType

__all__ = ["OpenedParts"]


class OpenedParts:
    """A base for classes whose `__aenter__` leaves in `_stack` what has to be given back."""

    _stack: AsyncExitStack

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
