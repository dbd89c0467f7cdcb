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
from ._redaction import MAX_NAME_CHARS

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
_harmless = _redaction.harmless
_service = ""


def set_service(name: str) -> None:
    """Put a service's name on the lines of each logger that has written none yet."""
    global _service
    _service = f'"service":{_quoted(text(name, MAX_NAME_CHARS))},'


# --- fields --------------------------------------------------------------------------------------

# By name, if nothing under it has to be hidden: where a field stands, as `_place_of` says, and the JSON
# text before its value.
_open: dict[str, tuple[str, str]] = {}
_MAX_KEPT = 1024  # names made from data must not fill the memory
_UNKNOWN = "", ""
_NONE = type(None)
# What needs no look: other numbers may be too long, or, as NaN, none that JSON knows.
_LEAST_INT, _MOST_INT = -(2**63), 2**63
_LEAST, _MOST = -1e307, 1e307


def set_policy(policy: _redaction.Policy) -> None:
    """Let other rules say what is hidden, also in what loggers have bound."""
    _redaction.set_policy(policy)
    _open.clear()


def head_of(component: object) -> str:
    """Return the JSON text that a component's lines begin with."""
    shown = component if type(component) is str and len(component) <= SHORT_CHARS else None
    if shown is None or not (shown in _harmless or _redaction.hold_no_secret([shown])):
        shown = text(component, MAX_NAME_CHARS)
    return f'"component":{_quoted(shown)},{_service}"message":'


class Bound:
    """A logger's fields, and their JSON text by name: made once, under the rules of the time.

    `head` is as `head_of` says; `off` are names that are bound to None: they take off what the
    invocation has bound.
    """

    __slots__ = ("context", "fields", "head", "off", "rules", "top")

    def __init__(self, fields: Mapping[str, Any], head: str = "") -> None:
        self.rules = _redaction.policy
        self.head = head
        self.fields, self.off = _given(fields)
        self.top: dict[str, str] = {}
        self.context: dict[str, str] = {}
        texts: list[str] = []
        _put(self.fields, self.top, self.context, texts)
        if texts and not _redaction.hold_no_secret(texts):
            _put(self.fields, self.top, self.context, texts, Look(decimals=True))


def _given(fields: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Return the fields that have a value, and the names that None takes off, in any spelling."""
    if _NONE not in map(type, fields.values()):
        return fields, []
    named = {_TOP_LEVEL.get(name, name): value for name, value in fields.items()}
    off = [name for name, value in named.items() if value is None]
    return {name: value for name, value in named.items() if value is not None}, off


def _put(
    fields: Mapping[str, Any],
    top: dict[str, str],
    context: dict[str, str],
    texts: list[str],
    look: Look | None = None,
) -> None:
    """Put each field's JSON text (`,"a":1`) where it stands in a line.

    Short texts are taken as they are and, if they are new, added to `texts`, for one look through all
    of them; with a `look`, each is looked at.
    """
    closer = look
    known = _open.get
    for name, value in fields.items():
        place, key = known(name, _UNKNOWN)
        kind = type(value)
        if not key:
            closer = closer or Look(decimals=True)
            _put_looked_at(name, value, top, context, closer)
            continue
        if kind is str and look is None and len(value) <= SHORT_CHARS:
            if value not in _harmless:
                texts.append(value)
            shown = key + _quoted(value)
        elif kind is int and _LEAST_INT <= value <= _MOST_INT:
            shown = f"{key}{value}"
        elif kind is float and _LEAST < value < _MOST:
            shown = f"{key}{value!r}"
        elif kind is bool or value is None:
            shown = key + _WORDS[value]
        else:
            closer = closer or Look(decimals=True)
            shown = key + _readable(clean(value, name, closer))
        if not place:
            context[name] = shown
        elif not _is_nothing(value):
            top[place] = shown
    if closer is not None and len(fields) > 1:
        _hide_named(fields, context)


_WORDS = {True: "true", False: "false", None: "null"}


def _put_looked_at(
    name: str, value: object, top: dict[str, str], context: dict[str, str], look: Look
) -> None:
    """Put a field whose name is new, hides something, or is shown in another way."""
    if _redaction.policy.removes(name, value):
        return
    shown = clean(value, name, look)
    place, key = _place_of(name)
    if place not in _TOP_NAMES:
        if place:
            place = another(place, context)
            key = f",{_quoted(place)}:"
        context[place or name] = key + _readable(shown)
    elif shown is not None and shown != "":
        top[place] = key + _readable(shown)


def _place_of(name: str) -> tuple[str, str]:
    """Return where a field stands and its JSON key: "" under its own name, else as it is shown."""
    place = _TOP_LEVEL.get(name) or shorten(name, MAX_NAME_CHARS)
    is_itself = place == name and name not in _TOP_LEVEL
    found = "" if is_itself else place, f",{_quoted(place)}:"
    if (is_itself or name in _TOP_LEVEL) and not _redaction.policy.needs(name):
        if len(_open) >= _MAX_KEPT:
            _open.clear()
        _open[name] = found
    return found


def _hide_named(fields: Mapping[str, Any], context: dict[str, str]) -> None:
    """Hide fields that another one names as secret: `field="password", new="x"`."""
    policy = _redaction.policy
    for name in _redaction.secret_members(fields):
        if name in context and policy.needs(name):
            hidden = text(policy.replacement(fields[name], (name,)))
            context[name] = f",{_quoted(name)}:{_quoted(hidden)}"


# --- errors --------------------------------------------------------------------------------------


def _take_error(
    fields: dict[str, Any], message: object, args: tuple[object, ...], error: object
) -> object:
    """Take the error of the line out of its fields and arguments, and return it, or None.

    `error`, then an exception among the arguments, then `exc_info` as the standard library reads it.
    """
    given = fields.pop("error", None) if error is None else error
    caught = _caught(fields.pop("exc_info", None))
    if _is_asked_for(stack := fields.pop("stack_info", None)):
        fields["stack"] = _exceptions.current_stack() if stack is True else text(stack).splitlines()
    others = list(args)
    if _exceptions.is_exception(operation := fields.get("operation")):
        del fields["operation"]
        if given is not None:
            others.insert(0, given)
        given = operation
    if given is None and (others or type(message) is not str):
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
    if not _is_asked_for(exc_info):
        return None
    if type(exc_info) is tuple and len(exc_info) == 3:
        exc_info = exc_info[1]
    return exc_info if _exceptions.is_exception(exc_info) else sys.exc_info()[1]


def _is_asked_for(setting: object) -> bool:
    """Return whether `exc_info` or `stack_info` is set, without asking a foreign object."""
    return setting is not None and not (type(setting) in (bool, int) and not setting)


def _set_code(fields: dict[str, Any], error: object) -> None:
    try:
        if isinstance(code := getattr(error, "code", None), str):
            fields.setdefault("errorCode", code)
    except (Exception, SystemExit):  # a foreign object's own attributes
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
    shared = _current_scope().fields
    texts = [] if message in _harmless else [message]
    top, context = _placed(shared, bound, fields, texts)
    if texts and not _redaction.hold_no_secret(texts):
        message = shorten(message)
        top, context = _placed(shared, bound, fields, texts, Look(decimals=True))
    if "opentelemetry.trace" in sys.modules:
        _put_span(top)
    members = "".join(top.values())
    if error is not None:
        members += f',"error":{_readable(_exceptions.describe(error))}'
    if context:
        members += f',"context":{{{"".join(context.values())[1:]}}}'
    head = f'{level}",{bound.head}'
    shown = _joined(head, message, members, root)
    if len(shown) - len(root) <= MAX_LINE_BYTES and shown.isascii():
        return shown
    shown = in_one_line(shown)
    return _fitted(shown, head, message, _merged(shared, bound, fields), error, root)


def _merged(shared: dict[str, Any], bound: Bound, fields: dict[str, Any]) -> dict[str, Any]:
    """Return what `_placed` puts on a line, by the name it has there: an empty id covers no other."""
    given = _given(shared)[0]
    left = {n: value for n, value in given.items() if _TOP_LEVEL.get(n, n) not in bound.off}
    merged: dict[str, Any] = {}
    for layer in (left, bound.fields, fields):
        for name, value in layer.items():
            place = _TOP_LEVEL.get(name, name)
            if place not in _TOP_NAMES or not _is_nothing(value):
                merged[place] = value
    return merged


def _placed(
    shared: dict[str, Any],
    bound: Bound,
    fields: dict[str, Any],
    texts: list[str],
    look: Look | None = None,
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the JSON texts at a line's top and of its context, by name."""
    top: dict[str, str] = {}
    context: dict[str, str] = {}
    if shared:
        _put(_given(shared)[0], top, context, texts, look)
        for name in bound.off:
            top.pop(name, None)
            context.pop(name, None)
    top.update(bound.top)
    context.update(bound.context)
    _put(fields, top, context, texts, look)
    return top, context


def _last_resort(level: str, root: str) -> str:
    return (
        f'{{"timestamp":"{timestamp(time.time_ns())}","level":"{level}",'
        f'"component":"shared_utils","message":"A log line could not be written"{root}}}\n'
    )


def _joined(head: str, message: str, members: str, root: str) -> str:
    moment = timestamp(clock())
    return f'{{"timestamp":"{moment}","level":"{head}{_quoted(message)}{members}{root}}}\n'


def _fitted(
    shown: str, head: str, message: str, fields: dict[str, Any], error: object, root: str
) -> str:
    """Return a line that fits: what is too long is cut, each part with room of its own."""
    top = {name: fields.pop(name) for name in list(fields) if name in _TOP_NAMES}
    for chars, room, frames in _NARROWER:
        if len(shown.encode()) - len(root.encode()) <= MAX_LINE_BYTES:
            break
        record = clean(top, "", Look(chars, room, True))
        if error is not None:
            record["error"] = _exceptions.describe(error, frames, chars)
        if fields:
            record["context"] = clean(fields, "", Look(chars, room, True))
        # There is something to cut: a message alone is never too long.
        members = f",{_readable(record)[1:-1]}"
        shown = in_one_line(_joined(head, shorten(message, chars), members, root))
    return shown


def _is_nothing(value: object) -> bool:
    return value is None or (type(value) is str and not value)


def _put_span(top: dict[str, str]) -> None:
    """Put the ids of OpenTelemetry's active span on a line, as that library writes them."""
    try:
        trace = sys.modules["opentelemetry.trace"]
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            top["traceId"] = f',"traceId":"{span.trace_id:032x}"'
            top["spanId"] = f',"spanId":"{span.span_id:016x}"'
    except Exception:  # another library's methods, or its import that is under way
        pass
