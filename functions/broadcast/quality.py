"""Whether audio can be understood: what a chunk sounds like, and when to say so.

Clipping and silence are found, from the high byte of each sample. Echo and noise are not: to tell
them from speech takes longer than a chunk may take here.
"""

from __future__ import annotations

import time

from shared_utils.validators import assess_pcm16_quality
from shared_utils.websocket_messages import AudioQualityWarningMessage

from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QualityWatch", "Sound", "SpeakerHistory", "assess", "follow"]

# Ours. A pause in speech is no silence, and one loud sound no clipping.
_CLIPPED_CHUNKS, _CLIPPED_SECONDS = 3, 5.0
_SILENT_CHUNKS, _SILENT_SECONDS = 20, 5.0
_CRITICAL_SHARE, _CRITICAL_SILENCE_SECONDS = 0.1, 30.0
# What was said is not said again at once.
_SECONDS_BETWEEN_WARNINGS = 10.0

_MAX_SPEAKERS = 1000

# The codes of G.711 mu-law for what is from -256 to 255 in 16 bits, and those furthest from zero.
# https://www.itu.int/rec/T-REC-G.711
_MULAW_QUIET = bytes(code for code in range(256) if code & 0x7F >= 0x68)
_MULAW_FULL_SCALE = b"\x00\x80"

# By type: what is said, and what helps.
_ADVICE = {
    "clipping": ("The audio is cut off at full scale", "Lower the microphone's gain"),
    "silence": ("Nothing can be heard", "Check that the microphone is on and is the right one"),
}


class Sound(Value):
    """What one chunk sounds like; `full_scale_share` of its samples are at full scale."""

    is_silent: bool
    is_clipping: bool
    full_scale_share: float


class SpeakerHistory(Value):
    """What was heard of a speaker lately; times in seconds of any clock."""

    silent_chunks: int = 0
    silent_since: float = 0.0
    clipped_chunks: int = 0
    clipped_since: float = 0.0
    warned_of: tuple[tuple[str, float], ...] = ()


def assess(audio: bytes, encoding: str) -> Sound:
    """Return what raw audio of any number of channels sounds like."""
    if encoding == "pcm_s16le":
        found = assess_pcm16_quality(audio)
        share = found.full_scale_samples / found.samples
        return Sound(found.is_silent, found.is_clipping, share)
    is_silent = not audio.translate(None, _MULAW_QUIET)
    share = sum(map(audio.count, _MULAW_FULL_SCALE)) / len(audio)
    return Sound(is_silent, share >= 0.01, share)


def follow(
    history: SpeakerHistory, sound: Sound, now: float
) -> tuple[SpeakerHistory, tuple[str, str] | None]:
    """Return what was heard by now, and the type and severity of a warning if one is due."""
    history = _with_silence(history, sound, now)
    history = _with_clipping(history, sound, now)
    silent_seconds = now - history.silent_since
    due = None
    if history.clipped_chunks >= _CLIPPED_CHUNKS:
        critical = sound.full_scale_share >= _CRITICAL_SHARE
        due = ("clipping", "critical" if critical else "warning")
    elif history.silent_chunks >= _SILENT_CHUNKS and silent_seconds >= _SILENT_SECONDS:
        critical = silent_seconds >= _CRITICAL_SILENCE_SECONDS
        due = ("silence", "critical" if critical else "warning")
    if due is None or now - dict(history.warned_of).get(due[0], -1e9) < _SECONDS_BETWEEN_WARNINGS:
        return history, None
    warned_of = {**dict(history.warned_of), due[0]: now}
    return history.replace(clipped_chunks=0, warned_of=tuple(warned_of.items())), due


def _with_silence(history: SpeakerHistory, sound: Sound, now: float) -> SpeakerHistory:
    if not sound.is_silent:
        return history.replace(silent_chunks=0) if history.silent_chunks else history
    since = history.silent_since if history.silent_chunks else now
    return history.replace(silent_chunks=history.silent_chunks + 1, silent_since=since)


def _with_clipping(history: SpeakerHistory, sound: Sound, now: float) -> SpeakerHistory:
    if not sound.is_clipping:
        return history
    if history.clipped_chunks and now - history.clipped_since < _CLIPPED_SECONDS:
        return history.replace(clipped_chunks=history.clipped_chunks + 1)
    return history.replace(clipped_chunks=1, clipped_since=now)


class QualityWatch:
    """Follows each speaker, in this environment's memory; another environment hears other chunks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._histories: dict[str, SpeakerHistory] = {}

    def warning(
        self, speaker: str, session_id: str, audio: bytes, encoding: str
    ) -> AudioQualityWarningMessage | None:
        """Listen to a chunk, and return what its speaker should be told, if anything."""
        history, due = follow(
            self._histories.pop(speaker, SpeakerHistory()), assess(audio, encoding), self._clock()
        )
        self._histories[speaker] = history
        if len(self._histories) > _MAX_SPEAKERS:
            self._histories.pop(next(iter(self._histories)), None)
        if due is None:
            return None
        kind, severity = due
        message, recommendation = _ADVICE[kind]
        return AudioQualityWarningMessage(
            sessionId=session_id,
            warningType=kind,
            severity=severity,
            message=message,
            recommendation=recommendation,
        )
