from broadcast.recent import RecentSessions


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_value_is_there_until_it_is_too_old():
    clock = Clock()
    recent = RecentSessions(2.0, clock)
    recent.put("a", "value")

    clock.now += 1.999
    before = recent.get("a")
    clock.now += 0.001

    assert (before, recent.get("a"), recent.last("a")) == ("value", None, "value")


def test_what_was_never_put_is_not_there():
    recent = RecentSessions(2.0, Clock())

    assert (recent.get("a"), recent.last("a")) == (None, None)


def test_value_in_the_place_of_another_is_as_old_as_that_one():
    clock = Clock()
    recent = RecentSessions(2.0, clock)
    recent.put("a", "first")
    clock.now += 1.5

    recent.replace("a", "second")
    fresh = recent.get("a")
    clock.now += 0.5

    assert (fresh, recent.get("a")) == ("second", None)


def test_nothing_is_put_in_the_place_of_nothing():
    recent = RecentSessions(2.0, Clock())

    recent.replace("a", "value")

    assert recent.last("a") is None


def test_memory_is_bounded_and_what_was_put_first_goes():
    recent = RecentSessions(2.0, Clock())
    recent.put("first", 1)
    recent.put("second", 2)
    recent.put("first", 3)

    [recent.put(f"key-{number}", 4) for number in range(999)]

    assert recent.get("first") == 3
    assert recent.get("second") is None
    assert len(recent._entries) == 1000
