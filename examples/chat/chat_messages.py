"""What clients send to the chat, and what they get: a field means what its annotation says."""

from __future__ import annotations

from typing import Annotated

from shared_utils import ClientMessage, Limits, Record, ServerMessage

RoomId = Annotated[str, Limits(pattern="[a-z0-9-]{1,40}")]
Name = Annotated[str, Limits(min_length=1, max_length=40)]
Text = Annotated[str, Limits(min_length=1, max_length=500)]


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


class RoomChangedMessage(ServerMessage):
    """Who is in a room now."""

    roomId: RoomId
    members: list[Member]


class ChatMessage(ServerMessage):
    """What somebody said in a room."""

    roomId: RoomId
    sender: Member
    text: Text
    mentions: list[Name] = []
