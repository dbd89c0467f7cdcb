"""What clients send to the chat, what they get, and the codes of what is refused."""

from __future__ import annotations

from typing import Annotated

from shared_utils import ClientMessage, ErrorCodeBase, Limits, Record, ServerMessage

RoomId = Annotated[str, Limits(pattern="[a-z0-9-]{1,40}")]
Name = Annotated[str, Limits(min_length=1, max_length=40)]
Text = Annotated[str, Limits(min_length=1, max_length=500)]


class ChatCode(ErrorCodeBase):
    """Value, HTTP status, sentence for people, whether to try again."""

    ROOM_FULL = "ROOM_FULL", 409, "The room is full", False
    NOT_IN_ROOM = "NOT_IN_ROOM", 403, "You are not in this room", False


class JoinRoom(ClientMessage):
    """Enter a room, or change your name in it."""

    roomId: RoomId
    name: Name


class LeaveRoom(ClientMessage):
    """Leave a room."""

    roomId: RoomId


class SendChat(ClientMessage):
    """Say something to everybody in a room."""

    roomId: RoomId
    text: Text
    mentions: Annotated[list[Name], Limits(max_length=10)] = []


class Member(Record):
    """Somebody in a room."""

    connectionId: str
    name: Name


class RoomMessage(ServerMessage):
    """Who is in a room now."""

    roomId: RoomId
    members: list[Member]


class ChatMessage(ServerMessage):
    """What somebody said in a room."""

    roomId: RoomId
    sender: Member
    text: Text
    mentions: list[Name] = []
