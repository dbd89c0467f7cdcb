"""The function for sessions: a speaker opens, queries and ends one, listeners and interpreters join it."""

from __future__ import annotations

import time

import shared_utils as su
from broadcast.addresses import network_of
from broadcast.interpreters import join_as_interpreter, remove_interpreter
from broadcast.keys import hash_of_key, new_key
from broadcast.names import new_session_id
from broadcast.notices import created_message, joined_message, ready_message, status_message
from broadcast.sessions import new_session
from broadcast.tokens import digest_of, new_token
from shared_utils import (
    ApplicationError,
    CreateSession,
    EndSession,
    ErrorCode,
    GetSessionStatus,
    JoinAsInterpreter,
    JoinSession,
    RemoveInterpreter,
)

from ._common import BroadcastApp, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from broadcast.sessions import Participant, Session
    from shared_utils import Request

# Ours: with a thousand sessions open, so many in a row are taken once in 10^22 times.
_DRAWS = 5
REMOVED = "The speaker has removed this interpreter"

with starting("SessionHandler"):
    app = BroadcastApp("SessionHandler")
handler = app.handler
if not app.settings.speaker_issuer:
    handler.logger.warning("SPEAKER_ISSUER is empty: anyone may open a session")


@handler.route(CreateSession)
def create_session(request: Request[CreateSession]) -> None:
    """Open a session with the sender as its speaker."""
    app.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    if subject := claimed(request, "subject"):
        su.bind_context(subject=subject)  # on the message's line: whose token opened the session
    app.settings.check_may_speak(subject, claimed(request, "scopes"))
    app.settings.check_language(request.message.sourceLanguage, "sourceLanguage")
    check_creation(request)
    token, interpreter_key = new_token(request.connection_id), new_key()
    session = open_session(request, token, interpreter_key)
    message = created_message(session, token, interpreter_key, request.message.listenerKey)
    app.reply(request, message)


def claimed(request: Request[Any], name: str) -> str:
    """Return what the authorizer of `$connect` says of the sender; empty without one, or a text."""
    value = request.authorizer.get(name)
    return value if isinstance(value, str) else ""


def check_creation(request: Request[CreateSession]) -> None:
    """Refuse more sessions from one address than it may open in a minute."""
    limit = app.settings.sessions_per_minute
    wait_ms = app.counters.count_creation(network_of(request.source_ip), limit)
    if wait_ms:
        code, name = ErrorCode.RATE_LIMIT_SESSION_CREATION, request.connection_id
        request.metrics.emit_rate_limit_violation("", name, request.action)
        message = f"At most {limit} new sessions a minute"
        raise ApplicationError(code, message, {"retryAfterMs": wait_ms})


def open_session(request: Request[CreateSession], token: str, interpreter_key: str) -> Session:
    """Store a session under an id that nobody has."""
    key = request.message.listenerKey
    key_hash = None if key is None else hash_of_key(key)
    interpreter_hash = digest_of(interpreter_key)
    for _ in range(_DRAWS):
        speaker = app.participant(request, new_session_id(), su.SPEAKER, token)
        now_ms, hours = app.store.now_ms, app.settings.session_hours
        wanted = request.message
        session = new_session(wanted, speaker, now_ms, hours, key_hash, interpreter_hash)
        if app.store.create(speaker, session):
            su.bind_context(sessionId=session.session_id)
            return session
    raise ApplicationError(ErrorCode.SESSION_CREATION_FAILED)


@handler.route(JoinSession)
def join_session(request: Request[JoinSession]) -> None:
    """Make the sender a listener, and tell the speaker."""
    app.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    app.settings.check_may_listen(claimed(request, "subject"))
    language = request.message.targetLanguage
    su.bind_context(sessionId=request.message.sessionId)
    app.settings.check_language(language, "targetLanguage")
    with app.guesses.session_of(request) as seen:
        token = new_token(request.connection_id)
        listener = listener_of(request, token)
        session = app.store.join(listener, app.settings.max_listeners, seen.created_at)
        if app.reply(request, joined_message(session, listener.listener, token)):
            app.notify_of_arrival(request, session, language)


def listener_of(request: Request[JoinSession], token: str) -> Participant:
    """Return the sender as a listener who wants what the message says."""
    message = request.message
    return app.participant(
        request,
        message.sessionId,
        su.LISTENER,
        token,
        language=message.targetLanguage,
        wants_original=message.audio == "original",
        wants_captions=message.captions,
    )


@handler.route(JoinAsInterpreter)
def join_as_interpreter_of(request: Request[JoinAsInterpreter]) -> None:
    """Make the sender the interpreter of a language, in the place of one who gives no sign, if any."""
    app.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
    app.settings.check_may_listen(claimed(request, "subject"))
    language = request.message.language
    su.bind_context(sessionId=request.message.sessionId)
    app.settings.check_language(language, "language")
    with app.guesses.session_of(request) as seen:
        token = new_token(request.connection_id)
        interpreter = interpreter_of(request, token)
        session, replaced = join_as_interpreter(app.store, interpreter, seen)
        is_there = app.reply(request, ready_message(session, language, token))
    app.notify_of_new_interpreter(request, session, language, replaced, is_there=is_there)


def interpreter_of(request: Request[JoinAsInterpreter], token: str) -> Participant:
    """Return the sender as an interpreter who wants what the message says."""
    message = request.message
    return app.participant(
        request,
        message.sessionId,
        su.INTERPRETER,
        token,
        joined_at=app.store.now_ms,
        language=message.language,
        wants_captions=message.captions,
    )


@app.control(RemoveInterpreter)
def remove_interpreter_of(request: Request[RemoveInterpreter]) -> None:
    """End a channel, and give the speaker another key for interpreters; those who are there stay."""
    language, key = request.message.language, new_key()
    session, removed = remove_interpreter(app.store, request.caller, language, digest_of(key))
    left = su.InterpreterLeftMessage(
        sessionId=session.session_id, language=language, interpreterKey=key
    )
    app.reply(request, left)
    if removed is not None:
        app.notify_of_channel(request, session, language)
        why = su.ErrorMessage(code=ErrorCode.CONNECTION_CLOSED, message=REMOVED)
        app.dismiss(request, removed.connection_id, why)


@app.control(GetSessionStatus)
def get_session_status(request: Request[GetSessionStatus]) -> su.SessionStatusMessage:
    """Tell the speaker who listens and how the broadcast is."""
    started_ns, session_id = time.perf_counter_ns(), request.caller.session_id
    session = app.store.known_session(session_id)
    app.metrics.emit_status_query_received(session_id)
    elapsed_ms = (time.perf_counter_ns() - started_ns) / 1e6
    app.metrics.emit_status_query_latency(session_id, elapsed_ms)
    return status_message(session, "requested", app.store.now_ms)


@app.control(EndSession)
def end_session(request: Request[EndSession]) -> su.SessionEndedMessage:
    """End the session for everyone."""
    session = app.store.end_as_speaker(request.caller, "speakerEnded")
    message = su.SessionEndedMessage(sessionId=session.session_id, reason="speakerEnded")
    app.notify_others(request, session, message)
    return message
