"""How `speak`, `listen`, `interpret`, `caption` and `demo` end: an exit code and a sentence, so that neither says too much."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import signal
from typing import TYPE_CHECKING, Any, Self, TypeVar

from wslocal import restored
from wslocal import run_cancelled_by_signals as run_heeding_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = [
    "ExitCode",
    "TalkError",
    "ended_by_ctrl_c",
    "run_cancelled_by_signals",
    "run_interruptibly",
]

T = TypeVar("T")


class ExitCode(enum.IntEnum):
    """Each exit code and what it says; docs/local.md has the same table."""

    meaning: str

    DONE = 0, "all of it was sent, or heard, and the session ended in order, or was left"
    FAILED = 1, "nothing was sent or heard, or what was heard could not be written"
    USAGE = (
        2,
        "the command line is wrong, or names a file that does not exist, or a token that is none or has expired",
    )
    REFUSED = 3, "some of the audio or captions was refused, or did not come in time"
    DISCONNECTED = 4, "the connection ended before the session did"
    CUT_SHORT = 5, "the session ended before all of it was sent"
    UNANSWERED = 6, "a request failed in the system or had no reply, or the end was refused"
    HUNG_UP = 129, "SIGHUP, as of a terminal that is closed, the same as Ctrl-C"
    INTERRUPTED = 130, "Ctrl-C, after the session was ended or left, or what was heard was written"
    TERMINATED = 143, "SIGTERM, the same"

    def __new__(cls, value: int, meaning: str) -> Self:
        """Return the member with its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


# Of the signals that end as Ctrl-C does.
_CODES: dict[int, ExitCode] = {
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.HUNG_UP,
}


class TalkError(Exception):
    """What was not done, in one sentence, and the exit code for it."""

    def __init__(self, code: ExitCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def run_interruptibly(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`, which the first Ctrl-C, SIGTERM or SIGHUP cancels: it then ends in order. A second one ends that, too.

    TalkError with INTERRUPTED, TERMINATED or HUNG_UP if `work` does not raise a sentence of its own after it.
    """
    run_cancelled_by_signals(_interrupted(work))


async def _interrupted(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except asyncio.CancelledError:
        sentence = "interrupted before anything was sent or heard"
        raise TalkError(ExitCode.INTERRUPTED, sentence) from None


def run_cancelled_by_signals(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; Ctrl-C, SIGTERM and SIGHUP cancel it.

    What it then says was interrupted by Ctrl-C is TERMINATED if it was SIGTERM, HUNG_UP if it was SIGHUP.
    """
    came: list[int] = []

    def cancel(number: int, cancel_work: Callable[[], object]) -> None:
        came.append(number)
        cancel_work()

    try:
        return run_heeding_signals(work, cancel)
    except TalkError as error:
        if error.code == ExitCode.INTERRUPTED and came and came[0] in _CODES:
            raise TalkError(_CODES[came[0]], str(error)) from None
        raise


@contextlib.contextmanager
def ended_by_ctrl_c(*others: signal.Signals) -> Iterator[None]:
    """Do the block until Ctrl-C, or another of these signals, which is no error."""
    numbers = (signal.SIGINT, *others)
    with restored(*numbers), contextlib.suppress(KeyboardInterrupt):
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
        yield
