"""How a participant moves to another connection: the use of a refresh token.

What a token is worth is decided in `tokens.py`, by what has come from which connection: each one's
item has `isUnused` from its refresh to its first message, and keeps it, or its absence, when the
connection is closed; audio takes `speakerMovedTo` out of the session's item. What was under way when
its connection was closed has come as well: it is refused, and noted.

The token is replaced last. Until then it is one of the newest, so that an invocation that ends
anywhere before is made good by the same request, whenever it comes. After that it is one of those
before the newest: good until a connection that got one of the newest has sent something, for
`GRACE_MS` at most, because the answer may have been lost.

Two who use one token at once are put in order by the session's item: each moves the participant
from the connection that it has read, or not at all. The token's item is read after the session's,
so that a token that is good then is good until the move, whoever else is under way.

This is a part of the repository, in a file of its own, and uses what `store.py` keeps for itself.
"""

from __future__ import annotations

from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.websocket_messages import INTERPRETER, SPEAKER

from .interpreters import take_channel
from .items import (
    KEEP_CONNECTION_SECONDS,
    family_of,
    participant_item,
    participant_of,
    rotation_item,
    session_of,
)
from .sessions import Participant, Reattached, check_is_open
from .store import _OPEN, _has_session, _is_on_connection
from .tables import TRIES
from .tokens import (
    TokenReusedError,
    digest_of,
    invalid_token,
    next_token,
    participant_id_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sessions import Session
    from .store import Store
    from .tokens import Family

__all__ = ["MovedOnError", "note_speaker_heard", "reattach"]

# Each time that somebody else replaced a token, the next try knows of it.
_MAX_REPLACEMENTS = 20

# So much the clocks of two environments may differ. An id is drawn again an hour after its session at the earliest.
_CLOCKS_APART_MS = 60_000

_IS_OPEN = "attribute_exists(#connectionId) AND attribute_not_exists(#disconnectedAt)"


class MovedOnError(ApplicationError):
    """Another request has moved the participant at this moment; `left_connection_id` is to be closed, if any."""

    def __init__(self, left_connection_id: str | None = None) -> None:
        message = "The participant has moved to another connection"
        super().__init__(ErrorCode.CONNECTION_CLOSED, message)
        self.left_connection_id = left_connection_id


def reattach(
    store: Store,
    connection_id: str,
    session_id: str,
    token: str,
    connected_at: int,
    max_listeners: int,
) -> Reattached:
    """Move the participant whom a token belongs to onto this connection, and off every other.

    TokenReusedError if somebody else has a copy of the token: none of the participant is good now.
    """
    for _ in range(TRIES):
        _owner_of(store, token, session_id)  # whoever has no token costs one read
        session = check_is_open(store.session(session_id), store.now_ms)
        owner, family = _owner_of(store, token, session_id)
        if not _is_of(session, owner, token):
            raise invalid_token()
        is_here = _connection_of(session, owner) == connection_id
        heard = _heard(store, session, owner, family)
        is_good = family.is_good(token, connection_id, is_here, heard, store.now_ms)
        if is_good and not family.is_revoked:
            listener = session.listeners.get(owner.participant_id, owner.listener)
            participant = Participant(
                connection_id=connection_id,
                participant_id=owner.participant_id,
                session_id=session_id,
                role=owner.role,
                token_hash="",
                connected_at=connected_at,
                last_activity_at=store.now_ms,
                language=listener.language if owner.language else None,
                is_unused=True,
                wants_original=listener.wants_original,
                wants_captions=listener.wants_captions,
            )
            moved = _use(store, participant, session, family, token, heard, max_listeners)
            if moved is not None:
                return moved
        elif not (is_here or family.is_revoked) and _was_on(store, owner, connection_id):
            break  # its request was sent twice, and comes late
        elif _revoke(store, owner.participant_id, family):
            raise _reused(store, owner, family)
    raise MovedOnError


def note_speaker_heard(store: Store, session: Session) -> None:
    """Note that the speaker speaks on the new connection: the answer of the refresh has arrived."""
    name = session.speaker_moved_to
    change = store._update_session(
        session.session_id,
        "REMOVE #speakerMovedTo",
        "#speakerMovedTo = :connection",
        {":connection": name},
        is_ours=lambda item: "speakerMovedTo" not in item,
    )
    if name is not None and not change.done:  # it has moved on meanwhile
        store.note_heard(name)


# --- whose token it is, and what it is worth -----------------------------------------------------


def _owner_of(store: Store, token: str, session_id: str) -> tuple[Participant, Family]:
    """Return the participant as first stored, and the tokens; that item is kept as long as the newest one's."""
    participant_id = participant_id_of(token)
    item = store.connections.get(participant_id) if participant_id else None
    owner = participant_of(item)
    if item is None or owner is None or owner.session_id != session_id:
        raise invalid_token()
    family = family_of(item)
    if not family.has(token):
        raise invalid_token()
    if item["ttl"] * 1000 <= store.now_ms:  # DynamoDB deletes when it finds time
        raise ApplicationError(ErrorCode.AUTH_TOKEN_EXPIRED)
    return owner, family


def _is_of(session: Session, owner: Participant, token: str) -> bool:
    """Return whether a participant is one of this session, and not of an earlier one that had the same id."""
    if owner.role != SPEAKER:  # whoever has joined was active after the session began
        return owner.last_activity_at + _CLOCKS_APART_MS >= session.created_at
    if session.speaker_id is None:
        return session.speaker_token_hash == digest_of(token)
    return session.speaker_id == owner.participant_id


def _heard(store: Store, session: Session, owner: Participant, family: Family) -> list[str]:
    """Return from which of the connections that got one of the newest tokens something has come."""
    return [name for name in family.connection_ids if _is_used(store, session, owner, name)]


def _is_used(store: Store, session: Session, owner: Participant, connection_id: str) -> bool:
    """Return whether something has come from a connection since its refresh."""
    if session.speaker_connection_id == connection_id != session.speaker_moved_to:
        return True
    is_first = connection_id == owner.connection_id  # it has just been read
    participant = owner if is_first else store.participant(connection_id)
    return participant is not None and not participant.is_unused


def _was_on(store: Store, owner: Participant, connection_id: str) -> bool:
    """Return whether a connection is one that the participant has left."""
    participant = store.participant(connection_id)
    return participant is not None and participant.participant_id == owner.participant_id


def _revoke(store: Store, participant_id: str, family: Family) -> bool:
    """Let no token of a participant be good; return False if one was used at this moment."""
    now_ms = store.now_ms
    return (
        family.is_revoked
        or store.connections.update(
            participant_id,
            "SET #tokensRevokedAt = :now",
            "#refreshTokenHash = :seen AND attribute_not_exists(#tokensRevokedAt)",
            {":now": now_ms, ":seen": family.newest[0][0]},
            is_ours=lambda item: item.get("tokensRevokedAt") == now_ms,
        ).done
    )


def _reused(store: Store, owner: Participant, family: Family) -> ApplicationError:
    """Return the refusal of a token that was used again, with the connections that are to be closed for it.

    An invocation that revoked the tokens may have ended before these were closed.
    """
    session = store.known_session(owner.session_id)
    here = _connection_of(session, owner)
    names = dict.fromkeys(([here] if here else []) + family.connection_ids)
    found = [store.participant(name) for name in names]
    still_open = [
        one.connection_id for one in found if one is not None and one.disconnected_at is None
    ]
    if family.is_revoked and not still_open:
        return invalid_token()
    return TokenReusedError(still_open)


# --- its use -------------------------------------------------------------------------------------


def _use(
    store: Store,
    participant: Participant,
    session: Session,
    family: Family,
    token: str,
    heard: list[str],
    max_listeners: int,
) -> Reattached | None:
    """Return the participant on the new connection, None if somebody else has just moved it elsewhere."""
    brought = next_token(token)
    participant = participant.replace(token_hash=digest_of(brought))
    is_newest = family.is_newest(token)
    is_stored = _store_connection(store, participant, renew=is_newest)
    left = None
    moved: Reattached | None
    try:
        here = _connection_of(session, participant)
        if here is None:
            moved = _bring_back(store, participant, brought, max_listeners)
        elif here == participant.connection_id and not (is_newest and participant.role == SPEAKER):
            moved = Reattached(participant, session, brought)  # asked twice
        else:
            moved = _move(store, participant, session, here, brought, max_listeners)
        if moved is None:
            if is_stored:
                store._release(participant)
            return None
        left = _close(store, moved.left_connection_id)
        _replace_token(store, participant, family, token, heard)
    except ApplicationError as error:
        if isinstance(error, MovedOnError):
            error.left_connection_id = left or _close(store, error.left_connection_id)
        elif isinstance(error, TokenReusedError) and left:
            error.connection_ids.append(left)
        # After a failure nobody knows how far it came; the same request goes on from there.
        if is_stored and error.code.status < 500 and not isinstance(error, TokenReusedError):
            store._release(participant)
        raise
    return moved.replace(left_connection_id=left)


def _close(store: Store, connection_id: str | None) -> str | None:
    """Return a connection that is marked as closed now, None if it was before."""
    if connection_id is None:
        return None
    change = store._close(connection_id)
    return connection_id if change.done or change.item is None else None


def _store_connection(store: Store, participant: Participant, renew: bool) -> bool:
    """Store a participant on a connection; return False if it was there, `renew` as if it were new."""
    change = store.connections.put_new(participant_item(participant))
    if change.done:
        return True
    found = participant_of(change.item)
    if found is None or found.participant_id != participant.participant_id:
        raise _has_session()
    is_open = found.disconnected_at is None
    if is_open and renew:
        values = {":true": True}
        change = store.connections.update(
            participant.connection_id, "SET #isUnused = :true", _IS_OPEN, values
        )
        is_open = change.done
    if not is_open:
        raise MovedOnError
    return False


def _move(
    store: Store,
    participant: Participant,
    seen: Session,
    here: str,
    token: str,
    max_listeners: int,
) -> Reattached | None:
    """Move a participant from one connection to another; None if somebody else does at this moment.

    None as well if the speaker is heard there at this moment.
    """
    new, participant_id = participant.connection_id, participant.participant_id
    if participant.role == SPEAKER:
        action = (
            "SET #speakerConnectionId = :new, #speakerMovedTo = :new, #speakerId = :participant,"
            " #speakerTokenHash = :hash REMOVE #speakerGoneAt"
        )
        values = {":new": new, ":participant": participant_id, ":hash": participant.token_hash}
        condition, more = "#speakerConnectionId = :connection AND ", {":connection": here}
        if seen.speaker_moved_to is None:
            condition += "attribute_not_exists(#speakerMovedTo)"
        else:
            condition += "#speakerMovedTo = :movedTo"
            more[":movedTo"] = seen.speaker_moved_to
    elif participant.role == INTERPRETER:
        action = (
            "SET #interpreters.#entry.#connectionId = :new, #interpreters.#entry.#seenAt = :now"
        )
        values = {":new": new}
        condition = (
            "#interpreters.#entry.#connectionId = :connection"
            " AND #interpreters.#entry.#participantId = :participant"
        )
        more = {":connection": here, ":participant": participant_id}
    else:
        action, values = "SET #listeners.#entry.#connectionId = :new", {":new": new}
        if new == participant_id:  # it is on its first connection, which stands there as its id
            action, values = "REMOVE #listeners.#entry.#connectionId", {}
        condition, more = _is_on_connection(here, participant_id)
    change = store._update_session(
        participant.session_id,
        action,
        f"{_OPEN} AND {condition}",
        values | more,
        entry=participant.entry,
    )
    session = check_is_open(session_of(change.item), store.now_ms)
    now_here = _connection_of(session, participant)
    if now_here == new:  # also if an answer was lost, or another request of this connection did it
        return Reattached(participant, session, token, here if here != new else None)
    if now_here is None:  # taken out at this moment
        return _bring_back(store, participant, token, max_listeners)
    if change.is_doubtful:  # somebody may have moved it on from ours, which has left the one before
        raise MovedOnError(here)
    return None


def _bring_back(
    store: Store, participant: Participant, token: str, max_listeners: int
) -> Reattached:
    if participant.role == INTERPRETER:
        session, replaced = take_channel(store, participant)
        return Reattached(participant, session, token, is_back=True, replaced=replaced)
    joined = store._add_listener(participant, max_listeners)
    if joined is None:
        raise MovedOnError
    return Reattached(participant, joined, token, is_back=True)


def _replace_token(
    store: Store, participant: Participant, family: Family, token: str, heard: list[str]
) -> None:
    """Note that a token was used, and which one it brought."""
    new, digest = participant.connection_id, participant.token_hash
    for _ in range(_MAX_REPLACEMENTS):
        after = family.after(token, digest, new, heard, store.now_ms)
        change = store.connections.update(
            participant.participant_id,
            "SET #refreshTokenHash = :hash, #rotation = :rotation, #ttl = :ttl",
            "#refreshTokenHash = :seen AND attribute_not_exists(#tokensRevokedAt)",
            {
                ":hash": digest,
                ":rotation": rotation_item(after),
                ":ttl": store.now_ms // 1000 + KEEP_CONNECTION_SECONDS,
                ":seen": family.newest[0][0],
            },
            is_ours=lambda item: (digest, new) in family_of(item).newest,
        )
        if change.done:
            return
        if change.item is None:
            break
        family = family_of(change.item)
        if family.is_revoked:
            raise TokenReusedError([new])
        session = check_is_open(store.session(participant.session_id), store.now_ms)
        if _connection_of(session, participant) != new or not family.has(token):
            break
        if family.is_full(token, heard) and _revoke(store, participant.participant_id, family):
            raise TokenReusedError([new])
    raise MovedOnError


def _connection_of(session: Session, owner: Participant) -> str | None:
    if owner.role == SPEAKER:
        return session.speaker_connection_id
    if owner.role == INTERPRETER:
        interpreter = session.interpreters.get(owner.entry)
        is_theirs = interpreter is not None and interpreter.participant_id == owner.participant_id
        return interpreter.connection_id if interpreter is not None and is_theirs else None
    listener = session.listeners.get(owner.participant_id)
    return None if listener is None else listener.connection_id
