"""What the demo saw, and what of it is not as it should be. Nothing here prints or waits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.client import FLOOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.captions import Cue
    from local.talk import Heard

    from .broken import Broken

__all__ = ["DemoResult", "ListenerResult", "Voice", "percentile"]


@dataclass(frozen=True, slots=True)
class Voice:
    """What is sent on the floor, or into a channel."""

    channel: str
    chunks: list[bytes]
    cues: list[Cue]


@dataclass(frozen=True, slots=True)
class ListenerResult:
    """What a listener heard, in which language, what it was to hear, and what else came."""

    language: str
    voice: Voice
    heard: Heard
    captions: list[str] | None  # their texts; None if it asked for none
    messages: list[str]  # the types of what came beside audio and captions

    @property
    def captions_due(self) -> list[str]:
        """The texts of what it asked for."""
        return [] if self.captions is None else [cue.text for cue in self.voice.cues]

    @property
    def is_exact(self) -> bool:
        """Whether it heard every byte, and none of another voice."""
        return self.heard.recording.pcm == b"".join(self.voice.chunks)


@dataclass(slots=True)
class DemoResult:
    """Everything that the summary shows."""

    session: str = ""
    voices: list[Voice] = field(default_factory=list)
    listeners: list[ListenerResult] = field(default_factory=list)
    num_interpreters: int = 0
    refusals: list[tuple[Broken, str, str]] = field(default_factory=list)  # code and sentence
    flood_sent: int = 0
    flood_refused: int = 0
    flood_allowed: float = math.inf  # as many as the limit lets through
    # The session's lines, each with its function.
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    functions: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)  # sums
    problems: list[str] = field(default_factory=list)
    is_complete: bool = False  # and checked

    def check(self) -> None:
        """Note what is not as it should be."""
        self.is_complete = True
        for listener in self.listeners:
            self.problems += _wrong_with(listener)
        for voice in self.voices:
            if not self.listeners_of(voice):
                self.problems.append(f"nobody heard {voice.channel}")
        for broken, code, _ in self.refusals:
            if code != broken.due:
                self.problems.append(f"{broken.kind}: due was {broken.due}, got {code}")
        passed = self.flood_sent - self.flood_refused
        if passed > self.flood_allowed:
            allowed = f"{self.flood_allowed:.0f} may"
            self.problems.append(f"{passed} requests at once got through, {allowed}")
        for function in self.functions:
            bad = {name: function[name] for name in ("errors", "timeouts", "crashes")}
            if any(bad.values()):
                self.problems.append(f"{function['name']}: {bad}")
        if not self.lines:
            self.problems.append("CloudWatch Logs have no line with the session's id")
        # Not a count of chunks: environments keep those for ten seconds, or a hundred of them. What is counted
        # is that a channel began, for who hears it, and the session's end, for everyone but the speaker.
        num_channel = sum(listener.voice.channel != FLOOR for listener in self.listeners)
        due = num_channel + len(self.listeners) + self.num_interpreters
        counted = self.metrics.get("ListenersNotified", 0)
        if counted != due:
            self.problems.append(f"ListenersNotified adds up to {counted:g}, due was {due}")

    def latencies_ms(self, listener: ListenerResult) -> dict[str, list[float]]:
        """Return how long each chunk was under way, those apart that met a cold start.

        That is: an environment of the function that has the chunks was started meanwhile, for want of another.
        """
        starts = [
            start
            for function in self.functions
            if function["name"].endswith("-audio")
            for start in function["starts"]
        ]
        found: dict[str, list[float]] = {"warm": [], "cold": []}
        for chunk in listener.heard.chunks:
            is_cold = any(
                begun <= chunk.heard_at and chunk.spoken_at <= ready for begun, ready in starts
            )
            found["cold" if is_cold else "warm"].append(chunk.heard_at - chunk.spoken_at)
        return found

    def listeners_of(self, voice: Voice) -> list[ListenerResult]:
        """Return those who were to hear it."""
        return [listener for listener in self.listeners if listener.voice is voice]


def _wrong_with(listener: ListenerResult) -> list[str]:
    numbers = [chunk.number for chunk in listener.heard.chunks]
    chunks_sent = len(listener.voice.chunks)
    found = []
    if numbers != list(range(chunks_sent)):
        found.append(f"heard {len(numbers)} of {chunks_sent} chunks, or not in their order")
    elif not listener.is_exact:
        found.append("heard something else than was said")
    if sorted(listener.captions or []) != sorted(listener.captions_due):
        numbers_read = f"{len(listener.captions or [])} of {len(listener.captions_due)}"
        found.append(f"had {numbers_read} captions, or others")
    if "caption" in listener.messages:
        found.append("had more captions than were due")
    if "sessionEnded" not in listener.messages:
        found.append("was not told that the session ended")
    return [f"the listener in {listener.language} {problem}" for problem in found]


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
