"""An asyncio loop in a thread of its own, for those who are not asynchronous themselves."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """Runs in a `with` block; what was entered through it is left, in reverse order, at the end."""

    def __init__(self) -> None:
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="loop", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the loop do `work`, and wait for it; what interrupts the wait cancels the work."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def enter(self, manager: contextlib.AbstractAsyncContextManager[T]) -> T:
        """Enter `manager` on the loop, and return what it gives."""
        return self.run(self._stack.enter_async_context(manager))

    def close(self) -> None:
        """Leave what was entered, and end the thread. A second call does nothing."""
        if self._thread.is_alive():
            try:
                self.run(self._stack.aclose())
            finally:
                self._loop.call_soon_threadsafe(self._done.set)
                self._thread.join()

    def _serve(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self._running.set()
        await self._done.wait()
