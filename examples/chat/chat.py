"""A chat in rooms: people join one, say something to all others in it, and leave or disconnect."""

from __future__ import annotations

from typing import Any

from shared_utils import (
    ApplicationError,
    Groups,
    Request,
    ServerMessage,
    WebSocketHandler,
    get_table_name,
)

from chat_messages import ChatCode, ChatMessage, JoinRoom, LeaveRoom, Member, RoomMessage, SendChat

Members = dict[str, dict[str, Any]]  # by connection id, what they joined with

MAX_MEMBERS = 50

handler = WebSocketHandler("Chat")
rooms = Groups(get_table_name("ROOMS_TABLE_NAME", "Rooms"))


@handler.route(JoinRoom)
def join_room(request: Request[JoinRoom]) -> ServerMessage:
    """Add the sender to a room; everybody in it gets the new list of members."""
    room_id, info = request.message.roomId, {"name": request.message.name}
    members = rooms.members(room_id) | {request.connection_id: info}
    if len(members) > MAX_MEMBERS:
        raise ApplicationError(ChatCode.ROOM_FULL)
    rooms.join(room_id, request.connection_id, info=info)
    request.logger.info("Room joined", room=room_id, members=len(members))
    request.metrics.emit_metric("RoomsJoined", 1, "Count", roomId=room_id)
    return send_to_others(request, room_message(room_id, members))


@handler.route(LeaveRoom)
def leave_room(request: Request[LeaveRoom]) -> ServerMessage:
    """Remove the sender from a room; everybody in it gets the new list of members."""
    room_id, members = request.message.roomId, members_with_sender(request)
    del members[request.connection_id]
    rooms.leave(request.connection_id, room_id)
    return send_to_others(request, room_message(room_id, members))


@handler.route("$disconnect")
def disconnect(request: Request[Any]) -> None:
    """Remove the sender from all rooms."""
    rooms.leave(request.connection_id)


@handler.route(SendChat)
def send_chat(request: Request[SendChat]) -> ServerMessage:
    """Send what was said to the others in the room, and to the sender as the reply."""
    said, info = request.message, members_with_sender(request)[request.connection_id]
    sender = Member(connectionId=request.connection_id, name=info["name"])
    message = ChatMessage(roomId=said.roomId, sender=sender, text=said.text, mentions=said.mentions)
    return send_to_others(request, message)


def members_with_sender(request: Request[LeaveRoom] | Request[SendChat]) -> Members:
    """Return the members of a message's room; refuse who is not in it."""
    members = rooms.members(request.message.roomId)
    if request.connection_id not in members:
        raise ApplicationError(ChatCode.NOT_IN_ROOM)
    return members


def room_message(room_id: str, members: Members) -> RoomMessage:
    """Return the list of a room's members."""
    listed = [Member(connectionId=key, name=info["name"]) for key, info in members.items()]
    return RoomMessage(roomId=room_id, members=listed)


def send_to_others(request: Request[Any], message: RoomMessage | ChatMessage) -> ServerMessage:
    """Send a message to the others in its room, and return it as the reply."""
    rooms.broadcast(message.roomId, message, request, exclude=[request.connection_id])
    return message
