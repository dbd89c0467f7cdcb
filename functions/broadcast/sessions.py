"""A session and its participants, as values, and the rules about them.

A participant's id is the id of the participant's first connection; the refresh token names it. After
a refresh the participant is on another connection and keeps the id.
"""

from __future__ import annotations

from functools import cached_property

from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.websocket_messages import (
    FLOOR,
    INTERPRETER,
    AudioFormat,
    BroadcastState,
)

from .channels import Interpreter, Listener, channel_of, heard_by
from .keys import is_key_of
from .tokens import is_token_of
from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from shared_utils.websocket_messages import CreateSession

__all__ = [
    "ACTIVE",
    "ENDED",
    "Departure",
    "Participant",
    "Reattached",
    "Session",
    "SessionSummary",
    "check_is_open",
    "check_may_interpret",
    "check_may_join",
    "check_same_session",
    "new_session",
    "why_closed",
    "without",
]

ACTIVE, ENDED = "active", "ended"


class Session(Value):
    """A session; `listeners` by participant id, `interpreters` by language, times in ms since the epoch.

    `speaker_gone_at` is there while the speaker has no connection; `speaker_moved_to` is the speaker's
    connection from a refresh to the first chunk on it; `speaker_id` is there from the first refresh on.
    The interpreter of the session's own language is the captioner of the floor, and has no channel.
    `removals` has when the speaker ended the channel of a language last.
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
    interpreters: Mapping[str, Interpreter] = {}
    interpreter_key_hash: str | None = None
    has_had_channels: bool = False
    removals: Mapping[str, int] = {}

    @cached_property
    def audience(self) -> list[str]:
        """The connections of all listeners."""
        return [listener.connection_id for listener in self.listeners.values()]

    @property
    def interpreter_connections(self) -> list[str]:
        """The connections of all interpreters."""
        return [interpreter.connection_id for interpreter in self.interpreters.values()]

    @cached_property
    def channels(self) -> list[str]:
        """The languages that are interpreted now."""
        return sorted(self.interpreters.keys() - {self.source_language})

    def recipients(self, channel: str) -> list[str]:
        """Return the connections that get the audio of a channel now, or that of the floor."""
        return self._recipients.get(channel, [])

    @cached_property
    def _recipients(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {FLOOR: self.interpreter_connections}
        for listener in self.listeners.values():
            if not listener.is_paused:
                channel = heard_by(listener, self.interpreters, self.source_language)
                found.setdefault(channel, []).append(listener.connection_id)
        return found

    def caption_recipients(self, channel: str) -> list[str]:
        """Return the connections that get the captions of a channel, or those of the floor."""
        return self._caption_recipients.get(channel, [])

    @cached_property
    def _caption_recipients(self) -> dict[str, list[str]]:
        wanted = [one.connection_id for one in self.interpreters.values() if one.wants_captions]
        found: dict[str, list[str]] = {FLOOR: wanted}
        for listener in self.listeners.values():
            if listener.wants_captions:
                channel = channel_of(listener.language, self.interpreters, self.source_language)
                found.setdefault(channel, []).append(listener.connection_id)
        return found

    def language_on(self, connection_id: str) -> str | None:
        """Return the language in which this connection may be heard or read, None for nobody's."""
        if connection_id == self.speaker_connection_id:
            return self.source_language
        for language, interpreter in self.interpreters.items():
            if interpreter.connection_id == connection_id:
                return language
        return None

    def hears(self, listener: Listener) -> str:
        """Return the channel that a listener hears now, or the floor."""
        return heard_by(listener, self.interpreters, self.source_language)

    @cached_property
    def languages(self) -> dict[str, int]:
        """How many listeners there are for each language."""
        counts: dict[str, int] = {}
        for listener in self.listeners.values():
            counts[listener.language] = counts.get(listener.language, 0) + 1
        return counts

    def has_removed(self, interpreter: Participant) -> bool:
        """Return whether the speaker has ended an interpreter's channel since the interpreter joined."""
        removed_at = self.removals.get(interpreter.entry)
        return removed_at is not None and (interpreter.joined_at or 0) <= removed_at

    def drop_reason(self, channel: str) -> str | None:
        """Return why no audio of a channel is passed on, None if it is; volume is for the listeners to apply.

        A pause is everybody's. A mute is the speaker's: an interpreter says the sentence to its end.
        """
        if self.state.isPaused:
            return "paused"
        return "muted" if self.state.isMuted and channel == FLOOR else None


class SessionSummary(Value):
    """What a join must know of a session before anything of it is shown or changed."""

    status: str
    ends_at: int
    created_at: int
    speaker_connection_id: str
    listener_key_hash: str | None
    interpreter_key_hash: str | None


class Participant(Value):
    """A connection that has a session; times in milliseconds. `language` is a listener's or an interpreter's.

    `is_unused`: nothing has come from it since a refresh, except audio. `joined_at` is an interpreter's.
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
    joined_at: int | None = None
    wants_original: bool = False
    wants_captions: bool = False

    @property
    def entry(self) -> str:
        """The key of what the session's item has of it: an interpreter's language, else its own id."""
        return (self.language or "") if self.role == INTERPRETER else self.participant_id

    @property
    def listener(self) -> Listener:
        """What is stored of it as a listener."""
        return Listener(
            self.connection_id,
            self.language or "",
            wants_original=self.wants_original,
            wants_captions=self.wants_captions,
        )


class Departure(Value):
    """A participant whose connection is gone; `session` is there if it has one listener or interpreter less now."""

    participant: Participant
    session: Session | None = None


class Reattached(Value):
    """A participant on a new connection: the session after it, the next token, and the connection that was left.

    `is_back`: the listener or interpreter had been removed and is there again, in the place of the
    interpreter `replaced`, if any.
    """

    participant: Participant
    session: Session
    token: str
    left_connection_id: str | None = None
    is_back: bool = False
    replaced: Interpreter | None = None


def new_session(
    wanted: CreateSession,
    speaker: Participant,
    now_ms: int,
    hours: float,
    listener_key_hash: str | None = None,
    interpreter_key_hash: str | None = None,
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
        interpreter_key_hash=interpreter_key_hash,
    )


def without(session: Session, connection_ids: Collection[str]) -> Session:
    """Return a session without the listeners on these connections, as it will be soon.

    An interpreter stays: one who has just moved to another connection keeps the channel.
    """
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


def check_may_interpret(
    seen: SessionSummary | None, key: str | None, now_ms: int
) -> SessionSummary:
    """Return an open session whose interpreter key this is.

    The key is random, so that a fast hash is enough; else as `check_may_join`.
    """
    key_hash = None if seen is None else seen.interpreter_key_hash
    is_right = is_token_of(key or "", key_hash or "")
    code = why_closed(seen, now_ms) if is_right else ErrorCode.SESSION_NOT_FOUND
    if seen is None or code is not None:
        raise ApplicationError(code or ErrorCode.SESSION_NOT_FOUND)
    return seen


def check_same_session(named: str | None, own: str) -> None:
    """Refuse a message that names another session than its sender's."""
    if named not in (None, own):
        message = "sessionId is not the session of this connection"
        raise ApplicationError(ErrorCode.AUTH_UNAUTHORIZED, message, {"field": "sessionId"})
