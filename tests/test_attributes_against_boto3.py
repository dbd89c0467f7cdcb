"""DynamoDB's values against boto3's own: the same typed JSON, the same values back."""

from __future__ import annotations

import base64
import json
import sys
from decimal import Decimal, Rounded
from pathlib import Path

import pytest
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given

from shared_utils._attributes import AttributeRefused, decode_item, encode_item, encode_value

sys.path.insert(0, str(Path(__file__).parents[1] / "shared-layer" / "tests"))
from attribute_values import ITEMS


def wire(typed):
    """Return boto3's typed value as botocore writes it, sets in order, and zero without its sign.

    DynamoDB knows one zero.
    """
    [(kind, value)] = typed.items()
    if kind == "M":
        return {kind: {name: wire(inner) for name, inner in value.items()}}
    if kind == "L":
        return {kind: [wire(inner) for inner in value]}
    if kind in ("SS", "NS", "BS"):
        return {kind: sorted(wire({kind[0]: member})[kind[0]] for member in value)}
    if kind == "B":
        return {kind: value if isinstance(value, str) else base64.b64encode(value).decode()}
    if kind == "N":
        return {kind: value if Decimal(value) else "0"}
    return typed


@given(ITEMS)
def test_item_is_sent_as_boto3_sends_it(item):
    serializer = TypeSerializer()

    typed = encode_item(item, "Item")

    expected = {name: wire(serializer.serialize(value)) for name, value in item.items()}
    assert {name: wire(value) for name, value in typed.items()} == expected


@given(ITEMS)
def test_item_comes_back_as_with_boto3(item):
    """But for `bytes`, where boto3 wraps them."""
    deserializer = TypeDeserializer()
    typed = json.loads(json.dumps(encode_item(item, "Item")))

    found = decode_item(typed)

    raw = {name: unwired(value) for name, value in typed.items()}
    assert found == {name: deserializer.deserialize(value) for name, value in raw.items()}


def unwired(typed):
    """Return a typed value as botocore reads it: binary is bytes."""
    [(kind, value)] = typed.items()
    if kind == "M":
        return {kind: {name: unwired(inner) for name, inner in value.items()}}
    if kind == "L":
        return {kind: [unwired(inner) for inner in value]}
    if kind == "BS":
        return {kind: [base64.b64decode(member) for member in value]}
    return {kind: base64.b64decode(value)} if kind == "B" else typed


@pytest.mark.parametrize("condition", [Attr("role").eq("x"), Key("id"), Attr("a").size().gt(1)])
def test_condition_objects_are_refused(condition):
    with pytest.raises(AttributeRefused, match=r":v is boto3's \w+, but expressions are strings"):
        encode_value(condition, ":v")


@pytest.mark.parametrize(
    ("value", "typed"), [(Binary(b"ab"), {"B": "YWI="}), ({Binary(b"ab")}, {"BS": ["YWI="]})]
)
def test_wrapped_bytes_are_sent(value, typed):
    assert encode_value(value, ":v") == typed


# --- what docs/dynamodb.md says of boto3 ----------------------------------------------------------


@pytest.mark.parametrize("value", [0.1, memoryview(b"a")])
def test_boto3_refuses_what_is_sent_here(value):
    with pytest.raises(TypeError):
        TypeSerializer().serialize(value)

    assert encode_value(value, ":v")


@pytest.mark.parametrize("value", [{True}, set()])
def test_boto3_sends_what_is_refused_here(value):
    assert TypeSerializer().serialize(value)

    with pytest.raises(AttributeRefused):
        encode_value(value, ":v")


def test_boto3_neither_sends_nor_reads_a_number_of_many_zeros():
    with pytest.raises(Rounded):
        TypeSerializer().serialize(10**40)
    with pytest.raises(Rounded):
        TypeDeserializer().deserialize({"N": f"1{'0' * 40}"})

    assert decode_item({"n": {"N": f"1{'0' * 40}"}}) == {"n": 10**40}
