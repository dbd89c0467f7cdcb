"""Any file with sound that libsndfile reads, as the PCM16 that a session carries.

A file is decoded twice: once to know that all of it can be and how long it is, before anything is joined, and once
more while it is sent. So a recording of hours takes no more memory than one of seconds, and no room on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import soundfile
import soxr

from wslocal import printable

from .audio import CHANNELS, MIN_CHUNK_BYTES, SAMPLE_BYTES, SAMPLE_RATES, Recording, in_pieces
from .ogg import OggPages, is_ogg
from .streams import quiet_stderr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

__all__ = ["AudioFile", "PcmStream", "open_audio"]

_BLOCK_SAMPLES = 65_536  # that are decoded at once, of all channels together
# What a recording may have been made with; a header that says something else is damaged.
_RATES = range(1_000, 768_001)
_MAX_CHANNELS = 64
# What libsndfile notes of a WAV file that is shorter than its header says; the largest number stands for one
# that was not known when the header was written, as in what comes from a pipe.
_CLAIM = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_BYTES = 0xFFFFFFFF
# In which Opus counts samples, whatever it was made from: https://www.rfc-editor.org/rfc/rfc7845#section-4
_OPUS_RATE = 48_000
_BITS = {
    "PCM_U8": 8,
    "PCM_S8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "FLOAT": 32,
    "DOUBLE": 64,
}
_ENCODINGS = {
    "ULAW": "u-law",
    "ALAW": "A-law",
    "IMA_ADPCM": "ADPCM",
    "MS_ADPCM": "ADPCM",
    "GSM610": "GSM",
}
_KINDS = {"WAVEX": "WAV", "RF64": "WAV", "OGG": "Ogg"}
_LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True, slots=True)
class AudioFile:
    """An open file with sound, of which all was decoded once."""

    name: str
    descriptor: int
    kind: str  # in words, such as "24-bit WAV"
    is_pcm16: bool
    sample_rate: int
    channels: int
    num_frames: int
    missing_frames: int = 0  # that its header claims beyond what is there
    is_cut: bool = False  # it has no end, and does not say how long it was

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.num_frames / self.sample_rate

    @property
    def missing_seconds(self) -> float:
        """How much longer it would play, by its header."""
        return self.missing_frames / self.sample_rate

    def as_is(self) -> PcmStream:
        """Return what a session of its own would carry: its rate, or the next one above it, so that nothing is lost.

        Above the highest rate there is only that one; of more than two channels, their mean is one.
        """
        rate = next((rate for rate in SAMPLE_RATES if rate >= self.sample_rate), SAMPLE_RATES[-1])
        return PcmStream(self, rate, self.channels if self.channels in CHANNELS else 1)

    def fit_for(self, audio_format: dict[str, Any]) -> PcmStream:
        """Return what a session that has this format carries."""
        return PcmStream(self, audio_format["sampleRate"], audio_format["channels"])


@dataclass(frozen=True, slots=True)
class PcmStream:
    """A file's sound as PCM16, little-endian, in a rate and a number of channels that a session has."""

    file: AudioFile
    sample_rate: int
    channels: int

    @property
    def num_frames(self) -> int:
        """How many samples each channel has."""
        return round(self.file.num_frames * self.sample_rate / self.file.sample_rate)

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.num_frames / self.sample_rate

    @property
    def audio_format(self) -> dict[str, object]:
        """What `createSession` is told."""
        return Recording(b"", self.sample_rate, self.channels).audio_format

    @property
    def is_converted(self) -> bool:
        """Whether it has other samples than the file; else it is the file's, byte for byte."""
        file = self.file
        same = (self.sample_rate, self.channels) == (file.sample_rate, file.channels)
        return not (same and file.is_pcm16)

    @property
    def conversion(self) -> str:
        """What is done to the file, in words."""
        file, layout = self.file, _LAYOUTS[self.channels]
        return (
            f"{file.name}: {file.sample_rate:,} Hz {_layout(file.channels)} {file.kind} "
            f"to {self.sample_rate:,} Hz {layout}, 16 bit"
        )

    def num_chunks(self, milliseconds: int) -> int:
        """Return how many `chunks` there are."""
        total = self.num_frames * self.channels * SAMPLE_BYTES
        full, rest = divmod(total, self._chunk_bytes(milliseconds))
        return max(1, full + (rest >= MIN_CHUNK_BYTES))

    def chunks(self, milliseconds: int) -> Iterator[bytes]:
        """Yield the sound in pieces of this duration, decoded as they are asked for; the last may be shorter, or a little longer."""
        return in_pieces(self._pcm(), self._chunk_bytes(milliseconds))

    def recording(self) -> Recording:
        """Return all of it, in memory."""
        return Recording(b"".join(self._pcm()), self.sample_rate, self.channels)

    def _chunk_bytes(self, milliseconds: int) -> int:
        return self.sample_rate * milliseconds // 1000 * self.channels * SAMPLE_BYTES

    def _pcm(self) -> Iterator[bytes]:
        """Yield exactly as many samples as were promised; resampling ends a sample earlier or later."""
        left = self.num_frames * self.channels * SAMPLE_BYTES
        for block in self._converted() if self.is_converted else self._unchanged():
            yield block[:left]
            left -= min(left, len(block))
        yield bytes(left)

    def _unchanged(self) -> Iterator[bytes]:
        for block in _decoded(self.file.descriptor, self.file.name, "int16"):
            yield block.astype("<i2", copy=False).tobytes()

    def _converted(self) -> Iterator[bytes]:
        file = self.file
        resampler = soxr.ResampleStream(
            file.sample_rate, self.sample_rate, self.channels, dtype="float32"
        )
        same_rate = file.sample_rate == self.sample_rate
        for block in _decoded(file.descriptor, file.name, "float32"):
            mixed = _mixed(block, self.channels)
            yield _pcm16(mixed if same_rate else resampler.resample_chunk(mixed))
        if not same_rate:
            nothing = np.zeros((0, self.channels), np.float32)
            yield _pcm16(resampler.resample_chunk(nothing, last=True))


def _layout(channels: int) -> str:
    return _LAYOUTS.get(channels, f"{channels}-channel")


def _mixed(samples: Samples, channels: int) -> Samples:
    """Return the samples with as many channels: their mean where they become one, the same in both where one becomes two."""
    if samples.shape[1] == channels:
        return np.ascontiguousarray(samples)
    mean = samples.mean(axis=1, keepdims=True, dtype=np.float32)
    return np.ascontiguousarray(np.repeat(mean, channels, axis=1))


def _pcm16(samples: Samples) -> bytes:
    """Return samples of -1 to 1 as PCM16; what is beyond, as decoders and resamplers make it, is cut off there."""
    scaled = np.nan_to_num(samples) * 32_768
    return np.clip(np.rint(scaled), -32_768, 32_767).astype("<i2").tobytes()


@contextlib.asynccontextmanager
async def open_audio(
    path: Path, progress: Callable[[int, int], object] = lambda done, total: None
) -> AsyncIterator[AudioFile]:
    """Give a file whose sound was decoded to its end; ValueError unless it has enough for a chunk.

    `progress` is called with the frames that were decoded, and with all that the file claims.
    """
    shown, name = printable(str(path)), printable(path.name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ValueError(f"{shown} cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{shown} is no file with sound")
        if not found.st_size:
            raise ValueError(f"{shown} is empty")
        yield await _checked(name, descriptor, progress)
    finally:
        os.close(descriptor)


async def _checked(name: str, descriptor: int, progress: Callable[[int, int], object]) -> AudioFile:
    with _opened(descriptor, name) as sound:
        rate, channels, claimed = sound.samplerate, sound.channels, sound.frames
        kind, is_pcm16 = _kind(sound), sound.subtype == "PCM_16"
        claim = _CLAIM.search(sound.extra_info)
        positions = _OPUS_RATE if sound.subtype == "OPUS" else rate
    if rate not in _RATES or channels > _MAX_CHANNELS:
        raise ValueError(
            f"{name} is damaged: its header says {rate:,} Hz and {channels:,} channels, "
            f"{_RATES[0]:,} to {_RATES[-1]:,} Hz and at most {_MAX_CHANNELS} channels are read"
        )
    is_cut = is_ogg(descriptor) and await _is_ogg_cut(descriptor, name, positions)
    done = 0
    for block in _decoded(descriptor, name, "int16"):
        done += len(block)
        progress(done, claimed)
        await asyncio.sleep(0)  # it may take long, and Ctrl-C must not wait for it
    missing = max(0, claimed - done)
    file = AudioFile(name, descriptor, kind, is_pcm16, rate, channels, done, missing, is_cut)
    size = file.as_is().num_frames * file.as_is().channels * SAMPLE_BYTES
    if size < MIN_CHUNK_BYTES:
        raise ValueError(f"{name} has no sound: {size} bytes, at least {MIN_CHUNK_BYTES}")
    if claim and int(claim[1]) < _UNKNOWN_BYTES:
        missing = (int(claim[1]) - int(claim[2])) * done // max(1, int(claim[2]))
        file = replace(file, missing_frames=max(0, missing))
    return file


async def _is_ogg_cut(descriptor: int, name: str, rate: int) -> bool:
    """Return whether an Ogg file ends before its last page; ValueError if not all of it would be decoded."""
    pages = OggPages(descriptor)
    for _ in pages:
        await asyncio.sleep(0)
    if pages.is_damaged:
        raise ValueError(f"{name} is damaged after {pages.position / rate:.1f} s of sound")
    if pages.has_more:
        at = f"after {pages.position / rate:.1f} s another one begins"
        raise ValueError(f"{name} is several recordings in a row, of which one can be sent: {at}")
    return pages.is_cut


def _kind(sound: soundfile.SoundFile) -> str:
    kind = _KINDS.get(sound.format, str(sound.format))
    bits = _BITS.get(sound.subtype)
    encoding = f"{bits}-bit" if bits else _ENCODINGS.get(sound.subtype, "")
    return f"{encoding} {kind}".lstrip()


def _decoded(
    descriptor: int, name: str, dtype: Literal["int16", "float32"]
) -> Iterator[npt.NDArray[Any]]:
    """Yield the samples in blocks, a row for each moment; ValueError if they cannot all be decoded."""
    with _opened(descriptor, name) as sound:
        size = max(1, _BLOCK_SAMPLES // sound.channels)
        while True:
            try:
                with quiet_stderr():
                    block = sound.read(size, dtype=dtype, always_2d=True)
            except soundfile.LibsndfileError as error:
                at = sound.seek(0, os.SEEK_CUR) / sound.samplerate
                raise ValueError(f"{name} is damaged after {at:.1f} s of sound") from error
            if not len(block):
                return
            yield block


@contextlib.contextmanager
def _opened(descriptor: int, name: str) -> Iterator[soundfile.SoundFile]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        with quiet_stderr():  # libmpg123 writes there about a damaged MP3
            sound = soundfile.SoundFile(descriptor, closefd=False)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise ValueError(f"{name} is no WAV, MP3, FLAC or Ogg file, or is damaged") from error
    try:
        yield sound
    finally:
        with quiet_stderr():
            sound.close()
