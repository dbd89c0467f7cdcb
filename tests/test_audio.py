"""Recordings lose nothing, and the jitter buffer gives back the order in which chunks were spoken."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.audio import JitterBuffer, Recording, check_writable, in_pieces, write_recording
from tests.sounds import read_wav

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


def test_a_recording_is_written_as_it_is(tmp_path):
    recording = Recording(bytes(range(200)) * 12, 24_000, 2)

    write_recording(tmp_path / "music.wav", recording)

    assert read_wav(tmp_path / "music.wav") == recording
    assert recording.seconds == 0.025
    assert recording.audio_format == {
        "encoding": "pcm_s16le",
        "sampleRate": 24_000,
        "channels": 2,
    }


@pytest.mark.parametrize("rest", [0, 2, 98])
def test_a_rest_that_is_no_chunk_goes_with_the_one_before_it(rest):
    recording = Recording(bytes(6400 + rest), 16_000, 1)

    assert [len(chunk) for chunk in recording.chunks(100)] == [3200, 3200 + rest]


def test_a_rest_that_is_a_chunk_is_one():
    assert [len(chunk) for chunk in Recording(bytes(3300), 16_000, 1).chunks(100)] == [3200, 100]


@given(st.lists(st.binary(max_size=300)), st.integers(100, 400))
def test_pieces_are_of_one_size_whatever_the_blocks(blocks, size):
    whole = b"".join(blocks)

    pieces = list(in_pieces(blocks, size))

    assert b"".join(pieces) == whole
    assert pieces == list(in_pieces([whole], size))
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    assert len(pieces) < 2 or 100 <= len(pieces[-1]) < size + 100


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
