"""What housekeeping finds to do: for each connection and each session, by its age and its silence."""

from __future__ import annotations

import math
from datetime import datetime

from shared_utils.websocket_messages import (
    ConnectionRefreshMessage,
    ConnectionRefreshRequiredMessage,
    ConnectionTimeoutMessage,
    ConnectionWarningMessage,
)

from .settings import CONNECTION_MINUTES
from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from shared_utils.records import ServerMessage

    from .channels import Interpreter, Listener
    from .sessions import Participant, Session
    from .settings import BroadcastSettings

__all__ = [
    "DueTasks",
    "client_url",
    "due_tasks",
    "idle_seconds",
    "lost_listeners",
    "refresh_messages",
    "seconds_since",
    "silent_interpreters",
    "timeout_message",
    "warning_message",
    "why_over",
]

# A speaker who vanishes has so long to come back.
SPEAKER_GRACE_SECONDS = 60

_MINUTE_MS = 60_000


class DueTasks(Value):
    """What is due for a connection. An idle one is closed, and needs no warning."""

    close: bool = False
    warn: bool = False
    ask_to_refresh: bool = False

    def __bool__(self) -> bool:
        return self.close or self.warn or self.ask_to_refresh


def due_tasks(participant: Participant, now_ms: int, settings: BroadcastSettings) -> DueTasks:
    """Return what is due for a connection that is not marked as closed."""
    if idle_seconds(participant, now_ms) >= settings.idle_seconds:
        return DueTasks(close=True)
    minutes = (now_ms - participant.connected_at) / _MINUTE_MS
    return DueTasks(
        warn=participant.warned_at is None and minutes >= settings.warning_minutes,
        ask_to_refresh=participant.refresh_asked_at is None and minutes >= settings.refresh_minutes,
    )


def idle_seconds(participant: Participant, now_ms: int) -> float:
    """Return for how long a connection has sent neither a heartbeat nor a control message."""
    return max(now_ms - participant.last_activity_at, 0) / 1000


def why_over(session: Session, now_ms: int) -> str | None:
    """Return why a session that is not ended has to be, None if it may go on."""
    if session.ends_at <= now_ms:
        return "expired"
    gone = session.speaker_gone_at
    if gone is not None and now_ms - gone >= SPEAKER_GRACE_SECONDS * 1000:
        return "speakerDisconnected"
    return None


def lost_listeners(session: Session, open_ids: Collection[str]) -> list[tuple[str, Listener]]:
    """Return the listeners, by id, who are counted although their connection is not open, as far as is known."""
    return [
        (participant_id, listener)
        for participant_id, listener in session.listeners.items()
        if listener.connection_id not in open_ids
    ]


def silent_interpreters(session: Session, now_ms: int) -> list[tuple[str, Interpreter]]:
    """Return the interpreters, by language, who have given no sign for too long."""
    return [
        (language, interpreter)
        for language, interpreter in session.interpreters.items()
        if interpreter.is_silent(now_ms)
    ]


def _seconds_left(participant: Participant, now_ms: int) -> float:
    return max(participant.connected_at + CONNECTION_MINUTES * _MINUTE_MS - now_ms, 0) / 1000


def warning_message(participant: Participant, now_ms: int) -> ConnectionWarningMessage:
    """Return that a connection will end soon."""
    return ConnectionWarningMessage(remainingMinutes=int(_seconds_left(participant, now_ms) // 60))


def refresh_messages(participant: Participant, now_ms: int, url: str) -> list[ServerMessage]:
    """Return that a connection must be refreshed, and where the next one is opened."""
    session_id, seconds = participant.session_id, _seconds_left(participant, now_ms)
    return [
        ConnectionRefreshRequiredMessage(sessionId=session_id, expiresIn=seconds),
        ConnectionRefreshMessage(sessionId=session_id, newConnectionUrl=url, expiresIn=seconds),
    ]


def timeout_message(participant: Participant, now_ms: int) -> ConnectionTimeoutMessage:
    """Return that a connection was idle for too long."""
    return ConnectionTimeoutMessage(idleSeconds=idle_seconds(participant, now_ms))


def seconds_since(moment: object, now_ms: int) -> float:
    """Return how long ago an ISO 8601 time was; for what is none, it was long ago."""
    try:
        then = datetime.fromisoformat(moment) if isinstance(moment, str) else None
    except ValueError:
        then = None
    return math.inf if then is None else now_ms / 1000 - then.timestamp()


def client_url(endpoint: str) -> str:
    """Return the address that clients open, from the one that functions post to."""
    return "ws" + endpoint.removeprefix("http").removesuffix("/").removesuffix("/@connections")
