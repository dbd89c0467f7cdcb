"""What a listener hears, on this machine's speakers: beside what is written, and never in its way.

The device takes sound in a thread of its own, whenever it needs some. What comes too fast for it is dropped, so
that it stays near what is being said; while nothing comes, it gets silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from .audio import SAMPLE_BYTES
from .streams import quiet_stderr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator

__all__ = ["Device", "NoDeviceError", "Playback", "open_device", "played"]

# What may wait for the device, and what is left when more has come.
_MOST_SECONDS, _KEPT_SECONDS = 2.0, 0.4
# Chunks come in bursts: so much has to be there before playing begins, and again after it has run out.
_AHEAD_SECONDS = 0.25
_DEVICE_MS = 100
# After the last sound: the device has some of its own, which it plays while it takes these.
_TAKES_AFTER_THE_END = 4
# A sound server that does not answer is none.
_PATIENCE_SECONDS = 3.0


class NoDeviceError(Exception):
    """Nothing can be played here; the text says why."""


class Device(Protocol):
    """Plays what a generator gives it, which is sent the number of samples that are needed of each channel."""

    def start(self, callback_generator: Generator[bytes, int, None]) -> None:
        """Begin."""

    def close(self) -> None:
        """Stop, at once."""


class Playback:
    """What is to be played: put in by the listener, taken out by the device."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._frame_bytes = channels * SAMPLE_BYTES
        self._second = sample_rate * self._frame_bytes  # bytes
        self._lock = threading.Lock()
        self._pieces: deque[bytes] = deque()
        self._num_bytes = 0
        self._is_dry = True
        self._silence = 0  # bytes that were played since it ran out
        self._takes_left: int | None = None  # once nothing more comes
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.dropped_bytes = 0

    def add(self, gap_bytes: int, pcm: bytes) -> None:
        """Take the next sound, after a gap; what of the gap was silent already is not so again."""
        with self._lock:
            gap = max(0, gap_bytes - self._silence)
            self._silence = 0
            self._pieces += [bytes(gap), pcm]
            self._num_bytes += gap + len(pcm)
            if self._num_bytes > _MOST_SECONDS * self._second:
                self._drop_to(int(_KEPT_SECONDS * self._second))

    def _drop_to(self, num_bytes: int) -> None:
        whole = b"".join(self._pieces)
        kept = whole[-(num_bytes - num_bytes % self._frame_bytes) :]
        self.dropped_bytes += len(whole) - len(kept)
        self._pieces, self._num_bytes = deque([kept]), len(kept)

    def source(self) -> Generator[bytes, int, None]:
        """Return what gives the device its sound."""
        num_frames = yield b""
        while True:
            num_frames = yield self._take(num_frames * self._frame_bytes)

    def _take(self, size: int) -> bytes:
        with self._lock:
            is_ending = self._takes_left is not None
            if self._is_dry and self._num_bytes < _AHEAD_SECONDS * self._second and not is_ending:
                self._silence += size
                return bytes(size)
            taken = self._popped(size)
            missing = size - len(taken)
            self._is_dry = missing > 0
            self._silence += missing
            if self._takes_left is not None and not taken:
                self._takes_left -= 1
                if not self._takes_left:
                    self._loop.call_soon_threadsafe(self._over.set)
            return taken + bytes(missing)

    def _popped(self, size: int) -> bytes:
        taken = bytearray()
        while self._pieces and len(taken) < size:
            piece = self._pieces.popleft()
            wanted = size - len(taken)
            taken += piece[:wanted]
            if len(piece) > wanted:
                self._pieces.appendleft(piece[wanted:])
        self._num_bytes -= len(taken)
        return bytes(taken)

    async def finish(self) -> None:
        """Wait until all was played; not for long, if the device takes nothing."""
        with self._lock:
            self._takes_left = _TAKES_AFTER_THE_END
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MOST_SECONDS + 1):
                await self._over.wait()


@contextlib.asynccontextmanager
async def played(
    audio_format: dict[str, Any], opened: Callable[[int, int], Device]
) -> AsyncIterator[Playback]:
    """Give what is played on a device until the block ends; NoDeviceError if there is none."""
    rate, channels = audio_format["sampleRate"], audio_format["channels"]
    playback = Playback(rate, channels)
    source = playback.source()
    next(source)

    def begin() -> Device:
        device = opened(rate, channels)
        device.start(source)
        return device

    with quiet_stderr():  # where ALSA lists what it did not find
        device = await _within_patience(begin)
    try:
        yield playback
    finally:
        with contextlib.suppress(NoDeviceError):
            await _within_patience(device.close)


async def _within_patience(work: Callable[[], Any]) -> Any:
    """Return what `work` returns, done in a thread that keeps nothing from ending; NoDeviceError if it takes too long."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as caught:  # whatever a sound library raises, listening goes on
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True).start()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await done
    except TimeoutError:
        raise NoDeviceError("the sound device does not answer") from None
    except NoDeviceError:
        raise
    except Exception as error:
        raise NoDeviceError(f"the sound device failed: {error}") from error


def open_device(sample_rate: int, channels: int) -> Device:
    """Return this machine's sound device; NoDeviceError if it has none."""
    try:
        import miniaudio
    except ImportError as error:
        raise NoDeviceError("miniaudio is not installed") from error
    real = [miniaudio.Backend.PULSEAUDIO, miniaudio.Backend.ALSA, miniaudio.Backend.JACK]
    try:
        device: Device = miniaudio.PlaybackDevice(
            *(miniaudio.SampleFormat.SIGNED16, channels, sample_rate, _DEVICE_MS),
            backends=real,
            app_name="websocket-audio",
        )
    except miniaudio.MiniaudioError as error:
        raise NoDeviceError("no sound device here") from error
    return device
