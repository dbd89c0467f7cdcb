"""What the tests of faults measure with: recordings that are made here show what was put into them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.page_faults.outcome import outcome
from tests.page_faults.recording import RATE, Recording
from tests.page_faults.voice import INTERPRETER, SPEAKER, chirps_in, listen

PIECE = RATE // 100


def samples(voice=SPEAKER, seconds=20):
    return np.frombuffer(voice.pcm16(), np.int16)[: seconds * RATE].astype(np.float32) / 32768


def recorded(sound, begin=100.0, stalls=(), late=()):
    """Return a recording; from each piece in `stalls` on all comes a second later, and each in `late` comes with the next."""
    recording = Recording()
    pcm = (sound * 32767).astype(np.int16)
    for number in range(len(pcm) // PIECE):
        now = (
            begin
            + (number + 1) / 100
            + sum(number >= piece for piece in stalls)
            + (0.3 if number in late else 0)
        )
        recording.add(now, pcm[number * PIECE : (number + 1) * PIECE].tobytes())
    return recording


@pytest.mark.parametrize("voice", [SPEAKER, INTERPRETER])
def test_each_chirp_is_found_where_it_is(voice):
    found = chirps_in(0.0, samples(voice))

    assert [chirp.number for chirp in found] == [*range(voice.first, 160, 2)][: len(found)]
    assert len(found) == 80
    assert max(abs(chirp.at - index * 0.25) for index, chirp in enumerate(found)) < 0.001


def test_voice_that_is_played_a_little_faster_is_read():
    sound = samples()
    faster = np.interp(np.arange(0, len(sound), 1.03), np.arange(len(sound)), sound).astype(
        np.float32
    )

    assert [chirp.number for chirp in chirps_in(0.0, faster)][:70] == [*range(2, 142, 2)]
    assert listen(0.0, faster) == ([], [])


def test_hard_cut_is_a_click_and_a_soft_one_is_not():
    sound = samples()
    fade = np.linspace(0, 1, RATE // 100, dtype=np.float32)
    before, after = sound[:50_010].copy(), sound[58_123:].copy()
    hard = listen(0.0, np.concatenate([before, after]))
    before[-len(fade) :] *= fade[::-1]
    after[: len(fade)] *= fade
    soft = listen(0.0, np.concatenate([before, np.zeros(RATE // 2, np.float32), after]))

    assert hard.silences == []
    assert hard.seams == [pytest.approx(50_010 / RATE, abs=0.01)]
    assert soft.silences == [(pytest.approx(3.12, abs=0.02), pytest.approx(3.63, abs=0.02))]
    assert soft.seams == []


def test_recording_knows_a_standstill_from_a_late_piece():
    begin, sound = recorded(samples(seconds=4), stalls=(200,), late=(50, 51, 300)).timeline()

    assert begin == pytest.approx(100)
    assert len(sound) == 5 * RATE
    assert np.flatnonzero(np.abs(sound) > 0.01)[[0, -1]] == pytest.approx([0, 5 * RATE], abs=20)
    assert not sound[2 * RATE : 3 * RATE].any()


def test_outcome_of_a_fault_after_which_the_ear_is_late():
    """Half a second is lost, and what follows is a second later than before."""
    said = samples()
    lost = np.concatenate(
        [said[: 8 * RATE], np.zeros(RATE // 2, np.float32), said[8 * RATE + RATE // 2 :]]
    )
    heard = np.concatenate(
        [
            np.zeros(RATE // 2, np.float32),
            lost[: 8 * RATE],
            np.zeros(RATE, np.float32),
            lost[8 * RATE :],
        ]
    )

    found = outcome([recorded(said)], recorded(heard), begin=108.5, end=109.5)

    assert found.before_ms == pytest.approx(500, abs=2)
    assert found.after_ms == pytest.approx(1500, abs=2)
    assert found.live_again_seconds is None
    assert found.silent_seconds == pytest.approx(1.5, abs=0.05)
    assert found.lost_seconds == 0.5


def test_outcome_of_a_fault_that_is_over():
    """What was said meanwhile is lost, and the rest is heard as late as before."""
    said = samples()
    heard = np.concatenate([np.zeros(RATE // 2, np.float32), said])
    heard[8 * RATE : 10 * RATE] = 0

    found = outcome([recorded(said)], recorded(heard), begin=108.0, end=109.5)

    assert found.after_ms == pytest.approx(found.before_ms, abs=1)
    assert found.live_again_seconds == pytest.approx(0.5, abs=0.01)
    assert found.lost_seconds == 2.0
