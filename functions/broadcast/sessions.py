"""A session and its participants, as values, and the rules about them.

A participant's id is the id of the participant's first connection; the refresh token names it. After
a refresh the participant is on another connection and keeps the id.
"""

from __future__ import annotations

from functools import cached_property

from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.websocket_messages import (
    AudioFormat,
    BroadcastControlMessage,
    BroadcastState,
    ListenerJoinedMessage,
    ListenerLeftMessage,
    SessionCreatedMessage,
    SessionJoinedMessage,
    SessionStatusMessage,
)

from .keys import SHORT_KEY, is_key_of, is_short
from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from shared_utils.records import ServerMessage
    from shared_utils.websocket_messages import CreateSession

__all__ = [
    "ACTIVE",
    "ENDED",
    "Departure",
    "Listener",
    "Participant",
    "Reattached",
    "Session",
    "SessionSummary",
    "arrival_messages",
    "check_is_open",
    "check_may_join",
    "check_same_session",
    "control_message",
    "created_message",
    "departure_messages",
    "joined_message",
    "language_messages",
    "new_session",
    "status_message",
    "why_closed",
    "without",
]

ACTIVE, ENDED = "active", "ended"

_SHORT_KEY_WARNING = (
    f"The listener key has fewer than {SHORT_KEY} visible characters and may be guessed:"
    " take a longer one"
)

# Ours: the speaker hears of every listener; of the whole audience when it crosses a ten.
_NOTABLE_STEP = 10


class Listener(Value):
    """A listener and the connection; no audio is sent to a listener who has paused playback."""

    connection_id: str
    language: str
    is_paused: bool = False


class Session(Value):
    """A session; `listeners` by participant id, times in milliseconds since the epoch.

    `speaker_gone_at` is there while the speaker has no connection; `speaker_moved_to` is the speaker's
    connection from a refresh to the first chunk on it; `speaker_id` is there from the first refresh on.
    """

    session_id: str
    speaker_connection_id: str
    speaker_token_hash: str
    source_language: str
    created_at: int
    ends_at: int
    state: BroadcastState
    audio_format: AudioFormat
    quality_tier: str = "standard"
    partial_results: bool = True
    min_stability: float = 0.85
    max_buffer_timeout: float = 5.0
    status: str = ACTIVE
    listener_count: int = 0
    listeners: Mapping[str, Listener] = {}
    speaker_gone_at: int | None = None
    listener_key_hash: str | None = None
    speaker_id: str | None = None
    speaker_moved_to: str | None = None

    @cached_property
    def audience(self) -> list[str]:
        """The connections of all listeners."""
        return [listener.connection_id for listener in self.listeners.values()]

    @cached_property
    def audio_recipients(self) -> list[str]:
        """The connections of the listeners who want audio now."""
        return [
            listener.connection_id for listener in self.listeners.values() if not listener.is_paused
        ]

    @cached_property
    def languages(self) -> dict[str, int]:
        """How many listeners there are for each language."""
        counts: dict[str, int] = {}
        for listener in self.listeners.values():
            counts[listener.language] = counts.get(listener.language, 0) + 1
        return counts

    @property
    def drop_reason(self) -> str | None:
        """Why no audio is passed on, None if it is; volume is for the listeners to apply."""
        return "paused" if self.state.isPaused else "muted" if self.state.isMuted else None


class SessionSummary(Value):
    """What a join must know of a session before anything of it is shown or changed."""

    status: str
    ends_at: int
    created_at: int
    speaker_connection_id: str
    listener_key_hash: str | None


class Participant(Value):
    """A connection that has a session; times in milliseconds. `language` is a listener's.

    `is_unused`: nothing has come from it since a refresh, except audio.
    """

    connection_id: str
    participant_id: str
    session_id: str
    role: str
    token_hash: str
    connected_at: int
    last_activity_at: int
    language: str | None = None
    disconnected_at: int | None = None
    warned_at: int | None = None
    refresh_asked_at: int | None = None
    is_unused: bool = False


class Departure(Value):
    """A participant whose connection is gone; `session` is there if it has one listener less now."""

    participant: Participant
    session: Session | None = None


class Reattached(Value):
    """A participant on a new connection: the session after it, the next token, and the connection that was left.

    `is_back`: the listener had been removed and is counted again.
    """

    participant: Participant
    session: Session
    token: str
    left_connection_id: str | None = None
    is_back: bool = False


def new_session(
    wanted: CreateSession,
    speaker: Participant,
    now_ms: int,
    hours: float,
    listener_key_hash: str | None = None,
) -> Session:
    """Return the session that a speaker asked for, which lasts for so many hours."""
    return Session(
        session_id=speaker.session_id,
        speaker_connection_id=speaker.connection_id,
        speaker_token_hash=speaker.token_hash,
        source_language=wanted.sourceLanguage,
        created_at=now_ms,
        ends_at=now_ms + int(hours * 3_600_000),
        state=BroadcastState(isPaused=False, isMuted=False, volume=1.0),
        audio_format=wanted.audioFormat,
        quality_tier=wanted.qualityTier,
        partial_results=wanted.partialResults,
        min_stability=wanted.minStability,
        max_buffer_timeout=wanted.maxBufferTimeout,
        listener_key_hash=listener_key_hash,
    )


def without(session: Session, connection_ids: Collection[str]) -> Session:
    """Return a session without the listeners on these connections, as it will be soon."""
    listeners = {
        participant_id: listener
        for participant_id, listener in session.listeners.items()
        if listener.connection_id not in connection_ids
    }
    return session.replace(listeners=listeners)


# --- what is refused


def why_closed(session: Session | SessionSummary | None, now_ms: int) -> ErrorCode | None:
    """Return why nothing more happens in a session, None if it is open."""
    if session is None:
        return ErrorCode.SESSION_NOT_FOUND
    if session.status != ACTIVE:
        return ErrorCode.SESSION_INACTIVE
    return ErrorCode.SESSION_EXPIRED if session.ends_at <= now_ms else None


def check_is_open(session: Session | None, now_ms: int) -> Session:
    """Return an open session."""
    code = why_closed(session, now_ms)
    if session is None or code is not None:
        raise ApplicationError(code or ErrorCode.SESSION_NOT_FOUND)
    return session


def check_may_join(seen: SessionSummary | None, key: str | None, now_ms: int) -> SessionSummary:
    """Return an open session whose key this is, or that has none.

    Whoever does not say the key learns nothing, not even by the time that this takes: a session that
    is not there has a key that nobody knows.
    """
    key_hash = None if seen is None else seen.listener_key_hash
    is_free = seen is not None and key_hash is None
    if not is_free and not is_key_of(key, key_hash):
        raise ApplicationError(ErrorCode.SESSION_NOT_FOUND)
    code = why_closed(seen, now_ms)
    if seen is None or code is not None:
        raise ApplicationError(code or ErrorCode.SESSION_NOT_FOUND)
    return seen


def check_same_session(named: str | None, own: str) -> None:
    """Refuse a message that names another session than its sender's."""
    if named not in (None, own):
        message = "sessionId is not the session of this connection"
        raise ApplicationError(ErrorCode.AUTH_UNAUTHORIZED, message, {"field": "sessionId"})


# --- what is sent


def created_message(session: Session, token: str, key: str | None = None) -> SessionCreatedMessage:
    """Return what the speaker of a new session gets, with a warning if its key can be guessed."""
    is_weak = key is not None and is_short(key)
    return SessionCreatedMessage(
        sessionId=session.session_id,
        sourceLanguage=session.source_language,
        qualityTier=session.quality_tier,
        audioFormat=session.audio_format,
        expiresAt=session.ends_at,
        refreshToken=token,
        warning=_SHORT_KEY_WARNING if is_weak else None,
    )


def joined_message(session: Session, language: str, token: str) -> SessionJoinedMessage:
    """Return what a new listener gets."""
    return SessionJoinedMessage(
        sessionId=session.session_id,
        sourceLanguage=session.source_language,
        targetLanguage=language,
        audioFormat=session.audio_format,
        broadcastState=session.state,
        listenerCount=session.listener_count,
        refreshToken=token,
    )


def control_message(session: Session) -> BroadcastControlMessage:
    """Return the broadcast's state as it is."""
    return BroadcastControlMessage(sessionId=session.session_id, **session.state.to_dict())


def status_message(session: Session, reason: str, now_ms: int) -> SessionStatusMessage:
    """Return who listens and how the broadcast is, and why this is sent."""
    return SessionStatusMessage(
        sessionId=session.session_id,
        isActive=why_closed(session, now_ms) is None,
        listenerCount=session.listener_count,
        languageDistribution=session.languages,
        sessionDuration=max(now_ms - session.created_at, 0) / 1000,
        broadcastState=session.state,
        updateReason=reason,
    )


def arrival_messages(session: Session, language: str, now_ms: int) -> list[ServerMessage]:
    """Return what the speaker gets when a listener has joined."""
    joined = ListenerJoinedMessage(
        sessionId=session.session_id,
        listenerCount=session.listener_count,
        targetLanguage=language,
    )
    if session.languages.get(language) == 1:
        return [joined, status_message(session, "newLanguage", now_ms)]
    return [joined, *_count_messages(session, session.listener_count - 1, now_ms)]


def departure_messages(session: Session, language: str, now_ms: int) -> list[ServerMessage]:
    """Return what the speaker gets when a listener has left; nothing once the session is over."""
    if why_closed(session, now_ms):
        return []
    left = ListenerLeftMessage(
        sessionId=session.session_id,
        listenerCount=session.listener_count,
        targetLanguage=language,
    )
    return [left, *_count_messages(session, session.listener_count + 1, now_ms)]


def language_messages(
    session: Session, before: str | None, language: str, now_ms: int
) -> list[ServerMessage]:
    """Return what the speaker gets when a listener has changed from one language to another."""
    if before == language or session.languages.get(language) != 1:
        return []
    return [status_message(session, "newLanguage", now_ms)]


def _count_messages(session: Session, before: int, now_ms: int) -> list[ServerMessage]:
    if before // _NOTABLE_STEP == session.listener_count // _NOTABLE_STEP:
        return []
    return [status_message(session, "listenerCountChange", now_ms)]
