"""Who is closed, who is waited for and how long, post by post, with a clock that the test moves."""

from pathlib import Path

import pytest

from broadcast.deliveries import Deliveries

MANUAL = (Path(__file__).parents[2] / "docs/operations.md").read_text()

NEVER = None  # no post of a row closes anybody


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def deliveries(clock):
    return Deliveries(clock)


def posts_of(row: str) -> list[dict[str, str]]:
    """Return calls from a row of words, each `connection:kind`, joined by `+` if they are one call."""
    return [dict(post.split(":") for post in call.split("+")) for call in row.split()]


STUCK, SLOW, FINE = "x:timeout", "x:throttled", "a:sent"


@pytest.mark.parametrize(
    ("row", "closed_by"),
    [
        # With others who are reached.
        pytest.param(f"{STUCK}+{FINE} " * 10, 10, id="ten-time-outs"),
        pytest.param(f"{SLOW}+{FINE} " * 10, 10, id="ten-429"),
        pytest.param(f"{SLOW}+{FINE} {STUCK}+{FINE} " * 5, 10, id="ten-of-both"),
        pytest.param(f"{STUCK}+{FINE} " * 9, NEVER, id="nine"),
        pytest.param(f"{STUCK} {FINE} " * 10, 19, id="calls-of-another-session"),
        pytest.param(
            f"{STUCK}+{FINE} " * 9 + f"x:sent {STUCK}+{FINE} " * 9, NEVER, id="one-that-got-through"
        ),
        pytest.param(
            f"{STUCK}+{FINE} " * 9 + f"x:failed {STUCK}+{FINE} " + f"{STUCK}+{FINE} " * 8,
            NEVER,
            id="one-that-failed-otherwise",
        ),
        pytest.param(
            f"{STUCK}+{FINE} " * 9 + f"x:failed {FINE} " + f"{STUCK}+{FINE} " * 10,
            21,
            id="ten-after-one-that-failed-otherwise",
        ),
        # Half of the others.
        pytest.param(f"{STUCK}+{FINE}+b:throttled " * 10, 10, id="half-of-the-others-reached"),
        pytest.param(
            f"{STUCK}+{FINE}+b:throttled " * 9 + f"{STUCK}+b:throttled ",
            NEVER,
            id="one-less-than-half",
        ),
        pytest.param(f"{SLOW}+a:throttled+b:throttled " * 40, NEVER, id="all-get-429"),
        pytest.param(f"{STUCK}+a:failed " * 40, NEVER, id="the-others-fail-otherwise"),
        pytest.param(
            f"{SLOW}+a:throttled " * 30 + f"{SLOW}+{FINE} " * 10, 35, id="the-last-ten-posts-count"
        ),
        # Nobody else.
        pytest.param(f"{STUCK} " * 10, 10, id="alone-ten-time-outs"),
        pytest.param(f"{STUCK} " * 9, NEVER, id="alone-nine-time-outs"),
        pytest.param(f"{SLOW} " * 40, NEVER, id="alone-429"),
        pytest.param(f"{SLOW} " + f"{STUCK} " * 9, NEVER, id="alone-nine-time-outs-after-429"),
        pytest.param(f"{FINE} " * 10 + f"{SLOW} " * 40, NEVER, id="others-before-the-row"),
    ],
)
def test_row_that_closes(deliveries, row, closed_by):
    """`closed_by` is the number of the first call after which `x` is to be closed, from 1."""
    closing = [
        number
        for number, kinds in enumerate(posts_of(row), 1)
        if "x" in deliveries.count(kinds, 0.01)
    ]

    assert (closing[0] if closing else NEVER) == closed_by


def test_who_is_not_closed_at_once_is_named_again(deliveries):
    calls = [deliveries.count({"x": "timeout", "a": "sent"}, 0.01) for _ in range(11)]

    assert calls[8:] == [[], ["x"], ["x"]]


def test_several_may_be_stuck_at_the_same_post(deliveries):
    kinds = {"x": "timeout", "y": "throttled", "a": "sent", "b": "sent"}

    calls = [deliveries.count(kinds, 0.01) for _ in range(10)]

    assert calls[-1] == ["x", "y"]


# --- who is posted to


def test_all_are_posted_to_as_long_as_nobody_is_suspected(deliveries):
    deliveries.count_sent(2, 0.01)

    assert deliveries.sort(["a", "b"]) == (["a", "b"], [], {})


@pytest.mark.parametrize("kind", ["timeout", "throttled"])
def test_suspect_comes_after_the_others(deliveries, kind):
    deliveries.count({"a": "sent", "x": kind}, 0.01)

    assert deliveries.sort(["x", "a"]) == (["a"], ["x"], {})
    assert deliveries.is_suspect("x")


@pytest.mark.parametrize("kind", ["sent", "failed", "gone", "forbidden", "too_large"])
def test_who_answers_otherwise_is_no_suspect(deliveries, kind):
    deliveries.count({"x": "timeout"}, 0.01)
    deliveries.count({"x": kind}, 0.01)

    assert deliveries.sort(["x"]) == (["x"], [], {})


def test_suspect_is_forgotten_after_half_a_minute_without_a_post(deliveries, clock):
    [deliveries.count({"x": "timeout"}, 0.01) for _ in range(9)]
    clock.now += 29.999
    before = deliveries.is_suspect("x")
    clock.now += 0.001

    assert (before, deliveries.is_suspect("x")) == (True, False)
    assert deliveries.count({"x": "timeout"}, 0.01) == []


def test_who_is_closed_is_not_posted_to(deliveries):
    deliveries.count({"x": "timeout"}, 0.01)

    deliveries.close("x")

    assert deliveries.sort(["x", "a"]) == (["a"], [], {"x": "gone"})


def test_suspects_are_skipped_when_too_much_time_went_into_waiting(deliveries, clock):
    """A tenth of a second at once, then a fifth of the time."""
    deliveries.count({"x": "timeout"}, 0.06)
    after_one = deliveries.sort(["x"])
    deliveries.count({"x": "timeout"}, 0.06)
    after_two = deliveries.sort(["x"])
    clock.now += 0.11  # 0.022 s more may be spent

    assert (after_one, after_two) == (([], ["x"], {}), ([], [], {"x": "skipped"}))
    assert deliveries.sort(["x"]) == ([], ["x"], {})


def test_debt_is_bounded_so_that_nobody_is_skipped_for_long(deliveries, clock):
    [deliveries.count({f"x-{number}": "timeout"}, 0.5) for number in range(12)]
    clock.now += 0.501

    assert deliveries.sort(["x-0"]) == ([], ["x-0"], {})


def test_others_get_half_of_the_time_too_when_so_many_are_stuck(deliveries, clock):
    [deliveries.count_sent(9, 0.015) for _ in range(3)]
    deliveries.count({"x": "timeout"}, 0.12)
    in_debt = deliveries.post_seconds()
    clock.now += 0.2

    assert in_debt == pytest.approx(0.06)
    assert deliveries.post_seconds() == pytest.approx(0.12)


def test_429_costs_no_waiting(deliveries):
    [deliveries.count({"x": "throttled"}, 0.3) for _ in range(9)]

    assert deliveries.sort(["x"]) == ([], ["x"], {})


# --- how long a post may take


@pytest.mark.parametrize(
    ("typical", "seconds", "suspect_seconds"),
    [
        pytest.param(0.001, 0.05, 0.01, id="the-least"),
        pytest.param(0.015, 0.12, 0.03, id="in-proportion"),
        pytest.param(0.2, 0.5, 0.4, id="the-most"),
        pytest.param(0.4, 0.5, 0.5, id="the-most-for-a-suspect"),
    ],
)
def test_time_of_a_post_follows_others(deliveries, typical, seconds, suspect_seconds):
    deliveries.count_sent(3, typical)

    assert deliveries.post_seconds() == pytest.approx(seconds)
    assert deliveries.suspect_seconds() == pytest.approx(suspect_seconds)


def test_time_follows_slowly(deliveries):
    deliveries.count_sent(3, 0.01)
    deliveries.count_sent(3, 0.02)

    assert deliveries.post_seconds() == pytest.approx(8 * 0.011)


def test_first_post_of_an_environment_gets_the_longest_time_and_a_suspect_does_not(deliveries):
    assert (deliveries.post_seconds(), deliveries.suspect_seconds()) == (0.5, 0.05)


def test_when_most_fail_others_get_the_longest_time_and_a_suspect_now_and_then(deliveries, clock):
    """Maybe all are slow now: who would get no more than what was typical could never be reached."""
    deliveries.count_sent(1, 0.001)
    deliveries.count({"x": "timeout", "y": "timeout"}, 0.05)

    usual = deliveries.post_seconds()
    first = [deliveries.suspect_seconds() for _ in range(3)]
    clock.now += 5
    second = deliveries.suspect_seconds()

    assert usual == 0.5
    assert (first, second) == ([0.5, 0.01, 0.01], 0.5)


def test_what_failed_some_time_ago_no_longer_counts(deliveries, clock):
    deliveries.count_sent(1, 0.001)
    [deliveries.count({f"x-{number}": "timeout"}, 0.05) for number in range(10)]
    clock.now += 20
    deliveries.count_sent(1, 0.001)

    assert deliveries.post_seconds() == 0.05


# --- what is remembered


def test_memory_is_bounded_and_who_was_seen_first_goes(deliveries):
    for number in range(1001):
        deliveries.count({f"x-{number}": "timeout"}, 0)
        deliveries.close(f"y-{number}")

    assert not deliveries.is_suspect("x-0")
    assert deliveries.is_suspect("x-1000")
    assert deliveries.sort(["y-0", "y-1000"]) == (["y-0"], [], {"y-1000": "gone"})


# --- what it costs


@pytest.mark.parametrize(
    ("what", "kind", "typical"),
    [
        ("429", "throttled", 0.015),
        ("no answer", "timeout", 0.015),
        ("no answer, in a new environment", "timeout", None),
    ],
)
def test_cost_is_as_the_manual_says(deliveries, clock, what, kind, typical):
    """Lambda's price and memory are those of docs/scale.md; a 429 is answered in the usual time."""
    if typical is not None:
        deliveries.count_sent(9, typical)
    chunks = posts = waited = 0.0
    stuck: list[str] = []
    while not stuck:
        first, suspects, _ = deliveries.sort(["x"])
        if first or suspects:
            seconds = deliveries.post_seconds() if first else deliveries.suspect_seconds()
            posts += 1
            waited += 0.015 if kind == "throttled" else seconds
            stuck = deliveries.count({"x": kind}, seconds)
        deliveries.count_sent(2, 0.015)
        chunks += 1
        clock.now += 0.1
    row = next(line for line in MANUAL.splitlines() if line.startswith(f"| {what} |"))
    shown = [float(cell) for cell in row.strip("| ").split("|")[1:]]

    dollars = waited * 1769 / 1024 * 0.00001667
    assert shown[:4] == [chunks, posts, round(waited * 1000), round(waited / chunks * 10, 2)]
    assert shown[4:] == pytest.approx([posts / 1e6, dollars], abs=5e-7)
