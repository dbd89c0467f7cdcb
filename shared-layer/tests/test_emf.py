"""What CloudWatch takes of a metric, and what a document looks like: functions of values."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction

import pytest

from shared_utils import _emf, _line, _redaction
from shared_utils._emf import Document, Group, Layout, dimension_refusal, dimension_text, finite

LIMIT = 2**360
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"


class Scalar:
    """A number of another library, which knows its own kind."""

    def __init__(self, number):
        self.number = number

    def item(self):
        return self.number

    def __float__(self):
        return float(self.number.real)


class Array(Scalar):
    """One of these with a size; without dimensions it is a scalar."""

    def __init__(self, number, shape):
        super().__init__(number)
        self.shape = shape

    def __len__(self):
        raise TypeError("len() of unsized object")

    def __getitem__(self, index):
        raise TypeError("too many indices")


class Index:
    def __index__(self):
        return 7


class Level(IntEnum):
    TWO = 2


class Colour(Enum):
    RED = "red"


class Ratio(float):
    """A float with a text of its own."""

    def __repr__(self):
        return "forged"


def document(
    values=(("A", 1),), dimensions=(), apart=False, defaults=None, left_out=_emf.HEAD, **properties
):
    """Return a document of metrics without a unit, as a reader sees it."""
    made = Document(Group(dimensions, apart))
    for name, number in values:
        made.group.metric(name, "None", 60)
        assert made.put(name, number)
    made.put_beside(properties)
    layout = Layout("Space", defaults or {}, made, left_out)
    return json.loads(f'{{"_aws":{{"Timestamp":1{made.text(layout)}}}')


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, 0), (-5, -5), (2**53, 2**53), (LIMIT, LIMIT), (-LIMIT, -LIMIT), (0.25, 0.25), (2.0**360, 2.0**360),
        (Decimal("4.5"), 4.5), (Decimal(3), 3.0), (Fraction(1, 4), 0.25), (Level.TWO, 2), (Ratio(0.5), 0.5),
        (Index(), 7), (Scalar(5), 5), (Scalar(0.5), 0.5), (Array(5, ()), 5), (Scalar(Fraction(1, 4)), 0.25),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_number_of_any_library_is_taken(value, shown):
    number = finite(value)

    assert number == shown
    assert type(number) is type(shown)


@pytest.mark.parametrize(
    "value",
    [
        True, False, None, "1", b"1", [1], 1j, math.nan, math.inf, -math.inf, LIMIT + 1, -LIMIT - 1, 2.0**361,
        10**5000, Decimal("NaN"), Decimal("Infinity"), Decimal("1e400"), object(),
        Scalar(True), Scalar(1j), Scalar(math.nan), Array(5, (1,)),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises((ValueError, OverflowError)):
        finite(value)


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "id", "ID", "UserId", "UserID", "userId", "user_id", "USER_ID", "user-id", "user.id", "user id", "UserIDs",
        "UserIds", "userid", "roomsessionid", "UserId2", "Uuid", "RequestUUID", "FunctionArn", "Email", "client_mail",
        "Phone", "ClientIp", "ClientIP", "IPAddress", "Address", "User", "UserName.Username", "Customer", "Person",
        "Session", "WebSocketConnection", "LastRequest", "userName", "user_name", "Users", "Emails", "connections",
    ],
)  # fmt: skip
def test_a_name_whose_last_word_is_an_id_or_a_person_is_no_dimension(name):
    assert dimension_refusal(name, "x") == "an id or a secret is no dimension"


@pytest.mark.parametrize(
    "name",
    [
        "RequestType", "UserTier", "ConnectionState", "GridSize", "Provider", "Valid", "Paid", "ActionType", "Grid",
        "Reason", "ErrorCode", "Handler", "service", "Chip", "Zip", "Trip", "Ship", "SessionKind", "IdKind", "Mailbox",
        "Area51", "42", "Users/Minute", "AddressFamily", "ipVersion",
    ],
)  # fmt: skip
def test_a_name_that_only_holds_such_a_word_is_a_dimension(name):
    assert dimension_refusal(name, "x") == ""


@pytest.mark.parametrize("name", ["apiToken", "password", "Authorization"])
def test_a_secret_is_no_dimension(name):
    assert dimension_refusal(name, "x") == "an id or a secret is no dimension"


@pytest.mark.parametrize(
    "name",
    ["", " ", ":a", "D" * 251, "é", "a\n", "_aws", "message", "spanKind\x7f", "droppedLines", JWT],
)
def test_what_is_no_name_is_no_dimension(name):
    assert dimension_refusal(name, "x") == "not a dimension name"


@pytest.mark.parametrize("text", ["", " ", "V" * 1025, "é", "a\n", JWT, f"Bearer {JWT}"])
def test_a_value_that_is_no_text_or_a_secret_is_no_dimension(text):
    assert dimension_refusal("Kind", text) == "not 1 to 1024 ASCII characters, or a secret"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a", "a"), (5, "5"), (Level.TWO, "2"), (Colour.RED, "red"), (True, ""), (None, ""), (1.5, ""), (b"a", "")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_dimension_has_a_text(value, shown):
    assert dimension_text(value) == shown


@pytest.mark.parametrize("name", ["A", "N" * 255, "x:"])
def test_name_is_a_name(name):
    assert _emf.is_name(name)


@pytest.mark.parametrize("name", ["", "N" * 256, ":a", " ", "é", JWT, None, 5, b"A"])
def test_name_is_none(name):
    assert not _emf.is_name(name)


def test_every_member_of_a_line_is_reserved_but_service():
    """A property or a metric of such a name would be there twice."""
    others = {
        "timestamp",
        "level",
        "component",
        "message",
        "error",
        "context",
        "_aws",
        "droppedLines",
    }

    assert {*_line._TOP_NAMES} | others == _emf.RESERVED


# --- groups and documents ------------------------------------------------------------------------


def test_group_has_a_metric_once():
    group = Group((), False)
    metric = group.metric("A", "Count", 60)

    assert group.metric("A", "Count", 60) is metric
    assert group.metric("A", "Bytes", 60) is None
    assert group.metric("A", "Count", 1) is None


def test_group_has_room_for_a_hundred_metrics():
    group = Group((), False)
    made = [group.metric(f"M{number}", "Count", 60) for number in range(100)]

    assert None not in made
    assert group.metric("M100", "Count", 60) is None
    assert group.metric("M99", "Count", 60) is made[99]


def test_document_has_room_for_a_hundred_values():
    made = Document(Group((), False))

    assert [made.put("A", number) for number in range(101)] == [True] * 100 + [False]
    assert made.values == {"A": [*range(100)]}


def test_values_are_summed_up_to_the_end_of_the_range():
    made = Document(Group((), False))

    [made.put("A", number, True) for number in (0.5, 2)]
    [made.put("B", number, True) for number in (LIMIT, 1, 2)]

    assert made.values == {"A": 2.5, "B": [LIMIT, 3]}


def test_document_without_dimensions_has_one_set():
    assert document()["_aws"]["CloudWatchMetrics"] == [
        {"Namespace": "Space", "Dimensions": [[]], "Metrics": [{"Name": "A", "Unit": "None"}]}
    ]


@pytest.mark.parametrize(
    ("apart", "sets"),
    [(False, [["S", "K", "L"], []]), (True, [["S", "K"], ["S", "L"], []])],
)
def test_document_names_its_sets_of_dimensions(apart, sets):
    made = document(dimensions=(("K", "k%s"), ("L", "l")), apart=apart, defaults={"S": "%d"})

    assert made["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == sets
    assert (made["S"], made["K"], made["L"]) == ("%d", "k%s", "l")


def test_names_with_a_percent_sign_are_written_as_they_are():
    made = document([("100%", 1), ("%s", 2)], **{"%d": "%r"})

    assert (made["100%"], made["%s"], made["%d"]) == (1, 2, "%r")


def test_several_values_and_single_ones_stand_in_one_document():
    made = document([("A", 1), ("B", 0.5), ("A", 2)])

    assert (made["A"], made["B"]) == ([1, 2], 0.5)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a", "a"), (5, 5), (0.5, 0.5), (True, True), (2**60, 2**60), (math.nan, "nan"), ("é", "é"), ("x" * 97, None),
        ([1], [1]), (Level.TWO, 2), (f"Bearer {JWT}", "Bearer [REDACTED]"), (Decimal("0.1"), 0.1),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_property_is_shown(given, shown):
    made = document(n=given, m="beside")

    assert made["n"] == shown or (shown is None and made["n"].startswith("<base64 97 chars"))
    assert made["m"] == "beside"


def test_properties_that_differ_stand_side_by_side_each_once():
    made = Document(Group((), False))
    for number in [1, 2, 1, True, *range(20)]:
        made.put_beside({"n": number, "m": None})

    assert made.properties == {"n": [1, 2, True, 0, 3, 4, 5, 6, 7, 8]}


def test_property_that_is_a_list_stays_one():
    made = Document(Group((), False))
    made.put_beside({"n": [1]})
    made.put_beside({"n": 2})

    assert made.properties == {"n": [[1], 2]}


def test_name_with_methods_of_its_own_is_a_name():
    class Name(str):
        __slots__ = ()

    made = Document(Group((), False))
    made.put_beside({Name("n"): 1})

    assert [type(name) for name in made.properties] == [str]


@pytest.mark.parametrize(
    "names",
    [("n" * 129, "n" * 130), (JWT, JWT + "x"), ("\ud800", "\udfff")],
    ids=["long", "secret", "half"],
)
def test_names_that_become_one_text_are_both_there(names):
    made = document(**dict.fromkeys(names, "x"))

    assert list(made.values()).count("x") == 2


def test_name_that_becomes_a_metrics_gives_way(monkeypatch):
    monkeypatch.setattr(_emf._cleaning, "clean", lambda shown: {"A": "forged", "b": "x"})

    made = document(token="abc")

    assert (made["A"], made["b"]) == (1, "x")


def test_value_that_another_member_names_as_secret_takes_a_closer_look():
    assert _emf._is_special("value")
    assert _emf._is_special("HeaderValue")
    assert not _emf._is_special("values")


def test_more_than_eight_properties_are_written_too():
    made = document(**{f"p{number}": "x" for number in range(9)})

    assert [made[f"p{number}"] for number in range(9)] == ["x"] * 9


@pytest.mark.parametrize("text", ["a b" * 300, "\x01 " * 400, "é " * 500, "\x01 " * 30])
def test_properties_have_the_room_of_a_line(text):
    made = document(**{f"p{number:04}": text for number in range(200)})
    properties = {name: made[name] for name in made if name[0] == "p"}

    assert len(json.dumps(properties, ensure_ascii=False, separators=(",", ":")).encode()) <= 16_384
    assert made["p0000"].startswith(text[:16])


def test_what_is_left_out_is_not_in_the_document():
    made = document(left_out=_emf.RESERVED, sessionId="golden-eagle-427", seq=7)

    assert "sessionId" not in made
    assert made["seq"] == 7


def test_service_of_its_own_is_known():
    one = Document(Group((), False))
    other = Document(Group((("service", "a"),), False))
    third = Document(Group((), False))
    third.put_beside({"service": "b"})

    assert [Layout("S", {}, made, _emf.HEAD).has_service for made in (one, other, third)] == [
        False,
        True,
        True,
    ]


def test_name_that_is_hidden_by_the_rules_is_hidden(monkeypatch):
    monkeypatch.setattr(_redaction, "policy", _redaction.Policy(redact=("nick",)))

    assert document(nick="abc")["nick"] == "[REDACTED]"
