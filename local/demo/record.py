"""What the demo saw, and what of it is not as it should be. Nothing here prints or waits."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.lambda_host import InvocationResult

    from .traffic import Message

__all__ = ["Record", "Statistics", "percentile"]

# The names that Lambda's log-level filter knows:
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
LEVELS = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}


@dataclass(frozen=True, slots=True)
class Statistics:
    """What CloudWatch would show of one metric."""

    unit: str
    values: list[float]


@dataclass(slots=True)
class Record:
    """The answers, lines and metrics of all invocations, in order."""

    messages: list[Message] = field(default_factory=list)
    results: list[InvocationResult] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    log_bytes: list[int] = field(default_factory=list)  # for each message
    problems: list[str] = field(default_factory=list)

    def add(self, message: Message, result: InvocationResult) -> None:
        """Keep one exchange, and note what is wrong with it."""
        self.messages.append(message)
        self.results.append(result)
        self.log_bytes.append(sum(len(line.encode()) + 1 for line in result.stdout))
        for line in result.stdout:
            self._add_line(line, result, message)
        for line in result.stderr:
            self.problems.append(f"stderr has {line[:80]!r}")
        self._check_answer(message, result)

    def _add_line(self, line: str, result: InvocationResult, message: Message) -> None:
        try:
            parsed = json.loads(line, parse_constant=_refuse_constant)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict) or parsed.get("level") not in LEVELS:
            self.problems.append(f"not a log line: {line[:80]!r}")
            return
        self.lines.append(parsed)
        if parsed.get("requestId", result.request_id) != result.request_id:
            self.problems.append(f"a line carries another invocation's id: {line[:80]!r}")
        if message.audio_bytes and _some_audio(message) in line:
            self.problems.append("a line holds audio")

    def _check_answer(self, message: Message, result: InvocationResult) -> None:
        if result.error is not None:
            self.problems.append(f"{message.kind}: the function failed: {result.error.message}")
        elif message.kind != "flood" and code_of(result) != message.due:
            got, due = code_of(result) or "taken", message.due or "taken"
            self.problems.append(f"{message.kind}: due was {due}, got {got}")

    def check_totals(self) -> None:
        """Note what does not add up over all messages."""
        taken = [message for message, result in self.pairs() if code_of(result) is None]
        sums = {name: math.fsum(metric.values) for name, metric in self.metrics().items()}
        due = {
            "AudioChunksReceived": len(taken),
            "AudioChunkSize": sum(message.audio_bytes for message in taken),
            "AudioChunksDropped": len(self.messages) - len(taken),
            "ColdStarts": 1,
        }
        for name, total in due.items():
            if sums.get(name, 0) != total:
                self.problems.append(f"{name} adds up to {sums.get(name, 0):g}, due was {total}")
        cold = sum(result.init_ms is not None for result in self.results)
        if cold != 1:
            self.problems.append(f"the function started {cold} times")

    def pairs(self) -> list[tuple[Message, InvocationResult]]:
        """Return each message with its result."""
        return list(zip(self.messages, self.results, strict=True))

    def refused(self) -> list[tuple[Message, dict[str, Any]]]:
        """Return each message that was refused, with its error reply."""
        return [
            (message, json.loads(result.payload["body"]))
            for message, result in self.pairs()
            if code_of(result) is not None
        ]

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


def code_of(result: InvocationResult) -> str | None:
    """Return the error code of an answer, None for a chunk that was taken."""
    if result.error is not None:
        return result.error.type
    if result.payload == {"statusCode": 200}:
        return None
    return str(json.loads(result.payload["body"])["code"])


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _some_audio(message: Message) -> str:
    audio: str = json.loads(message.body)["audioData"]
    return audio[:64]


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
