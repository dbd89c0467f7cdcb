"""The demo tells when something is not as it should be. That it ends well, CI runs it to see."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local.audio import JitterBuffer, Recording, write_recording
from local.captions import Cue
from local.client import Chunk
from local.demo.broken import BROKEN, BROKEN_IN_A_SESSION, CLOSING, Broken
from local.demo.record import DemoResult, ListenerResult, Voice, percentile
from local.demo.run import INTERPRETATION, voices_of
from local.demo.summary import voice_line
from local.talk import Heard
from tests.sounds import read_wav

ROOT = Path(__file__).parent.parent
SPEECH = ROOT / "local" / "recordings" / "speech.wav"
FORMAT = {"sampleRate": 16_000, "channels": 1}
FINE = {"name": "audio", "errors": 0, "timeouts": 0, "crashes": 0}
PCM = bytes(range(200))
BAD = Broken("a list", "VALIDATION_INVALID_MESSAGE_FORMAT", "[]")


FLOOR = Voice("floor", [PCM, PCM], [Cue("1", "Hello.", 0, 1000, 0.0)])
CHANNEL = Voice("de", [bytes(200)], [])


def listener(
    *numbers: int, messages=("sessionEnded",), pcm=PCM, captions=None, voice=FLOOR
) -> ListenerResult:
    heard = Heard(FORMAT, JitterBuffer(0.4))
    for number in numbers:
        heard.add(Chunk(number, pcm, 0.0, 1.0))
    return ListenerResult("es", voice, heard, captions, list(messages))


def problems(**changes) -> list[str]:
    """Return what is wrong with a record in which only these things are not fine."""
    fine = {
        "voices": [FLOOR],
        "listeners": [listener(0, 1)],
        "refusals": [(BAD, BAD.due, "no")],
        "flood_sent": 120,
        "flood_refused": 60,
        "flood_allowed": 80.0,
        "lines": [("audio", {})],
        "functions": [FINE],
        "metrics": {"ListenersNotified": 1.0},
    }
    record = DemoResult(**{**fine, **changes})
    record.check()
    return record.problems


def test_what_is_as_it_should_be_is_no_problem():
    assert problems() == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param(
            {"listeners": [listener(0)]},
            "the listener in es heard 1 of 2 chunks, or not in their order",
            id="chunk-missing",
        ),
        pytest.param(
            {"listeners": [listener(1, 0)]},
            "the listener in es heard 2 of 2 chunks, or not in their order",
            id="order",
        ),
        pytest.param(
            {"listeners": [listener(0, 1, pcm=bytes(200))]},
            "the listener in es heard something else than was said",
            id="other-sound",
        ),
        pytest.param(
            {"listeners": [listener(0, 1, messages=["broadcastPaused"])]},
            "the listener in es was not told that the session ended",
            id="no-end",
        ),
        pytest.param(
            {"listeners": [listener(0, 1, captions=[])]},
            "the listener in es had 0 of 1 captions, or others",
            id="caption-missing",
        ),
        pytest.param(
            {"listeners": [listener(0, 1, captions=["Hallo."])]},
            "the listener in es had 1 of 1 captions, or others",
            id="caption-of-another",
        ),
        pytest.param(
            {"listeners": [listener(0, 1, messages=["caption", "sessionEnded"])]},
            "the listener in es had more captions than were due",
            id="caption-not-asked-for",
        ),
        pytest.param({"voices": [FLOOR, CHANNEL]}, "nobody heard de", id="channel-unheard"),
        pytest.param(
            {"refusals": [(BAD, "INTERNAL_SERVER_ERROR", "no")]},
            "a list: due was VALIDATION_INVALID_MESSAGE_FORMAT, got INTERNAL_SERVER_ERROR",
            id="another-code",
        ),
        pytest.param({"flood_refused": 39}, "81 requests at once got through, 80 may", id="flood"),
        pytest.param(
            {"functions": [FINE | {"crashes": 1}]},
            "audio: {'errors': 0, 'timeouts': 0, 'crashes': 1}",
            id="crash",
        ),
        pytest.param(
            {"lines": []}, "CloudWatch Logs have no line with the session's id", id="no-lines"
        ),
        pytest.param({"metrics": {}}, "ListenersNotified adds up to 0, due was 1", id="no-metrics"),
        pytest.param(
            {"metrics": {"ListenersNotified": 2}},
            "ListenersNotified adds up to 2, due was 1",
            id="counted-twice",
        ),
        pytest.param(
            {
                "voices": [CHANNEL],
                "listeners": [listener(0, voice=CHANNEL, pcm=bytes(200))],
                "num_interpreters": 2,
            },
            "ListenersNotified adds up to 1, due was 4",
            id="channel-not-counted",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_named(changes, problem):
    assert problems(**changes) == [problem]


def test_captions_may_come_in_any_order():
    voice = replace(FLOOR, cues=[*FLOOR.cues, Cue("2", "Bye.", 0, 1000, 1.0)])

    found = problems(
        voices=[voice], listeners=[listener(0, 1, voice=voice, captions=["Bye.", "Hello."])]
    )

    assert found == []


@pytest.mark.parametrize(
    ("voice", "listeners", "line"),
    [
        (
            FLOOR,
            [listener(0, 1, captions=["Hello."]), listener(0, 1)],
            "the speaker: 2 of 2 chunks heard by 2 listeners, byte for byte; "
            "1 of 1 caption read by 1 listener",
        ),
        (
            CHANNEL,
            [listener(0, voice=CHANNEL, captions=[])],
            "the interpreter for de: 1 of 1 chunk heard by 1 listener, not byte for byte; "
            "0 of 0 captions read by 1 listener",
        ),
        (
            FLOOR,
            [listener(0)],
            "the speaker: 1 of 2 chunks heard by 1 listener, not byte for byte; "
            "0 of 1 caption read by 0 listeners",
        ),
    ],
)
def test_summary_says_what_became_of_each_voice(voice, listeners, line):
    assert voice_line(voice, listeners) == line


def test_interpretation_is_sent_as_it_is_where_it_fits():
    sound = read_wav(SPEECH)

    floor, channel = asyncio.run(voices_of(SPEECH, sound))

    assert b"".join(floor.chunks) == sound.pcm
    assert b"".join(channel.chunks) == read_wav(INTERPRETATION).pcm
    assert [len(voice.cues) for voice in (floor, channel)] == [2, 2]


def test_interpretation_is_converted_to_the_format_of_the_recording():
    sound = Recording(bytes(range(240)) * 160, 48_000, 2)

    floor, channel = asyncio.run(voices_of(Path("music.mp3"), sound))

    assert len(b"".join(channel.chunks)) == 3 * 2 * len(read_wav(INTERPRETATION).pcm)
    assert [len(voice.cues) for voice in (floor, channel)] == [0, 2]


def test_broken_messages_fit_into_a_frame_unless_that_is_what_is_broken():
    assert max(len(one.frame) for one in [*BROKEN, *BROKEN_IN_A_SESSION]) <= 32_768
    assert [len(broken.frame) > 32_768 for broken in CLOSING] == [False, True]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([5], 95, 5),
        (list(range(1, 101)), 95, 95),
        (list(range(1, 101)), 0, 1),
        ([3, 1, 2], 50, 2),
        ([3, 1, 2], 100, 3),
    ],
)
def test_percentile_is_a_value_that_was_seen(values, percent, expected):
    assert percentile(values, percent) == expected


def demo(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "local", "demo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_demo_without_its_recording_says_so(tmp_path):
    run = demo(str(tmp_path / "missing.wav"))

    assert run.returncode == 2
    assert "does not exist" in run.stderr


def test_demo_refuses_a_recording_that_is_too_long(tmp_path):
    path = tmp_path / "long.wav"
    write_recording(path, Recording(bytes(601 * 16_000), 8_000, 1))

    run = demo(str(path))

    assert run.returncode == 1
    assert run.stderr == "Error: long.wav plays for 601 s: the demo takes at most 600 s\n"


def test_silence_stands_for_a_chunk_that_is_missing():
    heard = listener(0, 2).heard

    assert heard.recording.pcm == PCM + bytes(200) + PCM
