"""Batches: how they are split, what is asked again, and what is said of the rest."""

import copy

import pytest
from connections_server import RESET, Clock
from dynamodb_server import bodies, error, ok, operations, serve

from shared_utils._attributes import AttributeRefused
from shared_utils._dynamodb_batches import BatchIncomplete
from shared_utils._dynamodb_calls import DynamoDBError
from shared_utils.error_codes import ErrorCode


@pytest.fixture
def pauses(monkeypatch):
    """Return a clock that only pauses move: how many there are does not depend on the machine."""
    clock = Clock(0.0)
    monkeypatch.setattr("time.sleep", lambda seconds: setattr(clock, "now", clock.now + seconds))
    return clock


def typed(name):
    return {"id": {"S": name}}


def put_of(name):
    return {"PutRequest": {"Item": typed(name)}}


def items(*names):
    return [{"id": name} for name in names]


def numbered(number):
    return items(*map(str, range(number)))


# --- reading --------------------------------------------------------------------------------------


def found(*names, left=()):
    answer = {"Responses": {"Things": [typed(name) for name in names]}}
    if left:
        answer["UnprocessedKeys"] = {"Things": {"Keys": [typed(name) for name in left]}}
    return ok(answer)


def test_items_of_keys(connect_table):
    with serve([found("b", "a")]) as server:
        assert connect_table(server).batch_get(
            items("a", "b", "c"), ConsistentRead=True, ProjectionExpression="id"
        ) == items("b", "a")

    assert bodies(server) == [
        {
            "RequestItems": {
                "Things": {
                    "Keys": [typed("a"), typed("b"), typed("c")],
                    "ConsistentRead": True,
                    "ProjectionExpression": "id",
                }
            }
        }
    ]


def test_no_keys_are_no_request(connect_table):
    with serve() as server:
        assert connect_table(server).batch_get([]) == []

    assert server.accepted == 0


def test_keys_are_split_to_hundreds(connect_table):
    with serve([found("x")]) as server:
        connect_table(server).batch_get(numbered(201))

    sizes = [len(body["RequestItems"]["Things"]["Keys"]) for body in bodies(server)]
    assert sizes == [100, 100, 1]


def test_key_that_is_given_twice_is_asked_for_once(connect_table):
    with serve([found("a")]) as server:
        connect_table(server).batch_get(iter(items("a", "b", "a")))

    assert bodies(server)[0]["RequestItems"]["Things"]["Keys"] == [typed("a"), typed("b")]


def test_keys_that_are_left_out_are_asked_for_again_with_those_that_wait(connect_table):
    with serve([found("0", left=["1", "2"])], [found("1", "2")]) as server:
        got = connect_table(server).batch_get(numbered(102))

    assert got == items("0", "1", "2")
    assert [len(body["RequestItems"]["Things"]["Keys"]) for body in bodies(server)] == [100, 4]


def test_keys_that_stay_left_out_are_an_error(connect_table, pauses):
    with serve([found(left=["a"])]) as server, pytest.raises(DynamoDBError) as caught:
        connect_table(server, monotonic=pauses).batch_get(items("a"), timeout_seconds=1)

    assert caught.value.response["Error"] == {
        "Code": "UnprocessedKeys", "Message": "1 keys are not read"
    }  # fmt: skip
    assert caught.value.code is ErrorCode.INTERNAL_DATABASE_ERROR
    assert len(server.requests) >= 2


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("ab", "keys must be a list of dicts, got str"),
        ({"id": "a"}, "keys must be a list of dicts, got dict"),
        (7, "keys must be a list of dicts, got int"),
        ([{"id": "a"}, {}], "keys[1] must have one attribute or two, got 0"),
    ],
)
def test_keys_refused(connect_table, keys, message):
    with serve() as server, pytest.raises(AttributeRefused) as caught:
        connect_table(server).batch_get(keys)

    assert str(caught.value) == message
    assert server.accepted == 0


# --- writing --------------------------------------------------------------------------------------


def left_out(*entries):
    return ok({"UnprocessedItems": {"Things": list(entries)} if entries else {}})


def test_puts_and_deletes(connect_table):
    with serve() as server:
        assert connect_table(server).batch_write(puts=items("a"), deletes=items("b")) is None

    assert operations(server) == ["BatchWriteItem"]
    assert bodies(server) == [
        {"RequestItems": {"Things": [put_of("a"), {"DeleteRequest": {"Key": typed("b")}}]}}
    ]


def test_nothing_to_write_is_no_request(connect_table):
    with serve() as server:
        connect_table(server).batch_write()

    assert server.accepted == 0


def test_writes_are_split_to_25(connect_table):
    with serve() as server:
        connect_table(server).batch_write(puts=numbered(51))

    assert [len(body["RequestItems"]["Things"]) for body in bodies(server)] == [25, 25, 1]


@pytest.mark.slow
def test_writes_are_split_to_16_mb_of_json(connect_table):
    """A list of a hundred thousand numbers is 300 KB as an item, and ten times that as JSON."""
    with serve() as server:
        connect_table(server, answer_seconds=5, timeout_seconds=60).batch_write(
            puts=[{"id": str(n), "list": [None] * 200_000} for n in range(7)]
        )

    sizes = [len(request.body) for request in server.requests]
    assert sum(len(body["RequestItems"]["Things"]) for body in bodies(server)) == 7
    assert len(sizes) == 2
    assert max(sizes) <= 16 * 1024 * 1024


def test_writes_that_are_left_out_are_sent_again(connect_table):
    with serve([left_out(put_of("1"), put_of("0"))], [left_out()]) as server:
        connect_table(server).batch_write(puts=numbered(3))

    assert bodies(server)[1] == {"RequestItems": {"Things": [put_of("1"), put_of("0")]}}


def test_writes_that_are_left_out_are_done_before_the_next_ones(connect_table):
    """Else a later write of the same item could come first, and the earlier one would win."""
    first = {"PutRequest": {"Item": {**typed("0"), "v": {"S": "first"}}}}
    puts = [{"id": "0", "v": "first"}, *numbered(26)[1:], {"id": "0", "v": "last"}]
    with serve([left_out(first)], [left_out(first)], [left_out()]) as server:
        connect_table(server).batch_write(puts=puts)

    sent = [body["RequestItems"]["Things"] for body in bodies(server)]
    assert [len(writes) for writes in sent] == [25, 1, 1, 2]
    assert sent[1:3] == [[first], [first]]
    assert sent[3] == [put_of("25"), {"PutRequest": {"Item": {**typed("0"), "v": {"S": "last"}}}}]


def test_writes_left_out_and_those_that_wait_are_both_listed(connect_table):
    with serve([left_out(put_of("1"))], [error("ValidationException")]) as server:
        incomplete = failure(connect_table(server), puts=numbered(27))

    assert incomplete.puts == [1, 25, 26]
    assert len(bodies(server)[1]["RequestItems"]["Things"]) == 1


def test_writes_are_all_sent_again_if_one_that_is_left_out_is_not_known(connect_table):
    """DynamoDB may write a number, or a set, in another way."""
    other = {"PutRequest": {"Item": {"id": {"S": "0"}, "n": {"N": "1.0"}}}}
    with serve([left_out(other)], [left_out()]) as server:
        connect_table(server).batch_write(puts=numbered(3))

    assert len(bodies(server)[1]["RequestItems"]["Things"]) == 3


def test_lost_answer_to_a_batch_is_repeated(connect_table):
    with serve([RESET], [ok()]) as server:
        connect_table(server).batch_write(puts=numbered(3))

    assert len(server.requests) == 2


def test_pauses_grow_while_nothing_is_done(connect_table, monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr("os.urandom", lambda number: b"\x80" + b"\0" * (number - 1))
    both = [left_out(put_of("0"), put_of("1"))]
    with serve(both, both, [left_out(put_of("1"))], [ok()]) as server:
        connect_table(server, backoff_seconds=0.1).batch_write(puts=numbered(2))
    with serve([found(left=["a"])], [found("b", left=["a"])], [found("a")]) as server:
        connect_table(server, backoff_seconds=0.1).batch_get(items("a", "b"))

    assert pauses == [0.1, 0.2, 0.05, 0.1, 0.05]


def failure(table, **options):
    with pytest.raises(BatchIncomplete) as caught:
        table.batch_write(**options)
    return caught.value


def test_writes_that_stay_left_out_are_listed(connect_table, pauses):
    with serve([left_out(put_of("1"), {"DeleteRequest": {"Key": typed("x")}})]) as server:
        incomplete = failure(
            connect_table(server, monotonic=pauses),
            puts=numbered(3), deletes=items("w", "x"), timeout_seconds=1,
        )  # fmt: skip

    assert (incomplete.puts, incomplete.deletes) == ([1], [1])
    assert incomplete.response["Error"] == {
        "Code": "UnprocessedItems", "Message": "2 writes are not done"
    }  # fmt: skip
    assert (incomplete.outcome_unknown, incomplete.request_id) == (False, "")


@pytest.mark.parametrize(
    ("steps", "code", "catalogue", "unknown"),
    [
        ([error("ThrottlingException")], "ThrottlingException", "INTERNAL_DATABASE_ERROR", False),
        ([RESET], "ConnectionResetError", "INTERNAL_DATABASE_ERROR", True),
        ([error("ValidationException")], "ValidationException", "INTERNAL_SERVER_ERROR", False),
    ],
)
def test_failure_half_way_lists_what_is_not_done(connect_table, steps, code, catalogue, unknown):
    with serve([ok()], steps) as server:
        incomplete = failure(
            connect_table(server, retries=0), puts=numbered(30), deletes=items("x")
        )

    assert (incomplete.puts, incomplete.deletes) == ([25, 26, 27, 28, 29], [0])
    assert incomplete.response["Error"]["Code"] == code
    assert (incomplete.code, incomplete.outcome_unknown) == (catalogue, unknown)
    assert isinstance(incomplete.__cause__, DynamoDBError)


def test_items_are_checked_before_anything_is_sent(connect_table):
    with serve() as server, pytest.raises(AttributeRefused) as caught:
        connect_table(server).batch_write(puts=[*numbered(26), {"id": "a", "x": float("inf")}])

    assert caught.value.path == "puts[26].x"
    assert server.accepted == 0


def test_error_can_be_copied():
    made = BatchIncomplete("BatchWriteItem", "UnprocessedItems", [2, 1], [0])

    copied = copy.copy(made)

    assert (copied.puts, copied.deletes) == ([1, 2], [0])
    assert vars(copied) == vars(made)
