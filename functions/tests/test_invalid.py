import pytest

from broadcast.invalid import InvalidMessages
from broadcast.pace import MAX_SENDERS, PaceDecision

ANSWERED = PaceDecision(allowed=True)
WARNED = PaceDecision(allowed=True, warn=True)
CLOSED = PaceDecision(allowed=False, close=True)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def messages(clock):
    return InvalidMessages(20, clock)


def invalid(messages: InvalidMessages, times: int = 1, sender: str = "ann") -> list[PaceDecision]:
    """Send invalid messages, each as the handler meets it."""
    verdicts = []
    for _ in range(times):
        assert not messages.is_shut(sender)
        verdicts.append(messages.judge(sender))
    return verdicts


def valid(messages: InvalidMessages, sender: str = "ann") -> None:
    assert not messages.is_shut(sender)


def test_fifth_invalid_message_in_a_row_is_warned_of_and_the_sixth_closes(messages):
    assert invalid(messages, 6) == [ANSWERED] * 4 + [WARNED, CLOSED]


def test_each_one_beyond_the_limit_closes_again(messages):
    """The first close may have failed."""
    assert invalid(messages, 8)[-2:] == [CLOSED, CLOSED]


def test_valid_message_ends_the_row(messages):
    first = invalid(messages, 4)
    valid(messages)

    assert [*first, *invalid(messages, 4)] == [ANSWERED] * 8


def test_valid_message_after_the_warning_ends_the_row_as_well(messages):
    invalid(messages, 5)
    valid(messages)

    assert invalid(messages, 4) == [ANSWERED] * 4


def test_twentieth_in_a_minute_is_warned_of_and_the_next_closes(messages):
    verdicts = []
    for _ in range(21):
        verdicts += invalid(messages)
        valid(messages)

    assert verdicts == [ANSWERED] * 19 + [WARNED, CLOSED]


def test_one_in_three_seconds_is_answered_for_ever_and_warned_of_once_a_minute(messages, clock):
    verdicts = []
    for _ in range(60):
        verdicts += invalid(messages)
        valid(messages)
        clock.now += 3

    assert all(verdict.allowed for verdict in verdicts)
    assert not any(verdict.warn for verdict in verdicts)


def test_warning_comes_once_a_minute(messages, clock):
    first = invalid(messages, 5)
    valid(messages)
    clock.now += 59.9
    second = invalid(messages, 5)
    valid(messages)
    clock.now += 60

    third = invalid(messages, 5)

    assert [first[4], second[4], third[4]] == [WARNED, ANSWERED, WARNED]


def test_limit_of_one_a_minute_comes_before_five_in_a_row(clock):
    assert invalid(InvalidMessages(1, clock), 2) == [WARNED, CLOSED]


def test_senders_are_counted_apart(messages):
    invalid(messages, 5)

    assert invalid(messages, 1, "bob") == [ANSWERED]


def test_nothing_is_remembered_of_who_sends_only_valid_messages(messages):
    valid(messages)

    assert messages._senders == {}


def test_closed_connection_is_not_read_for_a_minute(messages, clock):
    messages.shut("ann", closed=True)

    clock.now += 59.9
    before = messages.is_shut("ann")
    clock.now += 0.1

    assert (before, messages.is_shut("ann"), messages.is_shut("bob")) == (True, False, False)


def test_connection_that_could_not_be_closed_is_tried_again_after_a_second(messages, clock):
    invalid(messages, 6)
    messages.shut("ann", closed=False)

    clock.now += 0.9
    before = messages.is_shut("ann")
    clock.now += 0.1

    assert before
    assert invalid(messages) == [CLOSED]


def test_valid_messages_of_a_connection_that_could_not_be_closed_end_the_row(messages, clock):
    invalid(messages, 6)
    messages.shut("ann", closed=False)
    clock.now += 60

    valid(messages)
    valid(messages)

    assert invalid(messages) == [ANSWERED]


def test_memory_is_bounded_and_who_was_silent_longest_is_forgotten(messages):
    invalid(messages, 1, "first")
    invalid(messages, 4, "second")
    invalid(messages, 4, "first")

    [messages.judge(f"sender-{number}") for number in range(MAX_SENDERS - 1)]

    assert len(messages._senders) == MAX_SENDERS
    assert messages.judge("first") == CLOSED
    assert messages.judge("second") == ANSWERED
