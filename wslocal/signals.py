"""Ends work in order when a person or the system asks for it: Ctrl-C, SIGTERM, SIGHUP."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["run_until_signal"]

T = TypeVar("T")


def run_until_signal(work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` returns; None if a signal cancelled it, once it has ended in order.

    A second signal does not cut that short: what `work` started is ended first.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        return asyncio.run(_cancelled_by_signals(work))
    except asyncio.CancelledError:
        return None
    finally:
        signal.signal(signal.SIGINT, before)  # asyncio would leave a handler that raises anywhere


async def _cancelled_by_signals(work: Coroutine[Any, Any, T]) -> T:
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    is_cancelled = False

    def cancel() -> None:
        nonlocal is_cancelled
        if not is_cancelled:
            is_cancelled = True
            task.cancel()

    # SIGINT also for those that a shell has started in the background, with it ignored; nohup means what it says.
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, cancel)
    return await task
