"""The published JSON Schemas take exactly what the layer's parser takes.

Checked with the `jsonschema` package on messages that differ from an example in one place.
"""

from __future__ import annotations

import copy
import re

import pytest
from changed_messages import INTERESTING, JSON_VALUES
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, ValidationError, validators

from shared_utils import records as r
from shared_utils import websocket_messages as m
from shared_utils.validators import ValidationError as Refusal

pytestmark = pytest.mark.slow

CLIENT = list(m.CLIENT_MESSAGES.values())
SERVER = [*m.SERVER_MESSAGES.values(), m.GatewayMessage]


def ecma_pattern(_validator, pattern, instance, _schema):
    """In ECMA 262, JSON Schema's dialect, `$` means the end; in `re` also before a last newline."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError(f"{instance!r} does not match")


Validator = validators.extend(Draft7Validator, {"pattern": ecma_pattern})
SCHEMAS = {cls: Validator(r.json_schema(cls)) for cls in CLIENT + SERVER}


def parse(cls, wire):
    return m.parse_message(wire) if cls in CLIENT else m.parse_server_message(wire)


def accepted(cls, wire):
    try:
        return type(parse(cls, wire)) is cls
    except Refusal:
        return False


@pytest.mark.parametrize("cls", CLIENT + SERVER)
def test_schema_is_draft_7_and_takes_the_example(cls):
    Validator.check_schema(r.json_schema(cls))

    assert SCHEMAS[cls].is_valid(r.example(cls).to_dict())


# What a schema cannot refuse: half of a surrogate pair is no text of JSON's data model.
TEXTS_OF_JSON = [value for value in INTERESTING if value != "\ud800"]


@pytest.mark.parametrize("cls", CLIENT + SERVER)
def test_schema_and_parser_agree_on_every_value_of_every_field(cls):
    wire = r.example(cls).to_dict()
    changed = [{**wire, name: value} for name in wire for value in TEXTS_OF_JSON]

    assert [one for one in changed if SCHEMAS[cls].is_valid(one) != accepted(cls, one)] == []


@pytest.mark.parametrize("cls", CLIENT + SERVER)
def test_schema_and_parser_agree_on_absent_fields(cls):
    wire = r.example(cls).to_dict()
    shorter = [{other: wire[other] for other in wire if other != name} for name in wire]

    assert [SCHEMAS[cls].is_valid(one) for one in shorter] == [
        accepted(cls, one) for one in shorter
    ]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(CLIENT + SERVER), st.data())
def test_schema_and_parser_agree(cls, data):
    """Also inside of objects, and with names that no message has."""
    wire = copy.deepcopy(r.example(cls).to_dict())
    inside = [value for value in wire.values() if isinstance(value, dict)]
    target = data.draw(st.sampled_from([wire, *inside]))
    name = data.draw(st.sampled_from(sorted(target)) | st.text(max_size=3))
    target[name] = data.draw(JSON_VALUES | st.sampled_from(TEXTS_OF_JSON))

    assert SCHEMAS[cls].is_valid(wire) == accepted(cls, wire)
