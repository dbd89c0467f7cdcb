"""Structured logs: one JSON line a call, on stdout, with the ids of the invocation on it.

A log call never raises, whatever it is given, and writes exactly one line of bounded
size without tokens, audio or transcripts. Which level is written is decided once, when
the module is loaded; a disabled level is a method that does nothing.
"""

from __future__ import annotations

import linecache
import logging
import os
import sys
import time
from _contextvars import ContextVar  # `contextvars` only re-exports it, at twice the cost
from functools import partial
from itertools import count
from operator import itemgetter

from . import _wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import CodeType
    from typing import Any, Protocol, Self

    _Scope = tuple[dict[str, object], "_DebugBuffer | None"]

    class _LevelMethod(Protocol):
        def __call__(
            self, /, message: object = "", operation: object = None, *args: object, **fields: object
        ) -> None: ...

    class _ErrorMethod(Protocol):
        def __call__(
            self,
            /,
            message: object = "",
            operation: object = None,
            error: object = None,
            *args: object,
            **fields: object,
        ) -> None: ...


__all__ = [
    "LoggingContext",
    "StructuredLogger",
    "bind_context",
    "configure_lambda_logging",
    "get_structured_logger",
    "invocation",
    "logging_context",
]

# The names that Lambda's log-level filter knows:
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
_LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}
_LEVEL_ALIASES = {"WARNING": "WARN", "CRITICAL": "FATAL"}

# What stands at the top of a line, in either spelling.
_TOP_LEVEL = {
    name: wire_name
    for wire_name, names in {
        "sessionId": ("sessionId", "session_id"),
        "connectionId": ("connectionId", "connection_id"),
        "requestId": ("requestId", "request_id"),
        "correlationId": ("correlationId", "correlation_id"),
        "operation": ("operation",),
        "errorCode": ("errorCode", "error_code"),
        "durationMs": ("durationMs", "duration_ms"),
        "traceId": ("traceId",),
        "coldStart": ("coldStart",),
        "samplingRate": ("samplingRate",),
    }.items()
    for name in names
}

_clock = time.time_ns
_join, _quote, _text_of, _timestamp = "".join, _wire.quote, _wire.TEXT_OF, _wire.timestamp
_looks_secret, _SHORT, _MAX_LINE = _wire.looks_secret, _wire.SHORT_CHARS, _wire.MAX_LINE_BYTES
_write = _wire.write

# Raised where text cannot simply be joined: a value, or how names meet, needs a look.
_Look = LookupError

# Messages as JSON text: a program has few, and says them often.
_quoted: dict[str, str] = {}


# --- context -----------------------------------------------------------------------------------


# What every line carries at the moment, and the debug lines that wait. A scope is never changed,
# only followed by another.
_scope: ContextVar[_Scope] = ContextVar("shared_utils.scope", default=({}, None))
_cold = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "provisioned-concurrency"
# Where `os.environ.get` looks, which takes twenty times as long to find nothing.
_environ: Any = getattr(os.environ, "_data", None) or os.environb


def bind_context(**fields: object) -> None:
    """Put fields on every following line of this invocation (or thread); `None` takes one off."""
    before, buffer = _scope.get()
    _scope.set(({**before, **fields}, buffer))


class logging_context:  # noqa: N801 - used like a function
    """Put fields on the lines of a block; what was there before is back after it."""

    __slots__ = ("_before", "_fields")

    def __init__(self, /, **fields: object) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._before = _scope.get()
        bind_context(**self._fields)

    def __exit__(self, *_: object) -> None:
        _scope.set(self._before)


def begin_invocation(fields: dict[str, object]) -> _Scope:
    """Start a scope with `fields` and nothing of an earlier invocation; return the one before it."""
    global _cold
    before = _scope.get()
    fields["coldStart"] = _cold
    _cold = False
    if kept := _environ.get(b"_X_AMZN_TRACE_ID"):
        trace = kept.decode(errors="replace")
        fields["traceId"] = trace.partition("Root=")[2].partition(";")[0] or trace
    _scope.set((fields, _DebugBuffer(_buffer_bytes) if _buffer_bytes else None))
    return before


def end_invocation(before: _Scope, failed: bool = False) -> None:
    """Clear what `begin_invocation` started; a failed one writes its buffered debug lines."""
    if failed:
        _flush_buffer()
    _scope.set(before)


class _Invocation:
    __slots__ = ("_before", "_fields")

    def __init__(self, event: object, context: object = None, /, *_: object, **__: object) -> None:
        self._fields = _ids_of(event, context)

    def __enter__(self) -> None:
        self._before = begin_invocation(self._fields)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        end_invocation(self._before, failed=kind is not None)


def invocation(event: Any, context: Any = None) -> Any:
    """Bind the ids of one Lambda call and clear them after it; a decorator or a context manager.

    `@invocation` on a handler, or `with invocation(event, context):`. `requestId` is Lambda's,
    `correlationId` the client's `requestId`, else API Gateway's. A Lambda entry is a `def`, or a
    `WebSocketHandler`; what wraps an `async def` is one, too, for who awaits it: Mangum, a test.
    """
    if not callable(event):
        return _Invocation(event, context)
    from . import _functions

    return _functions.wrap(event, _Invocation, "@invocation")


def _ids_of(event: Any, context: Any) -> dict[str, object]:
    fields: dict[str, object] = {}
    try:
        fields["requestId"] = getattr(context, "aws_request_id", None)
        request = event.get("requestContext") if isinstance(event, dict) else None
        if isinstance(request, dict):
            fields["connectionId"] = request.get("connectionId")
            fields["correlationId"] = _client_id(event.get("body")) or request.get("requestId")
    except Exception:  # an event of any shape: what could be read is bound
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


# --- debug lines that wait for an error ----------------------------------------------------------


class _DebugBuffer:
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


_buffer_bytes = 0


def _flush_buffer() -> None:
    buffer = _scope.get()[1]
    if buffer is None or not (buffer.lines or buffer.dropped):
        return
    lines, dropped = buffer.lines, buffer.dropped
    buffer.lines, buffer.bytes, buffer.dropped = [], 0, 0
    if dropped:
        _write(
            _own._line("WARN", "Buffered debug lines were dropped", None, (), {"lines": dropped})
        )
    for line in lines:
        _write(line)


# --- the logger ----------------------------------------------------------------------------------


class _Shape:
    """What is known of fields by their names and their values' types: all but the values."""

    __slots__ = ("form", "looks", "made", "names", "nulls", "order", "strs", "texts", "tops")

    def __init__(self, names: tuple[str, ...], kinds: list[type]) -> None:
        wire_names = [_TOP_LEVEL.get(name, name) for name in names]
        self.names = frozenset(wire_names)
        # What stands at the top, then the rest.
        order = sorted(range(len(names)), key=lambda n: names[n] not in _TOP_LEVEL)
        self.tops = tops = sum(name in _TOP_LEVEL for name in names)
        keys = [f",{_quote(name)}:".replace("%", "%%") for name in wire_names]
        members = [keys[n] + ('"%s"' if kinds[n] is str else "%s") for n in order]
        self.form = _join([*members[:tops], "\n"[:tops], *members[tops:]])
        self.order = itemgetter(*order) if order != sorted(order) else tuple
        self.strs: list[Any] = [n for n, kind in enumerate(kinds) if kind is str]
        # The first one twice: of only one there would be no tuple.
        self.texts = itemgetter(*(self.strs + self.strs[:1] or [slice(0)]))
        # Objects share what one line may look at.
        nodes = (_wire.MAX_NODES - 1) // max(sum(kind not in _text_of for kind in kinds), 1)
        self.made = [
            (n, _text_of.get(kind) or partial(_cleaned, name, nodes))
            for n, (name, kind) in enumerate(zip(names, kinds, strict=True))
            if kind is not str and kind is not int
        ]
        self.nulls = type(None) in kinds
        self.looks = (
            len(self.names) < len(names)
            or not _wire.all_open(names)
            or not {"error", "exc_info"}.isdisjoint(names)
            or type(None) in [kinds[n] for n in order[:tops]]
        )

    def fill(self, values: Iterable[Any]) -> tuple[str, str]:
        """Return fields as JSON members (`,"a":1`): those at the top of a line, and the others."""
        parts = [*values]
        texts = self.texts(parts)
        joined = _join(texts)
        if len(_quote(joined)) != len(joined) + 2 or (
            _protected
            and (_looks_secret(joined) or (len(joined) > _SHORT and max(map(len, texts)) > _SHORT))
        ):
            for n in self.strs:
                parts[n] = _quote(_wire.shorten(parts[n]) if _protected else parts[n])[1:-1]
        if self.tops and "" in texts:
            raise _Look  # it is left out
        for n, text_of in self.made:
            parts[n] = text_of(parts[n])
        text = self.form % self.order(parts)
        if not self.tops:
            return "", text
        top, _, rest = text.partition("\n")
        return top, rest


_shapes: dict[tuple[object, ...], _Shape] = {}


def _shape_of(fields: dict[str, Any]) -> _Shape:
    kinds = [*map(type, fields.values())]
    key = (*fields, *kinds)
    shape = _shapes.get(key)
    if shape is None:
        if len(_shapes) > 1024:  # names made from data must not fill the memory
            _shapes.clear()
        shape = _shapes[key] = _Shape(tuple(fields), kinds)
    return shape


def _cleaned(name: str, nodes: int, value: object) -> str:
    return _wire.encode(_wire.clean(value, name, nodes=nodes))


def _split(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that stand at the top of a line and the others; the last spelling wins."""
    top: dict[str, Any] = {}
    context: dict[str, Any] = {}
    for name, value in fields.items():
        wire_name = _TOP_LEVEL.get(name)
        if wire_name is None:
            context[name] = value
        elif value is None or (type(value) is str and not value):
            top.pop(wire_name, None)
        else:
            top[wire_name] = value
    return top, context


def _clean_members(
    fields: dict[str, Any], chars: int = _wire.MAX_FIELD_CHARS, nodes: int = _wire.MAX_NODES
) -> str:
    text = _wire.encode(_wire.clean(fields, chars=chars, nodes=nodes))[1:-1]
    return text and "," + text


class _Rendered:
    """What a logger's lines have in common in one scope, as values and as JSON text."""

    __slots__ = ("context", "fields", "head", "names", "rest", "scope", "top")

    def __init__(self, scope: _Scope, component: str, bound: dict[str, Any]) -> None:
        self.scope = scope
        self.head = _head_of(component)
        self.fields = fields = {**scope[0], **bound} if scope[0] else bound
        self.names = frozenset(_TOP_LEVEL.get(name, name) for name in fields)
        try:
            shape = _shape_of(fields)
            if shape.looks or shape.nulls:
                raise _Look
            self.top, rest = shape.fill(fields.values())
        except Exception:  # NaN, or the own methods of a type
            tops, others = _split(fields)
            self.top = _clean_members(tops)
            rest = _clean_members({n: v for n, v in others.items() if v is not None})
        self.rest = rest
        self.context = rest and f',"context":{{{rest[1:]}}}'


_heads: dict[str, str] = {}


def _head_of(component: str) -> str:
    """Return a line's text from the end of the level to the message."""
    head = _heads.get(component) if type(component) is str else None
    if head is None:
        name = _wire.text(component, 128)
        head = f'","component":{_quote(name)}{_service},"message":'
        if type(component) is str and len(_heads) < 1024:
            _heads[component] = head
    return head


def _writes(level: str) -> _LevelMethod:
    def write(
        self: StructuredLogger,
        /,
        message: object = "",
        operation: object = None,
        *args: object,
        **fields: object,
    ) -> None:
        _write(self._line(level, message, operation, args, fields))

    write.__doc__ = f"Write one {level} line."
    return write  # type: ignore[return-value]


def _writes_error(level: str) -> _ErrorMethod:
    def write(
        self: StructuredLogger,
        /,
        message: object = "",
        operation: object = None,
        error: object = None,
        *args: object,
        **fields: object,
    ) -> None:
        _flush_buffer()
        if error is None and fields.get("exc_info") is True:
            del fields["exc_info"]
            error = sys.exc_info()[1]
        _write(self._line(level, message, operation, args, fields, error))

    write.__doc__ = f"Write one {level} line: `error` is an exception or a text, `exc_info=True` the current one."
    return write  # type: ignore[return-value]


# What a level that is off does. Of all callables this builtin ignores its arguments the cheapest:
# it takes keywords without making a dict of them, 50 ns where a Python function needs 290.
_nothing: Any = type.__prepare__


class StructuredLogger:
    """Write lines for one component. `bind` makes a logger with more fields; none is ever changed.

    A level's method takes `message`, then `operation`, then fields of any name and value.
    """

    __slots__ = ("_bound", "_out", "_rendered", "_scope", "component")

    def __init__(
        self,
        /,
        component: str,
        session_id: str | None = None,
        connection_id: str | None = None,
        request_id: str | None = None,
        **fields: object,
    ) -> None:
        self.component = component
        self._bound: dict[str, object] = fields
        if session_id is not None:
            fields["sessionId"] = session_id
        if connection_id is not None:
            fields["connectionId"] = connection_id
        if request_id is not None:
            fields["requestId"] = request_id
        self._rendered: _Rendered | None = None
        self._scope: _Scope | None = None
        self._out: StructuredLogger | None = None

    def bind(self, /, **fields: object) -> Self:
        """Return a logger whose lines carry `fields` as well; `None` takes one off."""
        bound: Self = self._with(type(self), {**self._bound, **fields})
        return bound

    def _with(self, kind: type[Any], bound: dict[str, object]) -> Any:
        logger = object.__new__(kind)
        logger.component = self.component
        logger._bound = bound
        logger._rendered = logger._scope = logger._out = None
        return logger

    @property
    def session_id(self) -> Any:
        """The session's id on this logger's lines, or None."""
        return self._top().get("sessionId")

    @property
    def connection_id(self) -> Any:
        """The connection's id on this logger's lines, or None."""
        return self._top().get("connectionId")

    @property
    def request_id(self) -> Any:
        """Lambda's request id on this logger's lines; a correlation id stands in for a missing one."""
        return self._top().get("requestId") or self._top().get("correlationId")

    def _top(self) -> dict[str, Any]:
        return _split({**_scope.get()[0], **self._bound})[0]

    trace = _writes("TRACE")
    debug = _writes("DEBUG")
    info = _writes("INFO")
    warning = warn = _writes("WARN")

    error = _writes_error("ERROR")
    fatal = critical = _writes_error("FATAL")

    def exception(self, /, *args: object, **fields: Any) -> None:
        """Write an error with the exception that is being handled."""
        self.error(*args, **{"exc_info": True, **fields})

    def sampled(self, key: object, every: int) -> StructuredLogger:
        """Return a logger that writes info and below for 1 in `every` calls with this key.

        The first of each `every` is written, with `samplingRate: every`: it stands for that many
        lines. Warnings and errors are never sampled.
        """
        if type(every) is not int or every < 1:
            _warn_once(f"sampled() wants a whole number from 1, got {_wire.text(every, 40)}")
            return self
        if every == 1:
            return self
        try:
            if len(_counters) > 1024:  # keys made from data must not fill the memory
                _counters.clear()
            chosen = next(_counters.setdefault(key, count())) % every == 0
        except Exception:  # a key that cannot be hashed, in whatever way
            return self
        if not chosen:
            if self._out is None:  # a warning of its own tells no sampling rate
                bound = getattr(self, "_unsampled", self)._bound
                self._out = self._with(_SampledOut, bound)
            return self._out
        logger: _Sampled = self._with(_Sampled, {**self._bound, "samplingRate": every})
        logger._unsampled = self
        return logger

    def is_enabled_for(self, level: str) -> bool:
        """Return whether a line of this level would be written now."""
        return _LEVELS.get(_level_name(level), 0) >= _LEVELS[_level]

    def write_line(
        self, level: str, message: str, fields: dict[str, Any], error: object = None, root: str = ""
    ) -> None:
        """Write one line, whatever level is set; what was buffered comes before an ERROR.

        `root` is JSON text of members (`,"a":1`) that stand at the line's root, uncut: metrics.
        """
        if level == "ERROR":
            _flush_buffer()
        _write(self._line(level, message, None, (), fields, error, root))

    def log_websocket_message(self, direction: str, message_type: str, message_size: int) -> None:
        """Write that a message of `message_size` bytes came (`inbound`) or went (`outbound`)."""
        fields = {"direction": direction, "messageType": message_type, "messageSize": message_size}
        self.info("WebSocket message", "websocket_message", **fields)

    def log_transcribe_event(self, event_type: str, **fields: object) -> None:
        """Write an event of a transcription stream."""
        self.info("Transcribe event", "transcribe_event", **{**fields, "eventType": event_type})

    def log_state_change(self, state_type: str, old_value: object, new_value: object) -> None:
        """Write what changed, from what to what."""
        fields = {"stateType": state_type, "oldValue": old_value, "newValue": new_value}
        self.info("State changed", "state_change", **fields)

    def log_performance(self, operation: str, duration_ms: float, **fields: object) -> None:
        """Write how long an operation took, in milliseconds."""
        self.info("Performance", operation, **{**fields, "durationMs": duration_ms})

    def _render(self, scope: _Scope) -> _Rendered:
        global _started
        if _started:
            self._rendered = _Rendered(scope, self.component, self._bound)
            return self._rendered
        _started = True
        for warning in _start_warnings:
            _warn_once(warning)
        # The environment's first line tells once what is true of all; not kept for the next one.
        return _Rendered(scope, self.component, {**self._bound, "environment": _environment()})

    def _line(
        self,
        level: str,
        message: Any,
        operation: object,
        args: tuple[object, ...],
        fields: dict[str, Any],
        error: object = None,
        root: str = "",
    ) -> str:
        """Return one line; `root` is JSON text of members (`,"a":1`) that stand at its root uncut.

        This is the hot path: it only joins text. Whatever needs a look is left to `_slow_line`.
        """
        bound = None
        try:
            scope = _scope.get()
            bound = self._rendered
            if bound is None or bound.scope is not scope:
                bound = self._render(scope) if self._scope is scope or not _started else None
                self._scope = scope
            if operation is not None:
                fields["operation"] = operation
            error_text = ""
            if error is not None:
                error_text = _error_text(error, _MAX_FRAMES)
                _set_code(fields, error)
            if args or type(message) is not str:
                raise _Look
            quoted = _quoted.get(message) or _quote_message(message)
            if bound is None:
                # Most often a scope's only line: what was kept for others would be lost.
                merged = {**scope[0], **self._bound, **fields}
                shape = _shapes.get((*merged, *map(type, merged.values()))) or _shape_of(merged)
                if shape.looks or shape.nulls:
                    bound = self._render(scope)
                else:
                    head = _heads.get(self.component) or _head_of(self.component)
                    top, rest = shape.fill(merged.values())
                    context = rest and f',"context":{{{rest[1:]}}}'
            if bound is not None:
                head, top, context = bound.head, bound.top, bound.context
                if fields:
                    shape = _shapes.get((*fields, *map(type, fields.values()))) or _shape_of(fields)
                    if shape.looks or not bound.names.isdisjoint(shape.names):
                        raise _Look
                    more, rest = shape.fill(fields.values())
                    top += more
                    if rest:
                        context = f',"context":{{{(bound.rest + rest)[1:]}}}'
            line = (
                f'{{"timestamp":"{_timestamp(_clock())}","level":"{level}{head}'
                f"{quoted}{top}{error_text}{root}{context}}}\n"
            )
            if len(line) - len(root) > _MAX_LINE:
                raise _Look
            return line
        except Exception:  # a look is needed, or a value's own methods raise
            pass
        # Outside the `except`, so that `exc_info=True` still finds the caller's exception.
        return self._slow_line(level, message, args, fields, error, root, bound)

    def _slow_line(
        self,
        level: str,
        message: object,
        args: tuple[object, ...],
        fields: dict[str, Any],
        error: object,
        root: str,
        bound: _Rendered | None,
    ) -> str:
        """Return the same line for any values: cleaned, and shrunk until it fits."""
        line = ""
        try:
            bound = bound or _Rendered(_scope.get(), self.component, self._bound)
            error = _pop_error(fields, error)
            _set_code(fields, error)
            if args:
                fields["args"] = args
            bound_top, bound_rest = _split(bound.fields)
            top, rest = _split(fields)
            top = {**bound_top, **top}
            tail = {k: v for k, v in bound_rest.items() if v is not None and k not in rest}
            for chars, nodes, frames in _BOUNDS:
                # Each with a budget of its own: a huge field costs neither the ids nor what is bound.
                members, text, bound_text = (
                    _clean_members(part, chars, nodes) for part in (top, rest, tail)
                )
                text = bound_text + text
                error_text = "" if error is None else _error_text(error, frames)
                context = text and f',"context":{{{text[1:]}}}'
                line = (
                    f'{{"timestamp":"{_timestamp(_clock())}","level":"{level}{bound.head}'
                    f"{_quote(_wire.text(message, chars))}{members}{error_text}{root}{context}}}\n"
                )
                if len(line) - len(root) <= _wire.MAX_LINE_BYTES:
                    break
            return _wire.scrub(line) if _protected else line
        except Exception:  # the last resort: that something was logged is not lost
            return (
                f'{{"timestamp":"{_timestamp(time.time_ns())}","level":"{level}",'
                f'"component":"shared_utils","message":"A log line could not be written"{root}}}\n'
            )


def _quote_message(message: str) -> str:
    if len(message) > _SHORT or _looks_secret(message):
        return _quote(_wire.shorten(message))
    if len(_quoted) >= 512:  # messages made from data must not fill the memory
        _quoted.clear()
    quoted = _quoted[message] = _quote(message)
    return quoted


# Characters a value, values a line, frames a stack: what a line keeps, then less until it fits.
_MAX_FRAMES = 50
_BOUNDS = (
    (_wire.MAX_FIELD_CHARS, _wire.MAX_NODES, _MAX_FRAMES),
    (256, 40, 10),
    (32, 8, 0),
)
_MAX_CAUSES = 5


def _passed_on(name: str) -> Any:
    def write(self: _Sampled, /, *args: object, **fields: object) -> None:
        getattr(self._unsampled, name)(*args, **fields)

    return write


class _Sampled(StructuredLogger):
    __slots__ = ("_unsampled",)
    _unsampled: StructuredLogger
    warning = warn = _passed_on("warning")
    error = _passed_on("error")
    exception = _passed_on("exception")
    fatal = critical = _passed_on("fatal")

    def bind(self, /, **fields: object) -> Self:
        """Return a logger that is sampled with this one."""
        bound = super().bind(**fields)
        bound._unsampled = self._unsampled.bind(**fields)
        return bound


class _SampledOut(StructuredLogger):
    __slots__ = ()
    trace = debug = info = _nothing


_counters: dict[object, count[int]] = {}


# --- exceptions --------------------------------------------------------------------------------


def _pop_error(fields: dict[str, Any], error: object) -> object:
    """Take `error` and `exc_info` out of the fields, as the standard library reads the latter."""
    given = fields.pop("error", None) if error is None else error
    exc_info = fields.pop("exc_info", None)
    if not exc_info:
        return given
    if isinstance(exc_info, tuple) and len(exc_info) == 3:
        exc_info = exc_info[1]
    caught = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
    if caught is None or isinstance(given, BaseException):
        return given
    if given is not None:
        fields["errorText"] = given
    return caught


def _set_code(fields: dict[str, Any], error: object) -> None:
    try:
        if isinstance(code := getattr(error, "code", None), str):
            fields.setdefault("errorCode", code)
    except Exception:  # a foreign object's own attributes
        pass


def _error_text(error: object, frames: int) -> str:
    chars = _wire.MAX_FIELD_CHARS if frames else 64
    try:
        if isinstance(error, BaseException):
            return f',"error":{_exception_text(error, frames, chars, ())}'
    except Exception:  # what it says of itself: `__cause__`, `__notes__`
        pass
    return f',"error":{{"message":{_wire.quote(_wire.text(error, chars))}}}'


def _exception_text(
    error: BaseException, frames: int, chars: int, seen: tuple[BaseException, ...]
) -> str:
    try:
        message = _wire.shorten(str(error), chars)
    except Exception:  # its own `__str__`
        message = "<unreadable>"
    text = (
        f'{{"type":{_quote(_wire.name_of(type(error)))},"message":{_quote(message)},'
        f'"stack":[{_stack_text(error, frames)}]'
    )
    if frames and len(seen) < _MAX_CAUSES:
        seen = (*seen, error)
        if "__notes__" in error.__dict__:
            text += f',"notes":{_wire.encode(_wire.clean(error.__notes__, nodes=20))}'
        cause = error.__cause__
        if cause is None and not error.__suppress_context__:
            cause = error.__context__
        if cause is not None and not any(cause is one for one in seen):
            text += f',"cause":{_exception_text(cause, frames, chars, seen)}'
        if isinstance(error, BaseExceptionGroup):
            most = 10 // len(seen)  # groups in groups multiply
            inner = [_exception_text(e, frames, chars, seen) for e in error.exceptions[:most]]
            text += f',"exceptions":[{",".join(inner)}]'
    return text + "}"


def _stack_text(error: BaseException, frames: int) -> str:
    texts: list[str] = []
    step = error.__traceback__
    while step is not None:
        texts.append(_frame_text(step.tb_frame.f_code, step.tb_lineno))
        step = step.tb_next
    if len(texts) > frames:  # a deep recursion: where it began and where it ended
        left_out = len(texts) - frames
        texts[frames // 5 : frames // 5 + left_out] = [f'"... {left_out} more frames"']
    return ",".join(texts)


_frames: dict[tuple[CodeType, int], str] = {}


def _frame_text(code: CodeType, number: int) -> str:
    text = _frames.get((code, number))
    if text is None:
        if len(_frames) > 1024:
            _frames.clear()
        source = linecache.getline(code.co_filename, number).strip()
        where = f'File "{code.co_filename}", line {number}, in {code.co_name}'
        text = _wire.quote(_wire.shorten(f"{where}: {source}" if source else where, 256))
        _frames[code, number] = text
    return text


# --- settings ----------------------------------------------------------------------------------

_service = ""
_level = "INFO"
_protected = True
_started = False
_start_warnings: list[str] = []
_warned: set[str] = set()
_own = StructuredLogger("shared_utils")
_METHODS = {
    name: (getattr(StructuredLogger, name), level)
    for level, names in {
        "TRACE": ("trace",),
        "DEBUG": ("debug",),
        "INFO": ("info",),
        "WARN": ("warning", "warn"),
        "ERROR": ("error", "exception"),
        "FATAL": ("fatal", "critical"),
    }.items()
    for name in names
}


def _warn_once(message: str) -> None:
    if message not in _warned and len(_warned) < 100:
        _warned.add(message)
        _own.warning(message)


def _level_name(level: object) -> str:
    name = level.strip().upper() if isinstance(level, str) else ""
    return _LEVEL_ALIASES.get(name, name)


def _level_from(environ: Mapping[str, str]) -> str:
    """Return the level that the environment asks for: Lambda's own setting, else LOG_LEVEL."""
    asked = environ.get("LOG_LEVEL", "")
    own = _level_name(asked)
    if asked and own not in _LEVELS:
        _start_warnings.append(f"LOG_LEVEL is not a level, using INFO: {_wire.text(asked, 40)}")
        own = ""
    lambdas = _level_name(environ.get("AWS_LAMBDA_LOG_LEVEL", ""))
    if lambdas not in _LEVELS:
        return own or "INFO"
    if own and own != lambdas:
        _start_warnings.append(
            f"LOG_LEVEL {own} differs from AWS_LAMBDA_LOG_LEVEL {lambdas}, which is used"
        )
    return lambdas


def _set_level(level: str) -> None:
    global _level
    _level = level
    for name, (method, needed) in _METHODS.items():
        wanted = method if _LEVELS[needed] >= _LEVELS[level] else _nothing
        if getattr(StructuredLogger, name) is not wanted:
            setattr(StructuredLogger, name, wanted)
    if _buffer_bytes and _LEVELS[level] > _LEVELS["DEBUG"]:
        StructuredLogger.debug = _buffered_debug  # type: ignore[assignment]


def _buffered_debug(
    self: StructuredLogger,
    /,
    message: object = "",
    operation: object = None,
    *args: object,
    **fields: object,
) -> None:
    scope = _scope.get()
    if scope[1] is not None:
        if not _started:  # the environment's facts are for a line that is sure to be written
            self = self.bind()
            self._rendered = _Rendered(scope, self.component, self._bound)
        scope[1].add(self._line("DEBUG", message, operation, args, fields))


def _environment() -> dict[str, object]:
    package = sys.modules[__package__]
    get = os.environ.get
    facts = {
        "functionName": get("AWS_LAMBDA_FUNCTION_NAME"),
        "functionVersion": get("AWS_LAMBDA_FUNCTION_VERSION"),
        "memoryMb": get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        "python": sys.version.partition(" ")[0],
        "layerVersion": getattr(package, "__version__", None),
        "layerDigest": getattr(package, "__build__", None),
    }
    return {name: value for name, value in facts.items() if value is not None}


def configure_lambda_logging(
    level: str | None = None,
    *,
    redact: Iterable[str] = (),
    allow: Iterable[str] = (),
    censor: _wire.Censor = _wire.CENSORED,
    remove: bool = False,
    mask_ip: bool = False,
    protect: bool = True,
    buffer_debug_bytes: int = 0,
) -> None:
    """Set the process's logging, and send other libraries' `logging` records through this renderer.

    `redact` adds field names (any depth, `*` matches anything) or dotted paths from a field
    (`items.*.pin`) to what is hidden by default, `allow` takes names off; both ignore case, `_` and
    `-`. `censor` stands in a hidden value's place, as text or `censor(value, path)`; `remove` drops
    the field instead. `mask_ip` takes the host part off `ip_address` and `sourceIp`. `protect=False`
    turns redaction and the bounds of values off; a line stays within 16 KB. `buffer_debug_bytes` keeps that much of an invocation's debug
    lines and writes them when an error is logged or the invocation fails.
    """
    global _protected, _buffer_bytes
    if level is not None and _level_name(level) not in _LEVELS:
        _warn_once(f"configure_lambda_logging got an unknown level: {_wire.text(level, 40)}")
        level = None
    if type(buffer_debug_bytes) is not int or buffer_debug_bytes < 0:
        _warn_once(f"buffer_debug_bytes wants bytes, got {_wire.text(buffer_debug_bytes, 40)}")
        buffer_debug_bytes = 0
    _wire.policy = _wire.Policy(redact, allow, censor, remove, mask_ip, protect)
    _protected = protect
    _buffer_bytes = buffer_debug_bytes
    _shapes.clear()
    fields, buffer = _scope.get()
    _scope.set((fields, buffer))  # what loggers rendered under the old rules is stale
    _set_level(_level if level is None else _level_name(level))
    root = logging.getLogger()
    root.handlers[:] = [_library_handler()]
    root.setLevel(max(_LEVELS[_level], logging.DEBUG))
    for chatty in ("botocore", "boto3", "urllib3", "s3transfer"):
        if logging.getLogger(chatty).level == logging.NOTSET:
            logging.getLogger(chatty).setLevel(logging.WARNING)


def _library_handler() -> logging.Handler:
    known = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}

    class LibraryHandler(logging.Handler):
        """Writes the standard `logging`'s records as our lines; a logger's name is the component."""

        def emit(self, record: logging.LogRecord) -> None:
            try:
                message = record.getMessage()
            except Exception:  # arguments that do not fit the format
                message = f"{_wire.text(record.msg)} {_wire.text(record.args)}"
            level = next(
                (n for n, rank in reversed(_LEVELS.items()) if record.levelno >= rank), "TRACE"
            )
            fields = {k: v for k, v in record.__dict__.items() if k not in known}
            if record.stack_info:
                fields["stack"] = str(record.stack_info).splitlines()
            error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
            _write(StructuredLogger(record.name)._line(level, message, None, (), fields, error))

    return LibraryHandler()


def get_structured_logger(
    component: str,
    correlation_id: str | None = None,
    session_id: str | None = None,
    connection_id: str | None = None,
    request_id: str | None = None,
    **fields: object,
) -> StructuredLogger:
    """Return a logger for `component` with these ids and fields on every line."""
    if correlation_id is not None:
        fields["correlationId"] = correlation_id
    return StructuredLogger(component, session_id, connection_id, request_id, **fields)


class LoggingContext(logging_context):
    """Log what a block does: `operation` and fields on its lines, its duration or error at the end."""

    __slots__ = ("_logger", "_since")

    def __init__(self, /, logger: StructuredLogger, operation: str, **fields: object) -> None:
        super().__init__(**{**fields, "operation": operation})
        self._logger = logger

    def __enter__(self) -> StructuredLogger:  # type: ignore[override]
        super().__enter__()
        self._since = time.perf_counter_ns()
        self._logger.debug("Started")
        return self._logger

    def __exit__(self, kind: object, error: object, trace: object) -> None:  # type: ignore[override]
        duration_ms = (time.perf_counter_ns() - self._since) / 1_000_000
        if error is None:
            self._logger.info("Completed", durationMs=duration_ms)
        else:
            self._logger.error("Failed", error=error, durationMs=duration_ms)
        super().__exit__()


if os.environ.get("SERVICE_NAME"):
    _service = f',"service":{_wire.quote(_wire.text(os.environ["SERVICE_NAME"], 128))}'
_set_level(_level_from(os.environ))
