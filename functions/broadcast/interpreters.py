"""Interpreters in a session's item: how they come, show that they are there, and are removed.

They stand there by their language, so that there is one for each at most. Each change is one conditional
update, of an entry as it was seen: of two who want one language, one has it and the other is refused.

This is a part of the repository, in a file of its own, and uses what `store.py` keeps for itself.
"""

from __future__ import annotations

from shared_utils.error_codes import ApplicationError, ErrorCode

from .channels import MAX_INTERPRETERS
from .items import interpreter_item, session_of
from .sessions import check_is_open
from .store import _OPEN
from .tables import TRIES
from .tokens import invalid_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channels import Interpreter
    from .sessions import Participant, Session, SessionSummary
    from .store import Store

__all__ = [
    "SIGN_MS",
    "join_as_interpreter",
    "note_sign",
    "remove_interpreter",
    "take_channel",
]

# A sign of an interpreter is noted so often at most: a write, and the client's heartbeats come as often.
SIGN_MS = 3_000

# Ours: each stays in the session's item, which has to stay small, whatever its speaker sends.
MAX_REMOVALS = 100

_TOO_MANY_REMOVALS = f"At most the channels of {MAX_REMOVALS} languages can be ended in a session"
_FULL = f"The session has {MAX_INTERPRETERS} interpreters: no more can join"


def join_as_interpreter(
    store: Store, participant: Participant, seen: SessionSummary
) -> tuple[Session, Interpreter | None]:
    """Store a new interpreter of the session that was seen; return the session, and who was replaced.

    SESSION_LANGUAGE_TAKEN if the language has one who is there.
    """
    store._claim(participant)
    try:
        return take_channel(store, participant, seen)
    except BaseException:  # whatever it was: the connection is free to try again
        store._release(participant)
        raise


def take_channel(
    store: Store, participant: Participant, seen: SessionSummary | None = None
) -> tuple[Session, Interpreter | None]:
    """Let a stored participant interpret, in the place of one who is silent; return who that was.

    With `seen`, only in the session that began then, and whose key is still the one of then. Without
    it, the participant has joined before: AUTH_TOKEN_INVALID if its channel was ended by the speaker since.
    """
    language = participant.language or ""
    if seen is None:
        same = " AND (attribute_not_exists(#removals.#entry) OR #removals.#entry < :joinedAt)"
        values: dict[str, Any] = {":joinedAt": participant.joined_at}
    else:
        same = " AND #createdAt = :createdAt AND #interpreterKeyHash = :hash"
        values = {":createdAt": seen.created_at, ":hash": seen.interpreter_key_hash}
    found: Interpreter | None = None
    for _ in range(TRIES):
        now_ms = store.now_ms
        if found is not None and not found.is_silent(now_ms):
            raise ApplicationError(ErrorCode.SESSION_LANGUAGE_TAKEN)
        is_free, more = _is_as_found(found)
        change = store._update_session(
            participant.session_id,
            "SET #interpreters.#entry = :interpreter, #hasHadChannels = :true",
            f"{_OPEN} AND {is_free}{same}",
            {
                ":interpreter": interpreter_item(participant, now_ms),
                ":true": True,
                **values,
                **more,
            },
            entry=language,
        )
        session = check_is_open(session_of(change.item), store.now_ms)
        here = session.interpreters.get(language)
        if here is not None and here.participant_id == participant.participant_id:
            if here.connection_id != participant.connection_id:
                raise ApplicationError(ErrorCode.CONNECTION_CLOSED)  # it has moved on
            return session, found  # also if it was done before, and the answer was lost
        if seen is None and session.has_removed(participant):
            raise invalid_token()
        if seen is not None and not _is_same(session, seen):
            raise ApplicationError(ErrorCode.SESSION_NOT_FOUND)
        if here is None and len(session.interpreters) >= MAX_INTERPRETERS:
            raise ApplicationError(ErrorCode.SESSION_MAX_LISTENERS_REACHED, _FULL)
        found = here
    raise ApplicationError(ErrorCode.SESSION_LANGUAGE_TAKEN)


def _is_as_found(found: Interpreter | None) -> tuple[str, dict[str, Any]]:
    """Return the condition that a language has this interpreter still, or still none."""
    if found is None:
        free = "attribute_not_exists(#interpreters.#entry) AND size(#interpreters) < :max"
        return free, {":max": MAX_INTERPRETERS}
    silent = (
        "#interpreters.#entry.#participantId = :found AND #interpreters.#entry.#seenAt = :seenAt"
    )
    return silent, {":found": found.participant_id, ":seenAt": found.seen_at}


def _is_same(session: Session, seen: SessionSummary) -> bool:
    return (session.created_at, session.interpreter_key_hash) == (
        seen.created_at,
        seen.interpreter_key_hash,
    )


def note_sign(store: Store, session_id: str, language: str, connection_id: str) -> Session:
    """Note that the interpreter on this connection is there, unless that was noted a moment ago.

    CONNECTION_CLOSED if the interpreter has been replaced or taken out, or is on another connection.
    """
    now_ms = store.now_ms
    change = store._update_session(
        session_id,
        "SET #interpreters.#entry.#seenAt = :now",
        "#interpreters.#entry.#connectionId = :connection"
        " AND #interpreters.#entry.#seenAt <= :before",
        {":connection": connection_id, ":before": now_ms - SIGN_MS},
        entry=language,
    )
    session = session_of(change.item)
    if session is None:
        raise ApplicationError(ErrorCode.SESSION_NOT_FOUND)
    here = session.interpreters.get(language)
    if here is None or here.connection_id != connection_id:
        raise ApplicationError(ErrorCode.CONNECTION_CLOSED)
    return session


def remove_interpreter(
    store: Store, speaker: Participant, language: str, key_hash: str
) -> tuple[Session, Interpreter | None]:
    """End the channel of a language as the speaker, who gives interpreters another key.

    Return the session after it, and who was removed. No refresh token brings that interpreter back, or
    one of the language who has left before: when a channel was ended stands in the session's item.
    """
    change = store._update_session(  # one that began before there were interpreters has no place for them
        speaker.session_id,
        "SET #interpreters = if_not_exists(#interpreters, :none),"
        " #removals = if_not_exists(#removals, :never)",
        _OPEN,
        {":none": {}, ":never": {}},
    )
    session = check_is_open(session_of(change.item), store.now_ms)
    if language not in session.removals and len(session.removals) >= MAX_REMOVALS:
        raise ApplicationError(ErrorCode.RATE_LIMIT_EXCEEDED, _TOO_MANY_REMOVALS)
    for _ in range(TRIES):
        found = session.interpreters.get(language)
        action, is_there, values = _removal(found)
        change = store._update_session(
            speaker.session_id,
            f"SET #interpreterKeyHash = :hash, #removals.#entry = :now{action}",
            f"{_OPEN} AND #speakerConnectionId = :speaker AND {is_there}",
            {":hash": key_hash, ":speaker": speaker.connection_id, **values},
            entry=language,
            is_ours=lambda item: item.get("interpreterKeyHash") == key_hash,
        )
        session = check_is_open(session_of(change.item), store.now_ms)
        if change.done:
            return session, found
        if session.speaker_connection_id != speaker.connection_id:
            break
    raise ApplicationError(ErrorCode.CONNECTION_CLOSED)


def _removal(found: Interpreter | None) -> tuple[str, str, dict[str, Any]]:
    """Return what removes this interpreter, whose condition, and the values of both."""
    if found is None:
        return "", "attribute_not_exists(#interpreters.#entry)", {}
    # Not one who has just moved on: the connection that is to be closed is known then.
    is_there = (
        "#interpreters.#entry.#participantId = :found"
        " AND #interpreters.#entry.#connectionId = :connection"
    )
    values = {":found": found.participant_id, ":connection": found.connection_id}
    return " REMOVE #interpreters.#entry", is_there, values
