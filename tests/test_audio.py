"""Recordings lose nothing, and the jitter buffer gives back the order in which chunks were spoken."""

import contextlib
import os
import tempfile
import tracemalloc
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.audio import JitterBuffer, Recording, check_writable, read_recording, write_recording

WAIT = 0.5


def heard(*arrivals: tuple[int, float], until: float) -> tuple[list[int], JitterBuffer]:
    """Push chunks that arrive at these times, and pop after each and at the end."""
    buffer = JitterBuffer(WAIT)
    order = []
    for number, now in arrivals:
        buffer.push(number, f"chunk {number}", now)
        order += [number for number, _ in buffer.pop(now)]
    order += [number for number, _ in buffer.pop(until)]
    return order, buffer


@pytest.mark.parametrize(
    ("arrivals", "order"),
    [
        pytest.param([(0, 0.0), (1, 0.1), (2, 0.2)], [0, 1, 2], id="in-order"),
        pytest.param([(1, 0.0), (0, 0.1), (2, 0.2)], [0, 1, 2], id="first-two-swapped"),
        pytest.param([(0, 0.0), (2, 0.6), (1, 0.7), (3, 0.8)], [0, 1, 2, 3], id="overtaken"),
        pytest.param([(7, 0.0), (8, 0.1)], [7, 8], id="joined-late"),
        pytest.param([(0, 0.0), (0, 0.1), (1, 0.2), (1, 0.9)], [0, 1], id="duplicates"),
        pytest.param([(0, 0.0), (2, 0.2)], [0, 2], id="lost"),
        pytest.param([(0, 0.0), (2, 0.6), (3, 1.2), (1, 1.3)], [0, 2, 3], id="too-late"),
    ],
)
def test_chunks_come_out_in_order(arrivals, order):
    assert heard(*arrivals, until=2.0)[0] == order


def test_first_chunk_waits_for_an_earlier_one_just_so_long():
    buffer = JitterBuffer(WAIT)
    buffer.push(5, "five", 10.0)

    assert buffer.pop(10.49) == []
    assert buffer.pop(10.5) == [(5, "five")]


def test_a_first_chunk_that_is_known_is_ready_at_once():
    buffer = JitterBuffer(WAIT, first=0)
    buffer.push(1, "one", 0.0)

    assert buffer.pop(0.1) == []
    buffer.push(0, "zero", 0.1)
    assert buffer.pop(0.1) == [(0, "zero"), (1, "one")]


def test_next_chunk_is_ready_at_once():
    buffer = JitterBuffer(WAIT)
    buffer.push(0, "zero", 0.0)
    buffer.pop(0.5)
    buffer.push(1, "one", 0.6)

    assert buffer.pop(0.6) == [(1, "one")]


def test_a_gap_is_given_up_just_when_the_chunk_after_it_has_waited():
    buffer = JitterBuffer(WAIT)
    buffer.push(0, "zero", 0.0)
    buffer.pop(0.5)
    buffer.push(3, "three", 1.0)

    assert buffer.due == 1.5
    assert buffer.pop(1.49) == []
    assert buffer.pop(1.5) == [(3, "three")]
    assert buffer.gaps == [range(1, 3)]
    assert buffer.num_missing == 2


def test_what_was_repeated_and_what_came_too_late_is_counted_apart():
    _, buffer = heard((0, 0.0), (2, 0.6), (3, 1.2), (1, 1.3), (3, 1.4), (0, 1.5), until=2.0)

    assert (buffer.late, buffer.duplicates, buffer.num_missing) == (1, 2, 1)


def test_a_number_far_away_costs_no_memory():
    _, buffer = heard((0, 0.0), (2**53, 1.0), until=2.0)

    assert buffer.gaps == [range(1, 2**53)]


def test_an_empty_buffer_is_never_due():
    assert JitterBuffer(WAIT).due == float("inf")


def test_drain_gives_what_is_left_in_order():
    buffer = JitterBuffer(WAIT)
    buffer.push(3, "three", 0.0)
    buffer.push(1, "one", 0.0)

    assert buffer.drain() == [(1, "one"), (3, "three")]


def test_another_part_begins_with_whatever_number_comes():
    buffer = JitterBuffer(WAIT)
    buffer.push(7, "seven", 0.0)
    buffer.push(9, "nine", 0.1)
    assert buffer.pop(0.5) == [(7, "seven")]

    assert buffer.move_to(0) == []
    assert buffer.move_to(1) == [(9, "nine")]
    buffer.push(3, "three", 1.0)
    buffer.push(8, "eight", 1.0)

    assert buffer.pop(1.4) == []
    assert buffer.pop(1.5) == [(3, "three"), (8, "eight")]
    assert buffer.gaps == [range(8, 9), range(4, 8)]


def test_first_number_that_is_known_is_that_of_each_part():
    buffer = JitterBuffer(WAIT, first=0)
    buffer.push(0, "zero", 0.0)
    buffer.pop(0.0)
    buffer.move_to(1)
    buffer.push(1, "one", 0.1)

    assert buffer.pop(0.2) == []
    buffer.push(0, "zero again", 0.2)
    assert buffer.pop(0.2) == [(0, "zero again"), (1, "one")]


def test_gap_of_another_part_makes_no_chunk_late():
    buffer = JitterBuffer(WAIT)
    for number in (0, 2):
        buffer.push(number, "a", 0.0)
    buffer.move_to(1)
    buffer.push(2, "b", 1.0)
    buffer.drain()
    buffer.push(1, "b", 1.1)

    assert (buffer.late, buffer.duplicates) == (0, 1)


@pytest.mark.parametrize(
    ("milliseconds", "sizes"), [(100, [3200, 3200, 1600]), (250, [8000]), (1000, [8000])]
)
def test_chunks_lose_nothing(milliseconds, sizes):
    recording = Recording(bytes(range(250)) * 32, 16_000, 1)

    chunks = recording.chunks(milliseconds)

    assert [len(chunk) for chunk in chunks] == sizes
    assert b"".join(chunks) == recording.pcm


def test_a_recording_is_read_as_it_was_written(tmp_path):
    recording = Recording(bytes(range(200)) * 12, 24_000, 2)

    write_recording(tmp_path / "music.wav", recording)

    assert read_recording(tmp_path / "music.wav") == recording
    assert recording.seconds == 0.025
    assert recording.audio_format == {
        "encoding": "pcm_s16le",
        "sampleRate": 24_000,
        "channels": 2,
    }


@pytest.mark.parametrize(
    ("bits", "rate", "channels", "words"),
    [
        pytest.param(16, 44_100, 2, "16 bit, 44100 Hz, 2 channels", id="rate"),
        pytest.param(8, 16_000, 1, "8 bit, 16000 Hz, 1 channel", id="bits"),
        pytest.param(16, 16_000, 3, "16 bit, 16000 Hz, 3 channels", id="channels"),
    ],
)
def test_a_recording_that_no_session_carries_is_refused(tmp_path, bits, rate, channels, words):
    path = tmp_path / "music.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(bytes(480))

    with pytest.raises(ValueError, match=r"music\.wav is") as refused:
        read_recording(path)

    assert str(refused.value) == (
        "a recording must be 16 bit, 8000, 16000, 24000, 48000 Hz, 1 or 2 channels; "
        f"music.wav is {words}"
    )


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all, but some text"])
def test_a_file_without_sound_is_refused(tmp_path, content):
    path = tmp_path / "noise.wav"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"noise\.wav is not a WAV file"):
        read_recording(path)


@pytest.mark.parametrize("rest", [0, 2, 98])
def test_a_rest_that_is_no_chunk_goes_with_the_one_before_it(rest):
    recording = Recording(bytes(6400 + rest), 16_000, 1)

    assert [len(chunk) for chunk in recording.chunks(100)] == [3200, 3200 + rest]


def test_a_rest_that_is_a_chunk_is_one():
    assert [len(chunk) for chunk in Recording(bytes(3300), 16_000, 1).chunks(100)] == [3200, 100]


def test_a_file_that_was_cut_keeps_its_whole_samples(tmp_path):
    path = tmp_path / "cut.wav"
    write_recording(path, Recording(bytes(range(200)) * 2, 16_000, 2))
    path.write_bytes(path.read_bytes()[:-3])

    assert read_recording(path) == Recording((bytes(range(200)) * 2)[:396], 16_000, 2, 4)


def test_a_header_that_claims_gigabytes_costs_no_memory(tmp_path):
    path = tmp_path / "claims.wav"
    write_recording(path, Recording(bytes(3200), 16_000, 1))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    tracemalloc.start()

    recording = read_recording(path)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert recording.pcm == bytes(3200)
    assert recording.missing_bytes == 2**31 - 3200
    assert round(recording.missing_seconds) == 67_109
    assert most < 10_000_000


@pytest.mark.parametrize("size", [0, 98])
def test_a_file_with_less_than_a_chunk_is_refused(tmp_path, size):
    path = tmp_path / "short.wav"
    write_recording(path, Recording(bytes(size), 16_000, 1))

    with pytest.raises(ValueError, match=rf"short\.wav has no sound: {size} bytes, at least 100"):
        read_recording(path)


@given(st.data())
def test_a_broken_file_is_read_or_refused_in_words(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "broken.wav"
        write_recording(path, Recording(bytes(range(200)) * 4, 16_000, 1))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

        with contextlib.suppress(ValueError):
            assert len(read_recording(path).pcm) >= 100


def test_a_path_that_can_be_written_is_left_as_it_was(tmp_path):
    old = tmp_path / "old.wav"
    old.write_text("old")

    check_writable(old)
    check_writable(tmp_path / "new.wav")

    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_a_path_that_cannot_be_written_is_refused(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    with pytest.raises(ValueError, match="fifo cannot be written: it is no file"):
        check_writable(fifo)
    with pytest.raises(ValueError, match="cannot be written: No such file or directory"):
        check_writable(tmp_path / "nowhere" / "new.wav")
    with pytest.raises(ValueError, match="cannot be written: it is no file"):
        check_writable(tmp_path)
