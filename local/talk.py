"""`speak` and `listen`: a file with sound goes in at one end, and a WAV file comes out at the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any

from wslocal import printable

from .audio import JitterBuffer, Recording, check_writable, write_recording
from .client import FLOOR, SessionClientError, connect, ordered_chunks, stream
from .credentials import INTERPRETER_KEY_VARIABLE
from .notices import Notices, line_of, voice_of
from .playing import NoDeviceError, played
from .results import ExitCode, TalkError
from .sending import (
    CHUNK_MS,
    ask,
    attempt,
    finish,
    is_interrupted,
    linger,
    opened,
    prepared,
    shown_as,
)
from .words import counted, own_command

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from rich.console import Console

    from .client import Chunk, SessionClient
    from .playing import Device, Playback
    from .sending import Sent

__all__ = ["CHUNK_MS", "Heard", "hear", "listen", "speak"]

# A larger gap is no loss but a jump in the numbers: a minute of silence says nothing.
_LONGEST_GAP = 600
_VOLUME_STEP = 0.1


class Heard:
    """What a listener has heard, of whomever: chunks in order, and silence where one is missing."""

    def __init__(self, audio_format: dict[str, int], buffer: JitterBuffer[Chunk]) -> None:
        self._rate = audio_format["sampleRate"]
        self._channels = audio_format["channels"]
        self.buffer = buffer
        self.chunks: list[Chunk] = []
        self._gaps: list[int] = []  # bytes of silence before each chunk
        self._next: tuple[int | None, int] = None, 0  # part and number
        self.play: Callable[[int, bytes], object] = lambda gap_bytes, pcm: None
        self._grown = asyncio.Event()

    @property
    def num_missing(self) -> int:
        """How many chunks did not come in time, between those that did; a jump is no loss."""
        lengths = (gap.stop - gap.start for gap in self.buffer.gaps)
        return sum(length for length in lengths if length <= _LONGEST_GAP)

    @property
    def recording(self) -> Recording:
        """The sound; a chunk that did not come is as long as the one after it."""
        pairs = zip(self._gaps, self.chunks, strict=True)
        pcm = b"".join(part for gap, chunk in pairs for part in (bytes(gap), chunk.pcm))
        return Recording(pcm, self._rate, self._channels)

    @property
    def voices(self) -> str:
        """How much was heard of whom, in words; empty if there was the speaker only."""
        channels = dict.fromkeys(chunk.channel for chunk in self.chunks)
        if not channels.keys() - {FLOOR}:
            return ""
        return ", ".join(f"{self._seconds_of(name):.1f} s of {voice_of(name)}" for name in channels)

    def _seconds_of(self, channel: str) -> float:
        pcm = b"".join(chunk.pcm for chunk in self.chunks if chunk.channel == channel)
        return Recording(pcm, self._rate, self._channels).seconds

    async def arrived(self, count: int, seconds: float) -> None:
        """Wait for so many chunks; TimeoutError if they do not come in time."""
        async with asyncio.timeout(seconds):
            while len(self.chunks) < count:
                self._grown.clear()
                await self._grown.wait()

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        missing = chunk.number - self._next[1] if chunk.part == self._next[0] else 0
        gap = len(chunk.pcm) * missing * (missing <= _LONGEST_GAP)
        self._next = chunk.part, chunk.number + 1
        self.chunks.append(chunk)
        self._gaps.append(gap)
        self.play(gap, chunk.pcm)
        self._grown.set()

    def take_rest(self, client: SessionClient) -> None:
        """Take what has come and was not put in order yet."""
        while not client.audio.empty():
            chunk = client.audio.get_nowait()
            for _, earlier in self.buffer.move_to(chunk.part):
                self.add(earlier)
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
    audio: str = "interpreted",
    captions: bool = False,
    *,
    device: Callable[[int, int], Device] | None = None,
    token: str | None = None,
    key: str | None = None,
    origin: str | None = None,
) -> None:
    """Join a session, and write what was heard once it ends, or on Ctrl-C; play it meanwhile, if `device` opens one.

    TalkError unless the session has ended in order, and all that was heard is in the file.
    """
    check_writable(output)
    wanted = {"targetLanguage": language, "audio": audio, "captions": captions}
    async with connect(url, origin=origin, token=token) as client:
        joined = await ask(client, "joinSession", sessionId=session_id, **wanted, **_key_of(key))
        console.print(
            f"listening to {session_id} in {language}; it ends with the session, or with Ctrl-C"
        )
        if client.hears not in {None, FLOOR}:
            console.print(f"you hear {voice_of(str(client.hears))}")
        heard = Heard(joined["audioFormat"], JitterBuffer(jitter))
        async with contextlib.AsyncExitStack() as stack:
            playback = await _playback(stack, joined["audioFormat"], device, console)
            if playback:
                heard.play = playback.add
            with Notices(console).of(client):
                interrupted = await is_interrupted(hear(client, heard))
            heard.take_rest(client)
            _write(output, heard)
            if playback and not interrupted:
                await is_interrupted(playback.finish())  # the file is there all the same
    dropped = f", {client.dropped} of another channel dropped" if client.dropped else ""
    console.print(
        f"wrote {output}: {heard.recording.seconds:.1f} s, {counted(len(heard.chunks), 'chunk')}, "
        f"{heard.num_missing} missing{dropped}"
    )
    if heard.voices:
        console.print(f"in it: {heard.voices}")
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


async def _playback(
    stack: contextlib.AsyncExitStack,
    audio_format: dict[str, Any],
    device: Callable[[int, int], Device] | None,
    console: Console,
) -> Playback | None:
    """Return what plays until the stack is closed; None, which is said, if there is no device."""
    if device is None:
        return None
    try:
        return await stack.enter_async_context(played(audio_format, device))
    except NoDeviceError as error:
        console.print(f"nothing is played: {error}")
        return None


def _write(output: Path, heard: Heard) -> None:
    try:
        write_recording(output, heard.recording)
    except OSError as error:
        sentence = f"{output} cannot be written, what was heard is lost: {error.strerror}"
        raise TalkError(ExitCode.FAILED, sentence) from error


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
    options: str = "",
) -> None:
    """Make a session, stream a recording into it once `listeners` have joined, and end it.

    `options` are those that an interpreter's command needs, too. TalkError unless all of it was sent, none of it
    refused, and the session ended in order.
    """
    async with opened(path, console) as file:
        sound = file.as_is()
        sent = prepared(sound, console)
        wanted = {"sourceLanguage": language, "audioFormat": sound.audio_format, **_key_of(key)}
        async with connect(url, origin=origin, token=token) as client:
            created = await ask(client, "createSession", **wanted)
            console.print(f"session {created['sessionId']}")
            if "warning" in created:
                console.print(printable(f"warning: {created['warning']}"))
            if "interpreterKey" in created:
                console.print(_for_interpreters(created, options))
            await attempt(sent, _send(client, sound.chunks(CHUNK_MS), sent, listeners, console))
            await finish(client, sent)
    console.print(sent.report())
    if sent.problem:
        raise sent.problem


def _for_interpreters(created: Mapping[str, Any], options: str) -> str:
    """Return the line that an interpreter may use; the variable keeps the key out of the process list."""
    key, session_id = shlex.quote(created["interpreterKey"]), shlex.quote(created["sessionId"])
    command = f"{own_command()} interpret {session_id} FILE.wav --language LANGUAGE{options}"
    return printable(f"interpreters: {INTERPRETER_KEY_VARIABLE}={key} {command}")


async def _send(
    client: SessionClient, chunks: Iterator[bytes], sent: Sent, listeners: int, console: Console
) -> None:
    joined, notices = 0, Notices(console)
    while joined < listeners and not client.ended.is_set():
        notices.say(f"waiting for listener {joined + 1} of {listeners}")
        while not client.ended.is_set():
            message = await client.next_message()
            if message.get("type") == "listenerJoined":
                joined += 1
                break
            notices.add(message)
    with notices.of(client), _keys(client, notices):
        await stream(client, chunks, CHUNK_MS / 1000, sent=shown_as(sent, notices))
        await linger(client)


def _key_of(key: str | None) -> dict[str, str]:
    return {} if key is None else {"listenerKey": key}


@contextlib.contextmanager
def _keys(client: SessionClient, notices: Notices) -> Iterator[None]:
    """Let single keys control the broadcast while a person watches the terminal."""
    if sys.stdin is None or not (sys.stdin.isatty() and _has_terminal(sys.stdin.fileno())):
        yield
        return
    controls = _Controls(client, notices)
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, _press_keys, descriptor, controls)
    notices.say("keys: p pause, r resume, m mute, u unmute, + and - volume, s status, q end")
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

    def __init__(self, client: SessionClient, notices: Notices) -> None:
        self._client = client
        self._notices = notices
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
            self._notices.say(line_of(message))
        except SessionClientError as error:
            self._notices.say(str(error))
