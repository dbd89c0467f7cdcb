"""The chat with its rooms in a dictionary: no table, no network, no AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from shared_utils.testing import CapturedLines, FakeConnections, FakeContext, message_event

import chat

NamesByRoom = dict[str, dict[str, str]]
Send = Callable[..., dict[str, Any]]


class RoomsInMemory:
    """What `Rooms` is to the chat, in a dictionary."""

    def __init__(self, rooms: NamesByRoom) -> None:
        self._rooms = rooms

    def members(self, room_id: str) -> dict[str, str]:
        """Return the members' names by connection id."""
        return dict(self._rooms.get(room_id, {}))

    def add(self, room_id: str, connection_id: str, name: str) -> None:
        """Add a member, or change its name."""
        self._rooms.setdefault(room_id, {})[connection_id] = name

    def remove(self, room_id: str, connection_id: str) -> None:
        """Remove a member, if it is one."""
        self._rooms.get(room_id, {}).pop(connection_id, None)


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> NamesByRoom:
    """Return the rooms of the chat; Ada and Grace are in the blue one."""
    rooms = {"blue": {"ada=": "Ada", "grace=": "Grace"}}
    monkeypatch.setattr(chat, "rooms", RoomsInMemory(rooms))
    return rooms


@pytest.fixture
def send(
    monkeypatch: pytest.MonkeyPatch,
    connections: FakeConnections,
    lambda_context: FakeContext,
    log_lines: CapturedLines,
) -> Send:
    """Return a function that sends a message to the chat and returns the handler's result."""
    monkeypatch.setattr(chat.handler, "connections", connections)

    def send(connection_id: str, action: str, **fields: object) -> dict[str, Any]:
        event = message_event({"action": action, **fields}, connection_id)
        return chat.handler(event, lambda_context)

    return send


def test_who_joins_is_in_the_room(
    rooms: NamesByRoom, send: Send, connections: FakeConnections
) -> None:
    result = send("alan=", "joinRoom", roomId="blue", name="Alan", requestId="client-1")

    reply = connections.sent[-1][1]
    assert result == {"statusCode": 200}
    assert rooms["blue"]["alan="] == "Alan"
    assert {name for name, _ in connections.sent} == {"ada=", "grace=", "alan="}
    assert reply["requestId"] == "client-1"
    assert reply["members"][-1] == {"connectionId": "alan=", "name": "Alan"}


def test_who_leaves_is_not_in_the_room(
    rooms: NamesByRoom, send: Send, connections: FakeConnections
) -> None:
    send("grace=", "leaveRoom", roomId="blue")

    assert rooms["blue"] == {"ada=": "Ada"}
    assert [(name, message["type"]) for name, message in connections.sent] == [
        ("ada=", "room"),
        ("grace=", "room"),
    ]


def test_message_reaches_the_others_and_is_the_reply(
    rooms: NamesByRoom, send: Send, connections: FakeConnections
) -> None:
    send("ada=", "sendChat", roomId="blue", text="Hello", mentions=["Grace"], requestId="client-2")

    (to_others, other), (to_sender, reply) = connections.sent
    assert (to_others, to_sender) == ("grace=", "ada=")
    assert other["sender"] == {"connectionId": "ada=", "name": "Ada"}
    assert (other["text"], other["mentions"]) == ("Hello", ["Grace"])
    assert reply == {**other, "requestId": "client-2"}


def test_member_whose_connection_is_gone_is_removed(
    rooms: NamesByRoom, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat.handler, "connections", FakeConnections({"grace=": "gone"}))

    send("ada=", "sendChat", roomId="blue", text="Hello")

    assert rooms["blue"] == {"ada=": "Ada"}


def test_room_that_is_full_is_refused(
    rooms: NamesByRoom, send: Send, connections: FakeConnections
) -> None:
    rooms["full"] = {f"member-{number}=": "Somebody" for number in range(chat.MAX_MEMBERS)}

    assert send("ada=", "joinRoom", roomId="full", name="Ada") == {"statusCode": 409}
    assert connections.sent[0][1]["code"] == "ROOM_FULL"
    assert "ada=" not in rooms["full"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"action": "sendChat", "roomId": "red", "text": "Hello"}, "NOT_IN_ROOM"),
        ({"action": "leaveRoom", "roomId": "red"}, "NOT_IN_ROOM"),
        ({"action": "sendChat", "roomId": "Red!", "text": "Hi"}, "VALIDATION_INVALID_PARAMETER"),
        ({"action": "sendChat", "roomId": "blue"}, "VALIDATION_MISSING_PARAMETER"),
        ({"action": "dance"}, "VALIDATION_INVALID_ACTION"),
    ],
)
def test_what_cannot_be_done_is_refused(
    rooms: NamesByRoom,
    send: Send,
    connections: FakeConnections,
    log_lines: CapturedLines,
    message: dict[str, Any],
    code: str,
) -> None:
    send("ada=", **message)

    assert connections.sent[0][1]["code"] == code
    assert log_lines.level("WARN")[0]["errorCode"] == code


def test_those_who_join_are_counted(
    rooms: NamesByRoom, send: Send, log_lines: CapturedLines
) -> None:
    send("alan=", "joinRoom", roomId="blue", name="Alan")

    assert log_lines.metrics()["RoomsJoined"] == [1]
