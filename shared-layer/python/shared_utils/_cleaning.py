"""Any object as plain JSON values: bounded, redacted, and never an error.

Each value is shown by what it is, not by what it calls itself: numbers by the number protocols,
text by its text, an exception by its type and text, containers and objects by what they hold, each
member under its name. Whatever else there is, is shown by its `repr`. No call looks at more
characters than it may show, and a margin in which a secret is recognised that is cut.
"""

from __future__ import annotations

import re
from collections import UserString, deque
from collections.abc import ItemsView, Mapping, Sequence, Set, ValuesView
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from io import IOBase
from types import FunctionType, MethodType, ModuleType

from . import _redaction
from ._json import encode, is_readable, plain_number, without_surrogates
from ._redaction import MAX_NAME_CHARS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator
    from typing import Any

    from ._redaction import Policy

# A field and a line. CloudWatch takes 1 MB an event; people and bills do not.
MAX_FIELD_CHARS = 1024
MAX_LINE_BYTES = 16 * 1024
MAX_DEPTH = 6
# A text up to here holds no audio worth the name; a longer run of base64 is shortened.
SHORT_CHARS = 96

# Read beyond what is shown of a text, and not shown: a secret that is cut there is recognised.
_MARGIN_CHARS = 512
# What a value costs of the room that is left, beside its characters: a container of a million
# empty items must not stop the request.
_VALUE_CHARS = 16
# A part of every field is shown, however little room there is.
_LEAST_CHARS = 32
# A digest of this much tells two chunks of audio apart: a WebSocket frame.
_MAX_DIGEST_BYTES = 32 * 1024
# An int of more bits is beyond a double's range, and strict readers refuse it.
_MAX_INT_BITS = 1023

_OPEN = _redaction.Policy(on=False)
_MISSING = object()


class Look:
    """What one look at values may show: so many characters a text, and room for so many in all.

    With `decimals`, a Decimal that neither `int` nor `float` holds stays one, for `_json`; without,
    it is text with all its digits, which every encoder takes.
    """

    __slots__ = ("chars", "decimals", "room", "rules")

    def __init__(
        self, chars: int = 0, room: int = 2 * MAX_LINE_BYTES, decimals: bool = False
    ) -> None:
        """Start a look: `chars` is 0 for what the rules say."""
        self.decimals = decimals
        self.rules = _redaction.policy
        self.chars = chars or (MAX_FIELD_CHARS if self.rules.on else MAX_LINE_BYTES)
        self.room = room


def clean(value: object, name: str | None = "", look: Look | None = None) -> Any:
    """Return a JSON-safe copy of any object.

    `name` is the field the value stands under; `None` skips redaction (for what is no log, or has
    been redacted). Several values share a `look`.
    """
    look = look or Look()
    if name is None:
        look.rules = _OPEN
    return _clean(value, (name,) if name else (), look)


def text(value: object, chars: int = MAX_FIELD_CHARS) -> str:
    """Return any object as bounded text without secrets."""
    cleaned = clean(value, look=Look(chars))
    return cleaned if isinstance(cleaned, str) else shorten(json_text(cleaned), chars)


def json_text(value: object) -> str:
    """Return compact JSON for any object: as it is where it can be, else what `clean` leaves of it."""
    try:
        return encode(_exact(value))
    except (Exception, SystemExit):  # whatever a foreign object's methods raise
        return encode(clean(value, None))


def _exact(value: Any) -> object:
    """Return containers without their own methods: an endless `__iter__` would fill the memory."""
    kind = type(value)
    if issubclass(kind, dict):
        return {key: _exact(inner) for key, inner in dict.items(value)}
    if issubclass(kind, list):
        return [_exact(inner) for inner in list.__iter__(value)]
    if issubclass(kind, tuple):
        return [_exact(inner) for inner in tuple.__iter__(value)]
    return value


# --- one value -----------------------------------------------------------------------------------


def _clean(value: Any, path: tuple[str, ...], look: Look) -> Any:
    """Return a value as JSON holds it, under the names of `path`."""
    look.room -= _VALUE_CHARS
    rules = look.rules
    try:
        kind = rules.kind(path[-1]) if path else ""
        if (kind or rules.paths) and rules.hides(kind, value, path):
            return _censored(value, path, look)
        shown = _plain(value, path, look)
        if kind == "address" and isinstance(shown, str):
            return _redaction.mask_address(shown)
        return shown
    except KeyboardInterrupt:
        raise
    except BaseException:  # a foreign object's own methods, also one that calls `sys.exit`
        return f"<unreadable {name_of(type(value))}>"[: look.chars]


def _plain(value: Any, path: tuple[str, ...], look: Look) -> Any:
    exact = type(value)
    if exact is str:
        return _text(value, look)
    if exact is bool or value is None:
        return value
    for kinds, rule in _RULES:
        if isinstance(value, kinds):
            return rule(value, path, look)
    for of_another_kind in (_number_by_protocol, _text_by_meaning, _bytes_by_protocol, _fields):
        try:
            shown = of_another_kind(value, path, look)
        except (TypeError, ValueError, OverflowError):  # it has the method, and no such meaning
            continue
        if shown is not _MISSING:
            return shown
    return _text(repr(value), look)


def _censored(value: object, path: tuple[str, ...], look: Look) -> str:
    shown = look.rules.replacement(value, path)
    return _text(shown if isinstance(shown, str) else text(shown, look.chars), look)


def _text(value: str, look: Look) -> str:
    chars = look.chars if look.room >= look.chars else max(look.room, _LEAST_CHARS)
    shown = shorten(value, chars, look.rules)
    look.room -= len(shown)
    return shown


def shorten(value: str, chars: int = MAX_FIELD_CHARS, rules: Policy | None = None) -> str:
    """Return text without secrets, with long base64 as length and digest, of at most `chars`."""
    value = str.__str__(value)
    size = str.__len__(value)
    beyond = size > chars + _MARGIN_CHARS
    if beyond:
        value = value[: chars + _MARGIN_CHARS]
    on = (rules or _redaction.policy).on
    if on:
        value = _redaction.scrub(value)
    if beyond:
        value = value[:-_MARGIN_CHARS]  # what is cut there may be half a secret
    if on and len(value) > SHORT_CHARS:
        value = _base64_runs().sub(_base64_summary, value)
    value = without_surrogates(value)
    if beyond or len(value) > chars:
        tail = f"...[{size} chars]"
        value = value[: max(chars - len(tail), 0)] + tail
    return value


@lru_cache(maxsize=1)  # compiled when it is needed: an import should not pay for it
def _base64_runs() -> re.Pattern[str]:
    long = f"{{{SHORT_CHARS + 1},}}+={{0,2}}"
    # Of one alphabet or the other: a file's path is of both.
    return re.compile(f"[A-Za-z0-9+/]{long}|[A-Za-z0-9_-]{long}")


def _base64_summary(match: re.Match[str]) -> str:
    run = match[0]
    return f"<base64 {len(run)} chars {_digest(run.encode())}>"


def _digest(data: bytes) -> str:
    """Return enough of a digest to tell two values apart."""
    import hashlib

    return "sha256:" + hashlib.sha256(data).hexdigest()[:12]


def name_of(kind: type) -> str:
    """Return a class's name, bounded, whatever its metaclass says."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return name[:64]


# --- numbers -------------------------------------------------------------------------------------


def _int(value: Any, _: object, look: Look) -> object:
    number = int.__index__(value)
    bits = number.bit_length()
    if bits > _MAX_INT_BITS:
        return f"<int of {bits} bits>"[: look.chars]
    if bits > 64:
        look.room -= bits // 3  # a little more than its digits
    return number


def _float(value: float, _: object, __: object) -> object:
    number = float.__float__(value)
    return number if number - number == 0 else float.__repr__(number)


def _decimal(value: Decimal, _: object, look: Look) -> object:
    number = plain_number(value) if is_readable(value) else value
    if type(number) is int:
        return _int(number, None, look)
    if type(number) is float:
        return number
    digits = Decimal.__str__(value)
    look.room -= min(len(digits), look.chars)
    is_kept = look.decimals and is_readable(value) and len(digits) <= look.chars
    return value if is_kept else shorten(digits, look.chars, _OPEN)


def _number_by_protocol(value: Any, path: tuple[str, ...], look: Look) -> object:
    """Return the number of any library's scalar."""
    number = _scalar(value)
    return _MISSING if number is None else _plain(number, path, look)


def _scalar(value: Any) -> object:
    """Return the number, or the truth, that a library's scalar is: numpy's, a tensor's, a fraction's."""
    kind = type(value)
    is_array = hasattr(kind, "__len__") and hasattr(kind, "__getitem__")
    if is_array and getattr(value, "shape", None) != ():  # one without dimensions is a scalar
        return None
    if hasattr(kind, "item") and hasattr(kind, "__float__"):  # it knows its own kind: 1, 1.0, True
        item: object = value.item()
        if type(item) in (bool, int, float, complex):
            return item
    if hasattr(kind, "__index__"):
        return int.__index__(kind.__index__(value))
    return float.__float__(kind.__float__(value)) if hasattr(kind, "__float__") else None


def number_of(value: Any) -> Any:
    """Return Python's own number for any library's, with `float`'s digits; None for another thing.

    Neither True nor text is a number. What a foreign object's methods raise is raised.
    """
    if isinstance(value, int):
        return None if isinstance(value, bool) else int.__index__(value)
    number = value if isinstance(value, (float, Decimal)) else _scalar(value)
    if type(number) is int:
        return number
    return float(number) if isinstance(number, (float, Decimal)) else None


# --- text ----------------------------------------------------------------------------------------

# Where the classes live whose objects have one meaning as text.
_MODULES_OF_TEXT = frozenset(
    ("uuid", "pathlib", "pathlib._local", "ipaddress", "datetime", "zoneinfo")
)


def _text_by_meaning(value: Any, _: object, look: Look) -> object:
    kind = type(value)
    if hasattr(kind, "isoformat"):  # a date, a time, also of another library
        return _text(str(value.isoformat()), look)
    if hasattr(kind, "item") and type(value.item()).__module__ in _MODULES_OF_TEXT:
        return _text(str(value), look)  # numpy's dates and spans of time
    if hasattr(kind, "__fspath__"):
        return _text(str(value), look)
    if any(base.__module__ in _MODULES_OF_TEXT for base in kind.__mro__):
        return _text(str(value), look)
    return _MISSING


def _exception(value: BaseException, _: object, look: Look) -> str:
    """Return an exception's type and text, `KeyError: 'sessionId'`."""
    name = name_of(type(value))
    said = str(value)
    return _text(f"{name}: {said}" if said else name, look)


def _bytes(value: Any, _: object, look: Look) -> str:
    data = memoryview(value)
    start = bytes(data.cast("B")[:_MAX_DIGEST_BYTES]) if data.contiguous else b""
    return f"<{name_of(type(value))} {data.nbytes} bytes {_digest(start)}>"[: look.chars]


def _bytes_by_protocol(value: object, path: tuple[str, ...], look: Look) -> object:
    """Return the size of what holds bytes: an array of samples is audio."""
    try:
        memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        return _MISSING
    return _bytes(value, path, look)


# --- what holds other values ---------------------------------------------------------------------


def _dict(value: dict[object, object], path: tuple[str, ...], look: Look) -> object:
    return _members(dict.items(value), dict.__len__(value), path, look)


def _mapping(value: Mapping[object, object], path: tuple[str, ...], look: Look) -> object:
    return _members(value.items(), len(value), path, look)


def _pairs(value: ItemsView[object, object], path: tuple[str, ...], look: Look) -> object:
    return _members(value, len(value), path, look)


def _tuple(value: tuple[object, ...], path: tuple[str, ...], look: Look) -> object:
    names = getattr(type(value), "_fields", ())
    if names and len(names) == tuple.__len__(value):
        return _members(zip(names, tuple.__iter__(value), strict=True), len(names), path, look)
    return _items(tuple.__iter__(value), tuple.__len__(value), path, look)


def _list(value: list[object], path: tuple[str, ...], look: Look) -> object:
    return _items(list.__iter__(value), list.__len__(value), path, look)


def _collection(value: Any, path: tuple[str, ...], look: Look) -> object:
    return _items(value, len(value), path, look)


def _sequence(value: Any, path: tuple[str, ...], look: Look) -> object:
    shown = _bytes_by_protocol(value, path, look)  # `array.array` is a sequence, of audio's samples
    return _collection(value, path, look) if shown is _MISSING else shown


def _members(
    pairs: Iterable[tuple[object, object]], size: int, path: tuple[str, ...], look: Look
) -> object:
    if len(path) > MAX_DEPTH:
        return f"<{size} fields>"
    rules = look.rules
    cleaned: dict[str, object] = {}
    given: dict[
        str, tuple[str, object]
    ] = {}  # by the name that is shown: the whole name, the value
    for key, value in pairs:
        if look.room <= 0:
            cleaned["..."] = f"{max(size - len(cleaned), 0)} more"
            break
        name = _name(key, look)
        inner = (*path, name)  # the whole name is judged, whatever is shown of it
        if rules.remove and rules.hides(rules.kind(name), value, inner):
            continue
        shown = another(shorten(name, min(look.chars, MAX_NAME_CHARS), rules), cleaned)
        look.room -= len(shown)
        cleaned[shown] = _clean(value, inner, look)
        given[name] = shown, value
    if rules.on and len(given) > 1:
        _hide_named(given, cleaned, path, look)
    return cleaned


def _hide_named(
    given: dict[str, tuple[str, object]],
    cleaned: dict[str, object],
    path: tuple[str, ...],
    look: Look,
) -> None:
    """Hide members that another member names as secret: `{"name": "password", "value": ...}`."""
    for name in _redaction.secret_members({name: value for name, (_, value) in given.items()}):
        shown, value = given[name]
        cleaned[shown] = _censored(value, (*path, name), look)


def _name(key: object, look: Look) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, (bytes, bytearray)):
        return bytes(key[: MAX_NAME_CHARS * 2]).decode("utf-8", "replace")
    if isinstance(key, (tuple, frozenset)):
        return repr(key)
    shown = _plain(key, (), look)
    return shown if isinstance(shown, str) else json_text(shown)


def another(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken: two keys may become one text, and both are kept."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _items(values: Iterable[object], size: int, path: tuple[str, ...], look: Look) -> object:
    if len(path) > MAX_DEPTH:
        return f"<{size} items>"
    inner = (*path, "*")
    cleaned: list[object] = []
    seen: list[object] = []
    for value in values:
        if look.room <= 0:
            cleaned.append(f"... {max(size - len(cleaned), 0)} more")
            break
        cleaned.append(_clean(value, inner, look))
        seen.append(value)
    if look.rules.on and len(seen) > 1:
        for position in _redaction.secret_positions(seen):
            cleaned[position] = _censored(seen[position], inner, look)
    return cleaned


# What has attributes, but is no record of values.
_SHOWN_BY_REPR = (type, FunctionType, MethodType, ModuleType, IOBase)


def _fields(value: object, path: tuple[str, ...], look: Look) -> object:
    """Return an object's public fields: a dataclass's, a model's, a namespace's, `__slots__`."""
    if isinstance(value, _SHOWN_BY_REPR):
        return _MISSING
    names = _field_names(value, type(value))
    if not names:
        return _MISSING
    return _members(_read(value, names), len(names), path, look)


def _field_names(value: object, kind: type) -> list[str]:
    declared = getattr(kind, "__dataclass_fields__", None)
    if isinstance(declared, dict):
        return [name for name, field in declared.items() if field.repr]
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return [attribute.name for attribute in attributes if attribute.repr]
    names: dict[str, None] = {}
    for base in reversed(kind.__mro__):
        slots = base.__dict__.get("__slots__", ())
        names.update(dict.fromkeys((slots,) if isinstance(slots, str) else slots))
    try:
        names.update(dict.fromkeys(object.__getattribute__(value, "__dict__")))
    except AttributeError:
        pass
    return [name for name in names if isinstance(name, str) and not name.startswith("_")]


def _read(value: object, names: list[str]) -> Iterator[tuple[object, object]]:
    for name in names:
        try:
            yield name, getattr(value, name)
        except AttributeError:  # a slot that is not set
            continue
        except (Exception, SystemExit):  # a property of its own
            yield name, "<unreadable>"


# The first that fits; what is checked by an abstract class comes after what Python's own types are.
_RULES: tuple[tuple[Any, Callable[[Any, tuple[str, ...], Look], object]], ...] = (
    (str, lambda value, _, look: _text(value, look)),
    (UserString, lambda value, _, look: _text(value.data, look)),
    (int, _int),
    (float, _float),
    (Decimal, _decimal),
    (Enum, lambda value, path, look: _plain(value.value, path, look)),
    (BaseException, _exception),
    ((bytes, bytearray, memoryview), _bytes),
    (dict, _dict),
    (tuple, _tuple),
    (list, _list),
    (range, lambda value, _, look: _text(repr(value), look)),
    (ItemsView, _pairs),
    ((Set, ValuesView, deque), _collection),
    (Mapping, _mapping),
    (Sequence, _sequence),
)
