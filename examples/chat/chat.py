"""A chat in rooms: people join a room, say something to all others in it, and leave.

A member who disconnects without leaving is removed when a message does not reach the connection.
"""

from __future__ import annotations

from typing import Any

from shared_utils import ApplicationError, Request, ServerMessage, WebSocketHandler

from chat_messages import ChatCode, ChatMessage, JoinRoom, LeaveRoom, Member, RoomMessage, SendChat
from rooms import Rooms

MAX_MEMBERS = 50

handler = WebSocketHandler("Chat")
rooms = Rooms()


@handler.route(JoinRoom)
def join_room(request: Request[JoinRoom]) -> ServerMessage:
    """Add the sender to a room; everybody in it gets the new list of members."""
    room_id, name = request.message.roomId, request.message.name
    members = rooms.members(room_id) | {request.connection_id: name}
    if len(members) > MAX_MEMBERS:
        raise ApplicationError(ChatCode.ROOM_FULL)
    rooms.add(room_id, request.connection_id, name)
    request.logger.info("Room joined", room=room_id, members=len(members))
    request.metrics.emit_metric("RoomsJoined", 1, "Count", roomId=room_id)
    return send_to_others(request, members, room_message(room_id, members))


@handler.route(LeaveRoom)
def leave_room(request: Request[LeaveRoom]) -> ServerMessage:
    """Remove the sender from a room; everybody in it gets the new list of members."""
    room_id = request.message.roomId
    members = members_with_sender(request)
    del members[request.connection_id]
    rooms.remove(room_id, request.connection_id)
    return send_to_others(request, members, room_message(room_id, members))


@handler.route(SendChat)
def send_chat(request: Request[SendChat]) -> ServerMessage:
    """Send what was said to the others in the room, and to the sender as the reply."""
    said = request.message
    members = members_with_sender(request)
    sender = Member(connectionId=request.connection_id, name=members[request.connection_id])
    message = ChatMessage(roomId=said.roomId, sender=sender, text=said.text, mentions=said.mentions)
    return send_to_others(request, members, message)


def members_with_sender(request: Request[LeaveRoom] | Request[SendChat]) -> dict[str, str]:
    """Return the names in the room of a message, by connection id; refuse who is not in it."""
    members = rooms.members(request.message.roomId)
    if request.connection_id not in members:
        raise ApplicationError(ChatCode.NOT_IN_ROOM)
    return members


def room_message(room_id: str, members: dict[str, str]) -> RoomMessage:
    """Return the list of a room's members."""
    listed = [Member(connectionId=key, name=name) for key, name in members.items()]
    return RoomMessage(roomId=room_id, members=listed)


def send_to_others(
    request: Request[Any], members: dict[str, str], message: RoomMessage | ChatMessage
) -> ServerMessage:
    """Send a message to the others in its room, remove who is gone, and return it as the reply."""
    result = request.broadcast(members.keys() - {request.connection_id}, message)
    for connection_id in result.gone:
        rooms.remove(message.roomId, connection_id)
    return message
