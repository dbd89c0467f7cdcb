"""What belongs to the invocation that runs: fields of its lines, debug lines that wait, a cold start.

A scope is never changed, only followed by another one: threads and tasks see their own.
"""

from __future__ import annotations

import os
import time
from _contextvars import ContextVar  # `contextvars` only re-exports it, at twice the cost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Scope:
    """The fields that every line carries at the moment, and the invocation's buffer if it has one.

    `outer` is what is back when it ends; `start_ns` says when it began, by the performance counter.
    """

    __slots__ = ("buffer", "fields", "outer", "start_ns")

    def __init__(
        self,
        fields: dict[str, object],
        buffer: DebugBuffer | None = None,
        outer: Scope | None = None,
        start_ns: int = 0,
    ) -> None:
        self.fields = fields
        self.buffer = buffer
        self.outer = outer
        self.start_ns = start_ns


class DebugBuffer:
    """Rendered debug lines of one invocation; the oldest make room when `limit` bytes are full."""

    __slots__ = ("bytes", "dropped", "limit", "lines")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.dropped = 0
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        self.lines.append(line)
        self.bytes += len(line)
        while self.lines and self.bytes > self.limit:
            self.bytes -= len(self.lines.pop(0))
            self.dropped += 1

    def take(self) -> tuple[list[str], int]:
        """Return the lines and how many were dropped, and forget both."""
        lines, dropped = self.lines, self.dropped
        self.lines, self.bytes, self.dropped = [], 0, 0
        return lines, dropped


scope: ContextVar[Scope] = ContextVar("shared_utils.scope", default=Scope({}))
# How much of each invocation's debug lines is kept, in bytes.
buffer_bytes = 0

# An environment's first invocation is a cold start until it ends; it is counted once.
_COLD, _COUNTED, _WARM = "cold", "counted", "warm"
_started_warm = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency"
_start = _WARM if _started_warm else _COLD

# Where `os.environ.get` looks, which takes twenty times as long to find nothing.
_environ: Any = getattr(os.environ, "_data", None) or os.environb


def is_cold_start() -> bool:
    """Return whether this environment's first invocation has not ended yet."""
    return _start != _WARM


def count_cold_start() -> bool:
    """Return True once, in an environment's first invocation: who asks counts it."""
    global _start
    if _start != _COLD:
        return False
    _start = _COUNTED
    return True


def bind(fields: dict[str, object]) -> None:
    """Put fields on the following lines of this scope; `None` takes one off."""
    now = scope.get()
    scope.set(Scope({**now.fields, **fields}, now.buffer, now.outer, now.start_ns))


def enter_block(fields: dict[str, object]) -> None:
    """Put fields on the lines that follow until `leave_block`."""
    now = scope.get()
    scope.set(Scope({**now.fields, **fields}, now.buffer, now, time.perf_counter_ns()))


def leave_block() -> None:
    """Put back what was before the block: nothing is kept in it, so a block may be entered twice."""
    outer = scope.get().outer
    if outer is not None:
        scope.set(outer)


def begin(fields: dict[str, object]) -> Scope:
    """Start a scope with `fields` and nothing of an earlier invocation; return the one before it."""
    before = scope.get()
    fields["coldStart"] = is_cold_start()
    if kept := _environ.get(b"_X_AMZN_TRACE_ID"):
        trace = kept.decode(errors="replace")
        fields["traceId"] = trace.partition("Root=")[2].partition(";")[0] or trace
    scope.set(Scope(fields, DebugBuffer(buffer_bytes) if buffer_bytes else None, before))
    return before


def end(before: Scope | None) -> None:
    """Put back the scope that `begin` returned."""
    global _start
    _start = _WARM
    if before is not None:
        scope.set(before)


def ids_of(event: Any, context: Any) -> dict[str, object]:
    """Return the ids of a Lambda call: Lambda's, the connection's, and what the client calls it."""
    fields: dict[str, object] = {}
    try:
        # A durable function gets Lambda's context inside of its own.
        context = getattr(context, "lambda_context", context)
        fields["requestId"] = getattr(context, "aws_request_id", None)
        if isinstance(event, dict) and isinstance(request := event.get("requestContext"), dict):
            fields["connectionId"] = request.get("connectionId")
            fields["correlationId"] = _client_id(event.get("body")) or request.get("requestId")
    except (Exception, SystemExit):  # an event of any shape: what could be read is bound
        pass
    return fields


def _client_id(body: object) -> object:
    if not isinstance(body, str) or len(body) > 4096 or '"requestId"' not in body:
        return None
    import json

    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = message.get("requestId") if isinstance(message, dict) else None
    return found if isinstance(found, str) else None
