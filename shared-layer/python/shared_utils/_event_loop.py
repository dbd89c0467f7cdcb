"""Runs coroutines for a caller that is no coroutine: one event loop a thread, kept between calls.

Imported when the first `async def` route is declared: `asyncio` costs 22 ms. A call's task runs
in the context that it is given; no task of a call is alive in the next one.
"""

from __future__ import annotations

import asyncio
import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Context
    from typing import Any, TypeVar

    R = TypeVar("R")


class _Loop:
    """A loop that is closed when its thread has ended, and the tasks of the call that it runs."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # Kept until the call's end, or asyncio would print the error of one that is dropped.
        self.tasks: list[asyncio.Task[Any]] = []
        self.loop.set_task_factory(_keeping(self.tasks))

    def __del__(self) -> None:
        try:
            self.loop.close()
        except Exception:  # a file descriptor that is closed already; nobody could be answered
            pass


def _keeping(tasks: list[asyncio.Task[Any]]) -> Any:
    """Return a task factory; it knows no `_Loop`, whose end would else wait for the collector."""

    def make_task(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        tasks.append(task)
        return task

    return make_task


class _OfThread(threading.local):
    owner: _Loop | None = None


_of_thread = _OfThread()


def _forget_parents() -> None:
    """Take a new loop after a fork: the parent's waits for the parent's sockets."""
    global _of_thread
    _parents.append(_of_thread)
    _of_thread = _OfThread()


# Kept, because to close such a loop would change what the parent waits for.
_parents: list[_OfThread] = []
os.register_at_fork(after_in_child=_forget_parents)


def is_running() -> bool:
    """Return whether this thread runs a loop already, in which no other can run."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run(coroutine: Coroutine[Any, Any, R], context: Context) -> R:
    """Return what `coroutine` returns; it runs in `context` itself, not in a copy.

    A loop with tasks that even refused to be cancelled is not used again, nor one that somebody
    has stopped: what should have stopped it would stop the next call.
    """
    owner = _of_thread.owner = _of_thread.owner or _Loop()
    ended: list[object] = []
    task = owner.loop.create_task(coroutine, context=context)
    task.add_done_callback(ended.append)  # called in the turn in which the loop stops by itself
    try:
        return _run_to_the_end(owner.loop, task)
    finally:
        owner.tasks.clear()
        if asyncio.all_tasks(owner.loop):
            _of_thread.owner = None
        elif not ended:
            _of_thread.owner = None
            owner.loop.close()


def _run_to_the_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[R]) -> R:
    while True:
        try:
            return loop.run_until_complete(task)
        except BaseException as error:
            if task.done():
                raise
            # Another task left with SystemExit, the process was interrupted, or the loop stopped.
            task.cancel(type(error).__name__)


async def cancel_tasks(seconds: float) -> tuple[int, BaseException | None]:
    """Cancel the loop's other tasks and wait `seconds` for their end.

    Return how many there were, and the first error with which one of them ended.
    """
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if not left:
        return 0, None
    for task in left:
        task.cancel()
    try:
        ended, _ = await asyncio.wait(left, timeout=seconds)
    except asyncio.CancelledError as error:  # the caller's own task was cancelled meanwhile
        return len(left), error
    errors = [task.exception() for task in ended if not task.cancelled()]
    return len(left), next((error for error in errors if error is not None), None)


def failed_tasks() -> list[BaseException]:
    """Return the errors with which tasks of this call have ended and which nobody has asked for.

    asyncio prints nothing about them any more.
    """
    owner = _of_thread.owner
    ended = [task for task in owner.tasks if task.done() and not task.cancelled()] if owner else []
    errors = [task.exception() for task in ended if task._log_traceback]
    return [error for error in errors if error is not None]
