"""Failures of a kind cost one line, then a count."""

import logging

import pytest

from wslocal.failures import FailureLog


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def failures(clock):
    return FailureLog(logging.getLogger("tested.failures"), (OSError,), clock)


def test_first_one_is_logged_and_later_ones_are_counted(failures, clock, caplog):
    for number in range(1000):
        failures.report("audio", OSError(f"no answer {number}"))
    clock.now += 59.9
    failures.report("audio", OSError("still none"))

    assert caplog.messages == ["audio: no answer 0"]

    clock.now += 0.1
    failures.report("audio", OSError("none at all"))

    assert caplog.messages[1:] == ["audio: none at all (1001 more of this kind)"]


def test_count_starts_again_after_its_line(failures, clock, caplog):
    failures.report("audio", OSError("a"))
    clock.now += 60
    failures.report("audio", OSError("b"))
    failures.report("audio", OSError("c"))
    failures.flush()
    failures.flush()

    assert caplog.messages == [
        "audio: a",
        "audio: b (1 more of this kind)",
        "audio: c (1 more of this kind)",
    ]


def test_other_contexts_and_other_types_are_kinds_of_their_own(failures, caplog):
    failures.report("audio", OSError("a"))
    failures.report("control", OSError("a"))
    failures.report("audio", FileNotFoundError("a"))

    assert caplog.messages == ["audio: a", "control: a", "audio: a"]


def test_traceback_is_written_once_and_not_for_what_is_expected(failures, caplog):
    failures.report("audio", OSError("plain"))
    failures.report("audio", ValueError("a defect"))
    failures.report("audio", ValueError("a defect"))
    failures.flush()

    assert [record.exc_info is None for record in caplog.records] == [True, False, True]


def test_error_without_a_message_is_named(failures, caplog):
    failures.report("audio", TimeoutError())

    assert caplog.messages == ["audio: TimeoutError"]
