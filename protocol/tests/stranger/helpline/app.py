"""The function of a helpline, with roles of its own and an `async def`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from helpline.codes import HelpCode
from helpline.messages import (
    Author,
    CloseRoom,
    Note,
    OpenRoom,
    RoomOpenedMessage,
    SendText,
    TextSentMessage,
    Typing,
)
from shared_utils import ApplicationError, WebSocketHandler

if TYPE_CHECKING:
    from shared_utils import Request

handler = WebSocketHandler("Helpline", role_of=lambda request: "agent", subprotocols=["help.v1"])
table = os.environ.get("ROOMS_TABLE_NAME", "Rooms")


@handler.route("$connect")
def connect(request: Request) -> None:
    """Refuse when nobody is there."""
    raise ApplicationError(HelpCode.LINE_CLOSED)


@handler.route(OpenRoom, role="customer")
def open_room(request: Request[OpenRoom]) -> RoomOpenedMessage:
    return RoomOpenedMessage(roomId="billing", notes=[])


@handler.route(SendText, role="any")
async def send_text(request: Request[SendText]) -> TextSentMessage | None:
    author = request.message.from_ or Author(name="x")
    return TextSentMessage(note=Note(text=request.message.text, author=author))


@handler.route(CloseRoom, role="agent")
def close_room(request: Request[CloseRoom]) -> None:
    raise ApplicationError(HelpCode.LINE_BUSY)


@handler.route(Typing)
def typing(request):
    return None


@handler.route("ping/me")
def ping(request: Request) -> dict[str, object]:
    """Answer whatever
    was sent."""
    return {"type": "pong"}
