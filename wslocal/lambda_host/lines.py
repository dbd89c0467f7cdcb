"""Log lines: those that a function writes, and those that Lambda writes about it.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .results import FunctionError, InvocationResult

__all__ = ["LEVELS", "LogLine", "finished", "init_failed", "passes", "started"]

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


@dataclass(frozen=True)
class LogLine:
    """One line, and where it belongs; `request_id` is empty outside of an invocation."""

    function: str
    log_group: str
    log_stream: str
    request_id: str
    timestamp_ms: int
    text: str

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The line as a JSON object, if it is one."""
        if not self.text.startswith("{"):
            return None
        try:
            document = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None


def passes(line: LogLine, level: str | None) -> bool:
    """Return whether Lambda's level filter for the JSON format lets a function's line through.

    A line that is not JSON, or names no level, counts as INFO.
    """
    if level not in LEVELS:
        return True
    own = (line.document or {}).get("level")
    return LEVELS.index(own if own in LEVELS else "INFO") >= LEVELS.index(level)


def started(log_format: str, request_id: str, version: str = "$LATEST") -> str:
    """Return the line that Lambda writes before a function gets an event."""
    if log_format == "Text":
        return f"START RequestId: {request_id} Version: {version}"
    return _platform("start", {"requestId": request_id, "version": version})


def init_failed(log_format: str, error: FunctionError, init_ms: float) -> str:
    """Return the line that Lambda writes when an init phase has failed, before it tries once more."""
    status = "timeout" if error.type == "Sandbox.Timedout" else "error"
    if log_format != "Text":
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "status": status,
            "errorType": error.type,
            "metrics": {"durationMs": round(init_ms, 3)},
        }
        return _platform("initReport", record)
    parts = [f"INIT_REPORT Init Duration: {init_ms:.2f} ms", "Phase: init", f"Status: {status}"]
    if status == "error":
        parts.append(f"Error Type: {error.type}")
    return "\t".join(parts)


def finished(log_format: str, result: InvocationResult, memory_mb: int) -> list[str]:
    """Return the lines that Lambda writes after it."""
    error = result.error
    status = {"Sandbox.Timedout": "timeout", "Runtime.ExitError": "error"}.get(
        error.type if error else "", "success"
    )
    billed = int(result.duration_ms) + 1
    if log_format != "Text":
        metrics = {
            "durationMs": round(result.duration_ms, 3),
            "billedDurationMs": billed,
            "memorySizeMB": memory_mb,
        }
        if result.max_memory_mb is not None:
            metrics["maxMemoryUsedMB"] = result.max_memory_mb
        if result.init_ms is not None:
            metrics["initDurationMs"] = round(result.init_ms, 3)
        record = {"requestId": result.request_id, "metrics": metrics, "status": status}
        if error and status != "success":
            record["errorType"] = error.type
        return [_platform("report", record)]
    parts = [
        f"REPORT RequestId: {result.request_id}",
        f"Duration: {result.duration_ms:.2f} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {memory_mb} MB",
    ]
    if result.max_memory_mb is not None:
        parts.append(f"Max Memory Used: {result.max_memory_mb} MB")
    if result.init_ms is not None:
        parts.append(f"Init Duration: {result.init_ms:.2f} ms")
    if error and status != "success":
        parts += [f"Status: {status}", f"Error Type: {error.type}"]
    messages = [] if error is None or status == "success" else [error.message]
    return [*messages, f"END RequestId: {result.request_id}", "\t".join(parts)]


def _platform(kind: str, record: dict[str, Any]) -> str:
    now = time.time()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return json.dumps(
        {
            "time": f"{moment}.{int(now % 1 * 1000):03}Z",
            "type": f"platform.{kind}",
            "record": record,
        }
    )
