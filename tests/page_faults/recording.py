"""What a monitor gave, on the clock of this machine.

A device that stands still gives nothing: the recording's samples alone would not show it. So each piece is kept with
the time at which it came. A piece may come late, because the machine is busy; what follows then comes sooner. What never
catches up is a time without sound.
"""

from __future__ import annotations

import threading

import numpy as np

__all__ = ["RATE", "Recording"]

RATE = 16_000
# A shorter standstill cannot be told from a clock that is read a little late.
STANDSTILL_SECONDS = 0.05


class Recording:
    """Grows while it is made; any thread may read it."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pieces = []

    def add(self, now, data):
        """Take PCM16 that came just `now`."""
        with self._lock:
            self._pieces.append((now, data))

    @property
    def has_begun(self):
        return bool(self._pieces)

    def timeline(self):
        """Return when the first sample was played, and all samples from -1 to 1, with zeros for a standstill."""
        with self._lock:
            pieces = list(self._pieces)
        times = np.array([time for time, _ in pieces])
        lengths = np.array([len(data) // 2 for _, data in pieces])
        # When the recording would have begun if all had come at once.
        lateness = times - np.cumsum(lengths) / RATE
        settled = np.minimum.accumulate(lateness[::-1])[::-1]
        parts, begin, at = [], settled[0], settled[0]
        for start, end in _steady(settled):
            offset = settled[start:end].min()
            gap = offset - at if start else 0.0
            at = offset
            parts.append(np.zeros(max(0, round(gap * RATE)), np.int16))
            parts.append(
                np.frombuffer(
                    b"".join(data[: len(data) // 2 * 2] for _, data in pieces[start:end]), np.int16
                )
            )
        return begin, np.concatenate(parts).astype(np.float32) / 32768


def _steady(settled):
    """Return the stretches (start, end) in which nothing stood still."""
    stretches, start = [], 0
    for i in range(1, len(settled)):
        if settled[i] > settled[start] + STANDSTILL_SECONDS:
            stretches.append((start, i))
            start = i
    return [*stretches, (start, len(settled))]
