"""Sessions in memory: when the store is asked, who waits for it, and what serves meanwhile."""

import threading

import pytest

from broadcast.recent import RecentSessions
from shared_utils import ApplicationError, ErrorCode


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Loading:
    """Answers with what it is told, and keeps what it was called with."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.lasts: list = []

    def __call__(self, last):
        self.lasts.append(last)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


SILENT = ApplicationError(ErrorCode.INTERNAL_DATABASE_ERROR)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def recent(clock):
    return RecentSessions(2.0, clock)


def answered(recent) -> None:
    """Wait until the store has answered what is asked beside the events."""
    for question in list(recent._questions.values()):
        question.join()


def read_again(recent, key, load):
    """Have a session asked for, and return it as it is once that is answered."""
    recent.read(key, load)
    answered(recent)
    return recent.read(key, load)


def test_session_is_loaded_once_in_two_seconds_with_the_last_one_known(recent, clock):
    load = Loading("session")

    first = recent.read("a", load)
    clock.now += 1.999
    second = recent.read("a", load)
    clock.now += 0.001
    load.answer = "later"
    third = read_again(recent, "a", load)

    assert (first, second, third) == ("session", "session", "later")
    assert load.lasts == [None, "session"]


def test_session_that_is_doubted_is_asked_for_by_the_next_event(recent, clock):
    load = Loading("session")
    recent.read("a", load)
    clock.now += 0.5

    recent.doubt("a")
    recent.doubt("nobody")
    load.answer = "later"
    found = read_again(recent, "a", load)

    assert found == "later"
    assert load.lasts == [None, "session"]


def test_nobody_waits_for_an_answer_that_is_late_and_it_is_asked_for_once(recent, clock):
    answer, asked = threading.Event(), []

    def load(last):
        asked.append(last)
        assert answer.wait(20)
        return "later"

    recent.put("a", "session")
    clock.now += 2
    served = [recent.read("a", load), recent.read("a", load)]
    clock.now += 0.499
    served.append(recent.read("a", load))
    answer.set()
    answered(recent)

    assert served == ["session"] * 3
    assert asked == ["session"]
    assert recent.last("a") == "later"


def test_after_a_rest_of_its_sender_a_session_is_waited_for(recent, clock):
    answer = threading.Event()

    def load(last):
        answer.wait(0.05)
        return "later"

    recent.put("a", "session")
    clock.now += 2.5

    assert recent.read("a", load) == "later"


def test_wait_for_an_answer_has_an_end(recent, clock):
    answer = threading.Event()

    def load(last):
        assert answer.wait(20)
        return "later"

    recent.put("a", "session")
    clock.now += 20
    served = recent.read("a", load)
    answer.set()
    answered(recent)

    assert served == "session"


def test_nobody_waits_for_a_store_that_has_failed(recent, clock, monkeypatch):
    answer, joined = threading.Event(), []

    def load(last):
        assert answer.wait(20)
        return "later"

    recent.put("a", "session")
    clock.now += 2
    read_again(recent, "a", Loading(SILENT))
    clock.now += 1.5
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", lambda *_: joined.append("waited"))
        served = recent.read("a", load)
    answer.set()
    answered(recent)

    assert (served, joined) == ("session", [])
    assert recent.last("a") == "later"


def test_session_is_as_old_as_the_question(recent, clock):
    """An environment may be frozen between the two."""

    def load(last):
        clock.now += 600
        return "session"

    recent.read("a", load)

    assert recent.read("a", Loading("fresh")) == "fresh"


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.INTERNAL_DATABASE_ERROR,
        ErrorCode.INTERNAL_CONFIGURATION_ERROR,
        ErrorCode.INTERNAL_SERVER_ERROR,
    ],
)
def test_session_serves_for_thirty_seconds_while_the_store_fails(recent, clock, code):
    load = Loading("session")
    recent.read("a", load)
    load.answer = ApplicationError(code)

    clock.now += 29.999
    kept = read_again(recent, "a", load)
    clock.now += 1.0
    with pytest.raises(ApplicationError) as refused:
        recent.read("a", load)
    answered(recent)
    clock.now += 2.0
    with pytest.raises(ApplicationError) as raised:
        recent.read("a", load)

    assert kept == "session"
    assert refused.value.code is ErrorCode.INTERNAL_DATABASE_ERROR
    assert raised.value is load.answer


def test_session_that_is_not_in_memory_is_asked_for_beside_while_the_store_fails(recent, clock):
    answer = threading.Event()

    def load(last):
        assert answer.wait(20)
        return "session"

    recent.note_failure()
    clock.now += 1
    with pytest.raises(ApplicationError) as raised:
        recent.read("a", load)
    answer.set()
    answered(recent)

    assert raised.value.code is ErrorCode.INTERNAL_DATABASE_ERROR
    assert recent.read("a", Loading(SILENT)) == "session"


def test_one_reader_a_second_asks_a_store_that_fails_whatever_the_session(recent, clock):
    for key in ("a", "b", "c"):
        recent.read(key, Loading(key))
    clock.now += 2
    load = Loading(SILENT)

    served = [read_again(recent, key, load) for key in ("a", "b", "c", "a")]
    clock.now += 0.999
    read_again(recent, "b", load)
    asked = len(load.lasts)
    clock.now += 0.001
    read_again(recent, "b", load)

    assert served == ["a", "b", "c", "a"]
    assert (asked, len(load.lasts)) == (1, 2)


def test_session_that_is_not_in_memory_is_refused_at_once_while_the_store_fails(recent, clock):
    recent.read("a", Loading("a"))
    clock.now += 2
    read_again(recent, "a", Loading(SILENT))
    load = Loading("b")

    with pytest.raises(ApplicationError) as raised:
        recent.read("b", load)

    assert raised.value.code is ErrorCode.INTERNAL_DATABASE_ERROR
    assert raised.value.code.retryable
    assert load.lasts == []


def test_all_sessions_are_fresh_again_after_the_first_answer(recent, clock):
    for key in ("a", "b"):
        recent.read(key, Loading("old"))
    clock.now += 2
    read_again(recent, "a", Loading(SILENT))
    clock.now += 1

    fresh = [read_again(recent, key, Loading("new")) for key in ("a", "b")]

    assert fresh == ["new", "new"]


@pytest.mark.parametrize("error", [ApplicationError(ErrorCode.CONNECTION_CLOSED), KeyError("x")])
def test_refusal_and_a_defect_are_raised_by_the_next_event(recent, clock, error):
    recent.read("a", Loading("a"))
    clock.now += 2
    answer, lasts = threading.Event(), []

    def load(last):
        lasts.append(last)
        assert answer.wait(20)
        raise error

    served = recent.read("a", load)
    answer.set()
    answered(recent)
    with pytest.raises(type(error)) as raised:
        recent.read("a", load)

    assert (served, raised.value) == ("a", error)
    assert recent.may_ask
    assert lasts == ["a", None]


def test_failure_that_was_seen_elsewhere_counts_too(recent, clock):
    recent.note_failure()
    asked = recent.may_ask
    clock.now += 1

    assert (asked, recent.may_ask) == (False, True)


def test_what_was_never_put_is_not_there(recent):
    assert recent.last("a") is None


def test_session_in_the_place_of_another_is_as_old_as_that_one(recent, clock):
    recent.put("a", "first")
    clock.now += 1.5

    recent.replace("a", "second")
    fresh = recent.read("a", Loading("third"))
    clock.now += 0.5

    assert (fresh, read_again(recent, "a", Loading("third"))) == ("second", "third")


def test_nothing_is_put_in_the_place_of_nothing(recent):
    recent.replace("a", "session")

    assert recent.last("a") is None


def test_memory_is_bounded_and_what_was_put_first_goes(recent):
    recent.put("first", 1)
    recent.put("second", 2)
    recent.put("first", 3)

    [recent.put(f"key-{number}", 4) for number in range(999)]

    assert recent.last("first") == 3
    assert recent.last("second") is None
    assert len(recent._entries) == 1000
