"""A log line: named values in, one JSON object of bounded size out. There is one way for all of them.

`line` never raises. A value that JSON holds as it is, and that cannot hide a secret, is taken as it
is; every other value goes through `_cleaning.clean` first. What is left is plain, and is written by
one call of the encoder. A line that is too long is cut, part by part, and written again.
"""

from __future__ import annotations

import sys
import time

from . import _exceptions, _invocation, _redaction
from ._cleaning import (
    MAX_LINE_BYTES,
    MAX_NAME_CHARS,
    SHORT_CHARS,
    Look,
    another,
    clean,
    shorten,
    text,
)
from ._json import in_one_line, timestamp
from ._json import quote_readable as _quoted
from ._json import readable as _readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

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
        "spanId": ("spanId",),
        "coldStart": ("coldStart",),
        "samplingRate": ("samplingRate",),
    }.items()
    for name in names
}
# What a value is cut to, what there is room for, and how many frames: less, until the line fits.
_NARROWER = ((256, MAX_LINE_BYTES, 10), (32, MAX_LINE_BYTES // 8, 0))

_TOP_NAMES = frozenset(_TOP_LEVEL.values())

clock = time.time_ns
_current_scope = _invocation.scope.get
_one_is_suspect = _redaction.one_is_suspect
_service = ""


def set_service(name: str) -> None:
    """Put a service's name on the lines of each logger that has written none yet."""
    global _service
    _service = f'"service":{_quoted(text(name, MAX_NAME_CHARS))},'


# --- names ---------------------------------------------------------------------------------------


# Where a field of this name stands, as `_place_of` says, if nothing under it has to be hidden.
_open: dict[str, str] = {}
_MAX_KEPT_NAMES = 1024  # names made from data must not fill the memory


def set_policy(policy: _redaction.Policy) -> None:
    """Let other rules say what is hidden, also in what loggers and scopes have bound."""
    _redaction.policy = policy
    _open.clear()


# --- fields --------------------------------------------------------------------------------------


def head_of(component: object) -> str:
    """Return the JSON text that a component's lines begin with."""
    return f'"component":{_quoted(text(component, MAX_NAME_CHARS))},{_service}"message":'


class Bound:
    """A logger's fields, as a line takes them: made once, under the rules of the time.

    `head` is as `head_of` says, `top_text` the JSON text of `top`'s members; `off` are names that
    are bound to None: they take off what the invocation has bound.
    """

    __slots__ = ("context", "head", "off", "rules", "top", "top_text")

    def __init__(self, fields: Mapping[str, Any], head: str = "") -> None:
        self.rules = _redaction.policy
        self.head = head
        self.top: dict[str, Any] = {}
        self.context: dict[str, Any] = {}
        given, self.off = _given(fields)
        texts: list[str] = []
        _put(given, self.top, self.context, texts)
        if _one_is_suspect(texts):
            _scrub_texts(self.top)
            _scrub_texts(self.context)
        self.top_text = _members(self.top)


def _given(fields: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Return the fields that have a value, and the names that None takes off, in any spelling."""
    if _NONE not in map(type, fields.values()):
        return fields, []
    named = {_TOP_LEVEL.get(name, name): value for name, value in fields.items()}
    off = [name for name, value in named.items() if value is None]
    return {name: value for name, value in named.items() if value is not None}, off


def _members(fields: dict[str, Any]) -> str:
    """Return plain fields as the members of an object that has others before them."""
    return f",{_readable(fields)[1:-1]}" if fields else ""


def _put(
    fields: Mapping[str, Any], top: dict[str, Any], context: dict[str, Any], texts: list[str]
) -> None:
    """Put each field where it stands in a line, and texts that were taken as they are in `texts`."""
    look: Look | None = None
    for name, value in fields.items():
        place = _open.get(name)
        kind = type(value)
        if kind is str and place is not None and len(value) <= SHORT_CHARS:
            texts.append(value)
        elif place is None or not (
            (kind is int and _LEAST_INT <= value <= _MOST_INT)
            or (kind is float and _LEAST < value < _MOST)
            or kind is bool
            or value is None
        ):
            if place is None:
                place = _place_of(name)
                if _redaction.policy.removes(name, value):
                    continue
            look = look or Look(decimals=True)
            value = clean(value, name, look)  # noqa: PLW2901 - what is put below
        if place == "":
            context[name] = value
        elif place in _TOP_NAMES:
            if value is not None and value != "":
                top[place] = value
        else:
            context[another(place, context)] = value
    if look is not None and len(fields) > 1:
        _hide_named(fields, context)


def _hide_named(fields: Mapping[str, Any], context: dict[str, Any]) -> None:
    """Hide fields that another one names as secret: `field="password", new="x"`."""
    policy = _redaction.policy
    for name in _redaction.secret_members(fields):
        if name in context and policy.needs(name):
            context[name] = text(policy.replacement(fields[name], (name,)))


def _place_of(name: str) -> str:
    """Return where a field stands: "" under its own name, else its name at the top, or as shown."""
    place = _TOP_LEVEL.get(name) or shorten(name, MAX_NAME_CHARS)
    if place == name and name not in _TOP_LEVEL:
        place = ""
    if len(name) <= MAX_NAME_CHARS and not _redaction.policy.needs(name):
        if len(_open) >= _MAX_KEPT_NAMES:
            _open.clear()
        if place == "" or name in _TOP_LEVEL:
            _open[name] = place
    return place


_NONE = type(None)
# What needs no look: other numbers may be too long, or, as NaN, none that JSON knows.
_LEAST_INT, _MOST_INT = -(2**63), 2**63
_LEAST, _MOST = -1e307, 1e307


def _scrub_texts(fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if type(value) is str:
            fields[name] = shorten(value)


# --- errors --------------------------------------------------------------------------------------


def _take_error(
    fields: dict[str, Any], message: object, args: tuple[object, ...], error: object
) -> object:
    """Take the error of the line out of its fields and arguments, and return it, or None.

    `error`, then an exception among the arguments, then `exc_info` as the standard library reads it.
    """
    given = fields.pop("error", None) if error is None else error
    caught = _caught(fields.pop("exc_info", None))
    if stack := fields.pop("stack_info", None):
        fields["stack"] = _exceptions.current_stack() if stack is True else str(stack).splitlines()
    others = list(args)
    if _exceptions.is_exception(operation := fields.get("operation")):
        del fields["operation"]
        others.insert(0, operation)
    if given is None:
        given = next((one for one in (*others, message) if _exceptions.is_exception(one)), None)
        others = [one for one in others if one is not given]
    if others:
        fields["args"] = others
    if caught is not None and not _exceptions.is_exception(given):
        if given is not None:
            fields["errorText"] = given
        given = caught
    _set_code(fields, given)
    return given


def _caught(exc_info: Any) -> BaseException | None:
    if not exc_info:
        return None
    if type(exc_info) is tuple and len(exc_info) == 3:
        exc_info = exc_info[1]
    return exc_info if _exceptions.is_exception(exc_info) else sys.exc_info()[1]


def _set_code(fields: dict[str, Any], error: object) -> None:
    try:
        if isinstance(code := getattr(error, "code", None), str):
            fields.setdefault("errorCode", code)
    except Exception:  # a foreign object's own attributes
        pass


# --- the line ------------------------------------------------------------------------------------


def line(
    level: str,
    bound: Bound,
    message: Any,
    operation: Any,
    args: tuple[object, ...],
    fields: dict[str, Any],
    error: Any = None,
    root: str = "",
) -> str:
    """Return one line; `root` is JSON text of members (`,"a":1`) that stand at its root uncut."""
    try:
        if operation is not None:
            fields["operation"] = operation
        if (
            error is not None
            or args
            or type(message) is not str
            or (operation is not None and type(operation) is not str)
            or "error" in fields
            or "exc_info" in fields
            or "stack_info" in fields
        ):
            error = _take_error(fields, message, args, error)
        if type(message) is not str or len(message) > SHORT_CHARS:
            message = text(message)
        return _rendered(level, bound, message, fields, error, root)
    except (Exception, SystemExit):  # that something was logged is not lost
        return _last_resort(level, root)


def _rendered(
    level: str, bound: Bound, message: str, fields: dict[str, Any], error: object, root: str
) -> str:
    """Return one line of an invocation's fields, a logger's and a call's, the innermost last."""
    top: dict[str, Any] = {}
    context: dict[str, Any] = {}
    texts = [message]
    if shared := _current_scope().fields:
        _put(_given(shared)[0], top, context, texts)
        _cover(top, context, bound)
    elif bound.context:
        context.update(bound.context)
    _put(fields, top, context, texts)
    if _one_is_suspect(texts):
        message = shorten(message)
        _scrub_texts(top)
        _scrub_texts(context)
    if "opentelemetry.trace" in sys.modules:
        _put_span(top)
    is_apart = not shared and top.keys().isdisjoint(bound.top)
    record = top if is_apart or shared else {**bound.top, **top}
    if error is not None:
        record["error"] = _exceptions.describe(error)
    if context:
        record["context"] = context
    head = f'{level}",{bound.head}'
    bound_text = bound.top_text if is_apart else ""
    shown = _joined(head, message, bound_text, record, root)
    if len(shown) - len(root) > MAX_LINE_BYTES or not shown.isascii():
        return _fitted(in_one_line(shown), head, message, {**bound.top, **record}, error, root)
    return shown


def _cover(top: dict[str, Any], context: dict[str, Any], bound: Bound) -> None:
    """Let a logger's fields take the place of an invocation's."""
    for name in bound.off:
        top.pop(name, None)
        context.pop(name, None)
    top.update(bound.top)
    context.update(bound.context)


def _last_resort(level: str, root: str) -> str:
    return (
        f'{{"timestamp":"{timestamp(time.time_ns())}","level":"{level}",'
        f'"component":"shared_utils","message":"A log line could not be written"{root}}}\n'
    )


def _joined(head: str, message: str, bound_text: str, record: dict[str, Any], root: str) -> str:
    """Return plain values as one line of JSON."""
    members = _readable(record)[1:-1] if record else ""
    comma = "," if members else ""
    return (
        f'{{"timestamp":"{timestamp(clock())}","level":"{head}{_quoted(message)}{bound_text}'
        f"{comma}{members}{root}}}\n"
    )


def _fitted(
    shown: str, head: str, message: str, record: dict[str, Any], error: object, root: str
) -> str:
    """Return a line that fits: what is too long is cut, each part with room of its own."""
    context = record.pop("context", {})
    record.pop("error", None)
    for chars, room, frames in _NARROWER:
        if len(shown.encode()) - len(root.encode()) <= MAX_LINE_BYTES:
            break
        cut = clean(record, None, Look(chars, room, True))
        if error is not None:
            cut["error"] = _exceptions.describe(error, frames, chars)
        if context:
            cut["context"] = clean(context, None, Look(chars, room, True))
        shown = in_one_line(_joined(head, shorten(message, chars), "", cut, root))
    return shown


def _put_span(top: dict[str, Any]) -> None:
    """Put the ids of OpenTelemetry's active span on a line, as that library writes them."""
    try:
        trace = sys.modules["opentelemetry.trace"]
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            top["traceId"] = f"{span.trace_id:032x}"
            top["spanId"] = f"{span.span_id:016x}"
    except Exception:  # another library's methods, or its import that is under way
        pass
