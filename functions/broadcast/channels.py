"""Who hears what: the floor, which is the speaker, or a channel, one a language, which is its interpreter.

Nothing of it is stored. It follows from a session's interpreters and from what each listener has asked
for, so that a channel that begins or ends moves its listeners in the very update that does it.
"""

from __future__ import annotations

from shared_utils.websocket_messages import FLOOR

from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["MAX_INTERPRETERS", "SILENT_MS", "Interpreter", "Listener", "channel_of", "heard_by"]

# An interpreter who has given no sign (heartbeat, audio, caption) for so long may be replaced, and is
# taken out by housekeeping. Its client sends a heartbeat every three seconds.
SILENT_MS = 10_000
# Ours: each gets the floor, a post a chunk, and takes 200 bytes of the session's item.
MAX_INTERPRETERS = 50


class Listener(Value):
    """A listener and the connection; no audio is sent to a listener who has paused playback.

    `wants_original`: to hear the floor, whatever channels there are.
    """

    connection_id: str
    language: str
    is_paused: bool = False
    wants_original: bool = False
    wants_captions: bool = False


class Interpreter(Value):
    """The interpreter of a language, and when the last sign was noted, in ms since the epoch."""

    participant_id: str
    connection_id: str
    seen_at: int
    wants_captions: bool = False

    def is_silent(self, now_ms: int) -> bool:
        """Return whether there was no sign for so long that the channel may be taken."""
        return now_ms - self.seen_at >= SILENT_MS


def channel_of(language: str, channels: Collection[str], source_language: str) -> str:
    """Return the channel that is for a language: its own, else that of its language alone, else the floor.

    The session's own language is the floor's.
    """
    if language == source_language:
        return FLOOR
    for tag in (language, language.partition("-")[0]):
        if tag in channels and tag != source_language:
            return tag
    return FLOOR


def heard_by(listener: Listener, channels: Collection[str], source_language: str) -> str:
    """Return the channel that a listener hears, or the floor."""
    if listener.wants_original:
        return FLOOR
    return channel_of(listener.language, channels, source_language)
