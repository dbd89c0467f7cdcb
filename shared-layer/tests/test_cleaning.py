"""The encoder, the clock's text, redaction and bounds, and the writer: any object in, safe text out."""

from __future__ import annotations

import argparse
import array
import collections
import dataclasses
import datetime
import enum
import fractions
import ipaddress
import json
import types
import uuid
import zoneinfo
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import _cleaning, _json, _redaction

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
BASE64 = "QUJD" * 100
# As in the stack of a function that runs here: folders with long names of letters, digits and hyphens.
PATH = f"/var/functions-k3j2/websocket-audio-dev-audio-{'0123456789abcdef' * 4}/broadcast/store.py"
CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)


class Unreadable:
    def __repr__(self):
        raise RuntimeError("no")


class LyingClass:
    __class__ = property(lambda self: 1 / 0)


class Colour(enum.Enum):
    RED = "red"
    NESTED = {"password": "hunter2"}


class Nameless(type):
    @property
    def __name__(cls):
        raise RuntimeError("no")


class Anonymous(Unreadable, metaclass=Nameless):
    pass


class HostileText(str):
    def __str__(self):
        raise RuntimeError("no")

    __len__ = __repr__ = __str__


class HostileInt(int):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __int__ = __str__


class LongNan(float):
    def __str__(self):
        return "x y" * 10_000


class Endless(collections.UserList):
    def __iter__(self):
        while True:
            yield 1


class EndlessList(list):
    def __iter__(self):
        while True:
            yield 1


@dataclasses.dataclass
class Person:
    name: str
    password: str
    shy: str = dataclasses.field(default="unseen", repr=False)


Pair = collections.namedtuple("Pair", "user password")


# --- bounds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("x y" * 341 + "z", "x y" * 341 + "z", id="1024-characters"),
        pytest.param("x y" * 341 + "zz", ("x y" * 341)[:1009] + "...[1025 chars]", id="1025-characters"),
        pytest.param("QUJD" * 24, "QUJD" * 24, id="96-of-base64"),
        pytest.param("QUJD" * 24 + "Q", "<base64 97 chars sha256:7932f76b7edc>", id="97-of-base64"),
        pytest.param(PATH, PATH, id="path"),
        pytest.param("_" + "-_Ab" * 24 + "=", "<base64 98 chars sha256:da7d0bffb9ff>", id="url-safe"),
        pytest.param("chunk_" + "QU/D" * 25, "chunk_<base64 100 chars sha256:39d5ef7bf953>", id="one-alphabet"),
        pytest.param(f"got {BASE64}== here", "got <base64 402 chars sha256:605fc6bf201b> here", id="base64-inside"),
        pytest.param(b"abc", "<bytes 3 bytes sha256:ba7816bf8f01>", id="bytes"),
        pytest.param(bytearray(b"abc"), "<bytearray 3 bytes sha256:ba7816bf8f01>", id="bytearray"),
        pytest.param(memoryview(b"abc"), "<memoryview 3 bytes sha256:ba7816bf8f01>", id="memoryview"),
        pytest.param(memoryview(b"abcdef")[::2], "<memoryview 3 bytes sha256:e3b0c44298fc>", id="memoryview-with-gaps"),
        pytest.param(10**300, 10**300, id="int-that-every-reader-takes"),
        pytest.param(-(2**1023), "<int of 1024 bits>", id="int-beyond-a-double"),
        pytest.param(10**5000, "<int of 16610 bits>", id="int-that-python-does-not-print"),
        pytest.param(-(2**3400), "<int of 3401 bits>", id="negative-int"),
        pytest.param(float("inf"), "inf", id="infinity"),
        pytest.param(Decimal("-Infinity"), "-Infinity", id="decimal-infinity"),
        pytest.param(Decimal("NaN"), "NaN", id="decimal-nan"),
        pytest.param(Decimal("sNaN"), "sNaN", id="signalling-nan"),
        pytest.param(Decimal("1E+400"), "1E+400", id="decimal-beyond-a-float"),
        pytest.param(Decimal("9" * 20000), "9" * 1008 + "...[20000 chars]", id="decimal-of-many-digits"),
        pytest.param(Decimal("0." + "9" * 300), "0." + "9" * 300, id="decimal-of-many-places"),
        pytest.param(Decimal("0.85"), 0.85, id="decimal-that-a-float-holds"),
        pytest.param(Decimal("1E+30"), 10**30, id="whole-decimal"),
        pytest.param(LongNan("nan"), "nan", id="nan-that-says-much"),
        pytest.param(True, True, id="bool"),
        pytest.param(HostileInt(5), 5, id="int-subclass"),
        pytest.param(HostileText("x"), "x", id="text-subclass"),
        pytest.param(datetime.datetime(2026, 1, 1), "2026-01-01T00:00:00", id="datetime"),
        pytest.param(datetime.date(2026, 1, 1), "2026-01-01", id="date"),
        pytest.param(ValueError("bad"), "ValueError: bad", id="exception"),
        pytest.param(TimeoutError(), "TimeoutError", id="exception-without-text"),
        pytest.param(KeyError("sessionId"), "KeyError: 'sessionId'", id="exception-of-a-key"),
        pytest.param([TimeoutError(), ConnectionResetError("by peer")], ["TimeoutError", "ConnectionResetError: by peer"], id="exceptions"),
        pytest.param(Colour.RED, "red", id="enum"),
        pytest.param({3}, [3], id="set"),
        pytest.param((1, [2]), [1, [2]], id="tuple"),
        pytest.param(frozenset(), [], id="frozenset"),
        pytest.param({(1, 2): 3, None: 4}, {"(1, 2)": 3, "null": 4}, id="keys-of-any-type"),
        pytest.param({b"a\xff": 1, uuid.UUID(int=5): 2}, {"a\ufffd": 1, "00000000-0000-0000-0000-000000000005": 2}, id="keys-with-a-text"),
        pytest.param(range(3), "range(0, 3)", id="any-object"),
        pytest.param(int, "<class 'int'>", id="class"),
        pytest.param(Unreadable(), "<unreadable Unreadable>", id="unreadable"),
        pytest.param([Unreadable(), 1], ["<unreadable Unreadable>", 1], id="unreadable-inside"),
        pytest.param(LyingClass(), "<unreadable LyingClass>", id="lying-class"),
        pytest.param(Anonymous(), "<unreadable Anonymous>", id="nameless-class"),
        pytest.param(type("N" * 500, (Unreadable,), {})(), "<unreadable " + "N" * 64 + ">", id="long-class-name"),
    ],
)  # fmt: skip
def test_clean_keeps_what_it_can(value, expected):
    cleaned = _cleaning.clean(value)

    assert cleaned == expected
    assert type(cleaned) is type(expected)


def test_depth_ends_at_six():
    deep = {"1": {"2": {"3": {"4": {"5": {"6": {"7": {"8": 1}}}}}}}}

    assert _cleaning.clean(deep) == {"1": {"2": {"3": {"4": {"5": {"6": {"7": "<1 fields>"}}}}}}}
    assert _cleaning.clean([[[[[[[[1, 2]]]]]]]]) == [[[[[[["<2 items>"]]]]]]]


def test_a_value_under_a_name_is_one_level_deeper():
    assert _cleaning.clean({"2": {"3": {"4": {"5": {"6": {"7": {}}}}}}}, "1") == {
        "2": {"3": {"4": {"5": {"6": {"7": "<0 fields>"}}}}}}  # fmt: skip


def test_a_huge_container_is_looked_at_in_part():
    """As much as a line could hold; the rest is counted."""
    numbers = _cleaning.clean(list(range(5000)))
    members = _cleaning.clean({n: n for n in range(5000)})
    small = _cleaning.clean([[0] * 600, [0] * 600], look=_cleaning.Look(room=80))

    assert numbers[:-1] == list(range(len(numbers) - 1))
    assert numbers[-1] == f"... {5000 - len(numbers) + 1} more"
    assert members["..."] == f"{5000 - len(members) + 1} more"
    assert small == [[0, 0, 0, "... 597 more"], "... 1 more"]


def test_a_container_without_end_is_looked_at_in_part():
    look = _cleaning.Look(room=64)

    assert _cleaning.clean(Endless(), look=look) == [1, 1, 1, "... 0 more"]


def test_no_more_characters_are_looked_at_than_may_be_shown(monkeypatch):
    """Each text as far as a field goes and a margin; of many huge ones, little of the last."""
    looked_at = []
    monkeypatch.setattr(_redaction, "scrub", lambda text: looked_at.append(len(text)) or text)

    one = _cleaning.clean("x y" * 1_000_000)
    looked_at_of_one = looked_at.copy()
    looked_at.clear()
    many = _cleaning.clean({f"f{n}": "x y" * 100_000 for n in range(1000)})

    assert looked_at_of_one == [1024 + 512]
    assert one.endswith("...[3000000 chars]")
    assert len(many) < 100
    assert {text[:3] for name, text in many.items() if name != "..."} == {"x y"}
    assert max(looked_at) == 1024 + 512
    assert sum(looked_at) < 64 * 1024


def test_a_secret_that_is_cut_is_not_shown_in_half():
    """What is beyond the end is read as well, and not shown."""
    token = "eyJ" + "a" * 200 + "." + "b" * 100

    assert _cleaning.shorten("x y " * 250 + token)[:1000] == "x y " * 250
    assert "eyJ" not in _cleaning.shorten("x y " * 250 + token)
    assert "eyJ" not in _cleaning.shorten("x y " * 250 + token + "x y" * 1000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("x", "x", id="text"),
        pytest.param(None, "null", id="none"),
        pytest.param({"password": "p", "n": 1}, '{"password":"[REDACTED]","n":1}', id="dict"),
        pytest.param(["x y" * 100], '["x yx yx yx yx yx yx yx yx...[44 chars]', id="bounded"),
        pytest.param(Unreadable(), "<unreadable Unreadable>", id="unreadable"),
        pytest.param(f"by {JWT}", "by [REDACTED]", id="token"),
    ],
)
def test_text_is_bounded_and_without_tokens(value, expected):
    assert _cleaning.text(value, 40) == expected
    assert len(_cleaning.text(value, 40)) <= 40


def test_shorten_never_gives_more_than_asked():
    assert _cleaning.shorten("x y" * 100, 5) == "...[300 chars]"
    assert _cleaning.shorten(BASE64, rules=_redaction.Policy(on=False)) == BASE64


def test_json_text_cuts_nothing():
    long = "x y" * 1000

    assert _cleaning.json_text({"a": [long, (long, 1)]}) == f'{{"a":["{long}",["{long}",1]]}}'


def test_json_text_does_not_follow_an_endless_list():
    """The C encoder asks a subclass's own `__iter__`, and would fill the memory."""
    assert _cleaning.json_text({"a": EndlessList([1, 2])}) == '{"a":[1,2]}'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"password": "kept, this is no log"}, '{"password":"kept, this is no log"}',
                     id="plain"),
        pytest.param({"password": {1}}, '{"password":[1]}', id="cleaned-but-not-redacted"),
        pytest.param(CIRCULAR, '[[[[[[["<1 items>"]]]]]]]', id="circular"),
        pytest.param(Unreadable(), '"<unreadable Unreadable>"', id="unreadable"),
        pytest.param(float("nan"), '"nan"', id="nan"),
    ],
)  # fmt: skip
def test_json_text_takes_anything(value, expected):
    assert _cleaning.json_text(value) == expected


# --- numbers, texts and objects of other libraries


class Scalar:
    """A number as numpy and tensors have it: by protocol, and with an `item` of Python's own."""

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value

    def __float__(self):
        return float(self.value)


class Array(Scalar):
    """An array as numpy has it: one without dimensions is a number."""

    def __init__(self, value, shape):
        super().__init__(value)
        self.shape = shape

    def __len__(self):
        raise TypeError("len() of unsized object")

    def __getitem__(self, index):
        return self.value[index]


class Day:
    """A date as numpy has it."""

    def item(self):
        return datetime.date(2026, 1, 1)

    def __str__(self):
        return "2026-01-01"


class Index:
    def __index__(self):
        return 7


class NotANumber:
    """An array of several values, which has `float`'s method all the same."""

    def __init__(self):
        self.n = 2

    def __float__(self):
        raise TypeError("only size-1 arrays can be converted")


class Account:
    def __init__(self):
        self.user = "ann"
        self.password = "hunter2"
        self._token = "hunter2"


class Slotted:
    __slots__ = ("password", "unset", "user")

    def __init__(self):
        self.user = "ann"
        self.password = "hunter2"


class OneSlot:
    __slots__ = "user"  # noqa: PLC0205 - people write it

    def __init__(self):
        self.user = "ann"


class Declared:
    """A class of attrs, as far as it says what its fields are."""

    __attrs_attrs__ = (
        types.SimpleNamespace(name="user", repr=True),
        types.SimpleNamespace(name="shy", repr=False),
    )
    user, shy = "ann", "unseen"


class Props:
    def __init__(self):
        self.a = 1

    def __getattribute__(self, name):
        if name == "a":
            raise RuntimeError("no")
        return super().__getattribute__(name)


HIDDEN = {"user": "ann", "password": "[REDACTED]"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Scalar(5), 5, id="whole"),
        pytest.param(Scalar(0.5), 0.5, id="fraction"),
        pytest.param(Scalar(True), True, id="bool"),
        pytest.param(Scalar(10**400), "<int of 1329 bits>", id="huge"),
        pytest.param(Scalar(float("nan")), "nan", id="nan"),
        pytest.param(Index(), 7, id="index"),
        pytest.param(Array(5, ()), 5, id="array-without-dimensions"),
        pytest.param(Array([1, 2], (2,)), {"value": [1, 2], "shape": [2]}, id="array"),
        pytest.param(NotANumber(), {"n": 2}, id="no-number-by-its-own-word"),
        pytest.param(Day(), "2026-01-01", id="day"),
        pytest.param(fractions.Fraction(1, 4), 0.25, id="fraction-of-python"),
        pytest.param(uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005", id="uuid"),
        pytest.param(Path("/srv/a.wav"), "/srv/a.wav", id="path"),
        pytest.param(ipaddress.ip_address("10.1.2.3"), "10.1.2.3", id="address"),
        pytest.param(ipaddress.ip_network("10.1.2.0/24"), "10.1.2.0/24", id="network"),
        pytest.param(datetime.timedelta(seconds=90), "0:01:30", id="duration"),
        pytest.param(zoneinfo.ZoneInfo("UTC"), "UTC", id="zone"),
        pytest.param(array.array("h", [1, 2]), "<array 4 bytes sha256:7b11c1133330>", id="samples"),
        pytest.param(collections.UserString("x"), "x", id="user-string"),
        pytest.param(Account(), HIDDEN, id="object"),
        pytest.param(Slotted(), HIDDEN, id="slots"),
        pytest.param(OneSlot(), {"user": "ann"}, id="slot"),
        pytest.param(Declared(), {"user": "ann"}, id="declared-fields"),
        pytest.param(types.MappingProxyType({"a": 1}), {"a": 1}, id="mapping"),
        pytest.param(types.SimpleNamespace(user="ann", password="hunter2"), HIDDEN, id="namespace"),
        pytest.param(argparse.Namespace(user="ann", password="hunter2"), HIDDEN, id="arguments"),
        pytest.param({"password": "hunter2", "user": "ann"}.items(), {"password": "[REDACTED]", "user": "ann"}, id="items"),
        pytest.param({"a": {"password": "hunter2"}}.values(), [{"password": "[REDACTED]"}], id="values"),
        pytest.param({"a": 1}.keys(), ["a"], id="keys"),
        pytest.param(collections.deque([{"password": "hunter2"}]), [{"password": "[REDACTED]"}], id="deque"),
        pytest.param(collections.UserList([{"password": "hunter2"}]), [{"password": "[REDACTED]"}], id="user-list"),
        pytest.param({"name": "password", "value": "hunter2", "n": 1}, {"name": "password", "value": "[REDACTED]", "n": 1}, id="name-and-value"),
        pytest.param(["password", "hunter2"], ["password", "[REDACTED]"], id="pair"),
        pytest.param(Props(), {"a": "<unreadable>"}, id="property-that-raises"),
        pytest.param({1: "a", "1": "b"}, {"1": "a", "1 (2)": "b"}, id="keys-of-one-text"),
        pytest.param({f"user {JWT}": 1, f"user {JWT}x": 2}, {"user [REDACTED]": 1, "user [REDACTED] (2)": 2},
                     id="names-hidden-alike"),
        pytest.param(dict(zip(["a\ud800", "a\ufffd"], [1, 2], strict=True)), {"a\ufffd": 1, "a\ufffd (2)": 2}, id="names-readable-alike"),
    ],
)  # fmt: skip
def test_a_value_of_another_library_is_shown_by_what_it_is(value, expected):
    cleaned = _cleaning.clean(value)

    assert cleaned == expected
    assert type(cleaned) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Decimal("0." + "9" * 30), Decimal("0." + "9" * 30), id="kept"),
        pytest.param(Decimal("NaN"), "NaN", id="no-number"),
        pytest.param(Decimal("0." + "9" * 2000), "0." + "9" * 1007 + "...[2002 chars]", id="too-long"),
    ],
)  # fmt: skip
def test_a_decimal_stays_one_for_an_encoder_that_takes_it(value, expected):
    cleaned = _cleaning.clean(value, look=_cleaning.Look(decimals=True))

    assert cleaned == expected
    assert type(cleaned) is type(expected)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(5, 5, id="int"),
        pytest.param(HostileInt(5), 5, id="int-subclass"),
        pytest.param(True, None, id="bool"),
        pytest.param(0.5, 0.5, id="float"),
        pytest.param(Decimal("0.5"), 0.5, id="decimal"),
        pytest.param(Scalar(3), 3, id="whole"),
        pytest.param(Scalar(0.5), 0.5, id="fraction"),
        pytest.param(Scalar(True), None, id="truth"),
        pytest.param(Index(), 7, id="index"),
        pytest.param("5", None, id="text"),
        pytest.param(object(), None, id="object"),
    ],
)
def test_the_number_of_a_value(value, number):
    found = _cleaning.number_of(value)

    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, RecursionError, MemoryError])
def test_what_a_repr_raises_stays_in_it(error):
    class Exits:
        def __repr__(self):
            raise error

    assert _cleaning.clean({"a": Exits(), "b": 1}) == {"a": "<unreadable Exits>", "b": 1}


def test_an_interrupt_by_the_user_is_not_kept():
    class Interrupted:
        def __repr__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _cleaning.clean(Interrupted())


# --- any object

HOSTILE = [
    Unreadable(), Unreadable, LyingClass(), Anonymous(), Anonymous, CIRCULAR, EndlessList([1]),
    LongNan("nan"), Colour.NESTED,
]  # fmt: skip
hostile = st.integers(0, len(HOSTILE) - 1).map(lambda n: HOSTILE[n])  # unseen by hypothesis
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(), st.binary(),
    st.datetimes(), st.complex_numbers(), st.text().map(HostileText), st.integers().map(HostileInt),
    hostile,
)  # fmt: skip
objects = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.binary(), st.none()), inner),
        st.tuples(inner, inner),
        st.builds(Person, inner, inner),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=20,
)


def refuse(constant):
    raise AssertionError(constant)


@given(objects)
def test_clean_gives_json_for_any_object(value):
    json.loads(_json.encode(_cleaning.clean(value)), parse_constant=refuse)
    json.loads(_cleaning.json_text(value), parse_constant=refuse)
    assert len(_cleaning.text(value)) <= 1024


@given(
    st.sampled_from(["password", "audioData", "x-api-key", "tokens"]),
    st.recursive(st.just("hunter2"), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
    # Hypothesis takes texts of the sources, too: the secret itself is no name on the way to it.
    st.lists(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda step: "hunter2" not in step), max_size=8),
)  # fmt: skip
def test_a_secret_under_its_name_is_nowhere(name, secret, path):
    value = {name: secret}
    for step in path:
        value = {step: [value]}

    assert "hunter2" not in _json.encode(_cleaning.clean(value))
    assert "hunter2" not in _cleaning.text(value)
