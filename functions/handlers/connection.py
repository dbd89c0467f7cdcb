"""The doors of a connection: who may connect, who is alive, who comes back on another connection."""

from __future__ import annotations

import shared_utils as su
from broadcast.sessions import control_message
from shared_utils import ApplicationError, ErrorCode, Heartbeat, RefreshConnection

from ._common import SUBPROTOCOL, Desk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from shared_utils import Request

# The first event of an environment is mostly a `$connect`, which needs no store.
desk = Desk("ConnectionHandler", warm=False)
handler = desk.handler
if not desk.settings.allowed_origins:
    handler.logger.warning("ALLOWED_ORIGINS is empty: pages of any origin may connect")


@handler.route("$connect")
def connect(request: Request[Any]) -> None:
    """Let in who comes from a page that may, and speaks our protocol or names none."""
    if not desk.settings.allows_origin(request.headers.get("origin", "")):
        raise ApplicationError(ErrorCode.AUTH_UNAUTHORIZED, "This origin may not connect")
    asked = request.headers.get("sec-websocket-protocol", "")
    if asked and SUBPROTOCOL not in [name.strip() for name in asked.split(",")]:
        raise ApplicationError(ErrorCode.CONNECTION_INVALID, f"The protocol is {SUBPROTOCOL}")


@handler.route("$disconnect")
def disconnect(request: Request[Any]) -> None:
    """Take out who was on the connection, if anyone, and tell the speaker."""
    desk.see_off(request, request.connection_id)


@handler.route(Heartbeat)
def heartbeat(request: Request[Heartbeat]) -> su.HeartbeatAckMessage:
    """Note that the connection is alive."""
    desk.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    desk.store.touch(request.connection_id)
    return su.HeartbeatAckMessage()


@handler.route(RefreshConnection)
def refresh(request: Request[RefreshConnection]) -> None:
    """Seat a person on this connection, leave the old one, and tell how the broadcast is."""
    desk.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    session_id, token = request.message.sessionId, request.message.refreshToken
    moved = desk.reattach(request, session_id, token)
    if moved.left_connection_id is not None:
        request.connections.close(moved.left_connection_id)
    complete = su.ConnectionRefreshCompleteMessage(sessionId=session_id, role=moved.person.role)
    desk.reply(request, complete)
    desk.tell(request, request.connection_id, [control_message(moved.session)])
    if moved.is_back:
        desk.tell_of_arrival(request, moved.session, moved.person.language or "")
