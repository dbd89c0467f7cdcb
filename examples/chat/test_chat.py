"""The chat with its rooms in a dictionary: no table, no network, no AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from shared_utils import Request
from shared_utils.testing import (
    CapturedLines,
    FakeConnections,
    FakeContext,
    disconnect_event,
    message_event,
)

import chat

Members = dict[str, dict[str, Any]]
Send = Callable[..., dict[str, Any]]


class RoomsInMemory:
    """What `Groups` is to the chat, in a dictionary."""

    def __init__(self, rooms: dict[str, Members]) -> None:
        self._rooms = rooms

    def members(self, group: str) -> Members:
        """Return each member's info by connection id."""
        return dict(self._rooms.get(group, {}))

    def join(self, group: str, connection_id: str, *, info: dict[str, Any]) -> None:
        """Add a member, or change its info."""
        self._rooms.setdefault(group, {})[connection_id] = info

    def leave(self, connection_id: str, group: str | None = None) -> None:
        """Remove a member of a room, or of all."""
        for one in [group] if group else self._rooms:
            self._rooms.get(one, {}).pop(connection_id, None)

    def broadcast(
        self, group: str, message: object, sender: Request[Any], *, exclude: list[str]
    ) -> None:
        """Send to the members but `exclude`, and remove who is gone."""
        for gone in sender.broadcast(self.members(group).keys() - {*exclude}, message).gone:
            self.leave(gone, group)


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> dict[str, Members]:
    """Return the rooms of the chat; Ada and Grace are in the blue one."""
    rooms = {"blue": {"ada=": {"name": "Ada"}, "grace=": {"name": "Grace"}}}
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
    rooms: dict[str, Members], send: Send, connections: FakeConnections
) -> None:
    result = send("alan=", "joinRoom", roomId="blue", name="Alan", requestId="client-1")

    reply = connections.sent[-1][1]
    assert result == {"statusCode": 200}
    assert rooms["blue"]["alan="] == {"name": "Alan"}
    assert {name for name, _ in connections.sent} == {"ada=", "grace=", "alan="}
    assert reply["requestId"] == "client-1"
    assert reply["members"][-1] == {"connectionId": "alan=", "name": "Alan"}


def test_who_leaves_is_not_in_the_room(
    rooms: dict[str, Members], send: Send, connections: FakeConnections
) -> None:
    send("grace=", "leaveRoom", roomId="blue")

    assert list(rooms["blue"]) == ["ada="]
    assert [(name, message["type"]) for name, message in connections.sent] == [
        ("ada=", "room"),
        ("grace=", "room"),
    ]


def test_who_disconnects_is_in_no_room(
    rooms: dict[str, Members], lambda_context: FakeContext, log_lines: CapturedLines
) -> None:
    rooms["red"] = {"grace=": {"name": "Grace"}}

    chat.handler(disconnect_event("grace="), lambda_context)

    assert {room: list(members) for room, members in rooms.items()} == {"blue": ["ada="], "red": []}


def test_message_reaches_the_others_and_is_the_reply(
    rooms: dict[str, Members], send: Send, connections: FakeConnections
) -> None:
    send("ada=", "sendChat", roomId="blue", text="Hello", mentions=["Grace"], requestId="client-2")

    (to_others, other), (to_sender, reply) = connections.sent
    assert (to_others, to_sender) == ("grace=", "ada=")
    assert other["sender"] == {"connectionId": "ada=", "name": "Ada"}
    assert (other["text"], other["mentions"]) == ("Hello", ["Grace"])
    assert reply == {**other, "requestId": "client-2"}


def test_member_whose_connection_is_gone_is_removed(
    rooms: dict[str, Members], send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat.handler, "connections", FakeConnections({"grace=": "gone"}))

    send("ada=", "sendChat", roomId="blue", text="Hello")

    assert list(rooms["blue"]) == ["ada="]


def test_room_that_is_full_is_refused(
    rooms: dict[str, Members], send: Send, connections: FakeConnections
) -> None:
    rooms["full"] = {f"{n}=": {"name": "Somebody"} for n in range(chat.MAX_MEMBERS)}

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
    rooms: dict[str, Members],
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
    rooms: dict[str, Members], send: Send, log_lines: CapturedLines
) -> None:
    send("alan=", "joinRoom", roomId="blue", name="Alan")

    assert log_lines.metrics()["RoomsJoined"] == [1]
