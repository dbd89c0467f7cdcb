"""What stands in the tables: sessions and participants as items, and read back from them.

Numbers come back from DynamoDB as `Decimal`; what has no value is absent from an item.
"""

from __future__ import annotations

from shared_utils.websocket_messages import LISTENER, AudioFormat, BroadcastState

from .channels import Interpreter, Listener
from .sessions import Participant, Session, SessionSummary
from .tokens import Family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Item = dict[str, Any]

__all__ = [
    "KEEP_CONNECTION_SECONDS",
    "KEEP_SESSION_SECONDS",
    "SUMMARY_NAMES",
    "family_of",
    "interpreter_item",
    "listener_item",
    "participant_item",
    "participant_of",
    "rotation_item",
    "session_item",
    "session_of",
    "summary_of",
]

# What is kept of a connection outlives its two hours, so that its token can re-attach; a session's
# item outlives the session, so that a late participant gets the answer that it is over.
KEEP_CONNECTION_SECONDS = 3 * 3600
KEEP_SESSION_SECONDS = 3600

# What a summary is read from.
SUMMARY_NAMES = (
    *("status", "endsAt", "createdAt", "speakerConnectionId"),
    *("listenerKeyHash", "interpreterKeyHash"),
)


def participant_item(participant: Participant) -> Item:
    """Return the item of a participant's connection, open; a listener's is in the index."""
    moved = participant.participant_id != participant.connection_id
    item = {
        "connectionId": participant.connection_id,
        "participantId": participant.participant_id if moved else None,
        "sessionId": participant.session_id,
        "role": participant.role,
        "language": participant.language,
        "targetLanguage": participant.language if participant.role == LISTENER else None,
        "refreshTokenHash": participant.token_hash,
        "connectedAt": participant.connected_at,
        "lastActivityAt": participant.last_activity_at,
        "isUnused": participant.is_unused or None,
        "wantsOriginal": participant.wants_original or None,
        "wantsCaptions": participant.wants_captions or None,
        "ttl": participant.last_activity_at // 1000 + KEEP_CONNECTION_SECONDS,
    }
    return {name: value for name, value in item.items() if value is not None}


def participant_of(item: Item | None) -> Participant | None:
    """Return the participant in an item, None if there is no item."""
    if item is None:
        return None
    return Participant(
        connection_id=item["connectionId"],
        participant_id=item.get("participantId") or item["connectionId"],
        session_id=item["sessionId"],
        role=item["role"],
        token_hash=item["refreshTokenHash"],
        connected_at=int(item["connectedAt"]),
        last_activity_at=int(item["lastActivityAt"]),
        language=item.get("language"),
        disconnected_at=_time(item, "disconnectedAt"),
        warned_at=_time(item, "warnedAt"),
        refresh_asked_at=_time(item, "refreshAskedAt"),
        is_unused=item.get("isUnused", False),
        wants_original=item.get("wantsOriginal", False),
        wants_captions=item.get("wantsCaptions", False),
    )


def rotation_item(family: Family) -> Item:
    """Return what stands in the item that a participant's tokens name, from the first refresh on."""
    return {
        "newest": [{"tokenHash": digest, "connectionId": name} for digest, name in family.newest],
        "before": [*family.before],
        "at": family.rotated_at,
        "unheard": family.unheard,
        "stem": family.stem,
    }


def family_of(item: Item) -> Family:
    """Return the tokens of the participant whose first connection an item is of."""
    is_revoked = "tokensRevokedAt" in item
    rotation = item.get("rotation")
    if rotation is None:
        return Family(((item["refreshTokenHash"], item["connectionId"]),), is_revoked=is_revoked)
    return Family(
        tuple((given["tokenHash"], given["connectionId"]) for given in rotation["newest"]),
        tuple(rotation["before"]),
        int(rotation["at"]),
        is_revoked,
        int(rotation.get("unheard", len(rotation["newest"]))),
        rotation.get("stem", ""),
    )


def session_item(session: Session) -> Item:
    """Return the item of a new session, which has no listeners."""
    hashes = {
        "listenerKeyHash": session.listener_key_hash,
        "interpreterKeyHash": session.interpreter_key_hash,
    }
    return {
        **{name: value for name, value in hashes.items() if value is not None},
        "sessionId": session.session_id,
        "status": session.status,
        "sourceLanguage": session.source_language,
        "qualityTier": session.quality_tier,
        "audioFormat": session.audio_format.to_dict(),
        "partialResults": session.partial_results,
        "minStability": session.min_stability,
        "maxBufferTimeout": session.max_buffer_timeout,
        "speakerConnectionId": session.speaker_connection_id,
        "speakerTokenHash": session.speaker_token_hash,
        "createdAt": session.created_at,
        "endsAt": session.ends_at,
        "expiresAt": session.ends_at // 1000 + KEEP_SESSION_SECONDS,
        "listenerCount": 0,
        "listeners": {},
        "interpreters": {},
        "broadcastState": session.state.to_dict(),
    }


def session_of(item: Item | None) -> Session | None:
    """Return the session in an item, None if there is no item."""
    if item is None:
        return None
    return Session(
        session_id=item["sessionId"],
        speaker_connection_id=item["speakerConnectionId"],
        speaker_token_hash=item["speakerTokenHash"],
        source_language=item["sourceLanguage"],
        created_at=int(item["createdAt"]),
        ends_at=int(item["endsAt"]),
        state=BroadcastState(**item["broadcastState"]),
        audio_format=AudioFormat(**item["audioFormat"]),
        quality_tier=item["qualityTier"],
        partial_results=item["partialResults"],
        min_stability=float(item["minStability"]),
        max_buffer_timeout=float(item["maxBufferTimeout"]),
        status=item["status"],
        listener_count=int(item["listenerCount"]),
        listeners={name: _listener(name, entry) for name, entry in item["listeners"].items()},
        speaker_gone_at=_time(item, "speakerGoneAt"),
        listener_key_hash=item.get("listenerKeyHash"),
        speaker_id=item.get("speakerId"),
        speaker_moved_to=item.get("speakerMovedTo"),
        interpreters=_interpreters(item),
        interpreter_key_hash=item.get("interpreterKeyHash"),
        has_had_channels=item.get("hasHadChannels", False),
    )


def summary_of(item: Item | None) -> SessionSummary | None:
    """Return what a join must know of the session in an item, None if there is no item."""
    if item is None:
        return None
    return SessionSummary(
        status=item["status"],
        ends_at=int(item["endsAt"]),
        created_at=int(item["createdAt"]),
        speaker_connection_id=item["speakerConnectionId"],
        listener_key_hash=item.get("listenerKeyHash"),
        interpreter_key_hash=item.get("interpreterKeyHash"),
    )


def listener_item(participant: Participant) -> Item:
    """Return what stands in the session's item of a listener; the first connection is the entry's key."""
    is_first = participant.connection_id == participant.participant_id
    item = {
        "language": participant.language,
        "connectionId": None if is_first else participant.connection_id,
        "wantsOriginal": participant.wants_original or None,
        "wantsCaptions": participant.wants_captions or None,
    }
    return {name: value for name, value in item.items() if value is not None}


def _listener(participant_id: str, entry: Item) -> Listener:
    return Listener(
        entry.get("connectionId", participant_id),
        entry["language"],
        entry.get("isPaused", False),
        entry.get("wantsOriginal", False),
        entry.get("wantsCaptions", False),
    )


def interpreter_item(participant: Participant, now_ms: int) -> Item:
    """Return what stands in the session's item of an interpreter, whose language is the entry's key."""
    return {
        "participantId": participant.participant_id,
        "connectionId": participant.connection_id,
        "seenAt": now_ms,
        "wantsCaptions": participant.wants_captions,
    }


def _interpreters(item: Item) -> dict[str, Interpreter]:
    """Return a session's interpreters; one that began before there were any has no place for them."""
    return {
        language: Interpreter(
            entry["participantId"],
            entry["connectionId"],
            int(entry["seenAt"]),
            entry["wantsCaptions"],
        )
        for language, entry in item.get("interpreters", {}).items()
    }


def _time(item: Item, name: str) -> int | None:
    return int(item[name]) if name in item else None
