"""Sound as PCM16, in chunks and in a WAV file, and the buffer that puts chunks in order.

Nothing here reads the clock or the network.
"""

from __future__ import annotations

import os
import wave
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "JitterBuffer",
    "Recording",
    "check_writable",
    "in_pieces",
    "unused_path",
    "write_recording",
]

T = TypeVar("T")

# Sample rates and channels that a session may have; samples have 16 bits.
SAMPLE_RATES = (8_000, 16_000, 24_000, 48_000)
CHANNELS = (1, 2)
SAMPLE_BYTES = 2
# The least that a chunk may have, of raw audio.
MIN_CHUNK_BYTES = 100


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound as PCM16, little-endian."""

    pcm: bytes
    sample_rate: int
    channels: int

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.pcm) / (self.sample_rate * self.channels * SAMPLE_BYTES)

    @property
    def audio_format(self) -> dict[str, object]:
        """What `createSession` is told."""
        return {
            "encoding": "pcm_s16le",
            "sampleRate": self.sample_rate,
            "channels": self.channels,
        }

    def chunks(self, milliseconds: int) -> list[bytes]:
        """Return the sound in pieces of this duration; the last may be shorter.

        What is left is part of the last one if it is too short for a chunk.
        """
        frames = self.sample_rate * milliseconds // 1000
        return list(in_pieces([self.pcm], frames * self.channels * SAMPLE_BYTES))


def in_pieces(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the bytes in pieces of `size`; what is left is part of the last one if it is too short for a chunk."""
    rest = b""
    for block in blocks:
        rest += block
        start = 0
        while len(rest) - start >= size + MIN_CHUNK_BYTES:
            yield rest[start : start + size]
            start += size
        rest = rest[start:]
    if rest:
        yield rest


def check_writable(path: Path) -> None:
    """Raise ValueError unless a file can be written there; an existing one stays as it is."""
    is_new = not path.exists()
    if not is_new and not path.is_file():
        raise ValueError(f"{path} cannot be written: it is no file")
    try:
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error


def unused_path(name: str) -> Path:
    """Return where a WAV file of this name takes the place of no other."""
    paths = (Path(f"{name}{ending}.wav") for ending in chain([""], (f"-{n}" for n in count(2))))
    return next(path for path in paths if not os.path.lexists(path))


def write_recording(path: Path, recording: Recording) -> None:
    """Write a WAV file."""
    # Opened here: what `wave` cannot open it complains of a second time, when it is collected.
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(recording.channels)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(recording.sample_rate)
        file.writeframes(recording.pcm)


class JitterBuffer(Generic[T]):
    """Puts numbered chunks in order, and waits a bounded time for one that is late.

    The gateway keeps no order, and a chunk may be lost. The next chunk in order is ready at once;
    what follows a gap is ready when it has waited `wait_seconds`. So is the first chunk of all,
    because nobody knows whether an earlier one is on its way, unless `first` says which one it
    must be. Numbers begin anew with each part of the sound. Times are the caller's.
    """

    def __init__(self, wait_seconds: float, first: int | None = None) -> None:
        self.wait_seconds = wait_seconds
        self._held: dict[int, tuple[float, T]] = {}  # number: when it came, what came
        self._first = self._next = first
        self._part = self._part_gaps = 0  # and how many gaps were in the parts before it
        self.gaps: list[range] = []  # numbers that were given up
        self.duplicates = 0
        self.late = 0  # came after they were given up

    def move_to(self, part: int) -> list[tuple[int, T]]:
        """Take chunks of this part from now on; return what is left of the one before it, in order."""
        if part == self._part:
            return []
        rest = self.drain()
        self._part, self._part_gaps, self._next = part, len(self.gaps), self._first
        return rest

    def push(self, number: int, chunk: T, now: float) -> None:
        """Take a chunk, in whatever order it comes."""
        if self._next is None or number >= self._next:
            self.duplicates += number in self._held
            self._held.setdefault(number, (now, chunk))
        elif any(number in gap for gap in self.gaps[self._part_gaps :]):
            self.late += 1
        else:
            self.duplicates += 1

    def pop(self, now: float) -> list[tuple[int, T]]:
        """Return what is ready, in order."""
        ready = []
        while self._held:
            number = min(self._held)
            if number != self._next and now < self.due:
                break
            if self._next is not None and number > self._next:
                self.gaps.append(range(self._next, number))
            ready.append((number, self._held.pop(number)[1]))
            self._next = number + 1
        return ready

    def drain(self) -> list[tuple[int, T]]:
        """Return all that is left, in order: nothing more will come."""
        return self.pop(float("inf"))

    @property
    def due(self) -> float:
        """When a chunk is ready although another is missing; never, if none is held."""
        came = min((came for came, _ in self._held.values()), default=float("inf"))
        return came + self.wait_seconds

    @property
    def num_missing(self) -> int:
        """How many chunks were given up."""
        return sum(map(len, self.gaps))
