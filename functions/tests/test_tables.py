"""How long the calls of an event may take, all together."""

import threading
from contextvars import copy_context
from types import SimpleNamespace

import pytest

from broadcast import tables
from broadcast.tables import Items, calls_within, limit_calls, seconds_left
from shared_utils.dynamodb import DynamoDBError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class SlowTable:
    """A table whose calls take `seconds` and fail; keeps how long each might take."""

    seconds = 0.6

    def __init__(self, clock: Clock) -> None:
        self.timeouts: list[float] = []
        self._clock = clock

    def update_item(self, *, timeout_seconds, **_):
        self.timeouts.append(round(timeout_seconds, 3))
        self._clock.now += min(self.seconds, max(timeout_seconds, 0))
        raise DynamoDBError("UpdateItem", "TimeoutError", outcome_unknown=timeout_seconds > 0)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(tables, "time", SimpleNamespace(monotonic=clock))
    return clock


@pytest.fixture
def failures():
    return []


@pytest.fixture
def items(clock, failures, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    items = Items("Sessions", "sessionId", lambda *failure: failures.append(failure))
    items.table = SlowTable(clock)
    return items


def update(items):
    with pytest.raises(DynamoDBError):
        items.update("a", "SET #b = :c", "attribute_exists(#b)", {":c": 1})


def alone(*steps):
    """Do steps in a context of their own, as an event is."""
    copy_context().run(lambda: [step() for step in steps])


def test_call_without_a_deadline_has_its_own_time(items):
    update(items)

    assert items.table.timeouts == [6, 5.4, 4.8]
    assert seconds_left() == float("inf")


def test_all_calls_of_an_event_share_its_time(items, failures):
    alone(lambda: limit_calls(1.5), lambda: update(items), lambda: update(items))

    assert items.table.timeouts == [1.5, 0.9, 0.3, 0]
    assert failures == [("update_item", "TimeoutError")] * 2


def test_time_of_one_event_is_not_the_next_ones(items):
    alone(lambda: limit_calls(1.5), lambda: update(items))
    items.table.timeouts.clear()

    alone(lambda: limit_calls(1.5), lambda: update(items))

    assert items.table.timeouts == [1.5, 0.9, 0.3]


def test_part_of_an_event_has_its_own_time_and_then_the_events(items, clock):
    def part():
        limit_calls(1.8)
        with calls_within(0.2):
            update(items)
            left = seconds_left()
        return left, seconds_left()

    left, after = copy_context().run(part)

    assert items.table.timeouts == [0.2]
    assert (left, after) == (0, pytest.approx(1.6))


def test_part_of_an_event_may_go_on_when_its_time_is_over(items):
    """To undo what is half done."""

    def part():
        limit_calls(0)
        with calls_within(0.3):
            update(items)

    copy_context().run(part)

    assert items.table.timeouts == [0.3]


def test_thread_without_the_events_context_has_its_own_time(items, clock):
    def part():
        limit_calls(0.1)
        thread = threading.Thread(target=update, args=(items,))
        thread.start()
        thread.join()

    copy_context().run(part)

    assert items.table.timeouts == [6, 5.4, 4.8]
