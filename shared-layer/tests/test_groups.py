"""Groups over a table in memory: what is checked, which requests are made, and what meets at once.

What a real DynamoDB API makes of them is for `tests/test_groups_against_emulator.py` of the repository.
"""

import pytest
from connections_server import ENVIRON, Server, answer

from shared_utils.connections import Connections
from shared_utils.dynamodb import DynamoDBError, Table
from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.groups import GROUPS_TABLE, Groups
from shared_utils.testing import FakeConnections

NOW = 1_800_000_000


class TableInMemory:
    """As much of a `Table` as groups use; `before` is called with each request's name."""

    def __init__(self):
        self.items = {}
        self.requests = []
        self.before = lambda name: None

    def _request(self, name):
        self.requests.append(name)
        self.before(name)

    def put_item(self, *, Item):  # noqa: N803 - DynamoDB's name
        self._request("PutItem")
        self.items[Item["pk"], Item["sk"]] = Item

    def query_all(self, **parameters):
        self._request("Query")
        assert parameters["ConsistentRead"] is True
        values = parameters["ExpressionAttributeValues"]
        found = [item for (pk, _), item in self.items.items() if pk == values[":pk"]]
        if parameters.get("FilterExpression") == "expiresAt > :now":
            found = [item for item in found if item["expiresAt"] > values[":now"]]
        return iter(found)

    def batch_write(self, *, deletes):
        keys = [(key["pk"], key["sk"]) for key in deletes]
        if keys:
            self._request("BatchWriteItem")
        for key in keys:
            self.items.pop(key, None)


@pytest.fixture
def table():
    return TableInMemory()


@pytest.fixture
def groups(table):
    return Groups(table, clock=lambda: NOW)


# --- join, leave, members -------------------------------------------------------------------------


def test_who_joins_is_a_member_until_it_leaves(groups):
    groups.join("blue", "ada=", 60, info={"name": "Ada"})
    groups.join("blue", "grace=")
    joined = groups.members("blue")
    groups.leave("ada=")

    assert joined == {"ada=": {"name": "Ada"}, "grace=": {}}
    assert groups.members("blue") == {"grace=": {}}


def test_one_who_leaves_a_group_stays_in_the_others(groups):
    groups.join("blue", "ada=", 60)
    groups.join("red", "ada=", 60)

    groups.leave("ada=", "blue")

    assert (groups.members("blue"), groups.members("red")) == ({}, {"ada=": {}})


def test_leave_of_one_group_needs_one_request(groups, table):
    groups.leave("ada=", "blue")

    assert table.requests == ["BatchWriteItem"]


def test_time_of_a_member_is_two_hours_unless_said(groups, table):
    groups.join("blue", "ada=")

    assert table.items["group#blue", "ada="]["expiresAt"] == 1_800_007_200


def test_member_is_one_for_the_whole_of_its_time_and_no_longer(table):
    """Between two seconds of the clock, too: TTL knows whole ones only."""
    now = [NOW + 0.5]
    groups = Groups(table, clock=lambda: now[0])
    groups.join("blue", "ada=", 60)

    now[0] = NOW + 60.9
    at_the_end = groups.members("blue")
    now[0] = NOW + 61

    assert (at_the_end, groups.members("blue")) == ({"ada=": {}}, {})


def test_item_for_leaving_outlives_the_member(groups, table):
    """A second join with a shorter time may end after the first of its two writes."""
    groups.join("blue", "ada=", 86_400)
    groups.join("blue", "ada=", 1)

    assert table.items["connection#ada=", "blue"]["expiresAt"] == 1_800_086_400


def test_info_is_kept_as_it_was(groups):
    info = {"name": "Ada"}
    groups.join("blue", "ada=", info=info)
    info["name"] = "Grace"

    assert groups.members("blue") == {"ada=": {"name": "Ada"}}


# --- what meets at once ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
def test_leave_in_the_midst_of_a_join_leaves_nothing_beyond_a_later_leave(groups, table, number):
    """Before the first or the second of the join's two writes."""

    def leave_once(name):
        if table.requests.count("PutItem") == number:
            table.before = lambda name: None
            groups.leave("ada=")

    table.before = leave_once
    groups.join("blue", "ada=", 60)
    groups.leave("ada=")

    assert groups.members("blue") == {}


@pytest.mark.parametrize("request_name", ["Query", "BatchWriteItem"])
def test_join_in_the_midst_of_a_leave_leaves_nothing_beyond_a_later_leave(
    groups, table, request_name
):
    groups.join("blue", "ada=", 60)

    def join_once(name):
        if name == request_name:
            table.before = lambda name: None
            groups.join("blue", "ada=", 60)
            groups.join("red", "ada=", 60)

    table.before = join_once
    groups.leave("ada=")
    groups.leave("ada=")

    assert (groups.members("blue"), groups.members("red")) == ({}, {})


def test_join_that_fails_midway_makes_no_member(groups, table):
    def fail_second(name):
        if len(table.requests) == 2:
            raise DynamoDBError("PutItem", "InternalServerError", status=500)

    table.before = fail_second
    with pytest.raises(DynamoDBError):
        groups.join("blue", "ada=", 60)
    table.before = lambda name: None

    assert groups.members("blue") == {}


# --- broadcast ------------------------------------------------------------------------------------


def test_broadcast_reaches_all_members_and_takes_the_gone_ones_out(groups):
    for connection_id in ("ada=", "grace=", "alan="):
        groups.join("blue", connection_id, 60)
    groups.join("red", "mary=", 60)
    connections = FakeConnections({"grace=": "gone", "alan=": "failed"})

    result = groups.broadcast("blue", {"type": "news"}, connections)

    assert (result.sent, result.gone, result.failed) == (["ada="], ["grace="], ["alan="])
    assert connections.sent == [("ada=", {"type": "news"})]
    assert list(groups.members("blue")) == ["ada=", "alan="]


def test_broadcast_leaves_out_who_is_excluded(groups):
    groups.join("blue", "ada=", 60)
    groups.join("blue", "grace=", 60)
    connections = FakeConnections()

    result = groups.broadcast("blue", {"type": "news"}, connections, exclude=["ada=", "nobody="])

    assert [*result.outcomes] == ["grace="]


def test_broadcast_to_nobody(groups, table):
    result = groups.broadcast("blue", {"type": "news"}, FakeConnections())

    assert (result.outcomes, table.requests) == ({}, ["Query"])


def test_broadcast_skips_whose_time_is_over(table):
    now = [NOW]
    groups = Groups(table, clock=lambda: now[0])
    groups.join("blue", "ada=", 60)
    groups.join("blue", "grace=", 61)
    now[0] += 60

    result = groups.broadcast("blue", {"type": "news"}, FakeConnections())

    assert result.sent == ["grace="]


def test_broadcast_without_a_sender_uses_the_environments(groups, monkeypatch):
    groups.join("blue", "ada=", 60)
    groups.join("blue", "grace=", 60)
    with Server({"grace=": [[answer(410)]]}) as server:
        for variable, value in {**ENVIRON, "API_GATEWAY_ENDPOINT": server.endpoint}.items():
            monkeypatch.setenv(variable, value)

        result = groups.broadcast("blue", {"type": "news"})

        Connections.from_event(None).close_sockets()
    assert (result.sent, result.gone) == (["ada="], ["grace="])
    assert server.bodies("ada=") == [b'{"type":"news"}']
    assert groups.members("blue") == {"ada=": {}}


def failing_to_take_out(table, code):
    def fail(name):
        if name == "BatchWriteItem":
            raise DynamoDBError(name, code, status=400)

    table.before = fail


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingException",
        "AccessDeniedException",
        "ExpiredTokenException",
        "ResourceNotFoundException",
        "ValidationException",
    ],
)
def test_failure_after_the_posts_is_logged_and_does_not_hide_what_came_of_them(
    groups, table, caplog, code
):
    """Else the client would try again, and all would get the message twice."""
    groups.join("blue", "ada=", 60)
    failing_to_take_out(table, code)

    result = groups.broadcast("blue", {"type": "news"}, FakeConnections({"ada=": "gone"}))

    assert result.gone == ["ada="]
    assert list(groups.members("blue")) == ["ada="]
    [record] = caplog.records
    assert (record.name, record.levelname) == ("shared_utils.groups", "ERROR")
    assert record.getMessage() == "1 gone connections are not taken out of their group"
    assert record.exc_info[1].response["Error"]["Code"] == code


# --- what is refused ------------------------------------------------------------------------------


class Text(str):
    """A text of another class."""


@pytest.mark.parametrize("group", ["a", "x" * 256, "lobby/1 #a", "世界", Text("blue")])
def test_groups_name_taken(groups, group):
    groups.join(group, "ada=")

    assert list(groups.members(group)) == ["ada="]


@pytest.mark.parametrize(
    "group",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 257, id="long"),
        pytest.param("a\n", id="newline"),
        pytest.param("\0", id="nul"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param(None, id="none"),
        pytest.param(7, id="number"),
        pytest.param(b"blue", id="bytes"),
        pytest.param(["blue"], id="list"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda groups, group: groups.join(group, "ada=", 60), id="join"),
        pytest.param(lambda groups, group: groups.members(group), id="members"),
        pytest.param(lambda groups, group: groups.broadcast(group, "", None), id="broadcast"),
    ],
)
def test_groups_name_refused(groups, table, call, group):
    with pytest.raises(ApplicationError) as caught:
        call(groups, group)

    assert caught.value.code is ErrorCode.VALIDATION_INVALID_PARAMETER
    assert caught.value.details == {"field": "group"}
    assert caught.value.message.startswith("group must be 1 to 256 printable characters, got ")
    assert table.requests == []


def test_empty_name_of_a_group_is_not_all_groups(groups, table):
    with pytest.raises(ApplicationError) as caught:
        groups.leave("ada=", "")

    assert (caught.value.details, table.requests) == ({"field": "group"}, [])


@pytest.mark.parametrize("connection_id", ["", "x" * 257, "a\n", ".", "..", None, 7, b"ada="])
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda groups, connection: groups.join("blue", connection, 60), id="join"),
        pytest.param(lambda groups, connection: groups.leave(connection), id="leave"),
        pytest.param(lambda groups, connection: groups.leave(connection, "blue"), id="leave-one"),
    ],
)
def test_connections_id_refused(groups, table, call, connection_id):
    """What a broadcast would refuse must not get into a group, and keep it from all others."""
    with pytest.raises(ApplicationError) as caught:
        call(groups, connection_id)

    assert caught.value.details == {"field": "connectionId"}
    assert table.requests == []


@pytest.mark.parametrize("ttl_seconds", [1, 86_400])
def test_time_taken(groups, ttl_seconds):
    groups.join("blue", "ada=", ttl_seconds)

    assert groups.members("blue") == {"ada=": {}}


@pytest.mark.parametrize(
    ("ttl_seconds", "came"),
    [(0, "int"), (-1, "int"), (86_401, "int"), (60.0, "float"), (True, "bool"), ("60", "'60'")],
)
def test_time_refused(groups, table, ttl_seconds, came):
    """Milliseconds, as many write them, would be years."""
    with pytest.raises(ApplicationError) as caught:
        groups.join("blue", "ada=", ttl_seconds)

    assert caught.value.details == {"field": "ttlSeconds"}
    assert caught.value.message == f"ttlSeconds must be a whole number from 1 to 86400, got {came}"
    assert table.requests == []


@pytest.mark.parametrize("info", ["Ada", ["name"], 7, {("name", "Ada")}])
def test_info_refused(groups, table, info):
    with pytest.raises(ApplicationError) as caught:
        groups.join("blue", "ada=", info=info)

    assert (caught.value.details, table.requests) == ({"field": "info"}, [])


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"a": float("nan")}, "info.a is NaN or infinite, which is no number for DynamoDB"),
        ({"a": {1, "b"}}, "info.a must be a set of text, of numbers or of bytes, got int, str"),
        ({1: 2}, "info[int] is a name that must be text, got int"),
        ({"a": "x" * 410_000}, "info has over 409600 bytes"),
    ],
)
def test_info_that_dynamodb_cannot_store(info, message):
    with Server({"": [[answer(200, b"{}")]]}) as server:
        groups = Groups(Table("Rooms", endpoint=f"http://localhost:{server.port}", environ=ENVIRON))
        with pytest.raises(ApplicationError) as caught:
            groups.join("blue", "ada=", info=info)
        groups._table.close_sockets()

    assert caught.value.code is ErrorCode.VALIDATION_INVALID_PARAMETER
    assert (caught.value.message, caught.value.details) == (message, {"field": "info"})


@pytest.mark.parametrize("table", [5, None, b"Rooms"])
def test_what_is_no_table_is_refused_at_once(table):
    with pytest.raises(ApplicationError) as caught:
        Groups(table)

    came = type(table).__name__
    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert caught.value.message == f"Groups takes a table's name or a Table, got {came}"


def test_one_connection_to_exclude_is_not_its_letters(groups, table):
    with pytest.raises(ApplicationError) as caught:
        groups.broadcast("blue", "", FakeConnections(), exclude="ada=")

    assert (caught.value.details, table.requests) == ({"field": "exclude"}, [])


# --- the table ------------------------------------------------------------------------------------


def test_name_of_a_table_is_looked_at_by_the_first_call(monkeypatch):
    """So that a test can import a function, without an environment, and replace its groups."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    groups = Groups("Rooms")

    with pytest.raises(ApplicationError) as caught:
        groups.members("blue")

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR


def test_name_becomes_a_table_once(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    groups = Groups("Rooms")

    assert groups._table is groups._table
    assert groups._table.name == "Rooms"


def test_declaration_is_cloudformations():
    assert GROUPS_TABLE == {
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": True},
    }


@pytest.mark.parametrize("name", ["pk", "sk"])
def test_items_have_the_declared_keys_and_time(groups, table, name):
    groups.join("blue", "ada=")

    assert [name in item for item in table.items.values()] == [True, True]
    assert ["expiresAt" in item for item in table.items.values()] == [True, True]
