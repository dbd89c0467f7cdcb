"""Structured logs: one JSON line per call, on stdout, with the ids of the invocation on it.

A log call never raises, whatever it is given, and writes exactly one line of bounded size without
tokens, audio or transcripts. Which level is written is decided once, when the module is loaded; a
disabled level is a method that does nothing.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from itertools import count

from . import _invocation, _line, _redaction, _stdout
from ._cleaning import text
from ._line import Bound
from ._redaction import CENSORED, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Protocol, Self

    from ._redaction import Censor

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

_render, _write = _line.line, _stdout.write


# --- context -----------------------------------------------------------------------------------


def bind_context(**fields: object) -> None:
    """Put fields on every following line of this invocation (or thread); `None` takes one off."""
    _invocation.bind(fields)


class logging_context:  # noqa: N801 - used like a function
    """Put fields on the lines of a block; what was there before is back after it.

    One object may be entered again before it is left, and by several threads and tasks.
    """

    __slots__ = ("_fields",)

    def __init__(self, /, **fields: object) -> None:
        self._fields = fields

    def __enter__(self) -> Any:
        _invocation.enter_block(self._fields)

    def __exit__(self, *_: object) -> None:
        _invocation.leave_block()


class LoggingContext(logging_context):
    """Log what a block does: `operation` and fields on its lines, its duration or error at the end."""

    __slots__ = ("_logger",)

    def __init__(self, /, logger: StructuredLogger, operation: str, **fields: object) -> None:
        super().__init__(**{**fields, "operation": operation})
        self._logger = logger

    def __enter__(self) -> StructuredLogger:
        super().__enter__()
        self._logger.debug("Started")
        return self._logger

    def __exit__(self, kind: object, error: object, trace: object) -> None:  # type: ignore[override]
        duration_ms = (time.perf_counter_ns() - _invocation.scope.get().start_ns) / 1_000_000
        if error is None:
            self._logger.info("Completed", durationMs=duration_ms)
        else:
            self._logger.error("Failed", error=error, durationMs=duration_ms)
        super().__exit__()


class _Invocation:
    __slots__ = ("_context", "_event")

    def __init__(self, event: object, context: object = None, /, *_: object, **__: object) -> None:
        self._event = event
        self._context = context

    def __enter__(self) -> None:
        _invocation.begin(_invocation.ids_of(self._event, self._context))

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            _write_failure(error)
        _invocation.end(_invocation.scope.get().outer)


# No failures: the end of a coroutine that nobody waits for any more, and that of a durable function's
# invocation that another one goes on from.
_ENDINGS = {"CancelledError", "GeneratorExit", "SuspendExecution"}


def _write_failure(error: BaseException) -> None:
    """Write what leaves an invocation, once, however many invocations it leaves."""
    flush_debug_lines()
    if not _ENDINGS.isdisjoint(kind.__name__ for kind in type(error).__mro__):
        return
    try:
        if getattr(error, "_shared_utils_written", False):
            return
        error._shared_utils_written = True  # type: ignore[attr-defined]
    except (Exception, SystemExit):  # a class with attributes of its own
        pass
    _own.error("Invocation failed", error=error)


def invocation(event: Any, context: Any = None) -> Any:
    """Bind the ids of one Lambda call and clear them after it; a decorator or a context manager.

    `@invocation` on a handler, or `with invocation(event, context):`. `requestId` is Lambda's, also
    under `@durable_execution`; `correlationId` the client's `requestId`, else API Gateway's. What leaves the call as an
    exception is written as an error, and goes on. A Lambda entry is a `def`, or a
    `WebSocketHandler`. Around an `async def` the result is an `async def`, for callers that await it: Mangum, a test.
    """
    if not callable(event):
        return _Invocation(event, context)
    from . import _functions

    return _functions.wrap(event, _Invocation, "@invocation")


def flush_debug_lines() -> None:
    """Write the debug lines that wait for an error in this invocation."""
    buffer = _invocation.scope.get().buffer
    if buffer is None or not (buffer.lines or buffer.dropped):
        return
    lines, dropped = buffer.take()
    if dropped:
        _stdout.write(
            _own._line("WARN", "Buffered debug lines were dropped", None, (), {"lines": dropped})
        )
    for line in lines:
        _stdout.write(line)


# --- the logger ----------------------------------------------------------------------------------


def _writes(level: str) -> _LevelMethod:
    def write(
        self: StructuredLogger,
        /,
        message: object = "",
        operation: object = None,
        *args: object,
        **fields: object,
    ) -> None:
        try:
            made = self._made
            if made is None or made.rules is not _redaction.policy:
                made = self._make(level, fields)
            _write(_render(level, made, message, operation, args, fields))
        except (Exception, SystemExit):  # no frame is left to write it
            _stdout.dropped += 1

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
        try:
            flush_debug_lines()
            _write(self._line(level, message, operation, args, fields, error))
        except (Exception, SystemExit):  # no frame is left to write it
            _stdout.dropped += 1

    write.__doc__ = f"Write one {level} line: `error` is an exception or a text, `exc_info=True` the current one."
    return write  # type: ignore[return-value]


# What a level that is off does. Of all callables this builtin ignores its arguments the cheapest:
# it takes keywords without making a dict of them, 50 ns where a Python function needs 290.
_nothing: Any = type.__prepare__


class StructuredLogger:
    """Write lines for one component. `bind` makes a logger with more fields; none is ever changed.

    A level's method takes `message`, then `operation`, then fields of any name and value.
    """

    __slots__ = ("_bound", "_made", "_out", "component")

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
        self._made: Bound | None = None
        self._out: StructuredLogger | None = None

    def bind(self, /, **fields: object) -> Self:
        """Return a logger whose lines carry `fields` as well; `None` takes one off."""
        bound: Self = self._with(type(self), {**self._bound, **fields})
        return bound

    def _with(self, kind: type[Any], bound: dict[str, object]) -> Any:
        logger = object.__new__(kind)
        logger.component = self.component
        logger._bound = bound
        logger._made = logger._out = None
        return logger

    @property
    def session_id(self) -> Any:
        """The session's id on this logger's lines, or None."""
        return self._id("sessionId", "session_id")

    @property
    def connection_id(self) -> Any:
        """The connection's id on this logger's lines, or None."""
        return self._id("connectionId", "connection_id")

    @property
    def request_id(self) -> Any:
        """Lambda's request id on this logger's lines; a correlation id stands in for a missing one."""
        return self._id("requestId", "request_id") or self._id("correlationId", "correlation_id")

    def _id(self, *spellings: str) -> Any:
        fields = {**_invocation.scope.get().fields, **self._bound}
        found = [fields[name] for name in fields if name in spellings]
        return found[-1] if found else None

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
            _warn_once(f"sampled() wants a whole number from 1, got {text(every, 40)}")
            return self
        if every == 1:
            return self
        try:
            if len(_counters) > 1024:  # keys made from data must not fill the memory
                _counters.clear()
            chosen = next(_counters.setdefault(key, count())) % every == 0
        except (Exception, SystemExit):  # a key that cannot be hashed, in whatever way
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
            flush_debug_lines()
        _write(self._line(level, message, None, (), fields, error, root))

    def log_websocket_message(self, direction: str, message_type: str, message_size: int) -> None:
        """Write that a message of `message_size` bytes came (`inbound`) or went (`outbound`)."""
        fields = {"direction": direction, "messageType": message_type, "messageSize": message_size}
        self.info("WebSocket message", "websocket_message", **fields)

    def log_transcribe_event(self, event_type: str, **fields: object) -> None:
        """Write an event of a transcription stream."""
        self.info("Transcribe event", "transcribe_event", **{**fields, "eventType": event_type})

    def log_state_change(self, state_type: str, old_value: object, new_value: object) -> None:
        """Write that a state changed, with its kind, its old and its new value."""
        fields = {"stateType": state_type, "oldValue": old_value, "newValue": new_value}
        self.info("State changed", "state_change", **fields)

    def log_performance(self, operation: str, duration_ms: float, **fields: object) -> None:
        """Write how long an operation took, in milliseconds."""
        self.info("Performance", operation, **{**fields, "durationMs": duration_ms})

    def _line(
        self,
        level: str,
        message: object,
        operation: object,
        args: tuple[object, ...],
        fields: dict[str, Any],
        error: object = None,
        root: str = "",
    ) -> str:
        made = self._made
        if made is None or made.rules is not _redaction.policy:
            made = self._make(level, fields)
        return _render(level, made, message, operation, args, fields, error, root)

    def _make(self, level: str, fields: dict[str, Any]) -> Bound:
        """Return what this logger's lines have in common, which is kept.

        The environment's first line says once what is true of all, and is no line that may wait.
        """
        global _started
        made = Bound(self._bound, _line.head_of(self.component))
        if not _started:
            if not self.is_enabled_for(level):
                return made
            _started = True
            for warning in _start_warnings:
                _warn_once(warning)
            fields["environment"] = _environment()
        self._made = made
        return made


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


# --- settings ----------------------------------------------------------------------------------

_level = "INFO"
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
    if type(level) is str and level in _LEVELS:  # as the handler asks, for each message
        return level
    name = level.strip().upper() if isinstance(level, str) else ""
    return _LEVEL_ALIASES.get(name, name)


def _level_from(environ: Mapping[str, str]) -> str:
    """Return the level that the environment asks for: Lambda's own setting, else LOG_LEVEL."""
    asked = environ.get("LOG_LEVEL", "")
    own = _level_name(asked)
    if asked and own not in _LEVELS:
        _start_warnings.append(f"LOG_LEVEL is not a level, using INFO: {text(asked, 40)}")
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
    if _invocation.buffer_bytes and _LEVELS[level] > _LEVELS["DEBUG"]:
        StructuredLogger.debug = _buffered_debug  # type: ignore[assignment]


def _buffered_debug(
    self: StructuredLogger,
    /,
    message: object = "",
    operation: object = None,
    *args: object,
    **fields: object,
) -> None:
    buffer = _invocation.scope.get().buffer
    if buffer is not None:
        buffer.add(self._line("DEBUG", message, operation, args, fields))


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
    redact: Iterable[str] | str = (),
    allow: Iterable[str] | str = (),
    censor: Censor = CENSORED,
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
    turns redaction and the bounds of values off; a line stays within 16 KB. `buffer_debug_bytes`
    keeps that much of an invocation's debug lines and writes them when an error is logged or the
    invocation fails. Outside of Lambda the root logger's other handlers stay.
    """
    if level is not None and _level_name(level) not in _LEVELS:
        _warn_once(f"configure_lambda_logging got an unknown level: {text(level, 40)}")
        level = None
    if type(buffer_debug_bytes) is not int or buffer_debug_bytes < 0:
        _warn_once(f"buffer_debug_bytes wants bytes, got {text(buffer_debug_bytes, 40)}")
        buffer_debug_bytes = 0
    named, open_names = _names("redact", redact), _names("allow", allow)
    _line.set_policy(Policy(named, open_names, censor, remove, mask_ip, protect))
    _invocation.buffer_bytes = buffer_debug_bytes
    _set_level(_level if level is None else _level_name(level))
    root = logging.getLogger()
    here = _library_handler()
    others = (
        []
        if _on_lambda()
        else [h for h in root.handlers if not getattr(h, "is_shared_utils", False)]
    )
    root.handlers[:] = [*others, here]
    root.setLevel(max(_LEVELS[_level], logging.DEBUG))
    for chatty in ("botocore", "boto3", "urllib3", "s3transfer"):
        if logging.getLogger(chatty).level == logging.NOTSET:
            logging.getLogger(chatty).setLevel(logging.WARNING)


def _names(setting: str, given: object) -> list[str]:
    """Return names as they were meant: one text is one name, and what is no text is none."""
    if isinstance(given, str):
        return [given]
    try:
        names = [*given]  # type: ignore[misc]
    except (Exception, SystemExit):  # not iterable, or by a method of its own
        names = [given]
    if wrong := [name for name in names if not isinstance(name, str)]:
        _warn_once(f"{setting} wants names, got {text(wrong[0], 40)}")
    return [name for name in names if isinstance(name, str)]


def _on_lambda() -> bool:
    """Return whether the root logger's handlers are the runtime's, which would write lines twice."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def _library_handler() -> logging.Handler:
    known = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}

    class LibraryHandler(logging.Handler):
        """Writes the standard `logging`'s records as our lines; a logger's name is the component."""

        is_shared_utils = True

        def emit(self, record: logging.LogRecord) -> None:
            try:
                message = record.getMessage()
            except (Exception, SystemExit):  # arguments that do not fit, or say so themselves
                message = f"{text(record.msg)} {text(record.args)}"
            level = next(
                (n for n, rank in reversed(_LEVELS.items()) if record.levelno >= rank), "TRACE"
            )
            fields = {k: v for k, v in record.__dict__.items() if k not in known}
            fields["stack_info"] = record.stack_info
            error: object = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
            if error is None and record.exc_text:  # another process's or handler's: only its text
                fields["stack"] = str(record.exc_text).splitlines()
                error = fields["stack"][-1]
            logger = StructuredLogger(record.name)
            logger.write_line(level, message, fields, error)

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


if os.environ.get("SERVICE_NAME"):
    _line.set_service(os.environ["SERVICE_NAME"])
_set_level(_level_from(os.environ))
