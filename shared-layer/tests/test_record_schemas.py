"""Generated classes of messages: the parser takes what the schema takes, and gives back what it was given.

The schema is judged by the `jsonschema` package. It takes more than the parser in five ways only:
how large, how deep and how full a message may be, lone surrogates where they make a text too long
to be sent, and a newline after `$`, which is not the end in ECMAScript.
"""

from __future__ import annotations

import copy
import enum
import json
import re
from typing import Annotated, Literal

import pytest
from changed_messages import INTERESTING, JSON_VALUES
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared_utils.records import ClientMessage, Limits, Record, ServerMessage, example, json_schema
from shared_utils.validators import ValidationError as Refusal

jsonschema = pytest.importorskip("jsonschema")  # pytest and hypothesis do for all other tests here


def ecma_pattern(_validator, pattern, instance, _schema):
    """In ECMA 262, JSON Schema's dialect, `$` means the end; in `re` also before a last newline."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match")


Validator = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": ecma_pattern})

NAMES = st.sampled_from(
    ["room", "text", "from_", "volume", "token", "sessionId", "x", "class_", "list"]
)
PATTERNS = ["[a-z]+", "[a-z0-9-]{1,40}", "(red|green)?", "a|b", "[^ ]*", "golden-eagle-[0-9]{3}"]


@st.composite
def limits(draw, names, values):
    low, high = sorted(draw(st.lists(values, min_size=2, max_size=2)))
    given_ = {
        name: one for name, one in zip(names, (low, high), strict=True) if draw(st.booleans())
    }
    return Limits(**given_)


@st.composite
def choices(draw):
    values = draw(
        st.lists(st.sampled_from(["a", "b", 1, 2, 0.5, "red"]), min_size=1, max_size=4, unique=True)
    )
    return enum.Enum("Choice", {f"m{i}": value for i, value in enumerate(values)})


TEXTS = st.one_of(
    st.just(str),
    limits(("min_length", "max_length"), st.integers(0, 6)).map(lambda one: Annotated[str, one]),
    st.sampled_from(PATTERNS).map(lambda one: Annotated[str, Limits(pattern=one)]),
)
NUMBERS = st.one_of(
    st.sampled_from([int, float, bool]),
    limits(("minimum", "maximum"), st.integers(-9, 9)).map(lambda one: Annotated[int, one]),
    limits(("minimum", "maximum"), st.floats(-2, 2)).map(lambda one: Annotated[float, one]),
)
LITERALS = st.lists(st.sampled_from(["a", "b", 1, 0, True, False, ""]), min_size=1, max_size=3).map(
    lambda values: Literal[tuple(values)]
)


@st.composite
def records(draw, kinds, base=Record):
    annotations, body = {}, {}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        kind = draw(kinds)
        presence = draw(st.sampled_from(["required", "optional", "default"]))
        if presence == "optional":
            kind, body[name] = kind | None, None
        elif presence == "default" and kind in (str, int, bool):
            body[name] = kind()
        annotations[name] = kind
    return type(
        "Made",
        (base,),
        {"__annotations__": annotations, "accepts_null": draw(st.booleans()), **body},
    )


KINDS = st.recursive(
    TEXTS | NUMBERS | LITERALS | choices(),
    lambda inner: st.one_of(
        inner.map(lambda one: list[one]),
        st.tuples(inner, limits(("min_length", "max_length"), st.integers(0, 3))).map(
            lambda pair: Annotated[list[pair[0]], pair[1]]
        ),
        inner.map(lambda one: dict[str, one]),
        records(inner),
    ),
    max_leaves=4,
)
CLASSES = st.one_of(records(KINDS), records(KINDS, ClientMessage), records(KINDS, ServerMessage))


def accepted(cls, wire):
    try:
        return cls.from_dict(wire)
    except Refusal:
        return None


def containers(value):
    """Return every object and list in a JSON value."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, (dict, list)) and value else []
    return own + [found for one in inside for found in containers(one)]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(CLASSES, st.data())
def test_schema_and_parser_agree(cls, data):
    """On an example that is changed in up to two places, at any depth."""
    schema = json_schema(cls)
    Validator.check_schema(schema)
    try:
        wire = copy.deepcopy(example(cls).to_dict())
    except TypeError:  # no text of that length fits the pattern
        assume(False)
    for _ in range(data.draw(st.integers(0, 2))):
        places = containers(wire) or [wire]
        target = data.draw(st.sampled_from(places))
        keys = range(len(target)) if isinstance(target, list) else sorted(target)
        key = data.draw(st.sampled_from(keys)) if target else "x"
        target[key] = copy.deepcopy(data.draw(JSON_VALUES | st.sampled_from(INTERESTING)))

    message = accepted(cls, wire)

    assert Validator(schema).is_valid(wire) == (message is not None)
    if message is not None:
        assert cls.from_dict(json.loads(message.to_json())) == message
        assert Validator(schema).is_valid(message.to_dict())


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    CLASSES,
    st.dictionaries(
        NAMES.map(lambda name: name.removesuffix("_")) | st.text(max_size=3), JSON_VALUES
    ),
)
def test_schema_and_parser_agree_on_anything(cls, wire):
    assert Validator(json_schema(cls)).is_valid(wire) == (accepted(cls, wire) is not None)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(CLASSES)
def test_example_is_taken_and_given_back(cls):
    try:
        message = example(cls)
    except TypeError:
        assume(False)

    assert cls.from_dict(message.to_dict()) == message
    if len(message.to_json()) <= cls.max_bytes:
        assert cls.from_json(message.to_json()) == message


class Names(Record):
    names: list[Annotated[str, Limits(pattern="[a-z]+")]] = []
    inside: Names | None = None


def test_what_the_schema_takes_and_the_parser_does_not():
    """The list, each of it shown."""
    deep = {"names": []}
    for _ in range(40):
        deep = {"inside": deep}
    too_many = {"inside": {"x": [0] * 10_001}}
    newline = {"names": ["a\n"]}

    judge, python_judge = (
        Validator(json_schema(Names)),
        jsonschema.Draft7Validator(json_schema(Names)),
    )

    assert [judge.is_valid(one) for one in (deep, too_many)] == [True, True]
    assert [accepted(Names, one) for one in (deep, too_many)] == [None, None]
    assert (python_judge.is_valid(newline), judge.is_valid(newline)) == (True, False)
    assert accepted(Names, newline) is None


def test_half_of_a_surrogate_pair_is_no_text_though_no_schema_can_say_so():
    class Say(Record):
        text: str

    assert accepted(Say, {"text": "\ud800"}) is None
    assert Validator(json_schema(Say)).is_valid({"text": "\ud800"})
