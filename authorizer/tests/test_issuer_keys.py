"""Keys are kept, read again in time, and serve while the issuer does not answer."""

import pytest

from issuer_documents import Key, KeysUnavailable
from issuer_keys import IssuerKeys
from refusals import TokenRefused

FIRST, SECOND = (Key(kid, ("RS256",), f"public {kid}") for kid in ("first", "second"))
HOUR = 3600


class Readings:
    """Key sets to be read one after the other, the last one again and again; `now` is the time."""

    def __init__(self, *readings):
        self.readings = [*readings]
        self.times = []
        self.reported = []
        self.now = 1_000.0
        read = {"read": self._read, "clock": lambda: self.now}
        self.keys = IssuerKeys("https://login.example.com", report=self.reported.append, **read)

    def _read(self, issuer):
        self.times.append(self.now - 1_000)
        found = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if isinstance(found, Exception):
            raise found
        return found

    def find(self, kid="first", algorithm="RS256", *, after=0):
        """Return the key, or what is raised, some seconds later than the last time."""
        self.now += after
        try:
            return self.keys.find(kid, algorithm)
        except TokenRefused as refused:
            return refused.reason
        except KeysUnavailable as failure:
            return failure.message.rpartition(": ")[2]


OUTAGE = KeysUnavailable("status 503")


def test_keys_are_read_once_an_hour():
    keys = Readings([FIRST])

    assert {keys.find() for _ in range(3)} == {FIRST}
    assert keys.find(after=HOUR) is FIRST
    assert keys.times == [0]
    assert keys.find(after=1) is FIRST
    assert keys.times == [0, HOUR + 1]


def test_new_key_is_found_30_seconds_after_the_last_reading():
    keys = Readings([FIRST], [FIRST, SECOND])
    keys.find()

    assert keys.find("second", after=30) == "unknownKey"
    assert keys.find("second", after=1) is SECOND
    assert keys.times == [0, 31]


@pytest.mark.threat("issuer-flood")
def test_tokens_of_unknown_keys_make_one_reading_in_30_seconds():
    keys = Readings([FIRST])

    found = {keys.find(f"junk-{n}", after=1) for n in range(95)}

    assert found == {"unknownKey"}
    assert keys.times == [1, 32, 63, 94]


@pytest.mark.threat("issuer-down")
def test_known_keys_serve_for_a_day_without_the_issuer():
    keys = Readings([FIRST], OUTAGE)
    keys.find()

    assert keys.find(after=HOUR + 1) is FIRST
    assert keys.find(after=23 * HOUR - 1) is FIRST
    assert keys.find(after=1) == "status 503"
    assert keys.reported == [OUTAGE, OUTAGE]
    assert keys.find() == "status 503"


def test_key_that_is_unknown_while_the_issuer_is_down_is_no_clients_fault():
    keys = Readings([FIRST], OUTAGE, [FIRST, SECOND])
    keys.find()

    assert keys.find("second", after=31) == "status 503"
    assert keys.find() is FIRST
    assert keys.find("second", after=10) == "status 503"
    assert keys.find("second", after=1) is SECOND
    assert keys.times == [0, 31, 42]


def test_issuer_that_never_answered_is_asked_every_10_seconds():
    keys = Readings(OUTAGE, OUTAGE, [FIRST])

    assert [keys.find(after=5) for _ in range(4)] == ["status 503"] * 4
    assert keys.find(after=11) is FIRST
    assert keys.times == [5, 20, 31]
    assert keys.reported == []


def test_what_was_never_read_is_read_first_and_then_not_again():
    keys = Readings(OUTAGE, [FIRST])

    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            keys.keys.read_first()
    keys.now += 11
    keys.keys.read_first()
    keys.now += 2 * HOUR
    keys.keys.read_first()

    assert keys.times == [0, 11]


def test_withdrawn_key_is_not_taken_after_the_next_reading():
    keys = Readings([FIRST], [SECOND])
    keys.find()

    assert keys.find(after=HOUR + 1) == "unknownKey"


@pytest.mark.parametrize(
    ("kid", "algorithm", "found"),
    [
        pytest.param("first", "PS256", "algorithm", id="algorithm-of-another-key"),
        pytest.param(None, "PS256", "algorithm", id="no-key-fits"),
        pytest.param(None, "RS256", "unknownKey", id="two-keys-fit"),
        pytest.param(None, "ES256", Key(None, ("ES256",), "public"), id="one-key-fits"),
        pytest.param("first", "ES256", "algorithm", id="named-key-does-not-fit"),
    ],
)
def test_key_fits_by_its_name_and_algorithm(kid, algorithm, found):
    keys = Readings([FIRST, SECOND, Key(None, ("ES256",), "public")])

    assert keys.find(kid, algorithm) == found


def test_failure_does_not_grow_with_each_time_it_is_raised():
    keys = Readings(OUTAGE)
    for _ in range(5):
        keys.find()

    depth, frame = 0, OUTAGE.__traceback__
    while frame:
        depth, frame = depth + 1, frame.tb_next
    assert depth <= 2
