"""The function for connections: opening, closing, heartbeats, and the move to another connection."""

from __future__ import annotations

import shared_utils as su
from broadcast.addresses import network_of
from broadcast.pace import PerMinute
from broadcast.sessions import control_message
from shared_utils import ApplicationError, ErrorCode, Heartbeat, RefreshConnection

from ._common import SUBPROTOCOL, BroadcastApp, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from shared_utils import Request

# The first event of an environment is mostly a `$connect`, which needs no store.
with starting("ConnectionHandler"):
    app = BroadcastApp("ConnectionHandler", warm=False)
handler = app.handler
new_connections = PerMinute(app.settings.connections_per_minute)
if not app.settings.allowed_origins:
    handler.logger.warning("ALLOWED_ORIGINS is empty: pages of any origin may connect")


@handler.route("$connect")
def connect(request: Request[Any]) -> None:
    """Accept a client whose origin is allowed and that asks for our sub-protocol, or for none."""
    check_new_connections(request)
    if not app.settings.allows_origin(request.headers.get("origin", "")):
        raise ApplicationError(ErrorCode.AUTH_UNAUTHORIZED, "This origin may not connect")
    asked = request.headers.get("sec-websocket-protocol", "")
    if asked and SUBPROTOCOL not in [name.strip() for name in asked.split(",")]:
        raise ApplicationError(ErrorCode.CONNECTION_INVALID, f"The protocol is {SUBPROTOCOL}")


def check_new_connections(request: Request[Any]) -> None:
    """Refuse more new connections from one address than it may open in a minute.

    Counted in memory: a count in the store would be a write that anyone can cause who is not even
    connected, and while the store is down nobody could connect. N environments let in N times as
    many; Lambda starts another one only while all are busy. What is refused is counted, and worth
    one line a minute and address.
    """
    network = network_of(request.source_ip)
    verdict = new_connections.judge(network)
    if verdict.allowed:
        return
    metrics = handler.metrics if verdict.warn else handler.windowed_metrics
    metrics.emit_rate_limit_violation("", request.connection_id, request.action)
    su.bind_context(sourceIp=network)
    message = f"At most {new_connections.limit} new connections a minute from one address"
    raise su.SilentRefusal(ErrorCode.RATE_LIMIT_EXCEEDED, message, logged=verdict.warn)


@handler.route("$disconnect")
def disconnect(request: Request[Any]) -> None:
    """Remove the participant of the connection, if it has one, and notify the speaker."""
    app.remove_participant(request, request.connection_id)


@handler.route(Heartbeat)
def heartbeat(request: Request[Heartbeat]) -> su.HeartbeatAckMessage:
    """Note that the connection is alive."""
    app.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    app.store.touch(request.connection_id)
    return su.HeartbeatAckMessage()


@handler.route(RefreshConnection)
def refresh(request: Request[RefreshConnection]) -> None:
    """Move a participant onto this connection, off the old one, and send the broadcast's state."""
    app.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    session_id, token = request.message.sessionId, request.message.refreshToken
    moved = app.reattach(request, session_id, token)
    if moved.left_connection_id is not None:
        app.close(request, moved.left_connection_id)
    complete = su.ConnectionRefreshCompleteMessage(
        sessionId=session_id, role=moved.participant.role, refreshToken=token
    )
    app.reply(request, complete)
    app.notify(request, request.connection_id, [control_message(moved.session)])
    if moved.is_back:
        app.notify_of_arrival(request, moved.session, moved.participant.language or "")
