"""What is sent about a session: to its speaker, its interpreters and its listeners.

Each function returns messages, as values; nothing here sends them.
"""

from __future__ import annotations

from shared_utils.websocket_messages import (
    BroadcastControlMessage,
    CaptionMessage,
    ChannelChangedMessage,
    InterpreterReadyMessage,
    ListenerJoinedMessage,
    ListenerLeftMessage,
    SessionCreatedMessage,
    SessionJoinedMessage,
    SessionStatusMessage,
)

from .channels import channel_of
from .keys import SHORT_KEY, is_short
from .sessions import why_closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shared_utils.records import ServerMessage
    from shared_utils.websocket_messages import SendCaption

    from .channels import Listener
    from .sessions import Session

__all__ = [
    "arrival_messages",
    "caption_message",
    "channel_message",
    "control_message",
    "created_message",
    "departure_messages",
    "joined_message",
    "language_messages",
    "moved_listeners",
    "ready_message",
    "status_message",
]

_SHORT_KEY_WARNING = (
    f"The listener key has fewer than {SHORT_KEY} visible characters and may be guessed:"
    " take a longer one"
)

# Ours: the speaker hears of every listener; of the whole audience when it crosses a ten.
_NOTABLE_STEP = 10


def created_message(
    session: Session, token: str, interpreter_key: str, key: str | None = None
) -> SessionCreatedMessage:
    """Return what the speaker of a new session gets, with a warning if its listener key can be guessed."""
    is_weak = key is not None and is_short(key)
    return SessionCreatedMessage(
        sessionId=session.session_id,
        sourceLanguage=session.source_language,
        qualityTier=session.quality_tier,
        audioFormat=session.audio_format,
        expiresAt=session.ends_at,
        refreshToken=token,
        interpreterKey=interpreter_key,
        warning=_SHORT_KEY_WARNING if is_weak else None,
    )


def joined_message(session: Session, listener: Listener, token: str) -> SessionJoinedMessage:
    """Return what a new listener gets."""
    return SessionJoinedMessage(
        sessionId=session.session_id,
        sourceLanguage=session.source_language,
        targetLanguage=listener.language,
        audioFormat=session.audio_format,
        broadcastState=session.state,
        listenerCount=session.listener_count,
        refreshToken=token,
        channels=session.channels,
        hears=session.hears(listener),
    )


def ready_message(session: Session, language: str, token: str) -> InterpreterReadyMessage:
    """Return what a new interpreter gets."""
    return InterpreterReadyMessage(
        sessionId=session.session_id,
        language=language,
        sourceLanguage=session.source_language,
        audioFormat=session.audio_format,
        broadcastState=session.state,
        refreshToken=token,
    )


def channel_message(session: Session, listener: Listener) -> ChannelChangedMessage:
    """Return which channels there are, and which one a listener hears."""
    return ChannelChangedMessage(
        sessionId=session.session_id, channels=session.channels, hears=session.hears(listener)
    )


def moved_listeners(session: Session, language: str) -> list[tuple[list[str], Listener]]:
    """Return whom the channel of a language is for that has begun or ended, whether or not they hear it.

    In groups who hear the same, by their connections, each with one of its listeners.
    """
    there = session.interpreters.keys() | {language}
    groups: dict[str, tuple[list[str], Listener]] = {}
    for listener in session.listeners.values():
        if channel_of(listener.language, there, session.source_language) == language:
            names, _ = groups.setdefault(session.hears(listener), ([], listener))
            names.append(listener.connection_id)
    return [*groups.values()]


def caption_message(session_id: str, language: str, caption: SendCaption) -> CaptionMessage:
    """Return what the recipients of a caption get."""
    return CaptionMessage(
        sessionId=session_id,
        language=language,
        segmentId=caption.segmentId,
        text=caption.text,
        isFinal=caption.isFinal,
        startMs=caption.startMs,
        endMs=caption.endMs,
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
