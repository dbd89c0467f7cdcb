import pytest

from broadcast.pace import MAX_SENDERS, Pace, PaceDecision, PerMinute, TokenBuckets


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def take(buckets: TokenBuckets, times: int, sender: str = "a") -> list[bool]:
    return [buckets.take(sender) for _ in range(times)]


def test_burst_is_allowed_and_one_more_is_not(clock):
    buckets = TokenBuckets(per_second=50, burst=50, clock=clock)

    assert take(buckets, 51) == [True] * 50 + [False]


def test_tokens_come_back_at_the_rate(clock):
    buckets = TokenBuckets(per_second=50, burst=50, clock=clock)
    take(buckets, 51)

    clock.now += 0.1

    assert take(buckets, 6) == [True] * 5 + [False]


def test_refusals_cost_nothing(clock):
    buckets = TokenBuckets(per_second=2, burst=1, clock=clock)
    take(buckets, 100)

    clock.now += 0.5

    assert take(buckets, 2) == [True, False]


def test_silence_fills_the_bucket_no_further_than_the_burst(clock):
    buckets = TokenBuckets(per_second=50, burst=3, clock=clock)
    take(buckets, 3)

    clock.now += 3600

    assert take(buckets, 4) == [True, True, True, False]


def test_senders_do_not_share_a_bucket(clock):
    buckets = TokenBuckets(per_second=1, burst=1, clock=clock)
    take(buckets, 2, "a")

    assert take(buckets, 2, "b") == [True, False]


def test_clock_that_stands_still_or_goes_back_never_raises(clock):
    buckets = TokenBuckets(per_second=1, burst=1, clock=clock)
    take(buckets, 1)

    clock.now -= 10

    assert take(buckets, 1) == [False]


def test_memory_is_bounded_and_who_was_silent_longest_is_forgotten(clock):
    buckets = TokenBuckets(per_second=1, burst=1, clock=clock)
    take(buckets, 1, "first")
    take(buckets, 1, "second")
    take(buckets, 1, "first")

    [buckets.take(f"sender-{number}") for number in range(MAX_SENDERS - 1)]

    assert len(buckets._buckets) == MAX_SENDERS
    assert take(buckets, 1, "first") == [False]
    assert take(buckets, 1, "second") == [True]


def judge(pace: Pace, times: int) -> list[PaceDecision]:
    return [pace.judge("a") for _ in range(times)]


def test_pace_takes_the_burst_and_refuses_one_more(clock):
    verdicts = judge(Pace(50, clock), 51)

    assert [verdict.allowed for verdict in verdicts] == [True] * 50 + [False]


def test_warning_comes_once_when_a_fifth_of_the_burst_is_left(clock):
    verdicts = judge(Pace(50, clock), 60)

    assert [number for number, verdict in enumerate(verdicts, 1) if verdict.warn] == [41]
    assert verdicts[40].retry_after_ms == 820


def test_warning_comes_again_after_five_seconds(clock):
    pace = Pace(50, clock)
    judge(pace, 60)

    clock.now += 4.9
    early = [verdict.warn for verdict in judge(pace, 50)]
    clock.now += 0.1
    late = [verdict.warn for verdict in judge(pace, 50)]

    assert (any(early), late.count(True)) == (False, 1)


def test_one_message_a_second_is_no_reason_to_warn(clock):
    pace = Pace(1, clock)

    assert pace.judge("a") == PaceDecision(allowed=True)
    assert pace.judge("a") == PaceDecision(allowed=False, warn=True, retry_after_ms=1000)


def test_who_never_slows_down_is_cut_off_after_five_seconds_worth_of_refusals(clock):
    verdicts = judge(Pace(10, clock), 61)

    assert [number for number, verdict in enumerate(verdicts, 1) if verdict.close] == [61]


def test_pace_of_one_sender_is_not_that_of_another(clock):
    pace = Pace(1, clock)
    judge(pace, 10)

    assert pace.judge("b") == PaceDecision(allowed=True)


REFUSED = PaceDecision(allowed=False)
REFUSED_FIRST = PaceDecision(allowed=False, warn=True)
TAKEN = PaceDecision(allowed=True)


def test_so_many_a_minute_are_taken_and_the_first_refusal_is_worth_a_line(clock):
    minute = PerMinute(3, clock)

    assert [minute.judge("a") for _ in range(6)] == [TAKEN] * 3 + [REFUSED_FIRST] + [REFUSED] * 2


def test_after_a_minute_as_many_are_taken_again(clock):
    minute = PerMinute(3, clock)
    [minute.judge("a") for _ in range(9)]

    clock.now += 60

    assert [minute.judge("a") for _ in range(4)] == [TAKEN] * 3 + [REFUSED_FIRST]


def test_flood_without_an_end_is_one_line_a_minute(clock):
    minute, verdicts = PerMinute(1, clock), []
    for _ in range(240):
        verdicts.append(minute.judge("a"))
        clock.now += 0.5

    assert verdicts[:3] == [TAKEN, REFUSED_FIRST, REFUSED]
    assert sum(verdict.warn for verdict in verdicts) == 2


def test_minute_of_one_sender_is_not_that_of_another(clock):
    minute = PerMinute(1, clock)
    [minute.judge("a") for _ in range(9)]

    assert [minute.judge("b") for _ in range(2)] == [TAKEN, REFUSED_FIRST]
