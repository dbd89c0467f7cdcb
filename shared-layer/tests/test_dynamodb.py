"""The table: its settings, its methods, and what tables share."""

import subprocess
import sys
from pathlib import Path

import pytest
from connections_server import ENVIRON, make_certificate
from dynamodb_server import bodies, ok, operations, serve

from shared_utils import dynamodb
from shared_utils._dynamodb_calls import Caller
from shared_utils.dynamodb import AttributeRefused, DynamoDBError, Table, transact_write_items
from shared_utils.error_codes import ApplicationError, ErrorCode

KEY = {"id": {"S": "a"}}


# --- methods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "parameters", "operation", "body"),
    [
        ("get_item", {"Key": {"id": "a"}}, "GetItem", {"Key": KEY}),
        ("put_item", {"Item": {"id": "a"}}, "PutItem", {"Item": KEY}),
        ("delete_item", {"Key": {"id": "a"}}, "DeleteItem", {"Key": KEY}),
        (
            "update_item",
            {"Key": {"id": "a"}, "UpdateExpression": "REMOVE x"},
            *("UpdateItem", {"Key": KEY, "UpdateExpression": "REMOVE x"}),
        ),
        (
            "query",
            {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": "a"}},
            "Query",
            {
                "KeyConditionExpression": "id = :id",
                "ExpressionAttributeValues": {":id": {"S": "a"}},
            },
        ),
        ("scan", {"Limit": 1}, "Scan", {"Limit": 1}),
    ],
)
def test_method_is_an_operation_on_the_table(connect_table, method, parameters, operation, body):
    answer = {"Items": [KEY], "Item": KEY, "Attributes": KEY, "Count": 1}
    with serve([ok(answer)]) as server:
        found = getattr(connect_table(server), method)(**parameters)

    assert operations(server) == [operation]
    assert bodies(server) == [{"TableName": "Things", **body}]
    assert found == {
        "Items": [{"id": "a"}], "Item": {"id": "a"}, "Attributes": {"id": "a"}, "Count": 1
    }  # fmt: skip


@pytest.mark.parametrize("method", ["put_item", "update_item", "delete_item"])
def test_write_takes_a_time_and_the_callers_word_that_it_is_idempotent(connect_table, method):
    with serve() as server:
        parameters = {"Item": {"id": "a"}} if method == "put_item" else {"Key": {"id": "a"}}
        call = getattr(connect_table(server), method)

        assert call(**parameters, timeout_seconds=1, idempotent=True) == {}


def test_refused_value_is_not_sent(connect_table):
    with serve() as server, pytest.raises(AttributeRefused):
        connect_table(server).put_item(Item={"id": "a", "x": float("nan")})

    assert server.accepted == 0


def page(*names, last=None):
    answer = {"Items": [{"id": {"S": name}} for name in names]}
    return ok({**answer, **({"LastEvaluatedKey": {"id": {"S": last}}} if last else {})})


@pytest.mark.parametrize(
    ("method", "parameters"),
    [("query_all", {"KeyConditionExpression": "x"}), ("scan_all", {"FilterExpression": "x"})],
)
def test_items_of_all_pages(connect_table, method, parameters):
    with serve([page("a", "b", last="b")], [page(last="c")], [page("d")]) as server:
        found = getattr(connect_table(server), method)(**parameters)
        asked_before_the_first = len(server.requests)

        assert [item["id"] for item in found] == ["a", "b", "d"]

    assert asked_before_the_first == 0
    assert [body.get("ExclusiveStartKey") for body in bodies(server)] == [
        None, {"id": {"S": "b"}}, {"id": {"S": "c"}}
    ]  # fmt: skip
    assert bodies(server)[2]["TableName"] == "Things"


@pytest.mark.parametrize("method", ["query_all", "scan_all"])
def test_wrong_parameter_of_all_pages_is_refused_at_once(connect_table, method):
    with serve() as server, pytest.raises(TypeError, match="Limits"):
        getattr(connect_table(server), method)(Limits=3)


@pytest.mark.parametrize("method", ["query_all", "scan_all"])
def test_number_of_items_has_no_items(connect_table, method):
    with serve() as server, pytest.raises(TypeError) as caught:
        getattr(connect_table(server), method)(Select="COUNT")

    operation = method.partition("_")[0]
    assert str(caught.value) == (
        f"{operation.title()}: Select=COUNT has no items: add up {operation}'s pages' Count"
    )
    assert server.accepted == 0


def test_pages_that_do_not_go_on_are_an_error(connect_table):
    with serve([page("a", last="a")]) as server:
        found = connect_table(server).scan_all()
        first = next(found)
        with pytest.raises(DynamoDBError) as caught:
            list(found)

    assert first == {"id": "a"}
    assert caught.value.response["Error"] == {
        "Code": "InvalidAnswer", "Message": "LastEvaluatedKey is the key that the page began after"
    }  # fmt: skip
    assert len(server.requests) == 2


def test_batches_on_the_table(connect_table):
    answer = {"Responses": {"Things": [KEY]}}
    with serve([ok(answer)], [ok()]) as server:
        table = connect_table(server)

        assert table.batch_get([{"id": "a"}]) == [{"id": "a"}]
        assert table.batch_write(puts=[{"id": "a"}]) is None

    assert operations(server) == ["BatchGetItem", "BatchWriteItem"]


def test_transaction_on_the_table(connect_table):
    with serve() as server:
        assert connect_table(server).transact_write_items(
            TransactItems=[{"Delete": {"Key": {"id": "a"}}}], ClientRequestToken="mine"
        ) == {}  # fmt: skip

    assert operations(server) == ["TransactWriteItems"]
    assert bodies(server) == [
        {
            "TransactItems": [{"Delete": {"Key": KEY, "TableName": "Things"}}],
            "ClientRequestToken": "mine",
        }
    ]


def test_transaction_by_the_environments_settings(monkeypatch):
    actions = [{"Delete": {"TableName": "Others", "Key": {"id": "a"}}}]
    with serve() as server:
        for name, value in ENVIRON.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://localhost:{server.port}")

        assert transact_write_items(TransactItems=actions) == {}

        Table("Others").close_sockets()
    assert bodies(server)[0]["TransactItems"] == [{"Delete": {"TableName": "Others", "Key": KEY}}]


UNKNOWN_TYPE = {"vector": {"V": [1, 2]}}


@pytest.mark.parametrize(
    ("call", "said", "unknown"),
    [
        (lambda t: t.get_item(Key={"id": "a"}), {"Item": UNKNOWN_TYPE}, False),
        (lambda t: t.get_item(Key={"id": "a"}), {"Item": 5}, False),
        (lambda t: list(t.scan_all()), {"Items": [UNKNOWN_TYPE]}, False),
        (lambda t: t.scan(), {"Items": None}, False),
        (lambda t: t.batch_get([{"id": "a"}]), {"Responses": {"Things": [UNKNOWN_TYPE]}}, False),
        (lambda t: t.batch_get([{"id": "a"}]), {"UnprocessedKeys": {"Things": [1]}}, False),
        (lambda t: t.batch_write(deletes=[{"id": "a"}]), {"UnprocessedItems": [1]}, True),
        (lambda t: t.put_item(Item={"id": "a"}), {"Attributes": UNKNOWN_TYPE}, True),
        (
            lambda t: t.transact_write_items(TransactItems=[{"Delete": {"Key": {"id": "a"}}}]),
            {"ItemCollectionMetrics": {"Things": [{"ItemCollectionKey": UNKNOWN_TYPE}]}},
            True,
        ),
    ],
)
def test_answer_that_cannot_be_read_is_no_refused_value(connect_table, call, said, unknown):
    """What is not sent is a ValueError; here a write has been done."""
    server = serve([ok(said)])

    with pytest.raises(DynamoDBError) as caught:
        call(connect_table(server))

    server.close()
    assert caught.value.response["Error"]["Code"] == "InvalidAnswer"
    assert caught.value.code is ErrorCode.INTERNAL_DATABASE_ERROR
    assert caught.value.outcome_unknown is unknown
    assert "vector" not in f"{caught.value} {caught.value.__notes__}"


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["abc", "a" * 255, "A-z_0.9", "arn:aws:dynamodb:eu-west-1:123456789012:table/Things"]
)
def test_name_of_a_table(name):
    assert Table(name, environ=ENVIRON).name == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ab", "'ab'"),
        ("a" * 256, "'" + "a" * 40 + "'"),
        ("a b", "'a b'"),
        ("abc\n", r"'abc\n'"),
        ("", "''"),
        (None, "NoneType"),
    ],
)
def test_name_refused(name, shown):
    with pytest.raises(ApplicationError) as caught:
        Table(name, environ=ENVIRON)

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert caught.value.message == (
        f"A table's name has 3 to 255 of A-Z a-z 0-9 _ . -, got {shown}"
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"timeout_seconds": "5"}, "timeout_seconds must be a number from 0.001 on, got str"),
        ({"timeout_seconds": None}, "timeout_seconds must be a number from 0.001 on, got NoneType"),
        ({"timeout_seconds": True}, "timeout_seconds must be a number from 0.001 on, got bool"),
        ({"answer_seconds": 0}, "answer_seconds must be a number from 0.001 on, got 0"),
        ({"max_sockets": 0}, "max_sockets must be a number from 1 on, got 0"),
        ({"retries": -1}, "retries must be a number from 0 on, got -1"),
        (
            {"backoff_seconds": float("nan")},
            "backoff_seconds must be a number from 0 on, got nan",
        ),
    ],
)
def test_setting_that_would_fail_later_is_refused_at_once(setting, message):
    with pytest.raises(ApplicationError) as caught:
        Table("Things", environ=ENVIRON, **setting)

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert caught.value.message == message


def test_missing_region_is_a_configuration_error():
    with pytest.raises(ApplicationError) as caught:
        Table("Things", environ={})

    assert caught.value.message == "AWS_REGION is not set"


def test_region_that_is_given_comes_first():
    table = Table("Things", region="eu-north-1", environ=ENVIRON)
    table.prepare()

    assert table._caller.endpoint.host == "dynamodb.eu-north-1.amazonaws.com"


@pytest.fixture
def environment(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**ENVIRON, "NO_PROXY": "*"}.items():
        monkeypatch.setenv(name, value)


def test_tables_of_the_same_settings_share_their_sockets(environment):
    assert Table("One")._caller is Table("Two")._caller
    assert Table("One")._caller is not Table("Two", timeout_seconds=1)._caller
    assert Table("One")._caller is not Table("Two", region="eu-north-1")._caller


def test_transaction_without_a_table_shares_the_tables_sockets(environment, monkeypatch):
    called = []
    monkeypatch.setattr(Caller, "call", lambda self, *_: called.append(self) or {})

    transact_write_items(TransactItems=[{"Delete": {"TableName": "Things", "Key": {"id": "a"}}}])

    assert called == [Table("Things")._caller]


@pytest.mark.parametrize(
    "world",
    [
        {"environ": ENVIRON},
        {"clock": lambda: 0.0},
        {"monotonic": lambda: 0.0},
        {"ssl_context": object()},
    ],
)
def test_tables_with_a_world_of_their_own_share_nothing(environment, world):
    assert Table("One", **world)._caller is not Table("One", **world)._caller


def test_preparation_opens_nothing_and_loads_what_the_first_call_needs(tmp_path):
    code = (
        "import sys; from shared_utils.dynamodb import Table; before = set(sys.modules)\n"
        f"table = Table('Things', environ={ENVIRON!r}); made = set(sys.modules)\n"
        "table.prepare(); new = set(sys.modules) - made\n"
        "print(*sorted(made - before)); print({'ssl', 'socket', 'hashlib', 'selectors'} <= new)\n"
        "print(table._caller.client.pool)"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-c", code],  # a `.pth` file could have loaded them before
        env={"PYTHONPATH": str(Path(dynamodb.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.splitlines() == ["", "True", "[]"]


def test_tls(connect_table, tmp_path):
    context, trusted = make_certificate(tmp_path, "localhost")
    environ = {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}
    with serve(tls=context) as server:
        table = Table(
            "Things", endpoint=f"https://localhost:{server.port}", environ=environ
        )  # fmt: skip
        table.put_item(Item={"id": "a"})
        table.get_item(Key={"id": "a"})
        table.close_sockets()

    assert server.accepted == 1
    assert operations(server) == ["PutItem", "GetItem"]
