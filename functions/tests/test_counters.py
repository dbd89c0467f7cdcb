"""What is counted for all environments, against a real DynamoDB API: how often, and until when."""

import threading
import time

import pytest

from broadcast import counters as module
from broadcast.counters import Counters
from broadcast.tables import Items, calls_within, seconds_left
from shared_utils.dynamodb import DynamoDBError

NOW = 1_767_225_600
NOW_MS = NOW * 1000


class MovableCounters(Counters):
    """Counters whose clock is moved by the test, in seconds; `client` is boto3's."""

    now = NOW

    def __init__(self, client, table_name):
        self.client = client
        self.failures = []
        items = Items(table_name, "identifier", lambda *failure: self.failures.append(failure))
        super().__init__(items, lambda: int(self.now * 1000))

    def raw(self, identifier):
        key = {"identifier": {"S": identifier}}
        name = self._items.table.name
        return self.client.get_item(TableName=name, Key=key, ConsistentRead=True).get("Item")


@pytest.fixture
def counters(dynamodb, tables):
    return MovableCounters(dynamodb, tables["counters"])


@pytest.fixture
def elsewhere(dynamodb, tables):
    """Return the counters of another environment, which remembers nothing of this one."""
    return MovableCounters(dynamodb, tables["counters"])


def fail(counters, times, address="a", limit=3):
    for _ in range(times):
        counters.end_join(counters.begin_join(address, limit), failed=True)


# --- new sessions


def test_creations_are_counted_in_a_window_that_begins_with_the_first(counters):
    first = [counters.count_creation("192.0.2.1", 2) for _ in range(3)]
    counters.now += 59
    last = counters.count_creation("192.0.2.1", 2)
    counters.now += 1
    after = [counters.count_creation("192.0.2.1", 2) for _ in range(3)]

    assert (first, last, after) == ([0, 0, 60_000], 1000, [0, 0, 60_000])


def test_addresses_are_counted_apart_and_forgotten(counters):
    assert [counters.count_creation(address, 1) for address in ("a", "b")] == [0, 0]
    assert counters.raw("createSession#a") == {
        "identifier": {"S": "createSession#a"},
        "count": {"N": "1"},
        "windowStart": {"N": str(NOW_MS)},
        "expiresAt": {"N": str(NOW + 3600)},
    }


# --- failed joins


def test_join_beyond_the_limit_must_not_look_until_the_window_is_over(counters, elsewhere):
    fail(counters, 3)

    assert counters.begin_join("a", 3).retry_after_ms == 60_000
    for one in (counters, elsewhere):
        one.now += 59.5
        refused = one.begin_join("a", 3)
        assert (refused.retry_after_ms, refused.is_busy) == (500, False)
        one.now += 0.5
    assert [one.begin_join("a", 3).retry_after_ms for one in (counters, elsewhere)] == [0, 0]


def test_around_the_end_of_a_window_twice_the_limit_may_look(counters):
    counters.end_join(counters.begin_join("a", 3), failed=False)  # opens the window
    counters.now += 59.9
    fail(counters, 3)
    last = counters.begin_join("a", 3).retry_after_ms
    counters.now += 0.1
    fail(counters, 3)

    assert (last, counters.begin_join("a", 3).retry_after_ms) == (100, 60_000)


def test_window_of_a_clock_that_is_ahead_lasts_a_minute_at_most(counters, elsewhere):
    elsewhere.now += 600
    fail(elsewhere, 3)

    assert counters.begin_join("a", 3).retry_after_ms == 60_000


def test_address_that_is_full_costs_no_more_calls(counters, monkeypatch):
    fail(counters, 3)
    counters.begin_join("a", 3)
    monkeypatch.setattr(counters._items, "update", pytest.fail)

    assert counters.begin_join("a", 3).retry_after_ms == 60_000


def test_what_is_remembered_of_addresses_is_bounded(counters, monkeypatch):
    monkeypatch.setattr(module, "MAX_SENDERS", 2)
    for address in ("a", "b", "c"):
        fail(counters, 1, address, limit=1)
        counters.begin_join(address, 1)

    assert list(counters._full) == ["b", "c"]
    assert counters.begin_join("a", 1).retry_after_ms == 60_000


def test_join_that_does_not_fail_is_counted_no_longer(counters):
    for _ in range(10):
        counters.end_join(counters.begin_join("a", 3), failed=False)
    fail(counters, 2)

    assert counters.begin_join("a", 3).retry_after_ms == 0


def test_window_begins_with_its_first_join(counters):
    counters.end_join(counters.begin_join("a", 3), failed=False)
    counters.now += 20
    fail(counters, 3)

    assert counters.begin_join("a", 3).retry_after_ms == 40_000


def test_addresses_do_not_share_what_failed(counters):
    fail(counters, 3, "a")

    assert counters.begin_join("b", 3).retry_after_ms == 0


def test_join_that_never_ends_is_forgotten_with_its_window(counters, monkeypatch):
    monkeypatch.setattr(module, "_MAX_WAIT_SECONDS", 0)
    for _ in range(3):
        counters.begin_join("a", 3)

    busy = counters.begin_join("a", 3)
    counters.now += 60
    again = [counters.begin_join("a", 3) for _ in range(4)]

    assert (busy.retry_after_ms, busy.is_busy) == (1000, True)
    assert [one.retry_after_ms for one in again] == [0, 0, 0, 1000]


def test_joins_that_never_end_are_waited_for_for_a_while_only(counters):
    """Else each of a flood would wait for them until the window is over."""
    fail(counters, 1)
    for _ in range(2):
        counters.begin_join("a", 3)
    counters._sleep = lambda _: setattr(counters, "now", counters.now + 2.5)

    refused = counters.begin_join("a", 3)
    counters._sleep = pytest.fail
    again = counters.begin_join("a", 3)

    assert (refused.retry_after_ms, refused.is_busy) == (55_000, False)
    assert again.retry_after_ms == 55_000


def test_end_of_a_join_of_another_window_changes_nothing(counters):
    old = [counters.begin_join("a", 3) for _ in range(2)]
    counters.now += 60
    fail(counters, 2)

    counters.end_join(old[0], failed=True)
    counters.end_join(old[1], failed=False)

    assert len(counters.raw("joinSession#a")["attempts"]["M"]) == 2


def test_item_of_an_address_has_nothing_but_random_names(counters):
    fail(counters, 1, "192.0.2.1")

    item = counters.raw("joinSession#192.0.2.1")
    [(name, failed)] = item.pop("attempts")["M"].items()
    assert (len(bytes.fromhex(name)), failed) == (8, {"N": "0"})
    assert item == {
        "identifier": {"S": "joinSession#192.0.2.1"},
        "windowStart": {"N": str(NOW_MS)},
        "expiresAt": {"N": str(NOW + 3600)},
    }


def test_join_waits_for_those_that_look(counters):
    looking = [counters.begin_join("a", 3) for _ in range(3)]
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            counters.end_join(looking[0], failed=False)

    counters._sleep = sleep
    assert counters.begin_join("a", 3).retry_after_ms == 0
    assert len(waits) == 2
    assert all(0.1 <= seconds < 0.3 for seconds in waits)


def test_join_does_not_wait_once_those_that_looked_have_failed(counters):
    looking = [counters.begin_join("a", 3) for _ in range(3)]

    def sleep(_):
        for attempt in looking:
            counters.end_join(attempt, failed=True)

    counters._sleep = sleep
    refused = counters.begin_join("a", 3)

    assert (refused.retry_after_ms, refused.is_busy) == (60_000, False)


def test_join_leaves_time_for_its_own_calls(counters):
    for _ in range(3):
        counters.begin_join("a", 3)

    with calls_within(1.0):
        refused = counters.begin_join("a", 3)
        left = seconds_left()

    assert refused.is_busy
    assert left > 0.3  # of 0.6, for a machine that is slow


@pytest.mark.threat("guessed-id", "guessed-key")
def test_fifty_at_once_are_ten_that_look(dynamodb, tables, monkeypatch):
    """In environments of their own; each that may look keeps its place until all have asked."""
    monkeypatch.setattr(module, "_MAX_WAIT_SECONDS", 0)
    environments = [MovableCounters(dynamodb, tables["counters"]) for _ in range(50)]
    attempts = []

    def guess(one):
        attempts.append((one, one.begin_join("a", 10)))

    threads = [threading.Thread(target=guess, args=(one,)) for one in environments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    looking = [(one, attempt) for one, attempt in attempts if not attempt.retry_after_ms]
    for one, attempt in looking:
        one.end_join(attempt, failed=True)

    assert (len(attempts), len(looking)) == (50, 10)
    assert {one.begin_join("a", 10).is_busy for one in environments} == {False}
    assert {one.begin_join("a", 10).retry_after_ms for one in environments} == {60_000}


def test_wrong_refreshes_count_with_joins_up_to_the_limit(counters):
    for _ in range(9):
        counters.count_failed_refresh("a", 3)

    assert counters.begin_join("a", 3).retry_after_ms == 60_000
    assert len(counters.raw("joinSession#a")["attempts"]["M"]) == 3


def test_joins_and_refreshes_share_what_may_fail(counters):
    fail(counters, 2)
    counters.count_failed_refresh("a", 3)

    assert counters.begin_join("a", 3).retry_after_ms == 60_000


# --- wrong keys


def test_first_wrong_key_beyond_the_limit_is_reported_once_a_minute(counters):
    reported = [counters.count_wrong_key("golden-eagle-427", 3) for _ in range(6)]
    counters.now += 59.9
    same_minute = counters.count_wrong_key("golden-eagle-427", 3)
    counters.now += 0.1
    next_minute = [counters.count_wrong_key("golden-eagle-427", 3) for _ in range(5)]

    assert reported == [False, False, False, True, False, False]
    assert (same_minute, next_minute) == (False, [False, False, False, True, False])


def test_wrong_keys_at_once_are_counted_exactly(counters, dynamodb, tables):
    reported = []

    def guess():
        one = MovableCounters(dynamodb, tables["counters"])
        reported.extend(one.count_wrong_key("golden-eagle-427", 20) for _ in range(3))

    threads = [threading.Thread(target=guess) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(reported) == [False] * 29 + [True]


def test_wrong_keys_are_counted_by_session_and_forgotten(counters):
    counters.now += 12.5
    assert [counters.count_wrong_key(name, 1) for name in ("a", "a", "b")] == [False, True, False]
    assert counters.ms_of_minute_left == 47_500
    assert counters.raw(f"wrongKey#a#{NOW // 60}") == {
        "identifier": {"S": f"wrongKey#a#{NOW // 60}"},
        "count": {"N": "2"},
        "windowStart": {"N": str(NOW_MS)},
        "expiresAt": {"N": str(NOW + 12 + 3600)},
    }


def test_id_that_no_session_can_have_is_counted_all_the_same(counters):
    """It may have 2,048 characters, as a key of DynamoDB."""
    wanted = f"{'a' * 1021}-{'b' * 1022}-000"

    assert [counters.count_wrong_key(wanted, 1) for _ in range(2)] == [False, True]
    assert counters.failures == []


# --- DynamoDB fails


class Failing:
    """A table that fails, or does not answer in time."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def update_item(self, *, timeout_seconds, **_):
        time.sleep(min(self.seconds, timeout_seconds))
        raise DynamoDBError("UpdateItem", "InternalServerError", outcome_unknown=True)


def test_nobody_looks_while_the_counters_fail(counters):
    counters._items.table = Failing()

    with pytest.raises(DynamoDBError) as failed:
        counters.begin_join("a", 3)

    assert failed.value.code.retryable
    assert counters.failures == [("update_item", "InternalServerError")]


@pytest.mark.parametrize(("left", "seconds"), [(5.0, 1.0), (0.75, 0.75), (0.0, 0.5)])
def test_failure_has_more_time_to_be_noted(counters, left, seconds):
    """For a minute a failure that is lost would be one that still looks."""
    attempt = counters.begin_join("a", 3)
    counters._items.table = Failing(5.0)

    started = time.monotonic()
    with calls_within(left):
        assert counters.end_join(attempt, failed=True) is False

    assert time.monotonic() - started == pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda c, attempt: c.end_join(attempt, failed=False), id="success"),
        pytest.param(lambda c, attempt: c.count_failed_refresh("a", 3), id="refresh"),
        pytest.param(lambda c, attempt: c.count_wrong_key("a", 3), id="wrong-key"),
    ],
)
def test_what_is_noted_afterwards_fails_soon_and_nobody_hears_of_it(counters, call):
    attempt = counters.begin_join("a", 3)
    counters._items.table = Failing(5.0)

    started = time.monotonic()
    call(counters, attempt)

    assert time.monotonic() - started < 0.8
    assert counters.failures == [("update_item", "InternalServerError")]
