"""What the demo saw, and what of it is not as it should be. Nothing here prints or waits."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .traffic import SPEAKER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.lambda_host import InvocationResult

    from .gateway import Post
    from .traffic import Message

__all__ = ["Exchange", "Record", "Statistics", "percentile"]

# The names that Lambda's log-level filter knows:
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
LEVELS = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

# What the function returns for a chunk that it takes, and the code for one too many.
TAKEN, TOO_FAST = {"statusCode": 200}, "RATE_LIMIT_AUDIO_CHUNKS"
# The layer refuses what cannot be a chunk before the function sees it: only these are drops.
REFUSED_BY_FUNCTION = {TOO_FAST, "AUDIO_INVALID_FORMAT"}
# Members of lines that only a refusal writes.
OF_REFUSALS = {"errorCode", "AudioChunksDropped", "RateLimitViolations", "MessageFailures"}


@dataclass(frozen=True, slots=True)
class Statistics:
    """What CloudWatch would show of one metric."""

    unit: str
    values: list[float]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message, what the function answered to it, and what it posted meanwhile."""

    message: Message
    result: InvocationResult
    posts: list[Post]

    @property
    def reply(self) -> dict[str, Any] | None:
        """The first thing that was posted, decoded; None for a chunk that was taken."""
        return json.loads(self.posts[0].body) if self.posts else None

    @property
    def code(self) -> str | None:
        """The error code of the reply, or what is wrong instead; None for a chunk taken."""
        if self.result.error is not None:
            return self.result.error.type
        if self.reply is not None:
            return str(self.reply.get("code"))
        return None if self.result.payload == TAKEN else "no reply"


@dataclass(slots=True)
class Record:
    """The exchanges, lines and metrics of all invocations, in order."""

    exchanges: list[Exchange] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    speech_bytes: int = 0  # logged while the recording was sent, its metrics' windows included
    refusal_bytes: int = 0  # logged by refusals, the windows that they ended elsewhere included
    problems: list[str] = field(default_factory=list)

    def add(self, message: Message, result: InvocationResult, posts: list[Post]) -> Exchange:
        """Keep one exchange, and note what is wrong with it."""
        exchange = Exchange(message, result, posts)
        self.exchanges.append(exchange)
        for line in result.stdout:
            self._add_line(line, exchange)
        for line in result.stderr:
            self.problems.append(f"stderr has {line[:80]!r}")
        self.problems += [f"{message.kind}: {problem}" for problem in _wrong_with(exchange)]
        return exchange

    def _add_line(self, line: str, exchange: Exchange) -> None:
        message, result = exchange.message, exchange.result
        try:
            parsed = json.loads(line, parse_constant=_refuse_constant)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict) or parsed.get("level") not in LEVELS:
            self.problems.append(f"not a log line: {line[:80]!r}")
            return
        self.lines.append(parsed)
        num_bytes = len(line.encode()) + 1
        if message.connection_id == SPEAKER and not OF_REFUSALS & parsed.keys():
            self.speech_bytes += num_bytes
        elif exchange.code is not None:
            self.refusal_bytes += num_bytes
        if parsed.get("requestId", result.request_id) != result.request_id:
            self.problems.append(f"a line carries another invocation's id: {line[:80]!r}")
        if message.audio_bytes and _some_audio(message) in line:
            self.problems.append("a line holds audio")

    def check_totals(self) -> None:
        """Note what does not add up over all messages."""
        codes = [exchange.code for exchange in self.exchanges]
        metrics = self.metrics()
        sums = {name: math.fsum(metric.values) for name, metric in metrics.items()}
        due = {
            "AudioChunksReceived": codes.count(None),
            "AudioChunkSize": sum(e.message.audio_bytes for e in self.taken()),
            "AudioChunksDropped": sum(code in REFUSED_BY_FUNCTION for code in codes),
            "RateLimitViolations": codes.count(TOO_FAST),
            "MessageFailures": len(codes) - codes.count(None),
            "ColdStarts": 1,
        }
        for name, total in due.items():
            if sums.get(name, 0) != total:
                self.problems.append(f"{name} adds up to {sums.get(name, 0):g}, due was {total}")
        timed = len(metrics["MessageLatency"].values) if "MessageLatency" in metrics else 0
        if timed != len(codes):
            self.problems.append(f"MessageLatency has {timed} values, due were {len(codes)}")
        cold = sum(exchange.result.init_ms is not None for exchange in self.exchanges)
        if cold != 1:
            self.problems.append(f"the function started {cold} times")

    def taken(self) -> list[Exchange]:
        """Return the exchanges whose chunk was taken."""
        return [exchange for exchange in self.exchanges if exchange.code is None]

    def refused(self) -> list[Exchange]:
        """Return the exchanges whose message was refused."""
        return [exchange for exchange in self.exchanges if exchange.code is not None]

    def metrics(self) -> dict[str, Statistics]:
        """Return each metric's values over all EMF lines, roll-ups and splits counted once."""
        values: dict[str, list[float]] = defaultdict(list)
        units: dict[str, str] = {}
        for line in self.lines:
            declared = [
                m for d in line.get("_aws", {}).get("CloudWatchMetrics", []) for m in d["Metrics"]
            ]
            for name, unit in {m["Name"]: m.get("Unit", "None") for m in declared}.items():
                found = line[name]
                values[name] += found if isinstance(found, list) else [found]
                units[name] = unit
        return {name: Statistics(units[name], values[name]) for name in sorted(values)}


def _wrong_with(exchange: Exchange) -> list[str]:
    """Return what is not as it should be about an answer and the reply posted before it."""
    message, result, reply = exchange.message, exchange.result, exchange.reply
    if result.error is not None:
        return [f"the function failed: {result.error.message}"]
    found = []
    due = {None, TOO_FAST} if message.kind == "flood" else {message.due}
    if exchange.code not in due:
        found.append(f"due was {message.due or 'taken'}, got {exchange.code or 'taken'}")
    if reply is not None and result.payload == TAKEN:
        found.append("a reply, and the status 200")
    if len(exchange.posts) > 1:
        found.append(f"{len(exchange.posts)} replies")
    if reply is not None and reply.get("requestId") != message.request_id:
        found.append(f"the reply has the requestId {reply.get('requestId')!r}")
    if {post.connection_id for post in exchange.posts} - {message.connection_id}:
        found.append("the reply went to another connection")
    return found


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _some_audio(message: Message) -> str:
    audio: str = json.loads(message.body)["audioData"]
    return audio[:64]


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
