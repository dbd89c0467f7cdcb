"""`Table` against boto3's, operation by operation, on two tables of the emulator's DynamoDB.

Both tables get the same operations; results, errors and what the tables hold at last are the same.
Sentences of errors are not compared: ours keep what may quote an item out of the log.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, Rounded

import boto3
import boto3.dynamodb.types
import botocore.config
import botocore.exceptions
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from shared_utils import dynamodb as ours
from shared_utils._dynamodb_requests import is_repeatable
from tests.dynamodb_operations import OPERATIONS, SCHEMA, TABLE, WRITES

# The emulator and botocore say so; we, before anything is sent.
REFUSED = "ValidationException"
KEYS = {
    "AWS_ACCESS_KEY_ID": "root",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
}


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
            aws_access_key_id=emulator.variables["AWS_ACCESS_KEY_ID"],
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
        self.table = table

    def do(self, operation, arguments):
        arguments = named(arguments, (TABLE, "ours"))
        call = {
            "batch_get_item": self._batch_get,
            "batch_write_item": self._batch_write,
        }.get(operation) or getattr(self.table, operation)
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
        return {"Responses": {"ours": self.table.batch_get(keys, **wanted)}, "UnprocessedKeys": {}}

    def _batch_write(self, **arguments):
        [requests] = arguments["RequestItems"].values()
        puts = [r["PutRequest"]["Item"] for r in requests if "PutRequest" in r]
        deletes = [r["DeleteRequest"]["Key"] for r in requests if "DeleteRequest" in r]
        self.table.batch_write(puts=puts, deletes=deletes)
        return {"UnprocessedItems": {}}

    def items(self):
        return list(self.table.scan_all(ConsistentRead=True))


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


# --- values at their limits -----------------------------------------------------------------------


def nested(lists, innermost):
    for _ in range(lists):
        innermost = [innermost]
    return innermost


# The names have 5 bytes, the text "a" has 1, a number of one digit 2.
LARGEST = 400 * 1024 - 8


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(int("9" * 38), id="38-digits"),
        pytest.param(Decimal("-0." + "9" * 38), id="38-digits-after-the-point"),
        pytest.param(Decimal("9." + "9" * 37 + "E+125"), id="largest-number"),
        pytest.param(Decimal("-1E-130"), id="smallest-number"),
        pytest.param(Decimal("1.00"), id="zeros-at-the-end"),
        pytest.param(nested(31, "x"), id="32-levels"),
        pytest.param(nested(30, {"a": {}}), id="32-levels-the-last-one-empty"),
        pytest.param("x" * LARGEST, id="400-KB-of-text"),
        pytest.param("é" * (LARGEST // 2), id="400-KB-of-text-beyond-ascii"),
        pytest.param(b"x" * LARGEST, id="400-KB-of-bytes"),
        pytest.param("", id="empty-text"),
        pytest.param(b"", id="empty-bytes"),
        pytest.param([], id="empty-list"),
        pytest.param({}, id="empty-map"),
        pytest.param({"": ""}, id="empty-name-in-a-map"),
        pytest.param({""}, id="set-of-empty-text"),
        pytest.param({b""}, id="set-of-empty-bytes"),
        pytest.param({0, -1, Decimal("0.5")}, id="number-set"),
        pytest.param({b"\x00", b"\xff"}, id="binary-set"),
        pytest.param("".join(map(chr, range(1, 0x250))), id="characters"),
        pytest.param("\x00\u2028\uffff🎙", id="characters-that-json-escapes"),
        pytest.param([None, True, False], id="null-and-bools"),
    ],
)
def test_value_at_a_limit_is_stored_alike(pair, value):
    emptied(pair)
    key = {"id": "a", "at": 1}

    for side in pair:
        assert side.do("put_item", {"Item": {**key, "v": value}}) == ("done", {})

    for side in pair:
        assert side.do("get_item", {"Key": key}) == ("done", {"Item": {**key, "v": value}})
        assert side.items() == [{**key, "v": value}]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(nested(32, "x"), id="33-levels"),
        pytest.param("x" * (LARGEST + 1), id="over-400-KB"),
        pytest.param(b"x" * (LARGEST + 1), id="over-400-KB-of-bytes"),
        pytest.param(Decimal("1E-131"), id="too-small"),
    ],
)
def test_value_beyond_a_limit_is_refused_alike(pair, value):
    emptied(pair)

    for side in pair:
        kind, code, *_ = side.do("put_item", {"Item": {"id": "a", "at": 1, "v": value}})
        assert (kind, code) == ("failed", REFUSED)

    for side in pair:
        assert side.items() == []


# --- pages and batches ----------------------------------------------------------------------------


@pytest.fixture
def many(pair):
    """Let ours write more items than a batch and a page hold, and return them."""
    items = [{"id": "many", "at": n, "v": "x" * 15_000} for n in range(130)]
    pair[1].table.batch_write(puts=items)
    yield items
    pair[1].table.batch_write(deletes=[{"id": "many", "at": n} for n in range(130)])
    assert list(pair[1].table.query_all(**OF_MANY)) == []


OF_MANY = {
    "KeyConditionExpression": "id = :id",
    "ExpressionAttributeValues": {":id": "many"},
    "ConsistentRead": True,
}


def test_all_pages_of_a_query_and_a_scan_are_read(pair, many):
    table = pair[1].table

    first = table.query(**OF_MANY)
    assert 0 < len(first["Items"]) < 130
    assert list(table.query_all(**OF_MANY)) == many
    assert list(table.query_all(**OF_MANY, Limit=7, ScanIndexForward=False)) == many[::-1]
    assert by_key(item for item in table.scan_all() if item["id"] == "many") == many


def test_batch_reads_more_keys_than_a_request_holds(pair, many):
    keys = [{"id": "many", "at": n} for n in range(140)]

    assert by_key(pair[1].table.batch_get(keys)) == many


# --- one table, many users ------------------------------------------------------------------------


def puts_and_gets(table, name):
    """Write and read 20 items, and return how many came back as they were."""
    written = [{"id": name, "at": n, "v": f"{name}-{n}"} for n in range(20)]
    right = 0
    for item in written:
        table.put_item(Item=item)
        key = {"id": name, "at": item["at"]}
        right += table.get_item(Key=key, ConsistentRead=True)["Item"] == item
    return right


def test_threads_share_a_table(pair):
    emptied(pair)
    names = [f"thread-{n}" for n in range(8)]

    with ThreadPoolExecutor(len(names)) as threads:
        right = list(threads.map(puts_and_gets, itertools.repeat(pair[1].table), names))

    assert right == [20] * len(names)
    assert len(pair[1].items()) == 160
    assert len(pair[1].table._caller.client.pool) <= len(names)


def test_forks_share_a_table(pair):
    """Sockets that are kept are the parent's; a child that read its answers would mix them up."""
    table = pair[1].table
    emptied(pair)
    puts_and_gets(table, "parent")

    children = []
    for n in range(3):
        child = os.fork()
        if child == 0:
            try:
                os._exit(puts_and_gets(table, f"child-{n}"))
            finally:  # whatever happens, this copy of pytest must not go on
                os._exit(255)
        children.append(child)
    right = puts_and_gets(table, "parent")

    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [20] * 3
    assert right == 20
    assert len(pair[1].items()) == 80


def test_event_loop_calls_a_table_from_threads(pair):
    emptied(pair)

    async def both():
        calls = [asyncio.to_thread(puts_and_gets, pair[1].table, name) for name in "xyz"]
        return await asyncio.gather(*calls)

    assert asyncio.run(both()) == [20, 20, 20]


def test_signal_in_the_middle_of_a_call_leaves_no_socket(pair):
    """The signal comes once the request is there, and nobody answers it."""
    silent = socket.create_server(("127.0.0.1", 0))
    ends = []

    def interrupt():
        with silent, silent.accept()[0] as accepted:
            accepted.recv(65536)
            os.kill(os.getpid(), signal.SIGUSR1)
            while accepted.recv(65536):
                pass
            ends.append("closed by the caller")

    def stop(*_):
        raise KeyboardInterrupt

    endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
    table = ours.Table("ours", endpoint=endpoint, environ=KEYS, timeout_seconds=60)
    before = signal.signal(signal.SIGUSR1, stop)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        table.put_item(Item={"id": "a", "at": 1})
    thread.join()
    signal.signal(signal.SIGUSR1, before)

    assert ends == ["closed by the caller"]
    assert table._caller.client.pool == []
    assert puts_and_gets(pair[1].table, "after") == 20


# --- generated ------------------------------------------------------------------------------------

# Without shrinking: a difference is shown with its operation, and to find a smaller one takes minutes.
GENERATED = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate],
}


@pytest.mark.slow
@settings(max_examples=30, derandomize=True, **GENERATED)
@given(operations=OPERATIONS)
def test_operations_come_to_the_same(pair, operations):
    check(pair, operations)


@pytest.mark.long
@settings(max_examples=300, **GENERATED)
@given(operations=OPERATIONS)
def test_thousands_of_operations_come_to_the_same(pair, operations):
    check(pair, operations)


# --- sent twice -----------------------------------------------------------------------------------

REPEATED = {
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "delete_item": "DeleteItem",
    "transact_write_items": "TransactWriteItems",
    "batch_write_item": "BatchWriteItem",
}


def check_sent_twice(pair, operations):
    emptied(pair)
    once, twice = pair

    for operation, arguments in operations:
        first = once.do(operation, arguments)
        if operation == "transact_write_items":  # a call's attempts have one token
            arguments["ClientRequestToken"] = uuid.uuid4().hex
        found = twice.do(operation, arguments)
        if is_repeatable(REPEATED[operation], arguments):
            again = twice.do(operation, arguments)
            found = found if again[:2] == EMULATORS_MISTAKE else again
        assert without_costs(found) == without_costs(first), (operation, arguments)

    assert by_key(twice.items()) == by_key(once.items())


# It remembers a token's request with its numbers written anew; see docs/dynamodb.md.
EMULATORS_MISTAKE = ("failed", "IdempotentParameterMismatchException")


def without_costs(outcome):
    """Return an outcome without the capacity, which depends on what was there before."""
    kind, answer, *rest = outcome
    if kind == "done":
        answer = {name: value for name, value in answer.items() if name != "ConsumedCapacity"}
    return (kind, answer, *rest)


@pytest.mark.slow
@settings(max_examples=12, derandomize=True, **GENERATED)
@given(operations=WRITES)
def test_what_may_be_sent_twice_comes_to_the_same_as_once(pair, operations):
    """What the client repeats after a lost answer, when the first attempt may have been done."""
    check_sent_twice(pair, operations)


@pytest.mark.long
@settings(max_examples=150, **GENERATED)
@given(operations=WRITES)
def test_thousands_that_may_be_sent_twice_come_to_the_same_as_once(pair, operations):
    check_sent_twice(pair, operations)
