"""Ends work in order when a person or the system asks for it: Ctrl-C, SIGTERM, SIGHUP."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = ["restored", "run_cancelled_by_signals", "run_until_signal"]

T = TypeVar("T")


def run_until_signal(work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` returns; None if a signal cancelled it, once it has ended in order.

    A second signal does not cut that short: what `work` started is ended first.
    """
    came: list[int] = []

    def cancel_once(number: int, cancel: Callable[[], object]) -> None:
        if not came:
            came.append(number)
            cancel()

    try:
        return run_cancelled_by_signals(work, cancel_once)
    except asyncio.CancelledError:
        return None


def run_cancelled_by_signals(
    work: Coroutine[Any, Any, T], on_signal: Callable[[int, Callable[[], object]], None]
) -> T:
    """Return what `work` returns; `on_signal` gets the number of each signal, and what cancels the work."""
    with restored(signal.SIGINT):  # asyncio would leave a handler that raises anywhere
        return asyncio.run(_heeding_signals(work, on_signal))


@contextlib.contextmanager
def restored(*numbers: int) -> Iterator[None]:
    """Have these signals do after the block what they did before."""
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _heeding_signals(
    work: Coroutine[Any, Any, T], on_signal: Callable[[int, Callable[[], object]], None]
) -> T:
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    # SIGINT also for those that a shell has started in the background, with it ignored; nohup means what it says.
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number, task.cancel)
    return await task
