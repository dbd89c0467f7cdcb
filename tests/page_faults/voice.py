"""The voice of these tests: a steady tone, and four times a second a chirp that carries its number.

The tone shows where it is silent, and where it is cut: a seam that one hears is energy beside the tone. The chirps show
which moment of the voice is heard, and so the delay, on the clock that both recordings share.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.page_faults.recording import RATE

__all__ = [
    "INTERPRETER",
    "SLOT_SECONDS",
    "SPEAKER",
    "Chirp",
    "Heard",
    "Voice",
    "chirps_in",
    "delays",
    "listen",
]

SLOT_SECONDS = 0.25
SLOT = int(SLOT_SECONDS * RATE)
# 9 % apart, so that a voice that is played 4 % faster is still read.
TONES_HZ = [4300 * 1.09**step for step in range(7)]
DIGITS = 3
NUMBERS = len(TONES_HZ) ** DIGITS
CHIRP_SECONDS, TONE_SECONDS = 0.04, 0.03
LEVEL = 0.2
# Where neither tone nor chirps have energy.
SEAM_BAND_HZ = (1000, 1800)


class Voice(NamedTuple):
    """One of two voices that can be told apart: by the tone, and by numbers that the other does not have."""

    pilot_hz: int
    first: int

    def pcm16(self):
        """Return one cycle; played over and over it has no seam."""
        numbers = range(self.first, NUMBERS - 1, 2)
        samples = LEVEL * np.sin(2 * np.pi * self.pilot_hz * np.arange(len(numbers) * SLOT) / RATE)
        for slot, number in enumerate(numbers):
            mark = _mark(number)
            samples[slot * SLOT : slot * SLOT + len(mark)] += LEVEL * mark
        return (samples * 32767).astype(np.int16).tobytes()


SPEAKER = Voice(400, 0)
INTERPRETER = Voice(600, 1)


def _chirp():
    time = np.arange(int(CHIRP_SECONDS * RATE)) / RATE
    return np.hanning(len(time)) * np.sin(
        2 * np.pi * (2100 * time + 1700 / 2 / CHIRP_SECONDS * time**2)
    )


def _mark(number):
    time = np.arange(int(TONE_SECONDS * RATE)) / RATE
    tones = [
        np.hanning(len(time)) * np.sin(2 * np.pi * TONES_HZ[digit] * time)
        for digit in _digits(number)
    ]
    return np.concatenate([_chirp(), *tones])


def _digits(number):
    return [number // len(TONES_HZ) ** place % len(TONES_HZ) for place in range(DIGITS)]


class Chirp(NamedTuple):
    """A chirp where it begins, in seconds."""

    at: float
    number: int


def chirps_in(begin, samples):
    """Return the chirps of a recording that begins at `begin`."""
    template = _chirp()
    size = len(template)
    likeness = _correlate(samples, template) / np.linalg.norm(template)
    floor = np.percentile(np.abs(samples), 99) * np.sqrt(size) * 0.05
    # The tone beside it has no part in the chirp's own energy.
    peaks = _peaks(np.abs(likeness), max(floor, 1e-3), int(0.15 * RATE))
    found = [(peak, _number_at(samples, peak + size)) for peak in peaks]
    return [Chirp(begin + peak / RATE, number) for peak, number in found if number is not None]


def _correlate(samples, template):
    size = 1 << int(np.ceil(np.log2(len(samples) + len(template))))
    product = np.fft.rfft(samples, size) * np.conj(np.fft.rfft(template, size))
    return np.fft.irfft(product, size)[: max(0, len(samples) - len(template))]


def _peaks(values, floor, distance):
    """Return where values are highest within a distance, and above a floor."""
    found = []
    for start in range(0, len(values), distance):
        at = start + int(np.argmax(values[start : start + distance]))
        around = values[max(0, at - distance) : at + distance + 1]
        if values[at] > floor and values[at] >= around.max():
            found.append(at)
    return found


# Played faster or slower a tone is higher or lower: the nearest one is meant.
_PROBED_HZ = np.arange(4100, 7600, 25)
_TONE_TIMES = np.arange(int(TONE_SECONDS * RATE)) / RATE
_PROBES = np.exp(-2j * np.pi * np.outer(_PROBED_HZ, _TONE_TIMES)) * np.hanning(len(_TONE_TIMES))


def _number_at(samples, start):
    """Return the number that the tones say from `start` on; None if they say none."""
    length = int(TONE_SECONDS * RATE)
    digits = []
    for place in range(DIGITS):
        part = samples[start + place * length : start + (place + 1) * length]
        if len(part) < length:
            return None
        power = np.abs(_PROBES @ part)
        if power.max() < 1e-3 * length:
            return None
        digits.append(
            int(np.argmin(np.abs(np.log(np.array(TONES_HZ) / _PROBED_HZ[np.argmax(power)]))))
        )
    return sum(digit * len(TONES_HZ) ** place for place, digit in enumerate(digits))


def delays(said, heard):
    """Return (when it was heard, seconds after it was said, when it was said) for each heard chirp that was said."""
    by_number = {}
    for chirp in said:
        by_number.setdefault(chirp.number, []).append(chirp.at)
    pairs = []
    for chirp in heard:
        before = [at for at in by_number.get(chirp.number, []) if at < chirp.at]
        if before:
            pairs.append((chirp.at, chirp.at - before[-1], before[-1]))
    return pairs


class Heard(NamedTuple):
    """What an ear got: stretches without the voice, and moments with a seam, in seconds."""

    silences: list[tuple[float, float]]
    seams: list[float]


def listen(begin, samples, shortest_seconds=0.02):
    """Return where no voice is in a recording, and where one is cut."""
    loud = np.maximum(
        *(_envelope(samples, voice.pilot_hz, 160) for voice in (SPEAKER, INTERPRETER))
    )
    voiced = loud > 0.35 * LEVEL
    silences = [
        (begin + start * 0.01, begin + end * 0.01)
        for start, end in _runs(~voiced)
        if (end - start) * 0.01 >= shortest_seconds
    ]
    beside = _band(samples, *SEAM_BAND_HZ)
    frames = beside[: len(beside) // 80 * 80].reshape(-1, 80)
    power = np.sqrt((frames**2).mean(axis=1))
    # Where a recording begins and ends is no seam.
    seams = [begin + at * 0.005 for at in _peaks(power, 0.004, 4) if 4 < at < len(power) - 4]
    return Heard(silences, seams)


def _envelope(samples, hertz, frame):
    """Return how loud the tone is in each frame."""
    turned = samples * np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / RATE)
    frames = turned[: len(turned) // frame * frame].reshape(-1, frame)
    return 2 * np.abs(frames.mean(axis=1))


def _runs(flags):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2], edges[1::2], strict=True))


def _band(samples, low, high):
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    # With soft edges: hard ones would ring.
    gain = np.clip((hertz - low) / 150 + 1, 0, 1) * np.clip((high - hertz) / 150 + 1, 0, 1)
    return np.fft.irfft(spectrum * gain, len(samples))
