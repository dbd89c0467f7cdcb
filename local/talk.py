"""`speak` and `listen`: a WAV file goes in at one end and comes out at the other."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
import termios
import tty
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .audio import JitterBuffer, Recording, check_writable, read_recording, write_recording
from .client import (
    RequestRefusedError,
    SessionClient,
    SessionClientError,
    UnansweredError,
    connect,
    ordered_chunks,
    stream,
)
from .results import ExitCode, TalkError
from .watch import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path

    from rich.console import Console

    from .client import Chunk

__all__ = ["CHUNK_MS", "Heard", "Spoken", "hear", "listen", "speak"]

CHUNK_MS = 100
# The end must not overtake the last chunks: functions may still have them.
_LINGER_SECONDS = 1.0
# A larger gap is no loss but a jump in the numbers: a minute of silence says nothing.
_LONGEST_GAP = 600
_VOLUME_STEP = 0.1
_NOT_SHOWN = {"type", "timestamp", "sessionId", "requestId", "refreshToken"}
# What is counted for an address.
_OF_AN_ADDRESS = {"RATE_LIMIT_EXCEEDED", "RATE_LIMIT_SESSION_CREATION"}


class Heard:
    """What a listener has heard: chunks in order, and silence where one is missing."""

    def __init__(self, audio_format: dict[str, int], buffer: JitterBuffer[Chunk]) -> None:
        self._rate = audio_format["sampleRate"]
        self._channels = audio_format["channels"]
        self.buffer = buffer
        self.chunks: list[Chunk] = []
        self._grown = asyncio.Event()

    @property
    def num_missing(self) -> int:
        """How many chunks did not come in time, between those that did; a jump is no loss."""
        lengths = (gap.stop - gap.start for gap in self.buffer.gaps)
        return sum(length for length in lengths if length <= _LONGEST_GAP)

    @property
    def recording(self) -> Recording:
        """The sound; a chunk that did not come is as long as the one after it."""
        pcm = bytearray()
        expected = self.chunks[0].number if self.chunks else 0
        for chunk in self.chunks:
            missing = chunk.number - expected
            pcm += bytes(len(chunk.pcm) * missing * (missing <= _LONGEST_GAP)) + chunk.pcm
            expected = chunk.number + 1
        return Recording(bytes(pcm), self._rate, self._channels)

    @property
    def latencies_ms(self) -> list[float]:
        """How long each chunk took from the speaker's mouth to here, before it was put in order."""
        return [chunk.heard_at - chunk.spoken_at for chunk in self.chunks]

    async def arrived(self, count: int, seconds: float) -> None:
        """Wait for so many chunks; TimeoutError if they do not come in time."""
        async with asyncio.timeout(seconds):
            while len(self.chunks) < count:
                self._grown.clear()
                await self._grown.wait()

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        self.chunks.append(chunk)
        self._grown.set()

    def take_rest(self, client: SessionClient) -> None:
        """Take what has come and was not put in order yet."""
        while not client.audio.empty():
            chunk = client.audio.get_nowait()
            self.buffer.push(chunk.number, chunk, float("-inf"))
        for _, chunk in self.buffer.drain():
            self.add(chunk)


async def hear(client: SessionClient, heard: Heard) -> None:
    """Collect what comes until the session or the connection ends."""
    async for chunk in ordered_chunks(client, heard.buffer):
        heard.add(chunk)


async def listen(
    url: str,
    session_id: str,
    language: str,
    output: Path,
    jitter: float,
    console: Console,
    *,
    token: str | None = None,
    key: str | None = None,
    origin: str | None = None,
) -> None:
    """Join a session, and write what was heard once it ends, or on Ctrl-C.

    TalkError unless the session has ended in order, and all that was heard is in the file.
    """
    check_writable(output)
    wanted = {"sessionId": session_id, "targetLanguage": language, **_key_of(key)}
    async with connect(url, origin=origin, token=token) as client:
        joined = await _ask(client, "joinSession", **wanted)
        console.print(f"listening to {session_id}; it ends with the session, or with Ctrl-C")
        heard = Heard(joined["audioFormat"], JitterBuffer(jitter))
        with _shown_messages(client, _Shown(console)):
            interrupted = await _is_interrupted(hear(client, heard))
        heard.take_rest(client)
    try:
        write_recording(output, heard.recording)
    except OSError as error:
        sentence = f"{output} cannot be written, what was heard is lost: {error.strerror}"
        raise TalkError(ExitCode.FAILED, sentence) from error
    console.print(
        f"wrote {output}: {heard.recording.seconds:.1f} s, {len(heard.chunks)} chunks, "
        f"{heard.num_missing} missing"
    )
    if interrupted:
        raise TalkError(
            ExitCode.INTERRUPTED, f"interrupted: {output} has what was heard until then"
        )
    if client.session_end is None:
        sentence = f"{client.closing_words}; {output} has what was heard until then"
        raise TalkError(ExitCode.DISCONNECTED, sentence)
    if heard.num_missing:
        chunks = f"{heard.num_missing} of {heard.num_missing + len(heard.chunks)} chunks"
        sentence = f"{chunks} did not come in time: {output} has silence in their place"
        raise TalkError(ExitCode.REFUSED, sentence)


def _key_of(key: str | None) -> dict[str, str]:
    return {} if key is None else {"listenerKey": key}


async def _ask(client: SessionClient, action: str, **fields: object) -> dict[str, Any]:
    """Return the reply to the first request; TalkError if it is refused, or the system has none to give."""
    try:
        return await client.request(action, **fields)
    except UnansweredError as error:
        raise TalkError(ExitCode.UNANSWERED, str(error)) from error
    except RequestRefusedError as error:
        hint = _what_may_help(error, has_key="listenerKey" in fields)
        raise TalkError(ExitCode.FAILED, f"{error}{hint}") from error


def _what_may_help(error: RequestRefusedError, *, has_key: bool) -> str:
    """Return what a person may do about a refusal, to be put after its text; empty for most."""
    if error.code == "SESSION_NOT_FOUND":
        return "; its name or its key is wrong" if has_key else "; a private one needs its --key"
    if error.code == "AUTH_MISSING_TOKEN":
        return " (see --token-file)"
    if error.code not in _OF_AN_ADDRESS:
        return ""
    details = error.reply.get("details")
    wait_ms = details.get("retryAfterMs") if isinstance(details, dict) else None
    wait = f"{math.ceil(wait_ms / 1000)} s" if isinstance(wait_ms, int) else "a minute"
    return f"; wait {wait}: others behind the same address may have caused it"


@dataclass(slots=True)
class Spoken:
    """What became of a recording that was to be sent."""

    num_chunks: int
    sent: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by code or text
    interrupted: bool = False
    ended_by_us: bool = False  # the session: we asked for it, and had the reply
    session_end: str = ""  # the reason that came with the session's end
    trouble: SessionClientError | None = None  # with the connection, or the session's end

    @property
    def problem(self) -> TalkError | None:
        """What was not done; None if all was sent, nothing refused, and the session ended in order."""
        counts = f"{self.sent} of {self.num_chunks} chunks were sent"
        if self.trouble:
            is_answer = isinstance(self.trouble, RequestRefusedError | UnansweredError)
            code = ExitCode.UNANSWERED if is_answer else ExitCode.DISCONNECTED
            return TalkError(code, f"{counts}; then {self.trouble}")
        if self.interrupted:
            ended = "and the session was ended" if self.ended_by_us else "the session had ended"
            return TalkError(ExitCode.INTERRUPTED, f"interrupted: {counts}, {ended}")
        if self.sent < self.num_chunks or not self.ended_by_us:
            reason = f": {self.session_end}" if self.session_end else ""
            return TalkError(ExitCode.CUT_SHORT, f"{counts} when the session was ended{reason}")
        if self.refused:
            reasons = ", ".join(f"{number} {code}" for code, number in self.refused.most_common(5))
            return TalkError(
                ExitCode.REFUSED,
                f"{self.refused.total()} of {self.sent} chunks were refused: {reasons}",
            )
        return None


async def speak(
    url: str,
    path: Path,
    language: str,
    listeners: int,
    console: Console,
    *,
    token: str | None = None,
    key: str | None = None,
    origin: str | None = None,
) -> None:
    """Make a session, stream a recording into it once `listeners` have joined, and end it.

    TalkError unless all of it was sent, none of it refused, and the session ended in order.
    """
    recording = read_recording(path)
    if recording.missing_seconds:
        console.print(
            f"{path.name} is cut: {recording.seconds:.1f} s of sound are there and will be sent, "
            f"its header claims {recording.seconds + recording.missing_seconds:.1f} s"
        )
    chunks = recording.chunks(CHUNK_MS)
    spoken = Spoken(len(chunks))
    wanted = {"sourceLanguage": language, "audioFormat": recording.audio_format, **_key_of(key)}
    async with connect(url, origin=origin, token=token) as client:
        created = await _ask(client, "createSession", **wanted)
        console.print(f"session {created['sessionId']}")
        if "warning" in created:
            console.print(printable(f"warning: {created['warning']}"))
        spoken.interrupted = await _is_interrupted(
            _send(client, chunks, spoken, listeners, console)
        )
        await _end_session(client, spoken)
    seconds = len(b"".join(chunks[: spoken.sent])) / len(recording.pcm) * recording.seconds
    refused = f", {spoken.refused.total()} refused" if spoken.refused else ""
    console.print(f"sent {spoken.sent} chunks, {seconds:.1f} s{refused}")
    if spoken.problem:
        raise spoken.problem


async def _send(
    client: SessionClient,
    chunks: list[bytes],
    spoken: Spoken,
    listeners: int,
    console: Console,
) -> None:
    def count(_: int) -> None:
        spoken.sent += 1

    joined, shown = 0, _Shown(console)
    try:
        while joined < listeners and not client.ended.is_set():
            console.print(f"waiting for listener {joined + 1} of {listeners}")
            while not client.ended.is_set():
                message = await client.next_message()
                if message.get("type") == "listenerJoined":
                    joined += 1
                    break
                shown.add(message)
        with _shown_messages(client, shown), _keys(client, console):
            await stream(client, chunks, CHUNK_MS / 1000, sent=count)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER_SECONDS):
                    await client.ended.wait()
    except SessionClientError as error:
        spoken.trouble = error


async def _end_session(client: SessionClient, spoken: Spoken) -> None:
    """End the session if nobody has; note how it has ended."""
    try:
        if not client.ended.is_set():
            await client.request("endSession")
            spoken.ended_by_us = True
    except SessionClientError as error:
        spoken.trouble = spoken.trouble or error
    except asyncio.CancelledError:  # by a second Ctrl-C
        sentence = f"interrupted twice: {spoken.sent} of {spoken.num_chunks} chunks were sent"
        raise TalkError(ExitCode.DISCONNECTED, sentence) from None
    spoken.refused = client.refused
    if client.session_end is not None:
        spoken.session_end = str(client.session_end.get("reason", ""))
    elif not spoken.ended_by_us:
        spoken.trouble = spoken.trouble or SessionClientError(client.closing_words)


async def _is_interrupted(work: Coroutine[Any, Any, None]) -> bool:
    """Do `work`; return whether Ctrl-C has ended it. What is awaited after it is not cancelled."""
    task = asyncio.current_task()
    try:
        await work
    except asyncio.CancelledError:
        if task is not None:
            task.uncancel()
        return True
    return False


@contextlib.contextmanager
def _shown_messages(client: SessionClient, shown: _Shown) -> Iterator[None]:
    """Show what arrives beside audio and replies."""
    showing = asyncio.create_task(_show_messages(client, shown))
    try:
        yield
    finally:
        showing.cancel()


async def _show_messages(client: SessionClient, shown: _Shown) -> None:
    with contextlib.suppress(SessionClientError):  # the connection has ended
        while True:
            shown.add(await client.next_message())


class _Shown:
    """Shows messages, a line each; an error that repeats, once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._problems: set[str] = set()

    def add(self, message: dict[str, Any]) -> None:
        """Show a message, unless it is an error that was shown."""
        kind = message.get("type", "from the gateway")
        problem = message.get("code") or ("type" not in message and message.get("message"))
        if problem:
            if str(problem) in self._problems:
                return
            self._problems.add(str(problem))
        self._console.print(printable(_line(kind, message)))


def _line(kind: str, message: dict[str, Any]) -> str:
    if kind == "rateLimitWarning" and message.get("reason") == "wrongKeys":
        number = message.get("limit")
        return f"somebody tries keys of this session: more than {number} wrong ones in a minute"
    details = ", ".join(
        f"{name} {value}" for name, value in message.items() if name not in _NOT_SHOWN
    )
    return f"{kind}: {details}" if details else kind


@contextlib.contextmanager
def _keys(client: SessionClient, console: Console) -> Iterator[None]:
    """Let single keys control the broadcast while a person watches the terminal."""
    if sys.stdin is None or not (sys.stdin.isatty() and _has_terminal(sys.stdin.fileno())):
        yield
        return
    controls = _Controls(client, console)
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, _press_keys, descriptor, controls)
    console.print("keys: p pause, r resume, m mute, u unmute, + and - volume, s status, q end")
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        if _has_terminal(descriptor):  # or it is no longer ours, or gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _has_terminal(descriptor: int) -> bool:
    """Return whether it is a terminal, and we are in its foreground: others are stopped when they touch it."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def _press_keys(descriptor: int, controls: _Controls) -> None:
    try:
        pressed = os.read(descriptor, 64) if _has_terminal(descriptor) else b""
    except OSError:  # the terminal is gone
        pressed = b""
    if not pressed:  # it is readable for ever, and says nothing
        asyncio.get_running_loop().remove_reader(descriptor)
    for key in pressed.decode(errors="ignore"):
        controls.press(key)


class _Controls:
    """What each key asks for."""

    def __init__(self, client: SessionClient, console: Console) -> None:
        self._client = client
        self._console = console
        self._volume = 1.0
        self._running: set[asyncio.Task[None]] = set()

    def press(self, key: str) -> None:
        """Do what the key stands for; other keys do nothing."""
        actions: dict[str, Callable[[], Awaitable[dict[str, object]]]] = {
            "p": lambda: self._client.request("pauseBroadcast"),
            "r": lambda: self._client.request("resumeBroadcast"),
            "m": lambda: self._client.request("muteBroadcast"),
            "u": lambda: self._client.request("unmuteBroadcast"),
            "+": lambda: self._change_volume(_VOLUME_STEP),
            "-": lambda: self._change_volume(-_VOLUME_STEP),
            "s": lambda: self._client.request("getSessionStatus"),
            "q": lambda: self._client.request("endSession"),
        }
        if key in actions:
            task = asyncio.ensure_future(self._show(actions[key]()))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _change_volume(self, step: float) -> dict[str, object]:
        self._volume = min(1.0, max(0.0, round(self._volume + step, 1)))
        return await self._client.request("setVolume", volumeLevel=self._volume)

    async def _show(self, reply: Awaitable[dict[str, object]]) -> None:
        try:
            message = await reply
            self._console.print(printable(_line(str(message["type"]), message)))
        except SessionClientError as error:
            self._console.print(str(error))
