"""Groups in a table of a real DynamoDB API, made of the declaration: who is a member after what."""

import itertools
import re
import threading
from pathlib import Path

import pytest

from shared_utils.dynamodb import Table
from shared_utils.groups import GROUPS_TABLE, Groups
from shared_utils.testing import FakeConnections, FakeContext, disconnect_event, message_event

pytestmark = pytest.mark.slow

NOW = 1_800_000_000.5
_numbers = itertools.count()


@pytest.fixture
def name(emulator):
    """Make a table as it is declared."""
    name = f"Groups-{next(_numbers)}"
    declared = dict(GROUPS_TABLE)
    ttl = declared.pop("TimeToLiveSpecification")
    client = emulator.client("dynamodb")
    client.create_table(TableName=name, **declared)
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
    return name


@pytest.fixture
def table(emulator, name):
    table = Table(name, environ=emulator.variables)
    yield table
    table.close_sockets()


class Clock:
    """Seconds since the epoch, as a test sets them."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def groups(table, clock):
    return Groups(table, clock=clock)


# --- join, leave, members -------------------------------------------------------------------------


def test_who_joins_is_a_member_of_this_group_only(groups):
    groups.join("blue", "ada=", 60)
    groups.join("blue", "grace=", 60, info={"name": "Grace", "level": 3})
    groups.join("red", "alan=", 60)

    assert groups.members("blue") == {"ada=": {}, "grace=": {"name": "Grace", "level": 3}}
    assert groups.members("red") == {"alan=": {}}
    assert groups.members("green") == {}


def test_one_who_leaves_is_in_no_group(groups):
    for group in ("blue", "red", "green"):
        groups.join(group, "ada=", 60)
        groups.join(group, "grace=", 60)

    groups.leave("ada=")
    groups.leave("ada=")
    groups.leave("nobody=")

    assert [list(groups.members(group)) for group in ("blue", "red", "green")] == [["grace="]] * 3


def test_one_who_leaves_a_group_stays_in_the_others(groups):
    groups.join("blue", "ada=", 60)
    groups.join("red", "ada=", 60)

    groups.leave("ada=", "blue")
    groups.leave("ada=", "blue")

    assert (groups.members("blue"), list(groups.members("red"))) == ({}, ["ada="])


def test_one_who_left_may_come_back_and_leave_again(groups):
    groups.join("blue", "ada=", 60)
    groups.leave("ada=")
    groups.join("blue", "ada=", 60)
    joined = groups.members("blue")
    groups.leave("ada=")

    assert (joined, groups.members("blue")) == ({"ada=": {}}, {})


def test_names_that_look_like_keys_do_not_meet(groups):
    groups.join("connection#ada=", "group#blue", 60)
    groups.join("blue", "ada=", 60)
    groups.join("Grüße, 世界 #1", "ada=", 60)

    groups.leave("ada=")

    assert groups.members("blue") == {}
    assert groups.members("Grüße, 世界 #1") == {}
    assert groups.members("connection#ada=") == {"group#blue": {}}


def test_longest_names_fit_the_keys(groups):
    group, connection_id = "\U0001f600" * 256, "\U0001f601" * 256

    groups.join(group, connection_id, 60)
    joined = groups.members(group)
    groups.leave(connection_id)

    assert joined == {connection_id: {}}
    assert groups.members(group) == {}


def test_groups_of_a_name_use_the_environment(emulator, name, monkeypatch):
    for variable, value in emulator.variables.items():
        monkeypatch.setenv(variable, value)
    groups = Groups(name)

    groups.join("blue", "ada=")

    assert groups.members("blue") == {"ada=": {}}
    groups._table.close_sockets()


# --- time -----------------------------------------------------------------------------------------


def test_member_is_one_for_the_whole_of_its_time_and_no_longer(groups, clock):
    groups.join("blue", "ada=", 60)

    clock.now = NOW + 60
    at_the_end = groups.members("blue")
    clock.now = NOW + 60.5

    assert (at_the_end, groups.members("blue")) == ({"ada=": {}}, {})


def test_second_join_renews_the_time_and_the_info(groups, clock):
    groups.join("blue", "ada=", 60, info={"name": "Ada"})
    clock.now = NOW + 50
    groups.join("blue", "ada=", 60, info={"name": "Lady Lovelace"})
    clock.now = NOW + 100

    assert groups.members("blue") == {"ada=": {"name": "Lady Lovelace"}}


def test_ttl_is_on_and_its_attribute_is_seconds_since_the_epoch(groups, table, emulator):
    groups.join("blue", "ada=", 60)

    described = emulator.client("dynamodb").describe_time_to_live(TableName=table.name)
    items = {item["pk"]: item["expiresAt"] for item in table.scan_all()}
    assert described["TimeToLiveDescription"] == {
        "AttributeName": "expiresAt",
        "TimeToLiveStatus": "ENABLED",
    }
    assert items == {"group#blue": 1_800_000_061, "connection#ada=": 1_800_086_401}


def test_shorter_time_does_not_hide_a_member_from_leave(groups, table):
    """Should the second of the two items not be written, the member has its longer time still."""
    groups.join("blue", "ada=", 86_400)
    groups.join("blue", "ada=", 1)

    items = {item["pk"]: item["expiresAt"] for item in table.scan_all()}
    assert items["connection#ada="] >= 1_800_086_401


# --- many -----------------------------------------------------------------------------------------


def test_group_of_several_pages_has_all_its_members(groups, table):
    """A page has at most 1 MB."""
    ids = [f"connection-{number}=" for number in range(12)]
    for connection_id in ids:
        groups.join("blue", connection_id, 60, info={"text": "x" * 200_000})

    [found, *_] = [table.query(**QUERY)]
    assert found["LastEvaluatedKey"]
    assert groups.members("blue").keys() == {*ids}


QUERY = {
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": "group#blue"},
}


def test_ten_thousand_members_get_a_message_and_the_gone_ones_go(groups, table):
    ids = [f"connection-{number:05}=" for number in range(10_000)]
    table.batch_write(
        puts=[
            {"pk": "group#blue", "sk": one, "info": {}, "expiresAt": 1_800_000_061} for one in ids
        ],
        timeout_seconds=300,
    )
    connections = FakeConnections(dict.fromkeys(ids[::100], "gone"))

    result = groups.broadcast("blue", {"type": "news"}, connections)

    assert (len(result.sent), len(result.gone)) == (9_900, 100)
    assert groups.members("blue").keys() == {*result.sent}


def test_connection_in_sixty_groups_leaves_all(groups):
    names = [f"group-{number}" for number in range(60)]
    for group in names:
        groups.join(group, "ada=", 60)

    groups.leave("ada=")

    assert [groups.members(group) for group in names] == [{}] * 60


# --- at once --------------------------------------------------------------------------------------


def at_once(*calls):
    """Call functions in threads of their own that begin together; raise what one of them raised."""
    barrier = threading.Barrier(len(calls))
    errors = []

    def run(call):
        barrier.wait()
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if errors:
        raise errors[0]


def test_all_who_join_at_once_are_members(groups):
    ids = [f"connection-{number}=" for number in range(24)]

    at_once(*(lambda one=one: groups.join("blue", one, 60) for one in ids))

    assert groups.members("blue").keys() == {*ids}


def test_no_one_who_joins_and_leaves_at_once_is_beyond_a_later_leave(groups):
    names = [f"group-{number}" for number in range(8)]
    joins = [lambda group=group: groups.join(group, "ada=", 60) for group in names]

    at_once(*joins, *[lambda: groups.leave("ada=")] * 4, *joins)
    groups.leave("ada=")

    assert [groups.members(group) for group in names] == [{}] * 8


def test_broadcasts_at_once_take_the_gone_one_out(groups):
    groups.join("blue", "ada=", 60)
    groups.join("blue", "grace=", 60)
    connections = FakeConnections({"grace=": "gone"})

    at_once(*[lambda: groups.broadcast("blue", {"type": "news"}, connections)] * 6)

    assert list(groups.members("blue")) == ["ada="]


# --- documents ------------------------------------------------------------------------------------


def test_example_of_the_readme(emulator, name, monkeypatch):
    readme = (Path(__file__).parent.parent / "shared-layer" / "README.md").read_text()
    [code] = re.findall(r"### Groups\n.*?```python\n(.*?)```", readme, re.S)
    for variable, value in emulator.variables.items():
        monkeypatch.setenv(variable, value)
    space = {}
    exec(code.replace('"Rooms"', repr(name)), space)  # noqa: S102 - our own README
    handler, rooms = space["handler"], space["rooms"]
    handler.connections = connections = FakeConnections()

    for sender in ("ada=", "grace="):
        body = {"action": "say", "room": "blue", "name": sender[:-1], "text": "Hello"}
        assert handler(message_event(body, sender), FakeContext()) == {"statusCode": 200}
    handler(disconnect_event("ada="), FakeContext())

    assert [to for to, _ in connections.sent] == ["ada=", "ada=", "grace="]
    assert rooms.members("blue") == {"grace=": {"name": "grace"}}
    rooms._table.close_sockets()
