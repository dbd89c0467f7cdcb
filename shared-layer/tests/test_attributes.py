"""DynamoDB's typed JSON: what is sent for a value, what comes back, what is refused and how it says so."""

from __future__ import annotations

import collections
import datetime
import enum
import fractions
import json
import pickle
import types
import uuid
from decimal import Decimal

import pytest
from attribute_values import ITEMS, SCALARS
from hypothesis import given
from hypothesis import strategies as st

from shared_utils._attributes import (
    AttributeRefused,
    decode_item,
    decode_value,
    encode_item,
    encode_key,
    encode_value,
    item_size,
)


class Kind(enum.StrEnum):
    SPEAKER = "speaker"


class Lonely(str):
    """Text that shares a set or a dict with equal text."""

    __slots__ = ()
    __hash__ = object.__hash__


class Level(enum.IntEnum):
    HIGH = 3


class Ratio(float, enum.Enum):
    HALF = 0.5


class Shouting(str):
    def __str__(self):
        return self.upper()

    def __repr__(self):
        return "!"


class ShoutingInt(int):
    def __str__(self):
        return "many"

    __repr__ = __str__


class ShoutingFloat(float):
    """As NumPy's float64: a float whose repr is no number."""

    def __repr__(self):
        return f"np.float64({float.__repr__(self)})"


class Attributes(collections.abc.Mapping):
    """A mapping that is no dict."""

    def __init__(self, items):
        self._items = items

    def __getitem__(self, name):
        return self._items[name]

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        return len(self._items)


def nested(containers, innermost):
    value = innermost
    for number in range(containers):
        value = [value] if number % 2 else {"a": value}
    return value


# --- to DynamoDB ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        pytest.param("text", {"S": "text"}, id="text"),
        pytest.param("", {"S": ""}, id="empty-text"),
        pytest.param("é🎙", {"S": "é🎙"}, id="text-beyond-ascii"),
        pytest.param(Kind.SPEAKER, {"S": "speaker"}, id="text-enum"),
        pytest.param(Shouting("low"), {"S": "low"}, id="text-subclass"),
        pytest.param(None, {"NULL": True}, id="none"),
        pytest.param(True, {"BOOL": True}, id="true"),
        pytest.param(False, {"BOOL": False}, id="false"),
        pytest.param(0, {"N": "0"}, id="zero"),
        pytest.param(-1_767_225_600_000, {"N": "-1767225600000"}, id="integer"),
        pytest.param(Level.HIGH, {"N": "3"}, id="integer-enum"),
        pytest.param(ShoutingInt(7), {"N": "7"}, id="integer-subclass"),
        pytest.param(10**38 - 1, {"N": "9" * 38}, id="integer-of-38-digits"),
        pytest.param(10**40, {"N": f"1.{'0' * 37}E+40"}, id="integer-of-one-digit-and-40-zeros"),
        pytest.param(0.1, {"N": "0.1"}, id="float"),
        pytest.param(0.1 + 0.2, {"N": "0.30000000000000004"}, id="float-of-17-digits"),
        pytest.param(-100.0, {"N": "-100.0"}, id="whole-float"),
        pytest.param(1e22, {"N": "1E+22"}, id="large-float"),
        pytest.param(-1.5e-7, {"N": "-1.5E-7"}, id="small-float"),
        pytest.param(-0.0, {"N": "0"}, id="float-minus-zero"),
        pytest.param(Ratio.HALF, {"N": "0.5"}, id="float-enum"),
        pytest.param(ShoutingFloat("0.1"), {"N": "0.1"}, id="float-subclass"),
        pytest.param(Decimal("0.85"), {"N": "0.85"}, id="decimal"),
        pytest.param(Decimal("1.10"), {"N": "1.10"}, id="decimal-with-a-zero-at-its-end"),
        pytest.param(Decimal("1E+125"), {"N": "1E+125"}, id="largest-power-of-ten"),
        pytest.param(Decimal("-1E-130"), {"N": "-1E-130"}, id="smallest-power-of-ten"),
        pytest.param(Decimal("-0E+999"), {"N": "0"}, id="decimal-zero-out-of-range"),
        pytest.param(b"\x00\xff", {"B": "AP8="}, id="bytes"),
        pytest.param(b"", {"B": ""}, id="empty-bytes"),
        pytest.param(bytearray(b"ab"), {"B": "YWI="}, id="bytearray"),
        pytest.param(memoryview(b"abcd")[::2], {"B": "YWM="}, id="memoryview-with-steps"),
        pytest.param([], {"L": []}, id="empty-list"),
        pytest.param(["a", 1, None], {"L": [{"S": "a"}, {"N": "1"}, {"NULL": True}]}, id="list"),
        pytest.param((True,), {"L": [{"BOOL": True}]}, id="tuple"),
        pytest.param({}, {"M": {}}, id="empty-map"),
        pytest.param({"a": {"": b"x"}}, {"M": {"a": {"M": {"": {"B": "eA=="}}}}}, id="map"),
        pytest.param({Kind.SPEAKER: 1}, {"M": {"speaker": {"N": "1"}}}, id="map-with-enum-name"),
        pytest.param(types.MappingProxyType({"a": 1}), {"M": {"a": {"N": "1"}}}, id="mapping"),
        pytest.param(Attributes({"a": 1}), {"M": {"a": {"N": "1"}}}, id="mapping-of-ones-own"),
        pytest.param({"en"}, {"SS": ["en"]}, id="text-set"),
        pytest.param(frozenset([Kind.SPEAKER]), {"SS": ["speaker"]}, id="frozenset"),
        pytest.param({""}, {"SS": [""]}, id="set-with-empty-text"),
        pytest.param({1}, {"NS": ["1"]}, id="number-set"),
        pytest.param({Decimal("0.5")}, {"NS": ["0.5"]}, id="decimal-set"),
        pytest.param({b"\xff"}, {"BS": ["/w=="]}, id="binary-set"),
        pytest.param({"en": 1}.keys(), {"SS": ["en"]}, id="keys-of-a-dict"),
    ],
)
def test_value_is_sent_as(value, typed):
    assert encode_value(value, ":v") == typed
    assert encode_item({"name": value}, "Item") == {"name": typed}


def test_text_of_a_subclass_is_exact():
    """The JSON encoder would otherwise ask the subclass."""
    assert type(encode_value(Kind.SPEAKER, ":v")["S"]) is str
    assert [type(name) for name in encode_item({Kind.SPEAKER: 1}, "Item")] == [str]


def test_members_of_a_set_are_all_sent():
    typed = encode_value({"en", "fr", "de"}, ":v")

    assert list(typed) == ["SS"]
    assert sorted(typed["SS"]) == ["de", "en", "fr"]


def test_set_holds_integers_floats_and_decimals_together():
    typed = encode_value({1, 2.5, Decimal("3.5")}, ":v")

    assert sorted(typed["NS"]) == ["1", "2.5", "3.5"]


@pytest.mark.parametrize("innermost", ["text", [], {}])
def test_value_may_stand_at_level_32(innermost):
    assert encode_value(nested(31, innermost), ":v")


# --- refused --------------------------------------------------------------------------------------

CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)
RELEASED = memoryview(b"secret")
RELEASED.release()
UNKNOWN = (
    "must be None, text, bytes, a bool, a number, or a dict, list, tuple or set of those, got "
)
RANGE = "is a number outside 1E-130 to 9.99E+125, positive or negative"
DIGITS = "is a number of more than 38 significant digits"
NOT_FINITE = "is NaN or infinite, which is no number for DynamoDB"
EMPTY_SET = "is an empty set, which DynamoDB cannot store"
MIXED = "must be a set of text, of numbers or of bytes, got "
TWICE = "is a set with two members that DynamoDB takes for the same"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(float("nan"), NOT_FINITE, id="nan"),
        pytest.param(float("-inf"), NOT_FINITE, id="infinity"),
        pytest.param(Decimal("NaN"), NOT_FINITE, id="decimal-nan"),
        pytest.param(Decimal("sNaN"), NOT_FINITE, id="signalling-nan"),
        pytest.param(Decimal("Infinity"), NOT_FINITE, id="decimal-infinity"),
        pytest.param(10**38 + 1, DIGITS, id="integer-of-39-digits"),
        pytest.param(Decimal("0." + "1" * 39), DIGITS, id="decimal-of-39-digits"),
        pytest.param(10**126, RANGE, id="integer-too-large"),
        pytest.param(-(10**5000), RANGE, id="integer-that-python-gives-no-text"),
        pytest.param(1e126, RANGE, id="float-too-large"),
        pytest.param(5e-324, RANGE, id="float-too-small"),
        pytest.param(Decimal("9.99E-131"), RANGE, id="decimal-too-small"),
        pytest.param(Decimal("1." + "1" * 40 + "E-131"), RANGE, id="too-small-and-too-long"),
        pytest.param(Decimal("1." + "1" * 40 + "E+126"), RANGE, id="too-large-and-too-long"),
        pytest.param("\ud800", "has a lone surrogate, which is no character", id="surrogate"),
        pytest.param(set(), EMPTY_SET, id="empty-set"),
        pytest.param(frozenset(), EMPTY_SET, id="empty-frozenset"),
        pytest.param({"a", 1}, MIXED + "int, str", id="set-of-text-and-number"),
        pytest.param({"a", b"a"}, MIXED + "bytes, str", id="set-of-text-and-bytes"),
        pytest.param({True, 2}, MIXED + "bool, int", id="set-of-bool-and-number"),
        pytest.param({True}, MIXED + "bool", id="set-of-bool"),
        pytest.param({None}, MIXED + "NoneType", id="set-of-none"),
        pytest.param({("a",)}, MIXED + "tuple", id="set-of-tuples"),
        pytest.param({0.1, Decimal("0.10")}, TWICE, id="one-number-twice"),
        pytest.param({Lonely("speaker"), "speaker"}, TWICE, id="one-text-twice"),
        pytest.param(nested(32, 1), "holds values beyond 32 levels", id="33-levels"),
        pytest.param(CIRCULAR, "holds values beyond 32 levels", id="circular"),
        pytest.param(RELEASED, "is a memoryview that was released", id="released-memoryview"),
        pytest.param(object(), UNKNOWN + "object", id="object"),
        pytest.param(1j, UNKNOWN + "complex", id="complex"),
        pytest.param(fractions.Fraction(1, 2), UNKNOWN + "Fraction", id="fraction"),
        pytest.param(datetime.date(2026, 1, 31), UNKNOWN + "date", id="date"),
        pytest.param(uuid.UUID(int=1), UNKNOWN + "UUID", id="uuid"),
        pytest.param(range(3), UNKNOWN + "range", id="range"),
        pytest.param(iter([]), UNKNOWN + "list_iterator", id="iterator"),
        pytest.param(str, UNKNOWN + "type", id="class"),
        pytest.param({"a": 1}.values(), UNKNOWN + "dict_values", id="values-of-a-dict"),
    ],
)
def test_value_is_refused(value, problem):
    with pytest.raises(AttributeRefused) as caught:
        encode_value(value, "ExpressionAttributeValues")

    assert caught.value.path.startswith("ExpressionAttributeValues")
    assert str(caught.value) == f"{caught.value.path} {problem}"


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        pytest.param({"a": 1j}, "Item.a ", id="attribute"),
        pytest.param({"a": {"b": [0, (1, {"c": set()})]}}, "Item.a.b[1][1].c ", id="deep"),
        pytest.param({"a-b": {"": 1j}}, "Item['a-b']['']", id="names-that-need-quotes"),
        pytest.param({"é\n": 1j}, r"Item['\xe9\n']", id="names-that-need-escapes"),
        pytest.param({"a" * 100: 1j}, f"Item.{'a' * 64} must", id="long-name"),
        pytest.param({1: "x"}, "Item[int] is a name that must be text, got int", id="number-name"),
        pytest.param(
            {"a": {None: 1}}, "Item.a[NoneType] is a name that must be text", id="none-name"
        ),
        pytest.param({"\udcff": 1}, r"Item['\udcff'] has a lone surrogate", id="surrogate-name"),
        pytest.param({"": 1}, "Item has an attribute without a name", id="empty-name"),
        pytest.param({"é" * 32768: 1}, "] is a name of over 65535 bytes", id="name-of-64-KB"),
        pytest.param(
            {Lonely("speaker"): 1, "speaker": 2},
            "Item has two names that are the same text",
            id="one-name-twice",
        ),
        pytest.param(
            {"a": {Lonely("speaker"): 1, "speaker": 2}},
            "Item.a has two names that are the same text",
            id="one-name-twice-inside",
        ),
        pytest.param([("a", 1)], "Item must be a dict, got list", id="pairs"),
        pytest.param(None, "Item must be a dict, got NoneType", id="none"),
    ],
)
def test_item_is_refused_and_says_where(item, sentence):
    with pytest.raises(AttributeRefused) as caught:
        encode_item(item, "Item")

    assert sentence in str(caught.value)
    assert str(caught.value).startswith(caught.value.path)


def test_longest_name_is_taken():
    assert encode_item({"a" * 65535: 1}, "Item") == {"a" * 65535: {"N": "1"}}


@pytest.mark.parametrize(
    "value", ["hunter2\ud800", {"hunter2", b"x"}, {"a": {"b": "hunter2\ud800"}}]
)
def test_refusal_never_shows_the_value(value):
    with pytest.raises(AttributeRefused) as caught:
        encode_item({"password": value}, "Item")

    assert "hunter2" not in f"{caught.value!s} {caught.value!r} {caught.value.__context__}"


def test_refusal_survives_pickling():
    with pytest.raises(AttributeRefused) as caught:
        encode_item({"a": [1j]}, "Item")

    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (str(copy), copy.path) == (str(caught.value), "Item.a[0]")


def test_condition_objects_of_boto3_are_refused_by_name():
    """They are known by the module that made them, boto3 itself is not needed."""
    equals = type("Equals", (), {"__module__": "boto3.dynamodb.conditions"})()

    with pytest.raises(AttributeRefused) as caught:
        encode_value(equals, ":v")

    assert str(caught.value) == (
        ":v is boto3's Equals, but expressions are strings here: write '#name = :value', with"
        " ExpressionAttributeNames and ExpressionAttributeValues"
    )


def test_binary_of_boto3_is_sent_as_its_bytes():
    binary = type("Binary", (), {"__module__": "boto3.dynamodb.types", "value": b"ab"})()

    assert encode_value(binary, ":v") == {"B": "YWI="}
    assert encode_value({binary}, ":v") == {"BS": ["YWI="]}


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({"id": "a" * 2048}, id="longest-partition-key"),
        pytest.param({"id": "é" * 1024, "sort": "a" * 1024}, id="longest-sort-key"),
        pytest.param({"sort": b"a" * 1024, "id": b"a" * 2048}, id="in-any-order"),
        pytest.param({"n" * 255: 1}, id="longest-name"),
    ],
)
def test_key_is_taken(key):
    assert encode_key(key, "Key") == encode_item(key, "Key")


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        pytest.param({}, "Key must have one attribute or two, got 0", id="empty"),
        pytest.param(
            {"a": 1, "b": 2, "c": 3}, "Key must have one attribute or two, got 3", id="three"
        ),
        pytest.param({"id": "é" * 1025}, "Key.id has over 2048 bytes", id="long"),
        pytest.param({"id": b"a" * 2049}, "Key.id has over 2048 bytes", id="long-bytes"),
        pytest.param(
            {"id": "a" * 1025, "sort": "b" * 1025},
            "Key has a sort key of over 1024 bytes",
            id="whichever-is-the-sort-key",
        ),
        pytest.param({"a" * 256: 1}, f"Key.{'a' * 64} is a name of over 255 characters", id="name"),
        pytest.param(
            {"id": True}, "Key.id must be text, a number or bytes, as keys are", id="bool"
        ),
        pytest.param(
            {"id": None}, "Key.id must be text, a number or bytes, as keys are", id="none"
        ),
        pytest.param({"id": ["a"]}, "Key.id must be text, a number or bytes", id="list"),
        pytest.param({"id": {"a"}}, "Key.id must be text, a number or bytes", id="set"),
        pytest.param("id", "Key must be a dict, got str", id="text"),
    ],
)
def test_key_is_refused(key, sentence):
    with pytest.raises(AttributeRefused) as caught:
        encode_key(key, "Key")

    assert str(caught.value).startswith(sentence)


# --- from DynamoDB --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        pytest.param({"S": "é"}, "é", id="text"),
        pytest.param({"N": "1"}, Decimal(1), id="integer"),
        pytest.param({"N": "0." + "1" * 38}, Decimal("0." + "1" * 38), id="38-digits"),
        pytest.param({"BOOL": False}, False, id="bool"),
        pytest.param({"NULL": True}, None, id="null"),
        pytest.param({"B": "AP8="}, b"\x00\xff", id="binary"),
        pytest.param({"L": [{"S": "a"}, {"L": []}]}, ["a", []], id="list"),
        pytest.param({"M": {"a": {"M": {}}}}, {"a": {}}, id="map"),
        pytest.param({"SS": ["a", "b"]}, {"a", "b"}, id="text-set"),
        pytest.param({"NS": ["1", "2.5"]}, {Decimal(1), Decimal("2.5")}, id="number-set"),
        pytest.param({"BS": ["AP8="]}, {b"\x00\xff"}, id="binary-set"),
    ],
)
def test_value_comes_back_as(typed, value):
    found = decode_value(typed)

    assert found == value
    assert type(found) is type(value)
    assert decode_item({"name": typed}) == {"name": value}


def test_members_come_back_with_their_types():
    assert {type(member) for member in decode_value({"NS": ["1", "2"]})} == {Decimal}
    assert {type(member) for member in decode_value({"BS": ["YQ=="]})} == {bytes}


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param({}, id="no-type"),
        pytest.param({"S": "a", "N": "1"}, id="two-types"),
        pytest.param({"V": "a"}, id="unknown-type"),
        pytest.param("text", id="text"),
        pytest.param(None, id="null"),
        pytest.param({"N": "one"}, id="no-number"),
        pytest.param({"N": None}, id="null-number"),
        pytest.param({"B": "\xff"}, id="no-base64"),
        pytest.param({"B": "YWI"}, id="cut-base64"),
        pytest.param({"L": 1}, id="no-list"),
        pytest.param({"M": []}, id="no-map"),
        pytest.param({"SS": None}, id="no-set"),
        pytest.param({"SS": [[]]}, id="set-of-lists"),
    ],
)
def test_what_is_no_typed_json_is_a_value_error(typed):
    with pytest.raises(ValueError, match=r"."):
        decode_value(typed)


def test_item_that_is_no_object_is_a_value_error():
    with pytest.raises(ValueError, match="typed JSON"):
        decode_item([])


# --- size -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "size"),
    [
        pytest.param("é", 2, id="text"),
        pytest.param("", 0, id="empty-text"),
        pytest.param(b"abcd", 4, id="bytes"),
        pytest.param(b"abc", 3, id="bytes-without-padding"),
        pytest.param(b"", 0, id="empty-bytes"),
        pytest.param(0, 1, id="zero"),
        pytest.param(12, 2, id="two-digits"),
        pytest.param(-123, 3, id="three-digits"),
        pytest.param(Decimal("0.0012"), 2, id="zeros-before"),
        pytest.param(1200, 2, id="zeros-after"),
        pytest.param(Decimal("1.20E+50"), 2, id="exponent"),
        pytest.param(int("9" * 38), 20, id="38-digits"),
        pytest.param(None, 1, id="null"),
        pytest.param(True, 1, id="bool"),
        pytest.param([], 3, id="empty-list"),
        pytest.param(["a", None], 7, id="list"),
        pytest.param({}, 3, id="empty-map"),
        pytest.param({"ab": "c"}, 7, id="map"),
        pytest.param({"a", "bc"}, 3, id="text-set"),
        pytest.param({1, 234}, 5, id="number-set"),
        pytest.param({b"a", b"bc"}, 3, id="binary-set"),
    ],
)
def test_size_of_a_value(value, size):
    """And its name's, two bytes of UTF-8."""
    assert item_size(encode_item({"é": value}, "Item")) == 2 + size


# --- any item -----------------------------------------------------------------------


@given(ITEMS)
def test_what_was_sent_comes_back_equal(item):
    assert decode_item(json.loads(json.dumps(encode_item(item, "Item")))) == item


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_in_range_comes_back_as_its_shortest_decimal(number):
    if number and not 1e-130 <= abs(number) < 1e126:
        with pytest.raises(AttributeRefused):
            encode_value(number, ":v")
    else:
        assert decode_value(encode_value(number, ":v")) == Decimal(repr(number))


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.integers())
def test_number_is_exact_or_refused(number):
    try:
        typed = encode_value(number, ":v")
    except AttributeRefused:
        return
    assert decode_value(typed) == number


@given(ITEMS)
def test_size_is_below_the_length_of_the_json(item):
    """So that only a long request needs to be counted."""
    typed = encode_item(item, "Item")

    assert item_size(typed) <= len(json.dumps(typed, separators=(",", ":")))


ANYTHING = st.recursive(
    st.one_of(
        SCALARS,
        st.floats(),
        st.decimals(),
        st.text(),
        st.complex_numbers(),
        st.datetimes(),
        st.uuids(),
        st.just(object()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_any_value_is_encoded_or_refused_with_its_path(value):
    try:
        typed = encode_value(value, ":v")
    except AttributeRefused as refused:
        path = refused.path
    else:
        decode_value(json.loads(json.dumps(typed)))
        path = ":v"
    assert path.startswith(":v")
