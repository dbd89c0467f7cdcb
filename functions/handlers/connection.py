"""The function for connections: opening, closing, heartbeats, and the move to another connection."""

from __future__ import annotations

import shared_utils as su
from broadcast.addresses import network_of
from broadcast.interpreters import note_sign
from broadcast.moves import MovedOnError
from broadcast.notices import channel_message, control_message
from broadcast.pace import PerMinute
from broadcast.tokens import TokenReusedError
from shared_utils import ApplicationError, ErrorCode, Heartbeat, RefreshConnection

from ._common import SUBPROTOCOL, BroadcastApp, send_to, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from broadcast.sessions import Participant, Reattached, Session
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
    """Note that the connection is alive, and that an interpreter is there."""
    app.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    name = request.connection_id
    participant = app.store.touch(name)
    if participant is not None and participant.role == su.INTERPRETER:
        note_sign(app.store, participant.session_id, participant.language or "", name)
    return su.HeartbeatAckMessage()


@handler.route(RefreshConnection)
def refresh(request: Request[RefreshConnection]) -> None:
    """Move a participant onto this connection, off the old one, and send the next token and the state."""
    app.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    moved = use_token(request)
    if moved.left_connection_id is not None:
        app.close(request, moved.left_connection_id)
    complete = su.ConnectionRefreshCompleteMessage(
        sessionId=moved.session.session_id, role=moved.participant.role, refreshToken=moved.token
    )
    state = state_messages(moved.participant, moved.session)
    is_there = app.reply(request, complete) and app.notify(request, request.connection_id, state)
    if moved.is_back:
        notify_of_return(request, moved, is_there)


def state_messages(participant: Participant, session: Session) -> list[su.ServerMessage]:
    """Return how the broadcast is, what a listener hears, and who interprets, for the speaker.

    A change may have been sent to the old connection.
    """
    messages: list[su.ServerMessage] = [control_message(session)]
    if participant.role == su.LISTENER and session.has_had_channels:
        messages.append(channel_message(session, participant.listener))
    if participant.role == su.SPEAKER:
        messages += [
            su.InterpreterJoinedMessage(sessionId=session.session_id, language=language)
            for language in session.interpreters
        ]
    return messages


def notify_of_return(request: Request[Any], moved: Reattached, is_there: bool) -> None:
    """Notify others of somebody who had been removed and is there again, unless it has just gone."""
    session, language = moved.session, moved.participant.language or ""
    if moved.participant.role == su.INTERPRETER:
        replaced = moved.replaced
        app.notify_of_new_interpreter(request, session, language, replaced, is_there=is_there)
    elif is_there:
        app.notify_of_arrival(request, session, language)


def use_token(request: Request[RefreshConnection]) -> Reattached:
    """Return the participant whose token came, on this connection; count a token that is no good."""
    try:
        return app.reattach(request, request.message.sessionId, request.message.refreshToken)
    except TokenReusedError as reuse:
        count_refusal(request, "token_reused")
        shut_out(request, reuse.connection_ids)
    except MovedOnError as error:
        if error.left_connection_id is not None:
            app.close(request, error.left_connection_id)
        raise
    except ApplicationError as error:
        if error.code is ErrorCode.AUTH_TOKEN_INVALID:
            count_refusal(request, "token_invalid")
            app.guesses.count_failed_refresh(request)
        raise


def count_refusal(request: Request[RefreshConnection], reason: str) -> None:
    """Count a token that was refused, by why."""
    request.metrics.emit_metric("RefreshTokensRefused", 1, "Count", {"Reason": reason})


def shut_out(request: Request[RefreshConnection], connection_ids: list[str]) -> NoReturn:
    """Close the sender's connection and those of the participant whose token was used again.

    One of the two has a copy of the other one's token, and nobody knows which. The participant is
    gone as if the connection were: a speaker's session ends in a minute, a listener is taken out.
    """
    others = [name for name in connection_ids if name != request.connection_id]
    handler.logger.warning(
        "A refresh token was used again: no token of its participant is good any more",
        reason="token_reused",
        closedConnectionIds=others,
    )
    for name in others:
        send_to(request, name, su.ErrorMessage(code=ErrorCode.AUTH_TOKEN_INVALID))
    request.reply(su.format_error_response(ErrorCode.AUTH_TOKEN_INVALID))
    every = [*others, request.connection_id]
    for name in every:
        app.close(request, name)
    for name in every:
        app.remove_participant(request, name)
    raise su.SilentRefusal(ErrorCode.AUTH_TOKEN_INVALID, "The token was used before", logged=True)
