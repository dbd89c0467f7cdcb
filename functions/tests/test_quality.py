import array
import math
import sys

import pytest

from broadcast.quality import QualityWatch, Sound, SpeakerHistory, assess, follow

QUIET = Sound(is_silent=True, is_clipping=False, full_scale_share=0.0)
FINE = Sound(is_silent=False, is_clipping=False, full_scale_share=0.0)
CLIPPED = Sound(is_silent=False, is_clipping=True, full_scale_share=0.02)
TORN = Sound(is_silent=False, is_clipping=True, full_scale_share=0.1)


def pcm(*samples: int) -> bytes:
    values = array.array("h", samples)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def tone(peak: float) -> bytes:
    wave = (round(peak * math.sin(number / 3)) for number in range(1600))
    return pcm(*(max(-32768, min(32767, value)) for value in wave))


def hear(sounds: list[Sound], step: float) -> list[tuple[float, tuple[str, str]]]:
    """Return when which warning is due, of sounds that are `step` seconds apart."""
    history, due = SpeakerHistory(), []
    for number, sound in enumerate(sounds):
        history, warning = follow(history, sound, number * step)
        if warning:
            due.append((round(number * step, 3), warning))
    return due


@pytest.mark.parametrize(
    ("audio", "sound"),
    [
        pytest.param(tone(8000), FINE, id="speech"),
        pytest.param(pcm(*[255, -256] * 100), QUIET, id="quietest"),
        pytest.param(pcm(*[256, 0] * 100), FINE, id="just-not-silent"),
        pytest.param(pcm(*[32767, 1000, 1000, 1000] * 25), Sound(False, True, 0.25), id="clipped"),
        pytest.param(pcm(*[32511, 1000] * 50), FINE, id="just-not-full-scale"),
    ],
)
def test_pcm16_is_assessed(audio, sound):
    assert assess(audio, "pcm_s16le") == sound


@pytest.mark.parametrize(
    ("codes", "sound"),
    [
        pytest.param([0xFF, 0x7F, 0xE8, 0x68], QUIET, id="quietest"),
        pytest.param([0xFF, 0x67], FINE, id="just-not-silent"),
        pytest.param([0x00, 0x30, 0x30, 0x30], Sound(False, True, 0.25), id="clipped"),
        pytest.param([0x80, 0x30, 0x30, 0x30], Sound(False, True, 0.25), id="clipped-below"),
        pytest.param([0x01, 0x81], FINE, id="just-not-full-scale"),
    ],
)
def test_mulaw_is_assessed(codes, sound):
    assert assess(bytes(codes) * 50, "pcm_mulaw") == sound


def test_a_loud_tone_that_is_cut_off_is_clipping():
    assert assess(tone(40_000), "pcm_s16le").is_clipping
    assert not assess(tone(30_000), "pcm_s16le").is_clipping


def test_third_clipped_chunk_in_five_seconds_is_reported():
    assert hear([CLIPPED] * 3, 0.1) == [(0.2, ("clipping", "warning"))]
    assert hear([CLIPPED, FINE, FINE, CLIPPED, FINE, CLIPPED], 0.5) == [
        (2.5, ("clipping", "warning"))
    ]


def test_one_clipped_chunk_now_and_then_is_not():
    assert hear([CLIPPED, *[FINE] * 24] * 4, 0.1) == []


def test_much_clipping_is_critical():
    assert hear([CLIPPED, CLIPPED, TORN], 0.1) == [(0.2, ("clipping", "critical"))]


def test_silence_is_reported_after_five_seconds_and_twenty_chunks():
    assert hear([QUIET] * 52, 0.1) == [(5.0, ("silence", "warning"))]
    assert hear([QUIET] * 20, 0.5) == [(9.5, ("silence", "warning"))]


def test_pause_in_speech_is_no_silence():
    assert hear([*[QUIET] * 49, FINE] * 3, 0.1) == []


def test_warning_is_repeated_after_ten_seconds_and_grows_critical():
    assert hear([QUIET] * 360, 0.1) == [
        (5.0, ("silence", "warning")),
        (15.0, ("silence", "warning")),
        (25.0, ("silence", "warning")),
        (35.0, ("silence", "critical")),
    ]


def test_warnings_of_two_kinds_do_not_wait_for_each_other():
    assert hear([*[QUIET] * 51, *[CLIPPED] * 3], 0.1) == [
        (5.0, ("silence", "warning")),
        (5.3, ("clipping", "warning")),
    ]


def test_watch_follows_each_speaker_and_says_what_helps():
    watch = QualityWatch(clock=lambda: 0.0)
    loud = tone(40_000)

    warnings = [watch.warning(name, "golden-eagle-427", loud, "pcm_s16le") for name in "abaabb"]

    assert [warning is not None for warning in warnings] == [False, False, False, True, False, True]
    assert warnings[3].to_dict() == {
        "type": "audioQualityWarning",
        "sessionId": "golden-eagle-427",
        "warningType": "clipping",
        "severity": "critical",
        "message": "The audio is cut off at full scale",
        "recommendation": "Lower the microphone's gain",
        "timestamp": warnings[3].timestamp,
    }


def test_watch_remembers_a_bounded_number_of_speakers():
    watch = QualityWatch(clock=lambda: 0.0)

    [
        watch.warning(str(number), "golden-eagle-427", bytes(100), "pcm_s16le")
        for number in range(1001)
    ]

    assert len(watch._histories) == 1000
    assert "0" not in watch._histories
