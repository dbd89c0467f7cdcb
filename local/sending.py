"""What `speak`, `interpret` and `caption` share: their first request, how they send, and what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from wslocal import printable

from .client import RequestRefusedError, SessionClientError, UnansweredError
from .decoding import open_audio
from .results import ExitCode, TalkError
from .words import counted, of_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from rich.console import Console

    from .client import SessionClient
    from .decoding import AudioFile, PcmStream
    from .notices import Notices

__all__ = [
    "CHUNK_MS",
    "Sent",
    "ask",
    "attempt",
    "finish",
    "is_interrupted",
    "linger",
    "opened",
    "prepared",
    "shown_as",
]

CHUNK_MS = 100
_SHOWN_EVERY = 1_000 // CHUNK_MS  # chunks: once a second
# The end must not overtake the last chunks: functions may still have them.
_LINGER_SECONDS = 1.0
_SHOWN_SECONDS = 0.1  # a shorter difference needs more digits
_KEYS = {"listenerKey", "interpreterKey"}
# What is counted for an address.
_OF_AN_ADDRESS = {"RATE_LIMIT_EXCEEDED", "RATE_LIMIT_SESSION_CREATION"}


@dataclass(slots=True)
class Sent:
    """What became of chunks or captions that were to be sent, into a session of our own or of somebody else's."""

    total: int
    what: str = "chunk"
    is_guest: bool = False  # who leaves the session, and does not end it
    seconds: float = 0.0  # how long all of it plays, if it is audio
    num_sent: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by code or text
    interrupted: bool = False
    ended_by_us: bool = False  # the session: we asked for it, and had the reply; or left it
    session_end: str = ""  # the reason that came with the session's end
    trouble: SessionClientError | None = None  # with the connection, or the session's end

    def count(self, _: int) -> None:
        """Note that one more was sent."""
        self.num_sent += 1

    @property
    def counts(self) -> str:
        """How many were sent, in words."""
        return f"{of_all(self.num_sent, self.total, self.what)} sent"

    @property
    def seconds_sent(self) -> float:
        """How long what was sent plays."""
        all_sent = self.num_sent == self.total  # the last chunk may have another length
        return self.seconds if all_sent else self.num_sent * CHUNK_MS / 1000

    def report(self) -> str:
        """Return what was done, in a line: of audio, with its length."""
        length = f", {self.seconds_sent:.1f} s" if self.seconds else ""
        refused = f", {self.refused.total()} refused" if self.refused else ""
        return f"sent {counted(self.num_sent, self.what)}{length}{refused}"

    @property
    def problem(self) -> TalkError | None:
        """What was not done; None if all was sent, nothing refused, and the session ended, or was left, in order."""
        if self.trouble:
            is_answer = isinstance(self.trouble, RequestRefusedError | UnansweredError)
            code = ExitCode.UNANSWERED if is_answer else ExitCode.DISCONNECTED
            return TalkError(code, f"{self.counts}; then {self.trouble}")
        if self.interrupted:
            end = "left" if self.is_guest else "ended"
            ended = f"and the session was {end}" if self.ended_by_us else "the session had ended"
            return TalkError(ExitCode.INTERRUPTED, f"interrupted: {self.counts}, {ended}")
        if self.num_sent < self.total or not (self.ended_by_us or self.is_guest):
            reason = f": {self.session_end}" if self.session_end else ""
            sentence = f"{self.counts} when the session was ended{reason}"
            return TalkError(ExitCode.CUT_SHORT, sentence)
        if self.refused:
            reasons = ", ".join(f"{number} {code}" for code, number in self.refused.most_common(5))
            words = of_all(self.refused.total(), self.num_sent, self.what)
            return TalkError(ExitCode.REFUSED, f"{words} refused: {reasons}")
        return None


@contextlib.asynccontextmanager
async def opened(path: Path, console: Console) -> AsyncIterator[AudioFile]:
    """Give a file with sound, and say if there is less than its header claims; ValueError unless it can be sent."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        console=console,
        transient=True,
        disable=not console.is_interactive,
    )
    async with contextlib.AsyncExitStack() as stack:
        with bar:
            task = bar.add_task(f"decoding {printable(path.name)}", total=None)
            show = lambda done, total: bar.update(task, completed=done, total=total)  # noqa: E731
            file = await stack.enter_async_context(open_audio(path, show))
        if file.is_cut or file.missing_frames:
            console.print(_what_is_missing(file))
        yield file


def _what_is_missing(file: AudioFile) -> str:
    if file.is_cut:
        return f"{file.name} is cut, its end is missing: {file.seconds:.1f} s of sound are there and will be sent"
    digits = 1 if file.missing_seconds >= _SHOWN_SECONDS else 3
    claimed = file.seconds + file.missing_seconds
    return (
        f"{file.name} is cut or damaged: {file.seconds:.{digits}f} s of sound are there and will be sent, "
        f"its header claims {claimed:.{digits}f} s"
    )


def prepared(stream: PcmStream, console: Console, *, is_guest: bool = False) -> Sent:
    """Return the count of what is to be sent, and say if it is something else than the file has."""
    if stream.is_converted:
        console.print(stream.conversion)
    return Sent(stream.num_chunks(CHUNK_MS), is_guest=is_guest, seconds=stream.seconds)


def shown_as(sent: Sent, notices: Notices) -> Callable[[int], None]:
    """Return what counts a chunk that was sent, and at a terminal shows how far it is."""

    def count(number: int) -> None:
        sent.count(number)
        if sent.num_sent % _SHOWN_EVERY == 0:
            notices.show_progress(f"{sent.seconds_sent:,.0f} of {sent.seconds:,.0f} s sent")

    return count


async def ask(client: SessionClient, action: str, **fields: object) -> dict[str, Any]:
    """Return the reply to the first request; TalkError if it is refused, or the system has none to give."""
    try:
        return await client.request(action, **fields)
    except UnansweredError as error:
        raise TalkError(ExitCode.UNANSWERED, str(error)) from error
    except RequestRefusedError as error:
        hint = _what_may_help(error, has_key=not fields.keys().isdisjoint(_KEYS))
        raise TalkError(ExitCode.FAILED, f"{error}{hint}") from error


def _what_may_help(error: RequestRefusedError, *, has_key: bool) -> str:
    """Return what a person may do about a refusal, to be put after its text; empty for most."""
    if error.code == "SESSION_NOT_FOUND":
        return "; its name or its key is wrong" if has_key else "; a private one needs its --key"
    if error.code == "SESSION_LANGUAGE_TAKEN":
        return "; it is free once that one has left, or has shown no sign of itself for 10 s"
    if error.code == "AUTH_MISSING_TOKEN":
        return " (see --token-file)"
    if error.code not in _OF_AN_ADDRESS:
        return ""
    details = error.reply.get("details")
    wait_ms = details.get("retryAfterMs") if isinstance(details, dict) else None
    wait = f"{math.ceil(wait_ms / 1000)} s" if isinstance(wait_ms, int) else "a minute"
    limit = error.code == "RATE_LIMIT_SESSION_CREATION"
    more = "; `up --set RATE_LIMIT_SESSION_CREATION=1000` allows more" if limit else ""
    return f"; wait {wait}: others behind the same address may have caused it{more}"


async def attempt(sent: Sent, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, and note if Ctrl-C or the connection has ended it."""
    try:
        sent.interrupted = await is_interrupted(work)
    except SessionClientError as error:
        sent.trouble = error


async def linger(client: SessionClient) -> None:
    """Wait until the last that was sent has been handled, or refused."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await client.ended.wait()


async def finish(client: SessionClient, sent: Sent) -> None:
    """End the session if it is ours and nobody has; note how it has ended."""
    try:
        if not client.ended.is_set() and not (sent.is_guest and client.failure):
            if not sent.is_guest:
                await client.request("endSession")
            sent.ended_by_us = True
    except SessionClientError as error:
        sent.trouble = sent.trouble or error
    except asyncio.CancelledError:  # by a second Ctrl-C
        raise TalkError(ExitCode.DISCONNECTED, f"interrupted twice: {sent.counts}") from None
    sent.refused = client.refused
    if client.session_end is not None:
        sent.session_end = str(client.session_end.get("reason", ""))
    elif not sent.ended_by_us:
        sent.trouble = sent.trouble or SessionClientError(client.closing_words)


async def is_interrupted(work: Coroutine[Any, Any, None]) -> bool:
    """Do `work`; return whether Ctrl-C has ended it. What is awaited after it is not cancelled."""
    task = asyncio.current_task()
    try:
        await work
    except asyncio.CancelledError:
        if task is not None:
            task.uncancel()
        return True
    return False
