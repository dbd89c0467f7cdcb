"""The doors of a session: the speaker opens, looks at and ends it, listeners join it."""

from __future__ import annotations

import time

import shared_utils as su
from broadcast.addresses import network_of
from broadcast.names import new_session_id
from broadcast.sessions import created_message, joined_message, new_session, status_message
from broadcast.tokens import new_token
from shared_utils import (
    ApplicationError,
    CreateSession,
    EndSession,
    ErrorCode,
    GetSessionStatus,
    JoinSession,
)

from ._common import Desk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broadcast.sessions import Session
    from shared_utils import Request

# Ours: with a thousand sessions open, so many in a row are taken once in 10^22 times.
_DRAWS = 5

desk = Desk("SessionHandler")
handler = desk.handler


@handler.route(CreateSession)
def create_session(request: Request[CreateSession]) -> None:
    """Open a session with the sender as its speaker."""
    desk.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    desk.settings.check_language(request.message.sourceLanguage, "sourceLanguage")
    check_creation(request)
    token = new_token(request.connection_id)
    session = open_session(request, token)
    desk.reply(request, created_message(session, token))


def check_creation(request: Request[CreateSession]) -> None:
    """Refuse more sessions from one address than it may open in a minute."""
    limit = desk.settings.sessions_per_minute
    wait_ms = desk.store.count_creation(network_of(request.source_ip), limit)
    if wait_ms:
        code, name = ErrorCode.RATE_LIMIT_SESSION_CREATION, request.connection_id
        request.metrics.emit_rate_limit_violation("", name, request.action)
        message = f"At most {limit} new sessions a minute"
        raise ApplicationError(code, message, {"retryAfterMs": wait_ms})


def open_session(request: Request[CreateSession], token: str) -> Session:
    """Store a session under an id that nobody has."""
    for _ in range(_DRAWS):
        speaker = desk.person(request, new_session_id(), su.SPEAKER, token)
        now_ms, hours = desk.store.now_ms, desk.settings.session_hours
        session = new_session(request.message, speaker, now_ms, hours)
        if desk.store.create(speaker, session):
            su.bind_context(sessionId=session.session_id)
            return session
    raise ApplicationError(ErrorCode.SESSION_CREATION_FAILED)


@handler.route(JoinSession)
def join_session(request: Request[JoinSession]) -> None:
    """Make the sender a listener, and tell the speaker."""
    desk.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    session_id, language = request.message.sessionId, request.message.targetLanguage
    su.bind_context(sessionId=session_id)
    desk.settings.check_language(language, "targetLanguage")
    token = new_token(request.connection_id)
    listener = desk.person(request, session_id, su.LISTENER, token, language)
    session = desk.store.join(listener, desk.settings.max_listeners)
    desk.reply(request, joined_message(session, language, token))
    desk.tell_of_arrival(request, session, language)


@desk.control(GetSessionStatus)
def get_session_status(request: Request[GetSessionStatus]) -> su.SessionStatusMessage:
    """Tell the speaker who listens and how the broadcast is."""
    started_ns, session_id = time.perf_counter_ns(), request.caller.session_id
    session = desk.store.known_session(session_id)
    desk.metrics.emit_status_query_received(session_id)
    elapsed_ms = (time.perf_counter_ns() - started_ns) / 1e6
    desk.metrics.emit_status_query_latency(session_id, elapsed_ms)
    return status_message(session, "requested", desk.store.now_ms)


@desk.control(EndSession)
def end_session(request: Request[EndSession]) -> su.SessionEndedMessage:
    """End the session for everyone."""
    session = desk.store.end_as_speaker(request.caller, "speakerEnded")
    message = su.SessionEndedMessage(sessionId=session.session_id, reason="speakerEnded")
    desk.announce(request, session, message)
    return message
