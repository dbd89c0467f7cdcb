"""DynamoDB over a network that misbehaves: what the caller learns, and what the item is at last.

The API is the emulator's; between it and the layer stands a proxy that resets, cuts, delays and forges.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import socket
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from shared_utils.dynamodb import BatchIncomplete, DynamoDBError, Table

sys.path.insert(0, str(Path(__file__).parent))
import faulty_proxy as faulty
from faulty_proxy import AFTER, FaultyProxy, answers

pytestmark = pytest.mark.slow

THROTTLED = answers("ProvisionedThroughputExceededException")
KEY = {"id": "a"}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def environ(emulator):
    return emulator.variables


@pytest.fixture
def name(emulator):
    name = f"Things-{next(_numbers)}"
    emulator.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def direct(name, environ):
    """The table without the proxy: what is there in truth."""
    table = Table(name, environ=environ)
    yield table
    table.close_sockets()


@pytest.fixture
def proxy(environ):
    with FaultyProxy(environ["AWS_ENDPOINT_URL"]) as running:
        yield running


@pytest.fixture
def connect(name, environ, proxy):
    """Make tables behind the proxy, whose attempts are short."""
    made = []

    def make(table_name=name, variables=environ, **options):
        settings = {"answer_seconds": 0.3, "backoff_seconds": 0.005, **options}
        made.append(Table(table_name, endpoint=proxy.endpoint, environ=variables, **settings))
        return made[-1]

    yield make
    [table.close_sockets() for table in made]


@pytest.fixture
def table(connect):
    return connect()


def state(direct):
    return direct.get_item(Key=KEY, ConsistentRead=True).get("Item")


# --- calls, and what they leave behind ------------------------------------------------------------

BEFORE = {"id": "a", "n": 1, "other": "kept"}


def put(table, **options):
    return table.put_item(Item={"id": "a", "n": 2}, **options)


def set_number(table, **options):
    return table.update_item(
        Key=KEY,
        UpdateExpression="SET #n = :n",
        ExpressionAttributeNames={"#n": "n"},
        ExpressionAttributeValues={":n": 2},
        **options,
    )


def delete(table, **options):
    return table.delete_item(Key=KEY, **options)


def count(table, **options):
    return table.update_item(
        Key=KEY,
        UpdateExpression="SET n = n + :one",
        ExpressionAttributeValues={":one": 1},
        **options,
    )


def add(table, **options):
    return table.update_item(
        Key=KEY, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": 1}, **options
    )


def put_if_first(table, **options):
    return table.put_item(
        Item={"id": "a", "n": 2},
        ConditionExpression="n = :before",
        ExpressionAttributeValues={":before": 1},
        **options,
    )


def take_old(table, **options):
    return delete(table, ReturnValues="ALL_OLD", **options)


def count_in_transaction(table, **options):
    return table.transact_write_items(
        TransactItems=[
            {
                "Update": {
                    "Key": KEY,
                    "UpdateExpression": "SET n = n + :one",
                    "ExpressionAttributeValues": {":one": 1},
                }
            }
        ],
        **options,
    )


def put_in_batch(table, **options):
    return table.batch_write(puts=[{"id": "a", "n": 2}], **options)


PUT = {"id": "a", "n": 2}
CHANGED = {"id": "a", "n": 2, "other": "kept"}
# What may go twice, and what the item is then.
REPEATABLE = [
    pytest.param(put, PUT, id="put"),
    pytest.param(set_number, CHANGED, id="set"),
    pytest.param(delete, None, id="delete"),
    pytest.param(count_in_transaction, CHANGED, id="transaction"),
    pytest.param(put_in_batch, PUT, id="batch"),
]
# What may not.
NOT_REPEATABLE = [
    pytest.param(count, CHANGED, id="operator"),
    pytest.param(add, CHANGED, id="add"),
    pytest.param(put_if_first, PUT, id="condition"),
    pytest.param(take_old, None, id="returned-values"),
]
ALL = [*REPEATABLE, *NOT_REPEATABLE]
EXECUTED = [pytest.param(fault, id=fault.__name__) for fault in AFTER]
NOT_EXECUTED = [
    pytest.param(faulty.reset_unread, id="reset"),
    pytest.param(answers("InternalServerError", 500), id="500"),
    pytest.param(answers("ServiceUnavailable", 503), id="503"),
]


# --- answers that are lost ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [*EXECUTED, *NOT_EXECUTED])
@pytest.mark.parametrize(("call", "after"), REPEATABLE)
def test_repeatable_write_is_done_once_in_effect(table, direct, proxy, call, after, fault):
    direct.put_item(Item=BEFORE)
    proxy.faults = [fault]

    call(table)

    assert state(direct) == after
    assert len(proxy.requests) == 2


@pytest.mark.parametrize("fault", EXECUTED)
@pytest.mark.parametrize(("call", "after"), NOT_REPEATABLE)
def test_other_write_is_sent_once_and_its_outcome_unknown(table, direct, proxy, call, after, fault):
    direct.put_item(Item=BEFORE)
    proxy.faults = [fault]

    with pytest.raises(DynamoDBError) as caught:
        call(table)

    assert caught.value.outcome_unknown
    assert type(caught.value) is DynamoDBError
    assert state(direct) == after
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("fault", NOT_EXECUTED)
@pytest.mark.parametrize(("call", "after"), NOT_REPEATABLE)
def test_other_write_may_as_well_not_be_done(table, direct, proxy, call, after, fault):
    direct.put_item(Item=BEFORE)
    proxy.faults = [fault]

    with pytest.raises(DynamoDBError) as caught:
        call(table)

    assert caught.value.outcome_unknown
    assert state(direct) == BEFORE
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("fault", [*EXECUTED, *NOT_EXECUTED])
def test_read_is_repeated(table, direct, proxy, fault):
    direct.put_item(Item=BEFORE)
    proxy.faults = [fault, fault]

    assert table.get_item(Key=KEY) == {"Item": BEFORE}
    assert list(table.scan_all()) == [BEFORE]
    assert table.batch_get([KEY]) == [BEFORE]


@pytest.mark.parametrize("fault", EXECUTED)
def test_condition_that_fails_after_a_lost_answer_is_unknown_not_failed(
    table, direct, proxy, fault
):
    """The first attempt made it true itself."""
    direct.put_item(Item=BEFORE)
    proxy.faults = [fault]

    with pytest.raises(DynamoDBError) as caught:
        put_if_first(table, idempotent=True)

    assert type(caught.value) is DynamoDBError
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert caught.value.outcome_unknown
    assert state(direct) == PUT


def test_caller_may_say_that_a_write_is_idempotent(table, direct, proxy):
    direct.put_item(Item=BEFORE)
    proxy.faults = [faulty.reset_unread]

    put_if_first(table, idempotent=True)

    assert state(direct) == PUT


def test_transaction_has_one_token_for_all_attempts(table, direct, proxy):
    direct.put_item(Item=BEFORE)
    proxy.faults = [faulty.reset_after, THROTTLED, faulty.half_after]

    count_in_transaction(table)
    count_in_transaction(table)

    tokens = [json.loads(request.body)["ClientRequestToken"] for request in proxy.requests]
    assert tokens == [tokens[0]] * 4 + [tokens[4]]
    assert tokens[0] != tokens[4]
    assert state(direct)["n"] == 3


def test_list_index_is_not_repeated(table, direct, proxy):
    """Beyond the list's end it appends: twice would be one too many."""
    direct.put_item(Item={"id": "a", "list": []})
    proxy.faults = [faulty.reset_after]

    with pytest.raises(DynamoDBError):
        table.update_item(
            Key=KEY, UpdateExpression="SET #l[9] = :x", ExpressionAttributeValues={":x": 1},
            ExpressionAttributeNames={"#l": "list"},
        )  # fmt: skip

    assert state(direct)["list"] == [1]
    assert len(proxy.requests) == 1


# --- throttling -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "after"), ALL)
def test_burst_of_throttling_is_survived_by_every_write(table, direct, proxy, call, after):
    direct.put_item(Item=BEFORE)
    proxy.faults = [THROTTLED, answers("ThrottlingException"), answers("RequestLimitExceeded")]

    call(table)

    assert state(direct) == after
    assert len(proxy.requests) == 4


def test_throttling_without_end_is_raised_within_the_deadline(connect, direct, proxy):
    table = connect(backoff_seconds=0.02)
    proxy.faults = [THROTTLED] * 1000

    with pytest.raises(DynamoDBError) as caught:
        count(table, timeout_seconds=0.2)

    error = caught.value
    assert error.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert not error.outcome_unknown
    assert 2 <= len(proxy.requests) <= 11


def test_throttling_after_a_lost_answer_leaves_the_outcome_unknown(connect, direct, proxy):
    table = connect(retries=1)
    proxy.faults = [faulty.reset_after, THROTTLED]

    with pytest.raises(DynamoDBError) as caught:
        put(table)

    assert caught.value.outcome_unknown
    assert state(direct) == PUT


# --- no byte was sent -----------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "after"), ALL)
def test_every_write_is_dialled_again_when_no_byte_was_sent(
    table, direct, proxy, monkeypatch, call, after
):
    """The first address refuses; the second lookup has another one."""
    direct.put_item(Item=BEFORE)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed_port = unused.getsockname()[1]
    looked_up = []
    lookup = socket.getaddrinfo

    def first_wrong(host, port, *arguments, **options):
        if isinstance(host, bytes):  # by the layer
            looked_up.append(port)
            port = closed_port if len(looked_up) == 1 else port
        return lookup(host, port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", first_wrong)

    call(table)

    assert state(direct) == after
    assert len(looked_up) == 2
    assert len(proxy.requests) == 1


def test_api_out_of_reach_is_no_unknown_outcome(name, environ):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    table = Table(name, endpoint=f"http://127.0.0.1:{port}", environ=environ, retries=2)

    with pytest.raises(DynamoDBError) as caught:
        count(table)

    assert caught.value.response["Error"]["Code"] == "ConnectionRefusedError"
    assert not caught.value.outcome_unknown


# --- sockets, bytes and deadlines -----------------------------------------------------------------


@pytest.mark.parametrize(("call", "after"), ALL)
def test_kept_socket_that_was_closed_while_idle_is_not_used(table, direct, proxy, call, after):
    direct.put_item(Item=BEFORE)
    proxy.faults = [faulty.close_when_idle]
    table.get_item(Key=KEY)
    proxy.wait_for_connections()

    call(table)

    assert state(direct) == after
    assert proxy.accepted == 2


@pytest.mark.parametrize(("call", "after"), ALL)
def test_answer_byte_by_byte_is_an_answer(connect, direct, proxy, call, after):
    direct.put_item(Item=BEFORE)
    proxy.faults = [faulty.slowly]

    call(connect(answer_seconds=5))

    assert state(direct) == after
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(("call", "after"), ALL)
def test_deadline_of_a_call_ends_it(connect, direct, proxy, call, after):
    """200 ms is what the audio function gives a read."""
    direct.put_item(Item=BEFORE)
    table = connect(answer_seconds=2)
    proxy.faults = [faulty.silence_after] * 9

    with pytest.raises(DynamoDBError) as caught:
        call(table, timeout_seconds=0.2)

    assert caught.value.outcome_unknown
    assert caught.value.response["Error"]["Code"] == "DeadlineExceeded"
    assert state(direct) == after


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_without_time_nothing_is_sent(table, direct, proxy, timeout):
    with pytest.raises(DynamoDBError) as caught:
        put(table, timeout_seconds=timeout)

    assert not caught.value.outcome_unknown
    assert proxy.requests == []


# --- clock and credentials ------------------------------------------------------------------------


def aws_clock(request):
    """Refuse what is signed for another time, as AWS does."""
    signed = time.strptime(request.headers["x-amz-date"] + "UTC", "%Y%m%dT%H%M%SZ%Z")
    off = abs(time.time() - (time.mktime(signed) - time.timezone))
    if off < 300:
        return None
    return faulty.error("InvalidSignatureException", date=formatdate(usegmt=True))


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize(("call", "after"), ALL)
@pytest.mark.threat("log-clock")
def test_clock_that_is_ten_minutes_off_is_corrected_once(
    connect, direct, proxy, call, after, minutes
):
    direct.put_item(Item=BEFORE)
    proxy.check = aws_clock
    table = connect(clock=lambda: time.time() + minutes * 60)

    call(table)
    table.get_item(Key=KEY)

    assert state(direct) == after
    assert len(proxy.requests) == 3


def test_signature_that_is_wrong_is_not_the_clocks_fault(table, proxy):
    proxy.check = lambda _: faulty.error("InvalidSignatureException", date=formatdate(usegmt=True))

    with pytest.raises(DynamoDBError) as caught:
        put(table)

    assert caught.value.code == "INTERNAL_CONFIGURATION_ERROR"
    assert not caught.value.outcome_unknown
    assert len(proxy.requests) == 1


class RotatingEnvironment(dict):
    """Gets a new session token as soon as the old one was used."""

    def get(self, key, default=None):
        value = super().get(key, default)
        if key == "AWS_SESSION_TOKEN":
            self["AWS_SESSION_TOKEN"] = "new"
        return value


def expired(request):
    old = request.headers["x-amz-security-token"] == "old"
    return faulty.error("ExpiredTokenException") if old else None


@pytest.mark.parametrize(("call", "after"), ALL)
def test_token_that_expired_is_replaced_by_the_environments_new_one(
    connect, direct, proxy, environ, call, after
):
    direct.put_item(Item=BEFORE)
    proxy.check = expired

    call(connect(variables=RotatingEnvironment(environ, AWS_SESSION_TOKEN="old")))

    assert state(direct) == after
    assert len(proxy.requests) == 2


def test_token_that_expired_without_another_is_an_error(connect, proxy, environ):
    proxy.check = expired
    table = connect(variables={**environ, "AWS_SESSION_TOKEN": "old"})

    with pytest.raises(DynamoDBError) as caught:
        put(table)

    assert caught.value.code == "INTERNAL_CONFIGURATION_ERROR"
    assert len(proxy.requests) == 1


# --- batches --------------------------------------------------------------------------------------


def test_batch_that_fails_half_way_says_what_is_not_done(connect, direct, proxy):
    table = connect(retries=0)
    proxy.faults = [lambda r: r.sock.sendall(r.forward().on_the_wire()), THROTTLED]

    with pytest.raises(BatchIncomplete) as caught:
        table.batch_write(puts=[{"id": str(n)} for n in range(30)], deletes=[{"id": "x"}])

    assert (caught.value.puts, caught.value.deletes) == ([25, 26, 27, 28, 29], [0])
    assert not caught.value.outcome_unknown
    assert direct.scan(Select="COUNT")["Count"] == 25


# --- many calls -----------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts files by Linux's /proc")
def test_ten_thousand_calls_leave_no_socket_no_thread_and_no_memory(connect, direct, proxy):
    """A tenth of them meets a fault; what was raised may have been done, what was returned was."""
    direct.put_item(Item={"id": "a", "n": 0})
    table = connect(timeout_seconds=5, max_sockets=4)
    faults = itertools.cycle(
        [faulty.reset_after, faulty.half_after, faulty.wrong_checksum_after, THROTTLED,
         faulty.reset_unread, faulty.error_500_after, faulty.close_when_idle]
    )  # fmt: skip
    open_before, threads_before = len(os.listdir("/proc/self/fd")), threading.active_count()

    def call(number):
        proxy.requests.clear()
        if number % 10 == 0:
            proxy.faults = [next(faults)]
        try:
            add(table) if number % 5 == 0 else table.get_item(Key=KEY)
        except DynamoDBError as error:
            return "unknown" if error.outcome_unknown else "failed"
        return "done"

    first = [call(number) for number in range(1_000)]
    before = objects_and_bytes()
    outcomes = [*first, *map(call, range(1_000, 10_000))]
    after = objects_and_bytes()
    table.close_sockets()
    proxy.wait_for_connections()

    unknown = outcomes.count("unknown")
    assert outcomes.count("failed") == 0
    assert 0 < unknown <= 1_000
    assert 2_000 - unknown <= state(direct)["n"] <= 2_000
    assert after[0] == before[0]
    assert after[1] - before[1] < 16 * 1024 * 1024
    assert len(os.listdir("/proc/self/fd")) <= open_before + 1  # the proxy's own last one
    assert threading.active_count() <= threads_before + 1  # as above


def objects_and_bytes():
    """Return how many objects of the layer's types live, and the process's memory."""
    gc.collect()
    modules = [str(type(found).__module__) for found in gc.get_objects()]
    own = [module for module in modules if module.startswith("shared_utils")]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(own), pages * os.sysconf("SC_PAGE_SIZE")
