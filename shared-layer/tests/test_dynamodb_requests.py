"""Parameters of requests, and which requests may be sent twice."""

import ast
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from shared_utils import _dynamodb_requests
from shared_utils._attributes import AttributeRefused
from shared_utils._dynamodb_requests import decoded, encode, encode_transaction, is_repeatable


def test_values_become_typed_and_all_else_stays():
    request = encode(
        "UpdateItem",
        {
            "Key": {"id": "a"},
            "UpdateExpression": "SET #n = :n",
            "ConditionExpression": None,
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {":n": Decimal("1.5")},
            "ReturnValues": "ALL_NEW",
        },
    )

    assert request == {
        "Key": {"id": {"S": "a"}},
        "UpdateExpression": "SET #n = :n",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":n": {"N": "1.5"}},
        "ReturnValues": "ALL_NEW",
    }


def test_page_of_a_query():
    request = encode(
        "Query",
        {
            "KeyConditionExpression": "id = :id",
            "ExpressionAttributeValues": {":id": "a"},
            "ExclusiveStartKey": {"id": "a", "n": 1, "index": b"x"},
            "Limit": 5,
            "ScanIndexForward": False,
        },
    )

    assert request["ExclusiveStartKey"] == {
        "id": {"S": "a"}, "n": {"N": "1"}, "index": {"B": "eA=="}
    }  # fmt: skip
    assert (request["Limit"], request["ScanIndexForward"]) == (5, False)


@pytest.mark.parametrize("operation", ["Scan", "BatchGetItem"])
def test_nothing_has_to_be_given(operation):
    assert encode(operation, {}) == {}


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("GetItem", {}, "GetItem: the parameter Key is missing"),
        ("PutItem", {"Item": None}, "PutItem: the parameter Item is missing"),
        ("Query", {}, "Query: the parameter KeyConditionExpression is missing"),
        ("GetItem", {"key": {}}, "GetItem: the parameter key is unknown"),
        (
            "PutItem",
            {"Item": {"id": "a"}, "ConditionExpresion": "x"},
            "PutItem: the parameter ConditionExpresion is unknown",
        ),
        (
            "PutItem",
            {"Item": {"id": "a"}, "Expected": {}},
            "PutItem: the parameter Expected is a legacy parameter: write an expression",
        ),
    ],
)
def test_parameter_that_is_unknown_or_missing(operation, parameters, message):
    with pytest.raises(TypeError) as caught:
        encode(operation, parameters)

    assert str(caught.value) == message


class Attr:
    """As boto3 makes conditions."""


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ConditionExpression", Attr(), "must be an expression's text, got Attr"),
        ("ConditionExpression", "a" * 4097, "has over 4096 bytes"),
        ("ConditionExpression", "é" * 2049, "has over 4096 bytes"),
        ("ExpressionAttributeNames", ["#a"], "must be a dict of texts, got list"),
        ("ExpressionAttributeNames", {"#a": 1}, "must be a dict of texts"),
        ("ExpressionAttributeNames", {1: "a"}, "must be a dict of texts"),
        ("ReturnValues", ["NONE"], "must be text, a number or a bool, got list"),
    ],
)
def test_parameter_of_another_form(name, value, message):
    with pytest.raises(AttributeRefused) as caught:
        encode("PutItem", {"Item": {"id": "a"}, name: value})

    assert str(caught.value) == f"{name} {message}"


def test_expression_of_the_largest_size():
    request = encode("Scan", {"FilterExpression": "a" * 4096})

    assert request == {"FilterExpression": "a" * 4096}


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"Item": {"id": "a", "x": float("nan")}}, "Item.x"),
        ({"Item": {"id": "a"}, "ExpressionAttributeValues": {":x": set()}}, None),
    ],
)
def test_value_that_is_refused_is_named_by_its_path(parameters, path):
    with pytest.raises(AttributeRefused) as caught:
        encode("PutItem", parameters)

    assert caught.value.path == (path or caught.value.path)
    assert "nan" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ProjectionExpression", "a, \ud800"),
        ("ExpressionAttributeNames", {"#a": "\ud800"}),
        ("ExpressionAttributeNames", {"#\ud800": "a"}),
        ("ReturnConsumedCapacity", "\ud800"),
    ],
)
def test_text_without_meaning_is_refused(name, value):
    """JSON could carry it, and whoever reads it may fail on it: again and again."""
    with pytest.raises(AttributeRefused) as caught:
        encode("GetItem", {"Key": {"id": "a"}, name: value})

    assert str(caught.value) == f"{name} has a lone surrogate, which is no character"


def test_item_of_400_kb_and_one_byte_more():
    """The name has 1 byte and 2 bytes, the key's value 1."""
    size = 400 * 1024
    encode("PutItem", {"Item": {"id": "a", "x": "x" * (size - 4)}})

    with pytest.raises(AttributeRefused) as caught:
        encode("PutItem", {"Item": {"id": "a", "x": "x" * (size - 3)}})

    assert str(caught.value) == "Item has over 409600 bytes"


def test_answer_has_plain_values():
    answer = decoded(
        {
            "Item": {"n": {"N": "1.5"}},
            "Attributes": {"b": {"B": "eA=="}},
            "Items": [{"s": {"SS": ["a"]}}],
            "LastEvaluatedKey": {"id": {"S": "a"}},
            "Count": 1,
            "ConsumedCapacity": {"TableName": "T", "CapacityUnits": 0.5},
            "ItemCollectionMetrics": {"ItemCollectionKey": {"id": {"S": "a"}}},
        }
    )

    assert answer == {
        "Item": {"n": Decimal("1.5")},
        "Attributes": {"b": b"x"},
        "Items": [{"s": {"a"}}],
        "LastEvaluatedKey": {"id": "a"},
        "Count": 1,
        "ConsumedCapacity": {"TableName": "T", "CapacityUnits": 0.5},
        "ItemCollectionMetrics": {"ItemCollectionKey": {"id": "a"}},
    }


def test_transaction_has_the_metrics_of_several_tables():
    answer = decoded(
        {
            "ItemCollectionMetrics": {
                "T": [{"ItemCollectionKey": {"id": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}]
            }
        }
    )

    assert answer == {
        "ItemCollectionMetrics": {
            "T": [{"ItemCollectionKey": {"id": "a"}, "SizeEstimateRangeGB": [0.0, 1.0]}]
        }
    }


def declared_for_type_checkers():
    """Return the names of the dicts that are declared for type checkers only."""
    tree = ast.parse(Path(_dynamodb_requests.__file__).read_text())
    [block] = [n for n in tree.body if isinstance(n, ast.If)]
    namespace = {"__name__": __name__, "Mapping": Mapping}
    code = "from __future__ import annotations\n" + ast.unparse(ast.Module(block.body, []))
    exec(code, namespace)  # noqa: S102
    return {
        name: set(found.__annotations__)
        for name, found in namespace.items()
        if name[0] != "_" and hasattr(found, "__total__")
    }


@pytest.mark.parametrize(
    "operation",
    [
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem"),
        "TransactWriteItems",
    ],
)
def test_parameters_are_those_that_type_checkers_know(operation):
    declared = declared_for_type_checkers()

    assert declared[operation] == set(_dynamodb_requests._PARAMETERS[operation])
    assert len(declared) == 8


def test_answer_without_values_stays():
    assert decoded({}) == {}
    assert decoded({"ItemCollectionMetrics": {"T": []}}) == {"ItemCollectionMetrics": {"T": []}}


# --- transactions ---------------------------------------------------------------------------------

PUT = {"Put": {"TableName": "Things", "Item": {"id": "a"}}}


def test_transaction_becomes_typed_and_gets_a_token():
    actions = [
        PUT,
        {"Update": {"Key": {"id": "a"}, "UpdateExpression": "REMOVE x"}},
        {"Delete": {"Key": {"id": "b"}}},
        {"ConditionCheck": {"Key": {"id": "c"}, "ConditionExpression": "x = :x",
                            "ExpressionAttributeValues": {":x": 1}}},
    ]  # fmt: skip

    request = encode_transaction({"TransactItems": actions}, "Others")
    again = encode_transaction({"TransactItems": actions}, "Others")

    assert request["TransactItems"] == [
        {"Put": {"TableName": "Things", "Item": {"id": {"S": "a"}}}},
        {"Update": {"TableName": "Others", "Key": {"id": {"S": "a"}}, "UpdateExpression": "REMOVE x"}},
        {"Delete": {"TableName": "Others", "Key": {"id": {"S": "b"}}}},
        {"ConditionCheck": {"TableName": "Others", "Key": {"id": {"S": "c"}},
                            "ConditionExpression": "x = :x",
                            "ExpressionAttributeValues": {":x": {"N": "1"}}}},
    ]  # fmt: skip
    assert len(request["ClientRequestToken"]) == 32
    assert request["ClientRequestToken"] != again["ClientRequestToken"]


def test_token_of_the_caller_is_kept():
    request = encode_transaction({"TransactItems": (PUT,), "ClientRequestToken": "mine"})

    assert request["ClientRequestToken"] == "mine"


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({}, "TransactItems must be a list of actions, got dict"),
        ([], "TransactItems must have 1 to 100 actions, got 0"),
        ([PUT] * 101, "TransactItems must have 1 to 100 actions, got 101"),
        (["x"], "TransactItems[0] must be a dict with one of Put, Update, Delete, ConditionCheck"),
        (
            [PUT, {"Get": {}}],
            "TransactItems[1] must be a dict with one of Put, Update, Delete, ConditionCheck",
        ),
        (
            [{**PUT, "Delete": {}}],
            "TransactItems[0] must be a dict with one of Put, Update, Delete, ConditionCheck",
        ),
        (
            [{"Put": None}],
            "TransactItems[0] must be a dict with one of Put, Update, Delete, ConditionCheck",
        ),
        ([{"Put": {"Item": {"id": "a"}}}], "TransactItems[0].Put must have a TableName"),
        (
            [{"Put": {"TableName": "T", "Item": {"id": "a", "x": set()}}}],
            "TransactItems[0].Put.Item.x is an empty set, which DynamoDB cannot store",
        ),
    ],
)
def test_transaction_refused(actions, message):
    with pytest.raises(AttributeRefused) as caught:
        encode_transaction({"TransactItems": actions})

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "missing"),
    [("Update", "UpdateExpression"), ("ConditionCheck", "ConditionExpression")],
)
def test_action_without_its_expression(kind, missing):
    action = {kind: {"TableName": "T", "Key": {"id": "a"}, missing: None}}

    with pytest.raises(TypeError) as caught:
        encode_transaction({"TransactItems": [action]})

    assert (
        str(caught.value) == f"{kind}: the parameter TransactItems[0].{kind}.{missing} is missing"
    )


def test_transaction_with_an_unknown_parameter():
    with pytest.raises(
        TypeError, match=r"Put: the parameter TransactItems\[0\].Put.Itm is unknown"
    ):
        encode_transaction({"TransactItems": [{"Put": {"Itm": {}}}]})


# --- what may be sent twice -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    ["GetItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem", "TransactWriteItems"],
)
def test_reads_transactions_and_batches_are_repeatable(operation):
    assert is_repeatable(operation, {})


@pytest.mark.parametrize("operation", ["PutItem", "DeleteItem", "UpdateItem"])
@pytest.mark.parametrize(
    ("parameters", "repeatable"),
    [
        ({}, True),
        ({"ReturnValues": "NONE"}, True),
        ({"ReturnValues": "ALL_OLD"}, False),
        ({"ConditionExpression": "attribute_exists(id)"}, False),
    ],
)
def test_write_is_repeatable_without_condition_and_returned_values(
    operation, parameters, repeatable
):
    assert is_repeatable(operation, parameters) == repeatable


@pytest.mark.parametrize(
    "expression",
    [
        "SET a = :a",
        "set a=:a",
        " SET #a = :a , b.#c.d = :d\n",
        "SET #0 = :0, _x = :_y",
        "SET a=:a,b=:b",
        "SET a=:a" + ",b=:b" * 200,
    ],
)
def test_update_that_only_sets_paths_to_placeholders_is_repeatable(expression):
    assert is_repeatable("UpdateItem", {"UpdateExpression": expression})


@pytest.mark.parametrize(
    "expression",
    [
        "SET a = a + :a",
        "SET a = :a + :b",
        "SET a = :a - b",
        "SET a = b",
        "SET a = #b",
        "SET a = if_not_exists(a, :a)",
        "SET a = list_append(a, :a)",
        "SET a = :a, b = b + :b",
        "SET a = :a REMOVE b",
        "REMOVE b SET a = :a",
        "REMOVE a",
        "ADD a :a",
        "DELETE a :a",
        "SET a[0] = :a",
        "SET a.b[12].c = :a",
        "SET a = :a,",
        "SET a = :a b = :b",
        "SET :a = :b",
        "SETa = :a",
        "SET",
        "",
        "SET é = :a",
        "SET a = :a;",
        "SET " + "a" * 4000,
    ],
)
def test_every_other_update_is_not(expression):
    """A list's index appends when it lies beyond the end."""
    assert not is_repeatable("UpdateItem", {"UpdateExpression": expression})
