"""`Table` against boto3's, operation by operation, on two tables of the emulator's DynamoDB.

Both tables get the same operations; results, errors and what the tables hold at last are the same.
Sentences of errors are not compared: ours keep what may quote an item out of the log.
"""

from __future__ import annotations

from decimal import Rounded

import boto3
import boto3.dynamodb.types
import botocore.config
import botocore.exceptions
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from shared_utils import dynamodb as ours
from tests.dynamodb_operations import OPERATIONS, SCHEMA, TABLE
from wslocal import Emulator

# The emulator and botocore say so; we, before anything is sent.
REFUSED = "ValidationException"


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def pair(emulator):
    """Return boto3's table and ours, with their resource; both empty."""
    with pytest.MonkeyPatch.context() as patch:
        # boto3 cannot read 1E+125, which DynamoDB sends as 126 digits, unless it may round zeros.
        patch.setitem(boto3.dynamodb.types.DYNAMODB_CONTEXT.traps, Rounded, False)
        resource = boto3.resource(
            "dynamodb",
            endpoint_url=emulator.endpoint,
            region_name="us-east-1",
            aws_access_key_id="root",
            aws_secret_access_key=emulator.variables["AWS_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        for name in ("theirs", "ours"):
            resource.create_table(TableName=name, **SCHEMA)
        table = ours.Table("ours", environ=emulator.variables)
        yield Theirs(resource), Ours(table)
        table.close_sockets()


def named(value, name):
    """Return arguments or an answer with a table's name in the place of another."""
    old, new = name
    if isinstance(value, dict):
        return {named(key, name): named(inner, name) for key, inner in value.items()}
    if isinstance(value, list):
        return [named(inner, name) for inner in value]
    return new if isinstance(value, str) and value == old else value


class Theirs:
    """boto3: an operation's outcome as ("done", answer) or ("failed", code, item, reasons)."""

    def __init__(self, resource):
        self._resource = resource
        self._table = resource.Table("theirs")

    def do(self, operation, arguments):
        for owner in (self._table, self._resource, self._resource.meta.client):
            if hasattr(owner, operation):
                break
        try:
            answer = getattr(owner, operation)(**named(arguments, (TABLE, "theirs")))
        except botocore.exceptions.ParamValidationError:
            return ("failed", REFUSED, None, [])
        except botocore.exceptions.ClientError as error:
            response = error.response
            reasons = [
                {**reason, **({"Item": plain(reason["Item"])} if "Item" in reason else {})}
                for reason in response.get("CancellationReasons", [])
            ]
            item = plain(response["Item"]) if "Item" in response else None
            return ("failed", response["Error"]["Code"], item, reasons)
        return ("done", named(unwrapped(answer), ("theirs", TABLE)))

    def items(self):
        return self._table.scan(ConsistentRead=True)["Items"]


def plain(item):
    deserializer = boto3.dynamodb.types.TypeDeserializer()
    return unwrapped({name: deserializer.deserialize(value) for name, value in item.items()})


def unwrapped(value):
    """Return an answer without boto3's metadata, and with bytes where it wraps them."""
    if isinstance(value, dict):
        return {key: unwrapped(v) for key, v in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [unwrapped(inner) for inner in value]
    if isinstance(value, set):
        return {unwrapped(inner) for inner in value}
    return value.value if isinstance(value, boto3.dynamodb.types.Binary) else value


class Ours:
    """The layer's `Table`, with the same outcomes."""

    def __init__(self, table):
        self._table = table

    def do(self, operation, arguments):
        arguments = named(arguments, (TABLE, "ours"))
        call = {
            "batch_get_item": self._batch_get,
            "batch_write_item": self._batch_write,
        }.get(operation) or getattr(self._table, operation)
        try:
            answer = call(**arguments)
        except ours.ConditionFailed as error:
            return ("failed", error.response["Error"]["Code"], error.item, [])
        except ours.TransactionCanceled as error:
            return ("failed", error.response["Error"]["Code"], None, error.reasons)
        except ours.DynamoDBError as error:
            return ("failed", error.response["Error"]["Code"], None, [])
        except ours.AttributeRefused:
            return ("failed", REFUSED, None, [])
        return ("done", named(answer, ("ours", TABLE)))

    def _batch_get(self, **arguments):
        [wanted] = arguments["RequestItems"].values()
        keys = wanted.pop("Keys")
        return {"Responses": {"ours": self._table.batch_get(keys, **wanted)}, "UnprocessedKeys": {}}

    def _batch_write(self, **arguments):
        [requests] = arguments["RequestItems"].values()
        puts = [r["PutRequest"]["Item"] for r in requests if "PutRequest" in r]
        deletes = [r["DeleteRequest"]["Key"] for r in requests if "DeleteRequest" in r]
        self._table.batch_write(puts=puts, deletes=deletes)
        return {"UnprocessedItems": {}}

    def items(self):
        return list(self._table.scan_all(ConsistentRead=True))


def by_key(items):
    return sorted(items, key=lambda item: (item["id"], item["at"]))


def emptied(pair):
    """Take all items out, so that each example begins alike."""
    for side in pair:
        for item in side.items():
            side.do("delete_item", {"Key": {"id": item["id"], "at": item["at"]}})


def check(pair, operations):
    emptied(pair)
    theirs, ours_ = pair

    for operation, arguments in operations:
        found, wanted = ours_.do(operation, arguments), theirs.do(operation, arguments)
        assert found == wanted, (operation, arguments)

    assert by_key(ours_.items()) == by_key(theirs.items())


# Without shrinking: a difference is shown with its operation, and to find a smaller one takes minutes.
GENERATED = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate],
}


@settings(max_examples=60, derandomize=True, **GENERATED)
@given(operations=OPERATIONS)
def test_operations_come_to_the_same(pair, operations):
    check(pair, operations)


@pytest.mark.long
@settings(max_examples=600, **GENERATED)
@given(operations=OPERATIONS)
def test_thousands_of_operations_come_to_the_same(pair, operations):
    check(pair, operations)
