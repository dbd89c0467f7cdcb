"""How `speak`, `listen` and `demo` end: an exit code and a sentence, so that neither says too much."""

from __future__ import annotations

import asyncio
import enum
import signal
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["ExitCode", "TalkError", "run_interruptibly"]


class ExitCode(enum.IntEnum):
    """Each exit code and what it says; docs/local.md has the same table."""

    meaning: str

    DONE = 0, "all of it was sent, or heard, and the session ended in order"
    FAILED = 1, "nothing was sent or heard, or what was heard could not be written"
    USAGE = 2, "the command line is wrong, or names a file that does not exist"
    REFUSED = 3, "some of the audio was refused"
    DISCONNECTED = 4, "the connection ended before the session did"
    CUT_SHORT = 5, "the session ended before all of it was sent"
    INTERRUPTED = 130, "Ctrl-C, after the session was ended, or what was heard was written"

    def __new__(cls, value: int, meaning: str) -> Self:
        """Return the member with its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class TalkError(Exception):
    """What was not done, in one sentence, and the exit code for it."""

    def __init__(self, code: ExitCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def run_interruptibly(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`, which the first Ctrl-C cancels: it then ends in order. A second one ends that, too.

    TalkError with INTERRUPTED if `work` does not raise a sentence of its own after Ctrl-C.
    """
    try:
        asyncio.run(_cancelled_by_ctrl_c(work))
    except asyncio.CancelledError:
        sentence = "interrupted before anything was sent or heard"
        raise TalkError(ExitCode.INTERRUPTED, sentence) from None


async def _cancelled_by_ctrl_c(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    # Also for those that a shell has started in the background, with the signal ignored.
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    await task
