"""What somebody finds who guesses, in numbers that were worked out by hand."""

import pytest

import guessing
from broadcast.names import new_session_id
from broadcast.settings import BroadcastSettings

DAY = 1440


@pytest.fixture
def limits(monkeypatch):
    """Let 10 joins a minute fail, and 2,000 messages come a second."""
    monkeypatch.setattr(guessing, "failed_joins_a_minute", lambda: 10)
    monkeypatch.setattr(guessing, "messages_a_second", lambda: 2000)


@pytest.fixture
def attack(limits):
    return guessing.Attack


@pytest.fixture
def search(limits):
    return guessing.Search


def test_expected_is_guesses_times_chance(attack):
    """14,400 guesses a day of one address; 1,000 of 31,300,000 ids are sessions."""
    assert attack(1, 31_300_000, 1000).expected(DAY) == pytest.approx(0.46006, rel=1e-4)
    assert attack(100, 31_300_000, 1000).expected(DAY) == pytest.approx(46.006, rel=1e-4)


def test_probability_is_that_not_all_guesses_are_wrong(attack):
    """Ten guesses at one of four, one of which is right: 1 - 0.75^10."""
    assert attack(1, 4).probability(1) == pytest.approx(0.943686, rel=1e-6)


def test_probability_of_almost_nothing_is_not_rounded_away(attack):
    assert attack(1, 32**16).probability(120) == pytest.approx(1200 / 32**16, rel=1e-6)


def test_after_half_the_probability_is_one_half(attack):
    """Of 1,000 values: 692.8 guesses, ten a minute."""
    one = attack(1, 1000)

    assert one.minutes_until_half() == pytest.approx(69.28, rel=1e-3)
    assert one.probability(one.minutes_until_half()) == pytest.approx(0.5)


def test_key_is_found_once_all_have_been_tried(search):
    """Of 10,000 words, ten a minute: 1,200 in two hours, all of them in 1,000 minutes."""
    one = search(1, 10_000)

    assert one.probability(120) == pytest.approx(0.12)
    assert one.minutes_until_half() == pytest.approx(500)
    assert (one.probability(1000), one.probability(1001)) == (1, 1)


def test_all_addresses_together_have_what_the_stage_takes(attack):
    assert attack(10_000, 10).a_minute == 100_000
    assert attack(100_000, 10).a_minute == 120_000


def test_limits_are_those_of_the_functions():
    assert guessing.failed_joins_a_minute() == BroadcastSettings.read({}).failed_joins_per_minute
    assert guessing.session_minutes() == 120


def test_ids_are_counted_as_they_are_drawn():
    """Each choice is one of so many, and the words of a list differ."""
    chosen = []

    def choose(values):
        chosen.append(values)
        return values[0]

    new_session_id(choose)

    product = 1
    for values in chosen:
        product *= len(set(values))
        assert len(set(values)) == len(values)
    assert guessing.session_ids() == product


def test_alphabet_is_the_pages_and_has_no_character_twice():
    alphabet = guessing.page_alphabet()

    assert len(set(alphabet)) == len(alphabet)
    assert guessing.number_text(len(alphabet) ** 16) in guessing.key_table()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4600.6, "4,601"),
        (46.006, "46"),
        (4.6006, "4.6"),
        (0.46006, "0.46"),
        (0.00046, "0.00046"),
        (1099511627776, "1.1e12"),
        (1.5e9, "1.5e9"),
        (10_000, "10,000"),
    ],
)
def test_number_has_the_digits_that_count(number, text):
    assert guessing.number_text(number) == text


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.5, "50 %"),
        (0.9995, "over 99.9 %"),
        (1, "over 99.9 %"),
        (0.0000383, "0.0038 %"),
        (1e-12, "under 0.000001 %"),
    ],
)
def test_probability_in_percent(probability, text):
    assert guessing.percent_text(probability) == text


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0.5, "30 seconds"),
        (1, "1.0 minutes"),
        (90, "1.5 hours"),
        (DAY * 3.4, "3.4 days"),
        (DAY * 365.25 * 5200, "5,200 years"),
    ],
)
def test_duration_in_the_largest_unit(minutes, text):
    assert guessing.duration_text(minutes) == text
