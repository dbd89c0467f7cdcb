"""What a fault did to what is heard, from the recordings of what was said and of one ear."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.page_faults.recording import RATE
from tests.page_faults.voice import SLOT_SECONDS, chirps_in, delays, listen

__all__ = ["Outcome", "outcome"]

# So much later than before is as before: the page waits longer for a while after the network was unsteady.
TOLERANCE_SECONDS = 0.25


class Outcome(NamedTuple):
    """In seconds and milliseconds; NaN or None where there is none."""

    before_ms: float
    after_ms: float
    live_again_seconds: float | None
    silent_seconds: float
    lost_seconds: float
    seams: int
    said_seams: int
    pairs: list[tuple[float, float]]

    def numbers(self):
        """Return what a table shows, as JSON has it."""

        def rounded(value, places=0):
            return None if value is None or np.isnan(value) else round(float(value), places)

        return {
            "before_ms": rounded(self.before_ms),
            "after_ms": rounded(self.after_ms),
            "live_again_seconds": rounded(self.live_again_seconds, 1),
            "silent_seconds": rounded(self.silent_seconds, 1),
            "lost_seconds": rounded(self.lost_seconds, 2),
            "seams": int(self.seams),
            "said_seams": int(self.said_seams),
        }


def outcome(said, heard, begin, end, *, wanted=0):
    """Judge recordings around a fault that lasted from `begin` to `end`; `wanted`: which of `said` is to be heard."""
    mouths = [recording.timeline() for recording in said]
    spoken = [chirp for mouth in mouths for chirp in chirps_in(*mouth)]
    start, samples = heard.timeline()
    stop = start + len(samples) / RATE
    pairs = delays(spoken, chirps_in(start, samples))
    ear = listen(start, samples)
    before = _median([delay for at, delay, _ in pairs if at < begin])
    after = _median([delay for at, delay, _ in pairs if at > max(end, stop - 4)])
    if np.isnan(before):  # nothing was heard before
        before = after
    first = next(
        (at for at, delay, _ in pairs if at >= end and delay < before + TOLERANCE_SECONDS),
        None,
    )
    moments = {round(moment, 2) for _, _, moment in pairs}
    # What was said too late to be heard before the recording ended is not lost.
    last = stop - np.nanmax([after, before, 0]) - 0.5
    due = [one for one in chirps_in(*mouths[wanted]) if begin - 1 < one.at < last]
    lost = [one for one in due if round(one.at, 2) not in moments]
    return Outcome(
        before_ms=_median([delay for at, delay, _ in pairs if at < begin]) * 1000,
        after_ms=after * 1000,
        live_again_seconds=None if first is None else first - end,
        silent_seconds=sum(max(0, till - max(since, begin)) for since, till in ear.silences),
        lost_seconds=len(lost) * SLOT_SECONDS,
        seams=sum(at > begin for at in ear.seams),
        said_seams=sum(len(listen(*mouth).seams) for mouth in mouths),
        pairs=[(at - end, delay) for at, delay, _ in pairs],
    )


def _median(values):
    return float(np.median(values)) if values else float("nan")
