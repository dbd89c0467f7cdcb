"""`speak` and `listen`: a WAV file goes in at one end and comes out at the other."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import termios
import tty
from typing import TYPE_CHECKING

from .audio import JitterBuffer, Recording, read_recording, write_recording
from .client import RequestRefusedError, SessionClient, connect, ordered_chunks, stream
from .watch import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from rich.console import Console

    from .client import Chunk

__all__ = ["CHUNK_MS", "Heard", "hear", "listen", "speak"]

CHUNK_MS = 100
# The end must not overtake the last chunks: functions may still have them.
_LINGER_SECONDS = 1.0

_VOLUME_STEP = 0.1


class Heard:
    """What a listener has heard: chunks in order, and silence where one is missing."""

    def __init__(self, audio_format: dict[str, int], buffer: JitterBuffer[Chunk]) -> None:
        self._rate = audio_format["sampleRate"]
        self._channels = audio_format["channels"]
        self.buffer = buffer
        self.chunks: list[Chunk] = []
        self._grown = asyncio.Event()

    @property
    def recording(self) -> Recording:
        """The sound; a chunk that did not come is as long as the one after it."""
        pcm = bytearray()
        expected = self.chunks[0].number if self.chunks else 0
        for chunk in self.chunks:
            pcm += bytes(len(chunk.pcm) * (chunk.number - expected)) + chunk.pcm
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


async def hear(client: SessionClient, heard: Heard) -> None:
    """Collect what comes until the session or the connection ends."""
    async for chunk in ordered_chunks(client, heard.buffer):
        heard.add(chunk)


async def listen(
    url: str, session_id: str, language: str, output: Path, jitter: float, console: Console
) -> None:
    """Join a session, and write what was heard once it ends, or on Ctrl-C."""
    async with connect(url) as client:
        joined = await client.request("joinSession", sessionId=session_id, targetLanguage=language)
        console.print(f"listening to {session_id}; it ends with the session, or with Ctrl-C")
        heard = Heard(joined["audioFormat"], JitterBuffer(jitter))
        reading = asyncio.create_task(_show_messages(client, console))
        try:
            await hear(client, heard)
        finally:
            reading.cancel()
            write_recording(output, heard.recording)
            console.print(
                f"wrote {output}: {heard.recording.seconds:.1f} s, {len(heard.chunks)} chunks, "
                f"{heard.buffer.num_missing} missing"
            )


async def speak(url: str, path: Path, language: str, listeners: int, console: Console) -> None:
    """Make a session, stream a recording into it once `listeners` have joined, and end it."""
    recording = read_recording(path)
    chunks = recording.chunks(CHUNK_MS)
    async with connect(url) as client:
        created = await client.request(
            "createSession", sourceLanguage=language, audioFormat=recording.audio_format
        )
        console.print(f"session {created['sessionId']}")
        for number in range(listeners):
            console.print(f"waiting for listener {number + 1} of {listeners}")
            await client.expect("listenerJoined", seconds=3600)
        reading = asyncio.create_task(_show_messages(client, console))
        with _keys(client, console):
            await stream(client, chunks, CHUNK_MS / 1000)
            await asyncio.sleep(_LINGER_SECONDS)
        if not client.ended.is_set():
            await client.request("endSession")
        reading.cancel()
        console.print(f"sent {len(chunks)} chunks, {recording.seconds:.1f} s")


async def _show_messages(client: SessionClient, console: Console) -> None:
    """Tell what arrives beside audio and replies."""
    while True:
        message = await client.messages.get()
        kind = message.pop("type", "from the gateway")
        details = ", ".join(
            f"{name} {value}"
            for name, value in message.items()
            if name not in {"timestamp", "sessionId", "requestId", "refreshToken"}
        )
        console.print(printable(f"{kind}: {details}" if details else kind))


@contextlib.contextmanager
def _keys(client: SessionClient, console: Console) -> Iterator[None]:
    """Let single keys control the broadcast while a person watches the terminal."""
    if not sys.stdin.isatty():
        yield
        return
    console.print("keys: p pause, r resume, m mute, u unmute, + and - volume, s status, q end")
    controls = _Controls(client, console)
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, lambda: controls.press(sys.stdin.read(1)))
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


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
            self._console.print(str((await reply)["type"]))
        except RequestRefusedError as error:
            self._console.print(str(error))
