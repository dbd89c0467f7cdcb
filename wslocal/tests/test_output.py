"""What a process writes is kept in lines, within a bound, and what was dropped is counted."""

import os

import pytest

from wslocal.lambda_host import output
from wslocal.lambda_host.output import Output


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield os.fdopen(reading, "rb"), writing
    os.close(writing)


def test_lines_come_when_they_are_finished(pipe):
    seen = []
    kept = Output(pipe[0], seen.append)

    os.write(pipe[1], b"one\ntw")
    kept.pull()
    first = list(seen)
    os.write(pipe[1], b"o\nlast")
    kept.pull()

    assert first == ["one"]
    assert kept.take() == ["one", "two", "last"]
    assert seen == ["one", "two", "last"]
    kept.close()


def test_what_is_beyond_the_bound_is_dropped_and_counted_in_a_line(pipe, monkeypatch):
    monkeypatch.setattr(output, "_MAX_BYTES", 8)
    seen = []
    kept = Output(pipe[0], seen.append)

    os.write(pipe[1], b"12345\n")
    kept.pull()
    os.write(pipe[1], b"67890\n")
    kept.pull()
    bounded = kept.take()
    os.write(pipe[1], b"again\n")
    kept.pull()

    assert bounded == ["12345", "[6 bytes dropped]"]
    assert kept.take() == ["again"]
    assert seen == ["12345", "[6 bytes dropped]", "again"]
    kept.close()
