"""The engine of messages: what a declaration means, what is refused of it, and what then holds."""

from __future__ import annotations

import copy
import functools
import json
import pickle
import re
import subprocess
import sys
import typing
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Optional
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_utils import _patterns, records
from shared_utils.error_codes import ErrorCode, ValidationError
from shared_utils.records import ClientMessage, Limits, Record, ServerMessage, example, json_schema

NOW = 1767225600123
MISSING = ErrorCode.VALIDATION_MISSING_PARAMETER
WRONG = ErrorCode.VALIDATION_INVALID_PARAMETER
MALFORMED = ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT
TOO_LARGE = ErrorCode.VALIDATION_MESSAGE_TOO_LARGE
ACTION = ErrorCode.VALIDATION_INVALID_ACTION


def refusal(function, *args, **kwargs):
    with pytest.raises(ValidationError) as caught:
        function(*args, **kwargs)
    return caught.value


class Color(Enum):
    RED = "red"
    BLUE = 2


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Tone(StrEnum):
    CALM = "calm"
    LOUD = "loud"


class Empty(Enum):
    pass


class Dated(Enum):
    NEW = datetime(2026, 1, 1)


class Endless(Enum):
    MOST = float("inf")


class Exact(Enum):
    NONE = Decimal("NaN")


class Tiny(Enum):
    LEAST = 5e-324


class Rights(Flag):
    READ = 1
    WRITE = 2


async def ask(value):
    return value


class Asking:
    async def __call__(self, value):
        return value

    def of_two(self, value, other):
        return value


def nested(times):
    return functools.reduce(lambda kind, _: list[kind], range(times), int)


class Point(Record):
    """A place."""

    x: float
    y: float = 0.5


class Node(Record):
    """A tree."""

    name: str
    children: list[Node] = []
    parent: Node | None = None


def stripped(text):
    return text.strip()


def even(number):
    if number % 2:
        raise ValueError("must be even")
    return number


class SendChat(ClientMessage):
    """Say something in a room."""

    roomId: Annotated[str, Limits(min_length=1, max_length=8)]
    text: Annotated[str, Limits(max_length=20, check=stripped)]
    mentions: list[Annotated[str, Limits(pattern="[a-z]+")]] = []
    scores: dict[str, Annotated[int, Limits(minimum=0, maximum=10)]] = {}
    from_: str | None = None
    color: Color = Color.RED
    level: Level | None = None
    tone: Tone = Tone.CALM
    kind: Literal["chat", 1, True] = "chat"
    at: Point = Point(x=1)
    path: list[Point] = []
    urgent: bool = False
    ratio: float = 1
    count: Annotated[int, Limits(check=even)] = 2


class ChatSentMessage(ServerMessage):
    """Somebody said something."""

    text: str


FULL = {
    "action": "sendChat",
    "roomId": "r1",
    "text": "Hello",
    "mentions": ["ann", "bob"],
    "scores": {"ann": 3},
    "from": "carl",
    "color": 2,
    "level": 1,
    "tone": "loud",
    "kind": True,
    "at": {"x": 1, "y": 2.5},
    "path": [{"x": 1, "y": 0.5}],
    "urgent": True,
    "ratio": 0.25,
    "count": 4,
    "requestId": "client-7",
}
SHORT = {"action": "sendChat", "roomId": "r1", "text": "Hello"}


# --- what a field holds


def test_every_field_is_read_as_its_annotation_says():
    message = SendChat.from_dict(FULL)

    assert vars(message) == {
        **{name: value for name, value in FULL.items() if name not in ("action", "from")},
        "from_": "carl",
        "color": Color.BLUE,
        "level": Level.LOW,
        "tone": Tone.LOUD,
        "at": Point(x=1, y=2.5),
        "path": [Point(x=1)],
    }
    assert (type(message.tone), type(message.level)) == (Tone, Level)
    assert message.to_dict() == FULL
    assert json.loads(message.to_json()) == FULL


def test_absent_fields_have_their_defaults():
    message = SendChat.from_dict(SHORT)

    assert (message.mentions, message.scores, message.from_, message.color) == (
        [],
        {},
        None,
        Color.RED,
    )
    assert (message.kind, message.at, message.level, message.requestId) == (
        "chat",
        Point(x=1),
        None,
        None,
    )
    assert "from" not in message.to_dict()
    assert "requestId" not in message.to_dict()


@pytest.mark.parametrize("name", ["from", "level", "requestId"])
def test_null_is_the_absence_of_an_optional_field(name):
    assert SendChat.from_dict({**SHORT, name: None}) == SendChat.from_dict(SHORT)


def test_null_is_a_default_that_is_not_none():
    class Join(ClientMessage):
        language: str | None = "en"

    assert Join.from_dict({"action": "join", "language": None}).language == "en"


class Strict(ClientMessage):
    accepts_null = False
    note: str | None = None


def test_class_may_refuse_null():
    assert refusal(Strict.from_dict, {"action": "strict", "note": None}).field == "note"
    assert json_schema(Strict)["properties"]["note"]["type"] == "string"


def test_constructor_takes_fields_by_name():
    message = SendChat(
        roomId="r1", text=" Hello ", from_="carl", color="red", at={"x": Decimal("1.5")}, level=Decimal(2),
        tone=Tone.LOUD, scores={"ann": Level.LOW}, path=None,
    )  # fmt: skip

    assert message.text == "Hello"
    assert (message.at, message.level, message.color) == (Point(x=1.5), Level.HIGH, Color.RED)
    assert [type(value) for value in message.scores.values()] == [int]
    assert message.path == []


@pytest.mark.parametrize(
    ("change", "code", "field", "message"),
    [
        ({"roomId": None}, WRONG, "roomId", "roomId must be text of 1 to 8 characters, got null"),
        ({"roomId": ""}, WRONG, "roomId", "roomId must be text of 1 to 8 characters, got ''"),
        ({"roomId": "123456789"}, WRONG, "roomId", "roomId must be text of 1 to 8 characters, got '123456789'"),
        ({"text": 5}, WRONG, "text", "text must be text of up to 20 characters, got 5"),
        ({"mentions": "ann"}, WRONG, "mentions", "mentions must be a list of up to 1000 items, got 'ann'"),
        ({"mentions": {"a": 1}}, WRONG, "mentions", "mentions must be a list of up to 1000 items, got an object"),
        ({"mentions": ["ann", "Bob"]}, WRONG, "mentions[1]", "mentions[1] must be text that fits [a-z]+, got 'Bob'"),
        ({"mentions": ["ann\n"]}, WRONG, "mentions[0]", "mentions[0] must be text that fits [a-z]+, got 'ann\\n'"),
        ({"mentions": [None]}, WRONG, "mentions[0]", "mentions[0] must be text that fits [a-z]+, got null"),
        ({"scores": []}, WRONG, "scores", "scores must be an object, got an array"),
        ({"scores": {"ann": 11}}, WRONG, "scores.ann", "scores.ann must be a whole number from 0 to 10, got 11"),
        ({"scores": {"a b": True}}, WRONG, "scores['a b']", "scores['a b'] must be a whole number from 0 to 10, got true"),
        ({"color": "green"}, WRONG, "color", "color must be one of red, 2, got 'green'"),
        ({"color": "RED"}, WRONG, "color", "color must be one of red, 2, got 'RED'"),
        ({"color": []}, WRONG, "color", "color must be one of red, 2, got an array"),
        ({"level": True}, WRONG, "level", "level must be one of 1, 2, got true"),
        ({"kind": 0}, WRONG, "kind", "kind must be one of chat, 1, got 0"),
        ({"at": 5}, WRONG, "at", "at must be an object, got 5"),
        ({"at": {}}, MISSING, "at.x", "at.x is required"),
        ({"path": [{"x": 1}, {"x": "1"}]}, WRONG, "path[1].x", "path[1].x must be a number, got '1'"),
        ({"urgent": 1}, WRONG, "urgent", "urgent must be true or false, got 1"),
        ({"ratio": True}, WRONG, "ratio", "ratio must be a number, got true"),
        ({"ratio": 1e126}, WRONG, "ratio", "ratio must be a number, got 1e+126"),
        ({"ratio": -(10**126)}, WRONG, "ratio", "ratio must be a number, got a long number"),
        ({"text": "a\ud800"}, WRONG, "text", "text must be Unicode, without half of a surrogate pair, got 'a\\ud800'"),
        ({"text": "\udc00\ud800"}, WRONG, "text", "text must be Unicode, without half of a surrogate pair, got '\\udc00\\ud800'"),
        ({"scores": {"\ud800": 1}}, WRONG, "scores", "scores must have names in Unicode, without half of a surrogate pair, got an object"),
        ({"ratio": 10**400}, WRONG, "ratio", "ratio must be a number, got a long number"),
        ({"count": 3}, WRONG, "count", "count: must be even"),
        ({"count": 2.5}, WRONG, "count", "count must be a whole number, got 2.5"),
        ({"count": 2**53}, WRONG, "count", "count must be a whole number, got 9007199254740992"),
        ({"requestId": "x" * 129}, WRONG, "requestId", f"requestId must be text of up to 128 characters, got '{'x' * 40}'..."),
        ({"action": "other"}, ACTION, "action", "action must be sendChat, got 'other'"),
        ({"action": None}, ACTION, "action", "action must be sendChat, got null"),
    ],
)  # fmt: skip
def test_value_refused(change, code, field, message):
    if field == "kind":
        message = "kind must be one of chat, 1, true, got 0"
    error = refusal(SendChat.from_dict, {**SHORT, **change})

    assert (error.code, error.field, error.message) == (code, field, message)
    assert refusal(SendChat.from_json, json.dumps({**SHORT, **change})).message == message


@pytest.mark.parametrize("name", ["action", "roomId", "text"])
def test_missing_field_is_named(name):
    error = refusal(SendChat.from_dict, {key: SHORT[key] for key in SHORT if key != name})

    assert (error.code, error.field, error.message) == (MISSING, name, f"{name} is required")


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"count": 4.0}, "count", 4),
        ({"count": 2**53 - 2}, "count", 2**53 - 2),
        ({"level": 2.0}, "level", Level.HIGH),
        ({"kind": 1.0}, "kind", 1),
        ({"ratio": 9.999999999999998e125}, "ratio", 9.999999999999998e125),
        ({"ratio": -9.999999999999998e125}, "ratio", -9.999999999999998e125),
        ({"ratio": 1e-130}, "ratio", 1e-130),
        ({"ratio": 9.999999999999999e-131}, "ratio", 0.0),
        ({"ratio": -5e-324}, "ratio", 0.0),
        ({"ratio": 2**53 - 1}, "ratio", 2**53 - 1),
        ({"ratio": 2**53 + 1}, "ratio", 2.0**53),
        ({"ratio": -(10**40) - 1}, "ratio", -1e40),
        ({"roomId": "12345678"}, "roomId", "12345678"),
        ({"roomId": "\U0001f600" * 8}, "roomId", "\U0001f600" * 8),
        ({"scores": {"a": 0, "b": 10}}, "scores", {"a": 0, "b": 10}),
        ({"mentions": ["a"] * 1000}, "mentions", ["a"] * 1000),
        ({"text": " x "}, "text", "x"),
    ],
)
def test_value_taken(change, field, value):
    found = getattr(SendChat.from_dict({**SHORT, **change}), field)

    assert found == value
    assert type(found) is type(value) or isinstance(found, type(value))


@pytest.mark.parametrize(
    ("ratio", "kept"),
    [
        (Decimal("1E+30"), 1e30),
        (Decimal("0.1000000000000000000001"), 0.1),
        (Decimal("1E-131"), 0.0),
        (Decimal("-9.99E+125"), -9.99e125),
    ],
)
def test_decimal_is_kept_as_a_number_that_messages_hold(ratio, kept):
    assert SendChat.from_dict({**SHORT, "ratio": ratio}).ratio == kept


@pytest.mark.parametrize("ratio", ["NaN", "sNaN", "Infinity", "1E+126", "-1E+999999"])
def test_decimal_that_no_message_holds_is_refused(ratio):
    error = refusal(SendChat.from_dict, {**SHORT, "ratio": Decimal(ratio)})

    assert (error.code, error.field) == (WRONG, "ratio")


@pytest.mark.parametrize("source", [None, 5, "text", [], object(), SendChat])
def test_only_a_dict_is_read(source):
    assert refusal(SendChat.from_dict, source).field == "message"


@pytest.mark.parametrize(("key", "shown"), [(1, "1"), (None, "null"), (("a",), "tuple")])
def test_dict_has_only_texts_as_names(key, shown):
    text = f"scores must have texts as names, got {shown}"

    assert refusal(SendChat.from_dict, {**SHORT, "scores": {"a": 1, key: 2}}).message == text
    assert refusal(SendChat, roomId="r", text="t", scores={key: 2}).message == text


def test_keys_that_are_no_text_are_ignored():
    assert SendChat.from_dict({**SHORT, 5: 6, None: 7}) == SendChat.from_dict(SHORT)


@pytest.mark.parametrize("name", ["from", "room", "action", "self"])
def test_constructor_refuses_other_names(name):
    error = refusal(SendChat, roomId="r", text="t", **{name: "x"})

    assert (error.field, error.message) == (name, f"SendChat has no '{name}'")


# --- checks of one's own


def refuse_with_code(value):
    raise ValidationError("word is not nice", "word", ErrorCode.VALIDATION_INVALID_LANGUAGE)


def refuse_bare(value):
    raise ValidationError("That is not nice")


def make_list(value):
    return [value]


class Checked(Record):
    small: Annotated[int, Limits(check=even)] = 0
    coded: Annotated[str, Limits(check=refuse_with_code)] | None = None
    bare: Annotated[str, Limits(check=refuse_bare)] | None = None
    other: Annotated[str, Limits(check=make_list)] | None = None
    password: Annotated[str, Limits(check=int)] | None = None
    hidden: Annotated[str, Limits(secret=True, check=int)] | None = None
    shown: Annotated[str, Limits(check=int)] | None = None


@pytest.mark.parametrize(
    ("fields", "code", "field", "message"),
    [
        ({"small": 1}, WRONG, "small", "small: must be even"),
        ({"coded": "x"}, ErrorCode.VALIDATION_INVALID_LANGUAGE, "coded", "coded is not nice"),
        ({"bare": "x"}, WRONG, "bare", "That is not nice"),
        ({"other": "x"}, WRONG, "other", "other must be text, got an array"),
        ({"hidden": "sesame"}, WRONG, "hidden", "hidden is not accepted"),
        ({"password": "sesame"}, WRONG, "password", "password is not accepted"),
        ({"password": 5}, WRONG, "password", "password must be text, got a number"),
    ],
)
def test_check_of_a_value_refuses(fields, code, field, message):
    error = refusal(Checked, **fields)

    assert (error.code, error.field, error.message) == (code, field, message)
    assert error.__cause__ is None


def test_text_of_a_value_error_is_bounded():
    error = refusal(Checked, shown="x" * 5000)

    assert len(error.message) < 250


class Range(Record):
    low: int
    high: int

    def check(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        if self.low == self.high:
            raise ValidationError(
                "high must be higher", "high", ErrorCode.VALIDATION_INVALID_LANGUAGE
            )


class Ranges(Record):
    ranges: list[Range] = []


@pytest.mark.parametrize(
    ("low", "field", "code", "message"),
    [
        (3, None, WRONG, "message: low is above high"),
        (2, "high", ErrorCode.VALIDATION_INVALID_LANGUAGE, "high must be higher"),
    ],
)
def test_check_of_a_record_refuses(low, field, code, message):
    error = refusal(Range, low=low, high=2)

    assert (error.field, error.code, error.message) == (field, code, message)


@pytest.mark.parametrize(("low", "field"), [(3, "ranges[0]"), (2, "ranges[0].high")])
def test_check_of_a_record_inside_says_where(low, field):
    assert refusal(Ranges.from_dict, {"ranges": [{"low": low, "high": 2}]}).field == field


def test_defect_in_a_check_is_no_refusal():
    """It is ours, and has to be seen."""

    class Broken(Record):
        x: Annotated[str, Limits(check=lambda value: value.nothing)]

    with pytest.raises(AttributeError):
        Broken(x="x")


# --- what is refused when a class is declared

ENDLESS_TEXT = "ENDLESS_TEXT"


def declare(annotation, **body):
    """Declare `class Chat(ClientMessage)` with one field of this annotation."""
    return type("Chat", (ClientMessage,), {"__annotations__": {"room": annotation}, **body})


KINDS = "str, int, float, bool, list[X], dict[str, X], Literal, an Enum, a Record or Annotated[X, Limits(...)]"
PLAIN = "a Record with the fields that you expect"


class Other:
    pass


NOT_KINDS = [
    (datetime, "datetime", "int (milliseconds since the epoch) or str (ISO 8601)"),
    ("datetime", "datetime", "int (milliseconds since the epoch) or str (ISO 8601)"),
    (bytes, "bytes", "str (base64)"),
    (bytearray, "bytearray", "str (base64)"),
    (Decimal, "Decimal", "float, or str (every digit is kept)"),
    (UUID, "UUID", "str"),
    (Any, "Any", PLAIN),
    (object, "object", PLAIN),
    (tuple, "tuple", "list[X], or a Record"),
    (tuple[str, int], "tuple[str, int]", "list[X], or a Record"),
    (set[str], "set[str]", "list[X]"),
    (frozenset, "frozenset", "list[X]"),
    (list, "list", "list[X]"),
    (dict, "dict", "dict[str, X]"),
    (dict[int, str], "dict[int, str]", "dict[str, X]"),
    ("dict[int, str]", "dict[int, str]", "dict[str, X]"),
    (list[datetime], "datetime", "int (milliseconds since the epoch) or str (ISO 8601)"),
    (dict[str, Any], "Any", PLAIN),
    (typing.Mapping[str, str], "Mapping[str, str]", "dict[str, X]"),
    (typing.Sequence[str], "Sequence[str]", "list[X]"),
    (complex, "complex", "a Record of two floats"),
    (None, "None", "X | None with a default"),
    (type(None), "NoneType", "X | None with a default"),
    (Literal[b"x"], "Literal[b'x']", "texts, whole numbers, True or False in it"),
    (Literal[None], "Literal[None]", "texts, whole numbers, True or False in it"),
    (Other, "Other", KINDS),
    (type, "type", KINDS),
    (typing.NewType("RoomId", str), "tests.test_records.RoomId", KINDS),
    (Enum, "Enum", KINDS),
]


@pytest.mark.parametrize(("annotation", "name", "instead"), NOT_KINDS)
def test_annotation_that_is_no_kind_is_refused(annotation, name, instead):
    with pytest.raises(TypeError) as caught:
        declare(annotation)

    text = str(caught.value)
    if name.endswith("RoomId"):
        text, name = (
            re.sub(r"write .*RoomId", "write RoomId", text.replace(__name__ + ".", "")),
            "RoomId",
        )
    if annotation is Enum:
        assert text == "Chat.room: Enum has other values than texts and numbers: write such"
    else:
        assert text == f"Chat.room: {name} is not a kind of field: write {instead}"


LIMITED = "write min_length, max_length, pattern, check, description, example, secret"
REFUSED = [
    # annotation, body, what is said
    (str | None, {}, "X | None needs a default: write room: X | None = None"),
    ("str | None", {}, "X | None needs a default: write room: X | None = None"),
    (Optional[str], {}, "X | None needs a default: write room: X | None = None"),  # noqa: UP045
    (str | int, {}, "str | int is not a kind of field: write one kind, or a Record with a field for each"),
    (str | int | None, {"room": None}, "str | int | None is not a kind of field: write one kind, or a Record with a field for each"),
    (list[str | None], {}, "null has no place inside: write X for X | None, and None for the field"),
    (str, {"room": 5}, "its default does not fit, room must be text, got 5: write a default that the field would take"),
    (str, {"room": None}, "its default does not fit, room must be text, got null: write X | None = None"),
    (int, {"room": "5"}, "its default does not fit, room must be a whole number, got '5': write a default that the field would take"),
    (int, {"room": True}, "its default does not fit, room must be a whole number, got true: write a default that the field would take"),
    (list[str], {"room": [5]}, "its default does not fit, room[0] must be text, got 5: write a default that the field would take"),
    (Point, {"room": Point}, "its default does not fit, room must be an object, got _Meta: write a default that the field would take"),
    ("Rom", {}, "Rom is not found in the module or the body around the class (name 'Rom' is not defined): "
     "import or declare it above the class, and not for type checkers only"),
    ("list[Rom]", {}, "list[Rom] is not found in the module or the body around the class (name 'Rom' is not defined): "
     "import or declare it above the class, and not for type checkers only"),
    (list["Rom"], {}, "Rom is not found in the module or the body around the class (name 'Rom' is not defined): "  # type: ignore[name-defined]  # noqa: F821
     "import or declare it above the class, and not for type checkers only"),
    ("str |", {}, "str | is not found in the module or the body around the class (invalid syntax (<string>, line 1)): "
     "import or declare it above the class, and not for type checkers only"),
    ("Chat", {}, "such a message has no end: write Chat | None = None, or a list"),
    (Empty, {}, "Empty has other values than texts and numbers: write such"),
    (Dated, {}, "Dated has other values than texts and numbers: write such"),
    (Annotated[str, "a room"], {}, "'a room' says nothing here: write Limits(...)"),
    (Annotated[str, Limits(minimum=1)], {}, f"minimum is not for str: {LIMITED}"),
    (Annotated[int, Limits(pattern="x")], {}, "pattern is not for int: write minimum, maximum, check, description, example, secret"),
    (Annotated[bool, Limits(max_length=1)], {}, "max_length is not for bool: write check, description, example, secret"),
    (Annotated[list[str], Limits(pattern="x")], {}, "pattern is not for list[str]: write min_length, max_length, check, description, example, secret"),
    (Annotated[Point, Limits(description="a place")], {}, "description is not for Point: write its docstring"),
    (Annotated[Annotated[str, Limits(max_length=2)], Limits(max_length=3)], {}, "max_length is said twice: write it once"),
    (Annotated[str, Limits(min_length=3, max_length=2)], {}, "min_length is above max_length: write them the other way round"),
    (Annotated[str, Limits(min_length=-1)], {}, "min_length is -1: write 0 to 131072"),
    (Annotated[str, Limits(max_length=2.5)], {}, "max_length is 2.5: write 0 to 131072"),
    (Annotated[list[str], Limits(max_length=10_001)], {}, "max_length is 10001: write 0 to 10000"),
    (Annotated[int, Limits(maximum=2**53)], {}, "maximum is 9007199254740992: write -9007199254740991 to 9007199254740991"),
    (Annotated[float, Limits(minimum=float("nan"))], {}, "minimum is nan: write -9.999999999999998e+125 to 9.999999999999998e+125"),
    (Annotated[str, Limits(pattern=r"\d+")], {}, "Python and ECMAScript do not read '\\\\d+' alike: "
     "write characters, [classes] without \\d \\w \\s, groups, | and * + ? {m,n}"),
    *((Annotated[str, Limits(check=check)], {}, "its check is no def of the value alone: write def check(value)")
      for check in (3, ask, Asking(), Asking().of_two, functools.partial(ask), lambda: 1, lambda a, b: a, lambda a, *, b: a, lambda a: (yield))),
    (Annotated[str, Limits(description=3)], {}, "description is 3: write text"),
    (Annotated[Point, Limits(description=3)], {}, "description is 3: write text"),
    (Annotated[str, Limits(secret="yes")], {}, "secret is 'yes': write True or False"),
    (dict[str, int], {"room": {1: 2}}, "its default does not fit, room must have texts as names, got 1: write a default that the field would take"),
    (nested(32), {}, "messages are at most 32 levels deep: write fewer"),
    *((kind, {}, f"{name} has a value that no message holds: write Unicode, 0, or numbers from 1e-130 to 9.999999999999998e+125")
      for name, kind in (("Endless", Endless), ("Exact", Exact), ("Tiny", Tiny), ("Literal[9007199254740993]", Literal[2**53 + 1]),
                         ("Literal['\\ud800']", Literal["\ud800"]))),
    (Rights, {}, "Rights is a Flag: write list[...] of an Enum, or int"),
    (Annotated[str | None, Limits(max_length=2)], {"room": None}, "None has no limits, it stands outside: write Annotated[str, Limits(...)] | None"),
    ("Annotated['str | None', Limits(max_length=2)]", {"room": None}, "None has no limits, it stands outside: write Annotated[str, Limits(...)] | None"),
    (list[Annotated[str | None, Limits(max_length=2)]], {}, "null has no place inside: write X for X | None, and None for the field"),
    ("ENDLESS_TEXT", {}, "'ENDLESS_TEXT' is not a kind of field: write " + KINDS),
    *((Annotated[str, Limits(pattern=pattern)], {}, f"'{pattern}' repeats a repetition, which may take for ever: write {{m,n}} for one of the two")
      for pattern in ("(a+)+b", "(?:(a*)b?){2,}", "(-?[a-z]+)*", "(a+|b)*", "((-a)+x*)+?", "(-[^a]+)*", "(é[à-ü]+)*")),
    (Annotated[str, Limits(max_length=2, example="long")], {}, "its example does not fit, room must be text of up to 2 characters, got 'long'"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "body", "text"), REFUSED)
@pytest.mark.threat("slow-pattern")
def test_declaration_is_refused(annotation, body, text):
    with pytest.raises(TypeError) as caught:
        declare(annotation, **body)

    assert str(caught.value).replace("type:", "_Meta:") == f"Chat.room: {text}"


def fields(**annotations):
    return {"__annotations__": annotations}


@pytest.mark.parametrize(
    ("base", "body", "text"),
    [
        (ClientMessage, fields(to_json=str), "Chat.to_json: Record has this name itself: write to_json_, which is to_json on the wire"),
        (ClientMessage, fields(check=str), "Chat.check: Record has this name itself: write check_, which is check on the wire"),
        (ClientMessage, fields(max_bytes=int), "Chat.max_bytes: ClientMessage has this name itself: write max_bytes_, which is max_bytes on the wire"),
        (ClientMessage, fields(requestId=str), "Chat.requestId: ClientMessage has this name itself: write another name"),
        (ServerMessage, fields(timestamp=str), "Chat.timestamp: ServerMessage has this name itself: write another name"),
        (ClientMessage, fields(action=str), 'Chat.action: it is no field: write action: ClassVar[str] = "..."'),
        (ServerMessage, fields(type=str), 'Chat.type: it is no field: write type: ClassVar[str] = "..."'),
        (ClientMessage, fields(action_=str), "Chat.action_: action is action on the wire, too: write another name"),
        (ClientMessage, fields(id=str, id_=str), "Chat.id_: id is id on the wire, too: write another name"),
        (ClientMessage, fields(requestId_=str), "Chat.requestId: requestId_ is requestId on the wire, too: write another name"),
        (ClientMessage, fields(_room=str), "Chat._room: a field's name is on the wire: write room, or ClassVar[...]"),
        (ClientMessage, {"action": ""}, 'Chat.action: \'\' is no text: write action: ClassVar[str] = "..." with 1 to 128 characters'),
        (ClientMessage, {"action": 5}, 'Chat.action: 5 is no text: write action: ClassVar[str] = "..." with 1 to 128 characters'),
        (ClientMessage, {"max_bytes": 131_073}, "Chat.max_bytes: 131073 is no size of a message: write max_bytes: ClassVar[int] = 1 to 131072"),
        (ClientMessage, {"max_bytes": "big"}, "Chat.max_bytes: 'big' is no size of a message: write max_bytes: ClassVar[int] = 1 to 131072"),
        (ServerMessage, {"type": "x" * 129}, f'Chat.type: \'{"x" * 40}\'... is no text: write type: ClassVar[str] = "..." with 1 to 128 characters'),
        (SendChat, {"text": 7}, "Chat.text: its default does not fit, text must be text of up to 20 characters, got 7: write a default that the field would take"),
    ],
)  # fmt: skip
def test_name_is_refused(base, body, text):
    with pytest.raises(TypeError) as caught:
        type("Chat", (base,), dict(body))

    assert str(caught.value) == text


CACHED = functools.cached_property(len)


class HasRoom:
    limit: ClassVar[int] = 5
    roomId: str


class HasCache:
    size = CACHED


class InTurn:
    async def check(self):
        pass


@pytest.mark.parametrize(
    ("bases", "body", "text"),
    [
        ((), {"size": CACHED}, "size: a cached_property writes into the message: write a property"),
        ((HasCache,), {}, "size: a cached_property writes into the message: write a property"),
        ((HasRoom,), {}, "roomId: HasRoom is no Record, its fields are no fields of a message: make HasRoom a Record"),
        ((), {"check": lambda self, x: None}, "check: it is no def of self alone: write def check(self)"),
        ((), {"check": ask}, "check: it is no def of self alone: write def check(self)"),
        ((InTurn,), {}, "check: it is no def of self alone: write def check(self)"),
        ((), {"check": 5}, "check: it is no def of self alone: write def check(self)"),
        ((), {"__init__": lambda self: None}, "__init__: a message is made of its fields: write defaults, and def check(self)"),
        ((), {"__post_init__": lambda self: None}, "__post_init__: nothing calls it: write def check(self)"),
        ((), {"__slots__": ()}, "__slots__: a message keeps its fields in its __dict__: write none"),
    ],
)  # fmt: skip
def test_body_is_refused(bases, body, text):
    with pytest.raises(TypeError) as caught:
        type("Chat", (*bases, ClientMessage), dict(body))

    assert str(caught.value) == f"Chat.{text}"


def test_base_that_is_no_record_may_have_what_is_no_field():
    class Shout:
        limit: ClassVar[int] = 5

        def loud(self):
            return self.roomId.upper()

    class Say(Shout, HasRoom, ClientMessage):
        roomId: str

    assert Say(roomId="r").loud() == "R"


@pytest.mark.parametrize(
    "check",
    [str, len, ask.__class__, functools.partial(max, "b"), lambda a, b=1: a, lambda *a: a[0]],
)
def test_check_may_be_anything_that_takes_the_value(check):
    assert declare(Annotated[str, Limits(check=check)])


@pytest.mark.parametrize(
    "pattern", ["[a-z]+(-[a-z]+)*", "([a-z]+,)*", "(a{1,9})+", "(ab)+", "(a+){2}", "a+b*", r"(\\x2d[a-z]+)*", "(a+)?"]
)  # fmt: skip
def test_pattern_that_can_be_divided_in_one_way_is_taken(pattern):
    assert declare(Annotated[str, Limits(pattern=pattern)])


def test_lists_may_be_as_deep_as_a_message():
    deep = "[" * 31 + "]" * 31

    assert declare(nested(31)).from_json(f'{{"action":"chat","room":{deep}}}').room


# --- where annotations stand


@pytest.mark.parametrize(
    "annotation", ["'str | None'", "'Optional[str]'", "\"'str | None'\"", "Annotated[str, Limits()] | None"]
)  # fmt: skip
def test_quotes_in_quotes_are_read(annotation):
    assert declare(annotation, room=None)().to_dict() == {"action": "chat"}


def test_class_may_name_itself_in_quotes():
    class Tree(Record):
        left: "Tree | None" = None  # noqa: UP037
        right: "Optional[Tree]" = None  # noqa: UP037, UP045

    assert Tree.from_dict({"left": {"right": {}}}).left.right == Tree()


class Outer:
    class Inner(ClientMessage):
        class Shade(StrEnum):
            DARK = "dark"

        shade: Shade = Shade.DARK


def test_annotation_may_name_what_stands_in_its_class():
    assert (
        Outer.Inner.from_dict({"action": "inner", "shade": "dark"}).shade is Outer.Inner.Shade.DARK
    )


def test_annotation_may_name_what_stands_in_the_body_around_it():
    class Room(Record):
        name: str

    class Join(ClientMessage):
        room: Room

    assert Join.from_dict({"action": "join", "room": {"name": "r"}}).room == Room(name="r")


def test_field_may_have_the_name_of_a_type():
    class Odd(Record):
        str: int = 1
        list: str = "x"

    assert Odd.from_json('{"str":2}').to_json() == '{"str":2,"list":"x"}'


def test_annotations_may_be_real():
    declared = declare(list["Point"], room=[])

    assert declared.from_dict({"action": "chat", "room": [{"x": 1}]}).room == [Point(x=1)]


def test_class_with_a_metaclass_is_found_where_it_stands():
    import abc

    class Room(Record):
        name: str

    class Join(ClientMessage, metaclass=abc.ABCMeta):
        room: Room

    assert Join(room={"name": "r"}).room.name == "r"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a statement of Python 3.12")
def test_alias_stands_for_its_value():
    namespace = {"ClientMessage": ClientMessage, "__name__": "aliases"}
    exec("type Name = str\nclass Join(ClientMessage):\n    name: Name", namespace)  # noqa: S102

    assert namespace["Join"](name="x").name == "x"


def test_class_may_name_itself():
    tree = {
        "name": "a",
        "children": [{"name": "b", "parent": {"name": "c", "children": []}, "children": []}],
    }

    node = Node.from_dict(tree)

    assert node.children[0].parent == Node(name="c")
    assert node.to_dict() == tree


def test_module_without_typing_is_enough():
    """`typing` is not loaded by the layer, nor needed by who declares plain fields."""
    code = """
from __future__ import annotations
import sys
from shared_utils.records import ClientMessage
class Join(ClientMessage):
    room: str
    tags: list[str] = []
    name: str | None = None
print(Join.from_json('{"action":"join","room":"r","tags":["x"]}').to_json(), "typing" in sys.modules)
"""
    path = str(Path(records.__file__).parent.parent)
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )  # fmt: skip

    assert run.stderr == ""
    assert run.stdout == '{"action":"join","room":"r","tags":["x"]} False\n'


# --- actions and types


@pytest.mark.parametrize(
    ("name", "base", "body", "tag"),
    [
        ("SendChat", ClientMessage, {}, "sendChat"),
        ("SendChatMessage", ClientMessage, {}, "sendChat"),
        ("Message", ServerMessage, {}, "message"),
        ("ChatSentMessage", ServerMessage, {}, "chatSent"),
        ("Join", ClientMessage, {"action": "room/join"}, "room/join"),
        ("Join", ClientMessage, {"action": "x" * 128}, "x" * 128),
        ("Left", ServerMessage, {"type": "room left"}, "room left"),
    ],
)
def test_tag_follows_from_the_name_unless_it_is_said(name, base, body, tag):
    cls = type(name, (base,), dict(body))

    assert getattr(cls, cls._tag) == tag


def test_class_variable_is_no_field():
    class Join(ClientMessage):
        action: ClassVar[str] = "room/join"
        limit: typing.ClassVar[int] = 5

    assert Join().to_json() == '{"action":"room/join"}'


def test_base_with_an_underscore_has_no_action():
    class _InRoom(ClientMessage):
        roomId: str

    class Leave(_InRoom):
        roomId: str = "lobby"
        reason: str = ""

    assert not hasattr(_InRoom, "action")
    assert Leave().to_json() == '{"action":"leave","roomId":"lobby","reason":""}'


def test_fields_of_one_name_in_two_classes_have_nothing_to_do_with_each_other():
    class A(Record):
        volume: str

    class B(Record):
        volume: bool

    assert (A(volume="loud").volume, B(volume=True).volume) == ("loud", True)


def test_subclass_has_the_fields_of_its_base_after_its_own():
    class SendImage(SendChat):
        url: str
        text: str = "image"

    message = SendImage(roomId="r", url="u")

    assert list(vars(message))[:2] == ["url", "text"]
    assert message.action == "sendImage"


def test_timestamp_is_now_unless_given(monkeypatch):
    monkeypatch.setattr(records.time, "time_ns", lambda: NOW * 1_000_000 + 999_999)

    assert (
        ChatSentMessage(text="x").to_json() == f'{{"type":"chatSent","text":"x","timestamp":{NOW}}}'
    )
    assert ChatSentMessage(text="x", timestamp=5).timestamp == 5
    assert (
        refusal(ChatSentMessage.from_dict, {"type": "chatSent", "text": "x"}).field == "timestamp"
    )
    assert refusal(ChatSentMessage.from_dict, {"type": "x"}).code == WRONG


# --- reading text


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("", MALFORMED, "message must be JSON"),
        ("{", MALFORMED, "message must be JSON"),
        ("\ufeff{}", MALFORMED, "message must be JSON"),
        ('{"a":NaN}', MALFORMED, "message must be JSON"),
        ('{"a":[-Infinity]}', MALFORMED, "message must be JSON"),
        ('{"a":' + "9" * 5000 + "}", MALFORMED, "message must be JSON"),
        ("[" * 100_000, MALFORMED, "message must be JSON"),
        ("[]", MALFORMED, "message must be one JSON object"),
        ("null", MALFORMED, "message must be one JSON object"),
        ("{}{}", MALFORMED, "message must be one JSON object"),
        ('{"a":1,"a":2}', MALFORMED, "message must not have the same name twice in an object"),
        ('{"a":{"b":1,"\\u0062":2}}', MALFORMED, "message must not have the same name twice in an object"),
        (b'{"a":"\xff"}', MALFORMED, "message must be UTF-8"),
        ("{}".encode("utf-16"), MALFORMED, "message must be UTF-8"),
        (None, MALFORMED, "body must be text or bytes, got null"),
        ({}, MALFORMED, "body must be text or bytes, got an object"),
        ('{"a":' * 33 + "1" + "}" * 33, MALFORMED, "message must be at most 32 levels deep"),
        ('{"a":' + "[" * 32 + "]" * 32 + "}", MALFORMED, "message must be at most 32 levels deep"),
        ('{"a":[' + "1," * 9_999 + "1]}", TOO_LARGE, "message must hold at most 10000 values"),
        ("x" * 131_073, TOO_LARGE, "body must hold at most 131072 bytes, got 131073"),
        ("é" * 65_537, TOO_LARGE, "body must hold at most 131072 bytes, got 131074"),
        (b"x" * 131_073, TOO_LARGE, "body must hold at most 131072 bytes, got 131073"),
    ],
)  # fmt: skip
@pytest.mark.threat("parser-bomb")
def test_object_is_refused(source, code, message):
    error = refusal(records.read_object, source)

    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    "source",
    [
        "{}",
        " \r\n\t{} ",
        '{"a":"b:c"}',
        b'{"a":1}',
        bytearray(b'{"a":1}'),
        memoryview(b'{"a":1}'),
        '{"a":' * 32 + "1" + "}" * 32,
        '{"a":' + "[" * 31 + "]" * 31 + "}",
        '{"a":[' + "1," * 9_998 + "1]}",
        '{"a":"' + "x" * 131_064 + '"}',
    ],
)
def test_object_is_read(source):
    assert records.read_object(source) == json.loads(
        bytes(source) if type(source) is memoryview else source
    )


def test_size_that_is_allowed_can_be_smaller():
    assert records.read_object("{}", 2) == {}
    assert refusal(records.read_object, "{} ", 2).message == "body must hold at most 2 bytes, got 3"


@pytest.mark.parametrize(("cls", "limit"), [(Strict, 4096), (ChatSentMessage, 131_072)])
def test_text_of_a_message_is_bounded(cls, limit):
    text = example(cls).to_json()
    longest = text[:-1] + " " * (limit - len(text)) + "}"

    assert cls.from_json(longest) == cls.from_json(longest.encode()) == example(cls)
    assert refusal(cls.from_json, longest + " ").code == TOO_LARGE


def test_class_sets_its_own_size():
    class SendCaption(ClientMessage):
        max_bytes: ClassVar[int] = 8192
        text: str

    text = SendCaption(text="x" * 8000).to_json()

    assert SendCaption.from_json(text).text == "x" * 8000
    assert refusal(SendCaption.from_json, text.replace("xx", "x" * 195, 1)).code == TOO_LARGE


def test_dict_is_as_bounded_as_text():
    endless = {"name": "a"}
    endless["parent"] = endless
    deep = {"name": "a"}
    for _ in range(32):
        deep = {"name": "a", "parent": deep}

    assert refusal(Node.from_dict, endless).code == MALFORMED
    assert refusal(Node.from_dict, deep).code == MALFORMED
    assert Node.from_dict(deep["parent"]).name == "a"
    assert refusal(Node, name="a", parent=Node.from_dict(deep["parent"])).code == MALFORMED


def test_fields_are_read_from_a_dict_without_its_action():
    """For a handler that has chosen the class by another key."""
    fields = {"roomId": "r", "text": "t"}

    assert records.read_fields(SendChat, fields) == SendChat(**fields)


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ({"body": "{}"}, "{}"),
        ({"body": "e30=", "isBase64Encoded": True}, b"{}"),
        ({"body": "e30=", "isBase64Encoded": False}, "e30="),
    ],
)
def test_body_of_an_event(event, body):
    assert records.event_body(event) == body


@pytest.mark.parametrize(
    "event", [{}, {"body": None}, {"body": {}}, {"body": "e30", "isBase64Encoded": True}]
)
def test_body_of_an_event_is_refused(event):
    assert refusal(records.event_body, event).code == MALFORMED


@pytest.mark.parametrize(
    ("source", "request_id"),
    [
        ('{"requestId":"r1"}', "r1"),
        ({"requestId": "r1"}, "r1"),
        ({"body": '{"requestId":"r1"}'}, "r1"),
        ('{"requestId":5}', None),
        ('{"requestId":null}', None),
        ('{"requestId":"%s"}' % ("x" * 129), None),
        ("[", None),
        (None, None),
    ],
)
def test_request_id_of(source, request_id):
    assert records.request_id_of(source) == request_id


# --- values


def test_messages_are_equal_by_class_and_fields():
    class Same(Record):
        x: float
        y: float = 0.5

    assert Point(x=1) == Point(x=1.0, y=0.5)
    assert hash(Point(x=1)) == hash(Point(x=1.0))
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Same(x=1)
    assert len({SendChat.from_dict(FULL), SendChat.from_dict(FULL)}) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m, "text", "x"),
        lambda m: delattr(m, "text"),
        lambda m: m.mentions.append("x"),
        lambda m: m.mentions.__setitem__(0, "x"),
        lambda m: m.mentions.sort(),
        lambda m: m.scores.update(ann=1),
        lambda m: m.scores.pop("ann"),
        lambda m: setattr(m.at, "x", 5),
    ],
)
def test_messages_cannot_be_changed(change):
    message = SendChat.from_dict(FULL)

    with pytest.raises(AttributeError, match="immutable"):
        change(message)

    assert message == SendChat.from_dict(FULL)


def test_mutable_default_belongs_to_no_message():
    names = ["a"]

    class Join(Record):
        tags: list[str] = names

    names.append("b")

    assert Join().tags == ["a"]
    assert Join.from_dict({}).tags == ["a"]


def test_what_is_given_out_and_taken_in_is_copied():
    source = copy.deepcopy(FULL)
    message = SendChat.from_dict(source)
    source["mentions"].append("x")
    wire = message.to_dict()
    wire["mentions"].append("x")
    wire["at"]["x"] = 9

    assert message == SendChat.from_dict(FULL)


def test_copy_of_a_list_or_dict_can_be_changed():
    message = SendChat.from_dict(FULL)
    mentions, scores = copy.deepcopy(message.mentions), copy.copy(message.scores)
    mentions.append("x")
    scores["x"] = 1

    assert (type(mentions), type(scores)) == (list, dict)


@pytest.mark.parametrize(
    "message", [SendChat.from_dict(FULL), Node(name="a", children=[Node(name="b")]), Point(x=1)]
)
def test_messages_can_be_pickled_and_copied(message):
    assert pickle.loads(pickle.dumps(message)) == message  # noqa: S301
    assert copy.deepcopy(message) == message
    assert copy.copy(message) == message


class Login(Record):
    refreshToken: str
    audioData: str
    pin: Annotated[str, Limits(secret=True)]
    note: str
    keys: Annotated[dict[str, str], Limits(secret=True)] = {}


def test_repr_hides_secrets_and_long_texts():
    login = Login(
        refreshToken="abc", audioData="AAAA", pin="12345", note="x" * 129, keys={"a": "b"}
    )

    assert repr(login) == (
        "Login(refreshToken=<3 characters>, audioData=<4 characters>, pin=<5 characters>,"
        " note=<129 characters>, keys=<10 characters>)"
    )
    assert repr(Point(x=1)) == "Point(x=1, y=0.5)"


@pytest.mark.parametrize("name", ["refreshToken", "audioData", "pin"])
@pytest.mark.threat("secret-in-repr")
def test_refusal_hides_secrets(name):
    wire = {"refreshToken": "t", "audioData": "a", "pin": "p", "note": "n", name: 987654321}

    error = refusal(Login.from_dict, wire)

    assert error.message == f"{name} must be text, got a number"


def test_refusal_hides_secrets_inside():
    error = refusal(Login, refreshToken="t", audioData="a", pin="p", note="n", keys={"sesame": 5})

    assert error.message == "keys[...] must be text, got a number"


class Vault(Record):
    creds: dict[str, int] = {}
    words: dict[str, dict[str, str]] = {}
    even: dict[str, Annotated[int, Limits(check=even)]] = {}
    points: dict[str, Point] = {}
    body: Point | None = None
    ranges: Annotated[list[Range], Limits(secret=True)] = []
    tokens: dict[str, int] = {}
    pins: list[Annotated[str, Limits(secret=True)]] = []


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"creds": {"password": "hunter2xyz"}}, "creds.password", "creds.password must be a whole number, got text"),
        ({"creds": {"user": "ann"}}, "creds.user", "creds.user must be a whole number, got 'ann'"),
        ({"words": {"password": {"hunter2xyz": 5}}}, "words.password", "words.password is not accepted"),
        ({"words": {"a": {"password": 987654}}}, "words.a.password", "words.a.password must be text, got a number"),
        ({"even": {"api_key": 5}}, "even.api_key", "even.api_key is not accepted"),
        ({"points": {"password": {"x": "hunter2xyz"}}}, "points.password", "points.password is not accepted"),
        ({"points": {"password": "hunter2xyz"}}, "points.password", "points.password must be an object, got text"),
        ({"body": "hunter2xyz"}, "body", "body must be an object, got text"),
        ({"body": {"x": "hunter2xyz"}}, "body.x", "body.x must be a number, got text"),
        ({"body": {}}, "body.x", "body.x is required"),
        ({"ranges": [{"low": 2, "high": 1}]}, "ranges[0]", "ranges[0] is not accepted"),
        ({"tokens": "hunter2xyz"}, "tokens", "tokens must be an object, got text"),
        ({"tokens": {987654: 1}}, "tokens", "tokens must have texts as names, got a number"),
    ],
)  # fmt: skip
def test_refusal_hides_what_stands_under_the_name_of_a_secret(fields, field, message):
    error = refusal(Vault.from_dict, fields)

    assert (error.field, error.message) == (field, message)


def test_repr_hides_what_stands_under_the_name_of_a_secret():
    vault = Vault(creds={"password": 123, "user": 5}, points={"a": Point(x=1)}, pins=["12345"])

    assert repr(vault) == (
        "Vault(creds={'password': <3 characters>, 'user': 5}, words={}, even={},"
        " points={'a': Point(x=1, y=0.5)}, ranges=<2 characters>, tokens=<2 characters>,"
        " pins=<9 characters>)"
    )


def test_refusal_never_shows_a_large_text():
    assert len(refusal(SendChat, roomId="x" * 100_000, text="").message) < 120


# --- patterns


@pytest.mark.parametrize(
    "pattern",
    ["", "abc", "[a-z]+", "[^\\n]*", "a|b", "(a|b){2,3}", "(?:ab)*?c", "[\\-x]", "\\.", "\\/", "\\u00e9", "\\x41",
     "[a-z0-9_-]{1,40}", "a{2}", "a{2,}", "\U0001f600?", "[\\]\\[]", "é"],
)  # fmt: skip
def test_pattern_that_both_read_alike(pattern):
    assert _patterns.is_read_alike(pattern)


@pytest.mark.parametrize(
    "pattern",
    [".", "^a", "a$", "\\d", "\\w", "\\s", "\\b", "\\A", "\\Z", "(?i)a", "(?=a)", "(?!a)", "(?<=a)b", "(?P<n>a)",
     "(?#x)", "(a)\\1", "a++", "a*+", "(?>a)", "{", "}", "]", "a{,3}", "[]", "[^]", "[[a]", "[a&&b]", "[a--b]", "[a||b]",
     "[a~~b]", "\\-", "\\a", "\\0", "\\ud83d\\ude00", "\\N{DASH}", "(", ")", "[", "*", "a**", "a{3,2}", "[z-a]", "\\"],
)  # fmt: skip
def test_pattern_that_they_do_not(pattern):
    assert not _patterns.is_read_alike(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "[a-z]{3}-[0-9]+",
        "(a|b)c?",
        "|x",
        "[^a-z ]",
        "(?:x[0-9]){2,4}",
        "[0-9]*",
        "\\+[0-9]{2,3}",
        "\\u00e9+",
    ],
)
@pytest.mark.parametrize(("shortest", "longest"), [(0, 100), (1, 8)])
def test_sample_fits_its_pattern(pattern, shortest, longest):
    if pattern == "|x" and shortest:
        assert _patterns.sample(pattern, shortest, longest) is None
    else:
        assert re.fullmatch(pattern, _patterns.sample(pattern, shortest, longest))


def test_pattern_fits_the_whole_text():
    class Join(Record):
        room: Annotated[str, Limits(pattern="a|bc")]

    assert Join(room="bc").room == "bc"
    assert [refusal(Join, room=room).field for room in ("ac", "a\n", "xa", "")] == ["room"] * 4
    assert json_schema(Join)["properties"]["room"]["pattern"] == "^(?:a|bc)$"


# --- documents


def test_json_schema():
    assert json_schema(SendChat) == {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "title": "SendChat",
        "description": "Say something in a room.",
        "properties": {
            "action": {"const": "sendChat"},
            "roomId": {"type": "string", "minLength": 1, "maxLength": 8, "description": "text of 1 to 8 characters"},
            "text": {"type": "string", "maxLength": 20, "description": "text of up to 20 characters"},
            "mentions": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[a-z]+$", "description": "text that fits [a-z]+"},
                "maxItems": 1000, "description": "a list of up to 1000 items", "default": [],
            },
            "scores": {
                "type": "object",
                "additionalProperties": {
                    "type": "integer", "minimum": 0, "maximum": 10, "description": "a whole number from 0 to 10"
                },
                "maxProperties": 1000, "description": "an object of up to 1000 names", "default": {},
            },
            "from": {"type": ["string", "null"], "description": "text"},
            "color": {"enum": ["red", 2], "description": "one of red, 2", "default": "red"},
            "level": {"type": ["integer", "null"], "enum": [1, 2, None], "description": "one of 1, 2"},
            "tone": {"type": "string", "enum": ["calm", "loud"], "description": "one of calm, loud", "default": "calm"},
            "kind": {"enum": ["chat", 1, True], "description": "one of chat, 1, true", "default": "chat"},
            "at": {
                "type": "object", "title": "Point", "description": "A place.",
                "properties": {
                    "x": {"type": "number", "minimum": -9.999999999999998e125, "maximum": 9.999999999999998e125, "description": "a number"},
                    "y": {"type": "number", "minimum": -9.999999999999998e125, "maximum": 9.999999999999998e125, "description": "a number", "default": 0.5},
                },
                "required": ["x"], "default": {"x": 1, "y": 0.5},
            },
            "path": {
                "type": "array", "items": json_schema(SendChat)["properties"]["path"]["items"],
                "maxItems": 1000, "description": "a list of up to 1000 items", "default": [],
            },
            "urgent": {"type": "boolean", "description": "true or false", "default": False},
            "ratio": {
                "type": "number", "minimum": -9.999999999999998e125, "maximum": 9.999999999999998e125,
                "description": "a number", "default": 1,
            },
            "count": {
                "type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991,
                "description": "a whole number", "default": 2,
            },
            "requestId": {"type": ["string", "null"], "maxLength": 128, "description": "text of up to 128 characters"},
        },
        "required": ["action", "roomId", "text"],
    }  # fmt: skip


def test_json_schema_of_a_class_that_names_itself():
    schema = json_schema(Node)

    assert schema["properties"]["children"]["items"] == {"$ref": "#/definitions/Node"}
    assert schema["properties"]["parent"] == {
        "anyOf": [{"$ref": "#/definitions/Node"}, {"type": "null"}]
    }
    assert schema["definitions"]["Node"]["required"] == ["name"]


def test_json_schema_belongs_to_the_caller():
    json_schema(SendChat)["properties"]["roomId"]["maxLength"] = 11

    assert json_schema(SendChat)["properties"]["roomId"]["maxLength"] == 8


def test_class_without_a_docstring_has_no_description():
    assert "description" not in json_schema(Strict)


@pytest.mark.parametrize(
    "cls", [SendChat, ChatSentMessage, Point, Checked, Ranges, Login, Strict, Outer.Inner]
)
def test_example_has_every_field(cls):
    expected = set(json_schema(cls)["properties"])
    if cls is Checked:
        with pytest.raises(
            TypeError, match=r"^Checked: no example is known, .*: write Limits\(example=\.\.\.\)$"
        ):
            example(cls)
    elif cls is Ranges:
        with pytest.raises(TypeError, match=r"ranges\[0\]|high"):
            example(cls)
    else:
        assert set(example(cls).to_dict()) == expected


def test_example_of_a_class_that_names_itself_ends():
    assert example(Node).to_json() == '{"name":"text","children":[]}'


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (str, "text"),
        (Annotated[str, Limits(min_length=6)], "textte"),
        (Annotated[str, Limits(max_length=2)], "te"),
        (Annotated[str, Limits(pattern="[A-Z]{2}[0-9]+", min_length=5)], "AA000"),
        (int, 7),
        (Annotated[int, Limits(maximum=-3)], -3),
        (float, 0.5),
        (Annotated[float, Limits(minimum=2)], 2),
        (list[int], [7]),
        (Annotated[list[int], Limits(min_length=2)], [7, 7]),
        (Annotated[list[int], Limits(max_length=0)], []),
        (dict[str, bool], {"name1": True}),
        (Annotated[dict[str, bool], Limits(min_length=2)], {"name1": True, "name2": True}),
        (Annotated[str, Limits(example="golden")], "golden"),
        (Literal["b", "a"], "b"),
    ],
)
def test_example_of_a_kind(annotation, value):
    assert example(declare(annotation)).room == value


# --- whatever comes

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.binary(max_size=3)
    | st.decimals() | st.sampled_from([*Color, *Level, *Tone, Point(x=1), "red", "ann", 2**53]) | st.builds(lambda: 10**5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*FULL, "x"]), JSON_VALUES))
def test_any_dict_is_a_message_or_refused(changes):
    """Nothing but ValidationError comes out, and what is accepted is what is written."""
    try:
        message = SendChat.from_dict({**FULL, **changes})
    except ValidationError:
        return

    assert SendChat.from_json(message.to_json()) == message
    assert SendChat.from_dict(message.to_dict()) == message


@settings(max_examples=200, deadline=None)
@given(
    st.text()
    | st.binary()
    | st.builds(json.dumps, st.dictionaries(st.sampled_from([*FULL]), st.integers()))
)
@pytest.mark.threat("parser-bomb", "ws-validation")
def test_any_text_is_an_object_or_refused(text):
    try:
        assert type(records.read_object(text)) is dict
    except ValidationError:
        pass


@settings(max_examples=100, deadline=None)
@given(st.from_regex(r"[a-c.\\d^$|()\[\]{}?*+,0-9-]{0,8}", fullmatch=True))
def test_pattern_that_is_taken_has_a_sample_that_fits(pattern):
    if _patterns.is_read_alike(pattern):
        found = _patterns.sample(pattern, 0, 1000)
        assert found is None or re.fullmatch(pattern, found)
