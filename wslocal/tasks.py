"""Work that goes on beside the caller: it ends with its owner, and a failure is logged with its name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from wslocal.failures import FailureLog

__all__ = ["Tasks", "end_task"]


class Tasks:
    """The tasks of one owner; what fails among them is reported to `failures`."""

    def __init__(self, failures: FailureLog) -> None:
        self._failures = failures
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Have `work` done; `name` is for the log if it fails."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def end(self) -> None:
        """Cancel all that is not done, and wait for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.report(task.get_name(), error)


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it has ended, however it does."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
