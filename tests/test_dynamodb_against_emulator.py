"""The layer's DynamoDB against a real DynamoDB API: what each method does to the items there."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from shared_utils import dynamodb
from shared_utils.dynamodb import ConditionFailed, DynamoDBError, Table, TransactionCanceled
from shared_utils.error_codes import ErrorCode

pytestmark = pytest.mark.slow

_numbers = itertools.count()


@pytest.fixture
def name(emulator):
    """Make a table with a partition and a sort key."""
    name = f"Things-{next(_numbers)}"
    emulator.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "n", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def table(emulator, name):
    table = Table(name, environ=emulator.variables)
    yield table
    table.close_sockets()


ITEM = {
    "id": "a",
    "n": 1,
    "text": "",
    "number": Decimal("1.5"),
    "nothing": None,
    "yes": True,
    "bytes": b"\0\xff",
    "map": {"list": [1, "x", []]},
    "texts": {"x", "y"},
    "numbers": {Decimal(1), Decimal("2.5")},
    "binaries": {b"x"},
}


def test_item_comes_back_as_it_was(table):
    put = table.put_item(Item=ITEM)
    got = table.get_item(Key={"id": "a", "n": 1}, ConsistentRead=True)

    assert put == {}
    assert got == {"Item": ITEM}


def test_item_that_is_not_there(table):
    assert table.get_item(Key={"id": "b", "n": 1}) == {}


def test_update_returns_attributes(table):
    table.put_item(Item={"id": "a", "n": 1, "count": 1})

    found = table.update_item(
        Key={"id": "a", "n": 1},
        UpdateExpression="SET #count = #count + :one",
        ExpressionAttributeNames={"#count": "count"},
        ExpressionAttributeValues={":one": 1},
        ReturnValues="ALL_NEW",
    )

    assert found == {"Attributes": {"id": "a", "n": 1, "count": 2}}


def test_delete_returns_what_was_there(table):
    table.put_item(Item={"id": "a", "n": 1})

    assert table.delete_item(Key={"id": "a", "n": 1}, ReturnValues="ALL_OLD") == {
        "Attributes": {"id": "a", "n": 1}
    }
    assert table.get_item(Key={"id": "a", "n": 1}) == {}


def test_condition_that_is_not_met_has_the_item(table):
    table.put_item(Item=ITEM)

    with pytest.raises(ConditionFailed) as caught:
        table.put_item(
            Item={"id": "a", "n": 1},
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    error = caught.value
    assert error.item == ITEM
    assert (error.operation, error.outcome_unknown) == ("PutItem", False)
    assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert error.code is ErrorCode.INTERNAL_SERVER_ERROR


def test_pages_of_a_query(table):
    table.batch_write(puts=[{"id": "a", "n": n} for n in range(60)] + [{"id": "b", "n": 1}])
    parameters = {
        "KeyConditionExpression": "id = :id",
        "ExpressionAttributeValues": {":id": "a"},
        "Limit": 25,
    }

    page = table.query(**parameters)
    found = list(table.query_all(**parameters))

    assert (page["Count"], page["LastEvaluatedKey"]) == (25, {"id": "a", "n": 24})
    assert found == [{"id": "a", "n": n} for n in range(60)]
    assert len(list(table.scan_all(Limit=7))) == 61
    assert table.scan(Select="COUNT")["Count"] == 61


def test_batches_of_any_size(table):
    table.batch_write(puts=[{"id": "a", "n": n} for n in range(120)])
    table.batch_write(deletes=[{"id": "a", "n": n} for n in range(0, 120, 2)])

    found = table.batch_get([{"id": "a", "n": n} for n in range(130)])

    assert sorted(item["n"] for item in found) == list(range(1, 120, 2))


def test_transaction_does_all_or_nothing(table, name):
    table.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": name, "Item": {"id": "a", "n": 1}}},
            {"Put": {"Item": {"id": "a", "n": 2}}},
        ]
    )
    with pytest.raises(TransactionCanceled) as caught:
        table.transact_write_items(
            TransactItems=[
                {"Delete": {"Key": {"id": "a", "n": 1}}},
                {
                    "Put": {
                        "Item": {"id": "a", "n": 2, "new": True},
                        "ConditionExpression": "attribute_not_exists(id)",
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
            ]
        )

    assert [reason["Code"] for reason in caught.value.reasons] == ["None", "ConditionalCheckFailed"]
    assert caught.value.reasons[1]["Item"] == {"id": "a", "n": 2}
    assert table.scan()["Items"] == [{"id": "a", "n": 1}, {"id": "a", "n": 2}]


def test_transaction_with_the_environments_settings(emulator, name, monkeypatch):
    for variable, value in emulator.variables.items():
        monkeypatch.setenv(variable, value)
    table = Table(name)

    dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": name, "Item": {"id": "a", "n": 1}}}]
    )

    assert table.scan()["Count"] == 1
    table.close_sockets()


@pytest.mark.parametrize(
    ("name_of_a_table", "key", "code", "catalogue"),
    [
        pytest.param(
            *(None, {"id": 7, "n": 1}, "ValidationException", ErrorCode.INTERNAL_SERVER_ERROR),
            id="our-defect",
        ),
        pytest.param(
            *("Nothing", {"id": "a", "n": 1}, "ResourceNotFoundException"),
            ErrorCode.INTERNAL_CONFIGURATION_ERROR,
            id="no-table",
        ),
    ],
)
def test_refusal_has_its_code(emulator, name, name_of_a_table, key, code, catalogue):
    table = Table(name_of_a_table or name, environ=emulator.variables)

    with pytest.raises(DynamoDBError) as caught:
        table.get_item(Key=key)

    table.close_sockets()
    error = caught.value
    assert (error.response["Error"]["Code"], error.code) == (code, catalogue)
    assert (error.outcome_unknown, error.message) == (False, catalogue.sentence)
    assert error.request_id


# --- the README -----------------------------------------------------------------------------------

LAYER = Path(dynamodb.__file__).parents[2]


def readme_block(kind):
    text = (LAYER / "README.md").read_text()
    [code] = re.findall(rf"^```python {kind}\n(.*?)^```$", text, re.M | re.S)
    return code


def run(emulator, folder, *command):
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**emulator.variables, "PYTHONPATH": str(LAYER / "python")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_example_of_the_readme_prints_what_its_comments_say(emulator, tmp_path):
    code = readme_block("dynamodb")
    emulator.client("dynamodb").create_table(
        TableName="Rooms",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    printed = run(emulator, tmp_path, "-c", code)

    assert printed.splitlines() == re.findall(r"print\(.*\)  # (.*)$", code, re.M)
    assert len(printed.splitlines()) == 3
