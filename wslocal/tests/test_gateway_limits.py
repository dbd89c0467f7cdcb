"""The token bucket, on its edges."""

from wslocal.gateway.limits import TokenBucket


def test_burst_then_rate():
    bucket = TokenBucket(rate=2, burst=3)

    taken = [bucket.take(now) for now in (0, 0, 0, 0, 0.49, 0.5, 0.5)]

    assert taken == [True, True, True, False, False, True, False]


def test_no_more_than_the_burst_is_saved_up():
    bucket = TokenBucket(rate=1, burst=2)
    bucket.take(0)

    assert [bucket.take(1000) for _ in "123"] == [True, True, False]


def test_clock_that_jumps_back_gives_nothing():
    bucket = TokenBucket(rate=1, burst=1)

    assert [bucket.take(now) for now in (100, 50, 50.5, 51)] == [True, False, False, True]
