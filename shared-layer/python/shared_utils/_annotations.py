"""From the annotations of a class to its fields: what each of them means, and what is refused.

Whatever cannot be meant is a TypeError that names the class and the field, and says what to write.
Loaded when the first class of messages is prepared.
"""

from __future__ import annotations

import sys
from enum import Enum, Flag
from functools import cached_property, partial
from types import CodeType, UnionType

from . import _cleaning, _values
from ._kinds import (
    ABSENT,
    FILLED_IN,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_VALUES,
    REQUIRED,
    Field,
    FrozenDict,
    FrozenList,
    Kind,
    Limits,
    choice,
    is_secret,
    own_dict,
    plain,
    without_value,
    wrong,
)
from ._values import (
    MAX_MAGNITUDE,
    MAX_MESSAGE_BYTES,
    MAX_SAFE_INTEGER,
    MIN_MAGNITUDE,
    is_unicode,
    storable,
)
from .error_codes import ErrorCode, ValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._kinds import Check, Schema

# The names of its classes are not for fields.
_ENGINE = f"{__package__}.records"

# --- classes


def kinds_of(cls: Any) -> dict[str, tuple[Kind, bool]]:
    """Return the kinds that the body of a class declares, by field, and whether each is optional."""
    kinds: dict[str, tuple[Kind, bool]] | None = vars(cls).get("_kinds")
    if kinds is None:  # one of the layer's own
        kinds = cls._kinds = declared_kinds(cls, vars(sys.modules[cls.__module__]), {})
    return kinds


def declared_kinds(cls: Any, names: dict[str, Any], local: Any) -> dict[str, tuple[Kind, bool]]:
    kinds = {}
    hints = _hints_of(cls)
    _check_body(cls, hints)
    for name, hint in hints.items():
        if is_class_variable(hint):
            continue
        place = Place(cls, name, names, local)
        _check_name(place, name)
        options = {"secret": True} if is_secret(name) else {}
        whole, is_optional = _without_none(place, place.found(hint))
        kinds[name] = kind_of(whole, place, options), is_optional
    return kinds


def _hints_of(cls: Any) -> dict[str, Any]:
    try:
        hints: dict[str, Any] = getattr(cls, "__annotations__", {})  # a class in C has none
        return hints
    except NameError as error:  # Python 3.14 looks names up only now
        advice = "import or declare it above the class, or quote the annotation"
        raise TypeError(f"{cls.__name__}: {error}: {advice}") from None


# What the body of a message cannot hold, and what to write instead.
_NOT_IN_BODIES = {
    "__init__": "a message is made of its fields: write defaults, and def check(self)",
    "__post_init__": "nothing calls it: write def check(self)",
    "__slots__": "a message keeps its fields in its __dict__: write none",
}


def _check_body(cls: Any, hints: dict[str, Any]) -> None:
    """Raise TypeError if a class, or a base that is no Record, says what messages would leave out."""
    for name, advice in _NOT_IN_BODIES.items():
        # The layer's own know what they do.
        if name in vars(cls) and cls.__module__.partition(".")[0] != __package__:
            raise Place(cls, name, {}, {}).refusal(advice)
    if "check" not in hints and not _takes_one(cls.check):
        raise Place(cls, "check", {}, {}).refusal(
            "it is no def of self alone: write def check(self)"
        )
    for base in cls.__mro__:
        if base is cls or not hasattr(base, "_as_kind"):
            _check_properties(cls, base)
        if not hasattr(base, "_as_kind"):
            _check_mixin(cls, base, hints)


def _check_properties(cls: Any, base: type) -> None:
    for name, value in vars(base).items():
        if isinstance(value, cached_property):
            text = "a cached_property writes into the message: write a property"
            raise Place(cls, name, {}, {}).refusal(text)


def _check_mixin(cls: Any, base: type, hints: dict[str, Any]) -> None:
    known = {*hints}.union(*(kinds_of(one) for one in cls.__mro__[1:] if hasattr(one, "_as_kind")))
    for name, hint in _hints_of(base).items():
        if name not in known and not is_class_variable(hint):
            text = f"{base.__name__} is no Record, its fields are no fields of a message"
            raise Place(cls, name, {}, {}).refusal(f"{text}: make {base.__name__} a Record")


# https://docs.python.org/3/library/inspect.html#code-objects-bit-flags
_ANY_NUMBER, _NO_PLAIN_DEF = 0x04, 0x20 | 0x80 | 0x200


def _takes_one(function: Any) -> bool:
    """Return whether `function` takes one value and returns at once, as far as its code says."""
    if isinstance(function, partial):  # what it takes is not in the code
        code = getattr(function.func, "__code__", None)
        return not getattr(code, "co_flags", 0) & _NO_PLAIN_DEF
    target: Any = function if hasattr(function, "__code__") else _call_of(type(function))
    code = getattr(target, "__code__", None)
    if type(code) is not CodeType:  # a class, or written in C
        return callable(function)
    count = 2 if target is not function or hasattr(function, "__self__") else 1
    least = code.co_argcount - len(target.__defaults__ or ())
    has_room = count <= code.co_argcount or code.co_flags & _ANY_NUMBER
    needs_names = code.co_kwonlyargcount > len(target.__kwdefaults__ or ())
    is_plain = not code.co_flags & _NO_PLAIN_DEF
    return bool(is_plain and least <= count and has_room and not needs_names)


def _call_of(cls: type) -> Any:
    return next((vars(one)["__call__"] for one in cls.__mro__ if "__call__" in vars(one)), None)


def _without_none(place: Place, hint: Any) -> tuple[Any, bool]:
    """Return X and whether it was X | None."""
    if not is_union(hint) or (type(None) not in args_of(hint) and None not in args_of(hint)):
        return hint, False
    rest = [one for one in args_of(hint) if one not in (None, type(None))]
    if len(rest) > 1:
        raise several(place, hint)
    return rest[0], True


def _check_name(place: Place, name: str) -> None:
    cls: Any = place.cls
    if name[0] == "_":
        raise place.refusal(
            f"a field's name is on the wire: write {name.strip('_')}, or ClassVar[...]"
        )
    if name == cls._tag:
        raise place.refusal(f'it is no field: write {name}: ClassVar[str] = "..."')
    for base in cls.__mro__[1:]:
        declared = kinds_of(base) if hasattr(base, "_as_kind") else {}
        if name in declared and base.__module__ != _ENGINE:
            return  # a field that the class declares again
        if name in declared or name in vars(base):
            ours = f"{base.__name__} has this name itself"
            advice = "another name" if name in declared else f"{name}_, which is {name} on the wire"
            raise place.refusal(f"{ours}: write {advice}")


def fields_of(cls: Any) -> dict[str, Field]:
    """Return the fields of a class by name, its own first."""
    kinds: dict[str, tuple[Kind, bool]] = {}
    for owner in cls.__mro__:
        if hasattr(owner, "_as_kind"):
            kinds = {**kinds, **{k: v for k, v in kinds_of(owner).items() if k not in kinds}}
    fields: dict[str, Field] = {}
    wires = {cls._tag: cls._tag}
    for name, (kind, is_optional) in kinds.items():
        wire = name.removesuffix("_")
        place = Place(cls, name, {}, {})
        if wire in wires:
            raise place.refusal(f"{wires[wire]} is {wire} on the wire, too: write another name")
        wires[wire] = name
        fields[name] = Field(wire, kind, is_optional, _default(place, wire, kind, is_optional))
    return fields


def _default(place: Place, wire: str, kind: Kind, is_optional: bool) -> Any:
    """Return what an absent field holds: a checked copy of what its class says."""
    default = getattr(place.cls, place.field, REQUIRED)
    if default is REQUIRED and is_optional:
        raise place.refusal(f"X | None needs a default: write {place.field}: X | None = None")
    if default is REQUIRED and kind.endless and kind.example is None:
        raise place.refusal(
            f"such a message has no end: write {place.cls.__name__} | None = None, or a list"
        )
    if default is REQUIRED or default is FILLED_IN or (default is None and is_optional):
        return default
    try:
        return kind.check(default, wire)
    except ValidationError as error:
        advice = "X | None = None" if default is None else "a default that the field would take"
        raise place.refusal(f"its default does not fit, {error.message}: write {advice}") from None


# --- annotations

_KINDS_OF_FIELDS = (
    "str, int, float, bool, list[X], dict[str, X], Literal, an Enum, a Record"
    " or Annotated[X, Limits(...)]"
)
_TIME = "int (milliseconds since the epoch) or str (ISO 8601)"
# What to write instead, by the name of what was written.
_INSTEAD = {
    "datetime": _TIME,
    "date": "str (ISO 8601)",
    "time": "str (ISO 8601)",
    "timedelta": "float (seconds)",
    "bytes": "str (base64)",
    "bytearray": "str (base64)",
    "memoryview": "str (base64)",
    "Decimal": "float, or str (every digit is kept)",
    "Fraction": "float",
    "complex": "a Record of two floats",
    "UUID": "str",
    "Path": "str",
    "Any": "a Record with the fields that you expect",
    "object": "a Record with the fields that you expect",
    "tuple": "list[X], or a Record",
    "set": "list[X]",
    "frozenset": "list[X]",
    "list": "list[X]",
    "Sequence": "list[X]",
    "Iterable": "list[X]",
    "dict": "dict[str, X]",
    "Mapping": "dict[str, X]",
    "Literal": "texts, whole numbers, True or False in it",
    "Optional": "X | None",
    "None": "X | None with a default",
    "NoneType": "X | None with a default",
}
_RANGE, _LENGTH = ("minimum", "maximum"), ("min_length", "max_length")
_OPTIONS: dict[Any, tuple[str, ...]] = {
    str: (*_LENGTH, "pattern"),
    int: _RANGE,
    float: _RANGE,
    list: _LENGTH,
    dict: _LENGTH,
}
_FOR_ALL = ("check", "description", "example", "secret")


# Quotes in quotes: a text under `from __future__ import annotations` is one. Some text names itself.
_MAX_QUOTES = 4


class Place:
    """Where an annotation stands: what it may name, and what a refusal says first."""

    def __init__(self, cls: Any, field: str, names: dict[str, Any], local: Any) -> None:
        self.cls = cls
        self.field = field
        self.depth = 0  # in how many lists and dicts
        self._names = names
        self._local = local

    def refusal(self, text: str) -> TypeError:
        return TypeError(f"{self.cls.__name__}.{self.field}: {text}")

    def no_kind(self, hint: Any) -> TypeError:
        name = _name_of(hint)
        instead = _INSTEAD.get(name.partition("[")[0], _KINDS_OF_FIELDS)
        return self.refusal(f"{name} is not a kind of field: write {instead}")

    def found(self, hint: Any) -> Any:
        """Return what an annotation stands for: of text what it names, of an alias its value."""
        hint = getattr(hint, "__forward_arg__", hint)
        for _ in range(_MAX_QUOTES):
            if type(hint) is not str:
                break
            hint = self._evaluated(hint)
            hint = getattr(hint, "__forward_arg__", hint)
        return self.found(hint.__value__) if type(hint).__name__ == "TypeAliasType" else hint

    def _evaluated(self, text: str) -> Any:
        inside = {name: one for name, one in vars(self.cls).items() if isinstance(one, type)}
        local = {**self._local, self.cls.__name__: self.cls, **inside}
        try:
            return eval(text, self._names, local)  # noqa: S307 - an annotation, from the source
        except Exception as error:
            where = "is not found in the module or the body around the class"
            advice = "import or declare it above the class, and not for type checkers only"
            raise self.refusal(f"{text} {where} ({error}): {advice}") from None


def _name_of(hint: Any) -> str:
    name = hint.__qualname__ if isinstance(hint, type) and not args_of(hint) else repr(hint)
    return name.rpartition(".<locals>.")[2].replace("typing.", "").replace("collections.abc.", "")


def args_of(hint: Any) -> tuple[Any, ...]:
    args = getattr(hint, "__args__", ())
    return args if type(args) is tuple else ()


def _typing(name: str) -> Any:
    """Return one of `typing`'s names if somebody has loaded it; else nothing can be made of it."""
    return getattr(sys.modules.get("typing"), name, ABSENT)


def is_class_variable(hint: Any) -> bool:
    if type(hint) is str:
        return hint.partition("[")[0].rpartition(".")[2] == "ClassVar"
    return _typing("ClassVar") in (hint, getattr(hint, "__origin__", None))


def is_union(hint: Any) -> bool:
    return isinstance(hint, UnionType) or getattr(hint, "__origin__", None) in (
        UnionType,
        _typing("Union"),
    )


def several(place: Place, hint: Any) -> TypeError:
    name = _name_of(hint)
    return place.refusal(
        f"{name} is not a kind of field: write one kind, or a Record with a field for each"
    )


# --- kinds


def kind_of(hint: Any, place: Place, options: dict[str, Any]) -> Kind:
    hint = place.found(hint)
    metadata = getattr(hint, "__metadata__", ())
    if metadata:
        if type(metadata[0]) is Kind:
            return metadata[0]
        origin = place.found(hint.__origin__)
        whole, is_optional = _without_none(place, origin)
        if is_optional and not place.depth:
            wanted = f"Annotated[{_name_of(whole)}, Limits(...)] | None"
            raise place.refusal(f"None has no limits, it stands outside: write {wanted}")
        return kind_of(origin, place, _with_limits(place, metadata, options))
    if is_union(hint):
        if type(None) in args_of(hint):
            raise place.refusal(
                "null has no place inside: write X for X | None, and None for the field"
            )
        raise several(place, hint)
    base = getattr(hint, "__origin__", None) or hint
    make = _maker_of(base)
    if make is None:
        raise place.no_kind(hint)
    if "description" in options and hasattr(base, "_as_kind"):
        raise place.refusal(f"description is not for {_name_of(hint)}: write its docstring")
    for option in options:
        if option not in (*_FOR_ALL, *_OPTIONS.get(base, ())):
            fits = ", ".join(_OPTIONS.get(base, ()) + _FOR_ALL)
            raise place.refusal(f"{option} is not for {_name_of(hint)}: write {fits}")
    return _finished(make(hint, place, options), place, options)


def _with_limits(place: Place, metadata: tuple[Any, ...], options: dict[str, Any]) -> Any:
    for one in metadata:
        if type(one) is not Limits:
            raise place.refusal(f"{_values.shown(one)} says nothing here: write Limits(...)")
        twice = options.keys() & one.given.keys() - {"secret"}
        if twice:
            raise place.refusal(f"{min(twice)} is said twice: write it once")
        options = {**options, **one.given}
    for name, wanted, advice in (("description", str, "text"), ("secret", bool, "True or False")):
        if name in options and type(options[name]) is not wanted:
            raise place.refusal(f"{name} is {_values.shown(options[name])}: write {advice}")
    if not _takes_one(options.get("check", str)):
        raise place.refusal("its check is no def of the value alone: write def check(value)")
    return options


def _inner_kind(hint: Any, place: Place, secret: bool) -> Kind:
    """Return the kind of what is in a list or a dict."""
    place.depth += 1
    if place.depth >= MAX_DEPTH:  # the message is the first level
        raise place.refusal(f"messages are at most {MAX_DEPTH} levels deep: write fewer")
    kind = kind_of(hint, place, {"secret": True} if secret else {})
    place.depth -= 1
    return kind


def _maker_of(base: Any) -> Any:
    if base is _typing("Literal"):
        return _literal
    if not isinstance(base, type):
        return None
    if hasattr(base, "_as_kind"):  # a Record
        return lambda _hint, place, _options: base._as_kind(place)
    return _enum if issubclass(base, Enum) else _MAKERS.get(base)


def _finished(kind: Kind, place: Place, options: dict[str, Any]) -> Kind:
    """Return `kind` with what Limits may say of all kinds."""
    secret = options.get("secret", False)
    kind.secret = secret or kind.secret
    if secret and type(kind.schema) is not dict:  # of a Record: its fields know nothing of it
        kind.check = _hiding(kind.check)
    if "check" in options:
        kind.check = _checked_by(options["check"], kind.check, secret)
    if "example" in options:
        try:
            kind.check(options["example"], place.field)
        except ValidationError as error:
            raise place.refusal(f"its example does not fit, {error.message}") from None
        kind.example = options["example"]
    return kind


def _hiding(check: Check) -> Check:
    def checked(value: Any, path: str) -> Any:
        try:
            return check(value, path)
        except ValidationError as error:
            raise without_value(error, error.field or path) from None

    return checked


def _checked_by(function: Callable[[Any], Any], check: Check, secret: bool) -> Check:
    def checked(value: Any, path: str) -> Any:
        value = check(value, path)
        try:
            kept = function(value)
        except (ValidationError, ValueError) as error:
            raise _refused(error, path, secret) from None
        return value if kept is value else check(kept, path)

    return checked


def _refused(error: ValidationError | ValueError, path: str, secret: bool) -> ValidationError:
    """Return what a check of one's own has raised, for the field at `path`."""
    wrong_code = ErrorCode.VALIDATION_INVALID_PARAMETER
    code = error.code if isinstance(error, ValidationError) else wrong_code
    if secret:  # its text may show the value
        return ValidationError(f"{path} is not accepted", path, code)
    if not isinstance(error, ValidationError):
        return ValidationError(f"{path}: {_cleaning.text(str(error), 200)}", path)
    said = error.message
    if error.field and said.startswith(error.field):  # the name that the check knows it by
        said = path + said[len(error.field) :]
    return ValidationError(said, path, code)


def _limit(place: Place, options: dict[str, Any], low: Any, high: Any, names: Any) -> Any:
    """Return the range that Limits give, which must be inside of `low` to `high`."""
    given = [options.get(name, usual) for name, usual in zip(names, (low, high), strict=True)]
    types = (int, float) if type(low) is float else (int,)
    for name, one in zip(names, given, strict=True):
        if type(one) not in types or not low <= one <= max(low, high):
            raise place.refusal(f"{name} is {_values.shown(one)}: write {low} to {high}")
    if given[0] > given[1]:
        raise place.refusal(f"{names[0]} is above {names[1]}: write them the other way round")
    return [*map(storable, given)]  # as the values are


_UNICODE = "be Unicode, without half of a surrogate pair"


def _text(_hint: Any, place: Place, options: dict[str, Any]) -> Kind:
    low, high = _limit(place, options, 0, MAX_MESSAGE_BYTES, _LENGTH)
    pattern, secret = options.get("pattern"), options.get("secret", False)
    wanted = options.get("description") or _text_wanted(low, high, pattern)
    fits = None
    if pattern is not None:
        fits = _compiled(place, pattern)

    def check(value: Any, path: str) -> Any:
        text: Any = value if type(value) is str else plain(value)
        if type(text) is str and low <= len(text) <= high and (fits is None or fits(text)):
            if text.isascii() or is_unicode(text):
                return text
            raise wrong(path, _UNICODE, value, secret)
        raise wrong(path, f"be {wanted}", value, secret)

    def make_sample() -> Any:
        if pattern is None:
            return ("text" * (low // 4 + 1))[: max(low, min(high, 4))]
        from ._patterns import sample

        return sample(pattern, low, high)

    schema: Schema = {"type": "string"}
    if low:
        schema["minLength"] = low
    if high < MAX_MESSAGE_BYTES:
        schema["maxLength"] = high
    if pattern is not None:
        schema["pattern"] = f"^(?:{pattern})$" if "|" in pattern else f"^{pattern}$"
    return Kind(check, {**schema, "description": wanted}, make_sample)


def _text_wanted(low: int, high: int, pattern: str | None) -> str:
    text = f"text{_size_wanted(low, high, MAX_MESSAGE_BYTES, 'characters')}"
    if low == 1 and high == MAX_MESSAGE_BYTES:
        text = "text that is not empty"
    return text if pattern is None else f"{text} that fits {pattern}"


def _size_wanted(low: int, high: int, usual: int, unit: str) -> str:
    if high == usual:
        return f" of at least {low} {unit}" if low else ""
    return f" of {low} to {high} {unit}" if low else f" of up to {high} {unit}"


def _compiled(place: Place, pattern: Any) -> Any:
    import re

    # The layer's own are looked at by a test.
    if place.cls.__module__.partition(".")[0] != __package__:
        from ._patterns import is_read_alike, nests_repetitions

        if type(pattern) is not str or not is_read_alike(pattern):
            simple = "characters, [classes] without \\d \\w \\s, groups, | and * + ? {m,n}"
            raise place.refusal(
                f"Python and ECMAScript do not read {_values.shown(pattern)} alike: write {simple}"
            )
        if nests_repetitions(pattern):
            got = f"{_values.shown(pattern)} repeats a repetition, which may take for ever"
            raise place.refusal(f"{got}: write {{m,n}} for one of the two")
    return re.compile(pattern).fullmatch


def _number(hint: Any, place: Place, options: dict[str, Any]) -> Kind:
    whole, secret = hint is int, options.get("secret", False)
    most: Any = MAX_SAFE_INTEGER if whole else MAX_MAGNITUDE
    low, high = _limit(place, options, -most, most, _RANGE)
    types = (int,) if whole else (int, float)
    wanted = options.get("description") or _number_wanted(whole, low, high, most)

    def check(value: Any, path: str) -> Any:
        number = value if type(value) in types else plain(value, whole)
        if type(number) in types and low <= number <= high:
            return number if whole else storable(number)
        raise wrong(path, f"be {wanted}", value, secret)

    kind = "integer" if whole else "number"
    schema = {"type": kind, "minimum": low, "maximum": high, "description": wanted}
    return Kind(check, schema, max(low, min(high, 7 if whole else 0.5)))


def _number_wanted(whole: bool, low: Any, high: Any, most: Any) -> str:
    what = "a whole number" if whole else "a number"
    if (low, high) == (-most, most):
        return what
    if high == most:
        return f"{what} of at least {low}"
    return f"{what} up to {high}" if low == -most else f"{what} from {low} to {high}"


def _boolean(_hint: Any, _place: Place, options: dict[str, Any]) -> Kind:
    secret = options.get("secret", False)
    wanted = options.get("description", "true or false")

    def check(value: Any, path: str) -> bool:
        if value is True or value is False:
            return value
        raise wrong(path, f"be {wanted}", value, secret)

    return Kind(check, {"type": "boolean", "description": wanted}, True)


def _literal(hint: Any, place: Place, options: dict[str, Any]) -> Kind:
    if not {str, int, bool} >= {*map(type, hint.__args__)}:
        raise place.no_kind(hint)
    _check_values(place, hint, hint.__args__)
    return choice(hint.__args__, hint.__args__, None, options)


def _enum(hint: Any, place: Place, options: dict[str, Any]) -> Kind:
    if issubclass(hint, Flag):
        raise place.refusal(f"{_name_of(hint)} is a Flag: write list[...] of an Enum, or int")
    values = [plain(member._value_, whole=True) for member in hint]
    if not values or not {str, int, float, bool} >= {*map(type, values)}:
        raise place.refusal(f"{_name_of(hint)} has other values than texts and numbers: write such")
    _check_values(place, hint, values)
    return choice(values, [*hint], hint, options)


def _check_values(place: Place, hint: Any, values: Any) -> None:
    for value in values:
        if type(value) is str:
            held = is_unicode(value)
        else:
            held = -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE and storable(value) == value
        if not held:
            wanted = f"Unicode, 0, or numbers from {MIN_MAGNITUDE} to {MAX_MAGNITUDE}"
            raise place.refusal(
                f"{_name_of(hint)} has a value that no message holds: write {wanted}"
            )


def _list(hint: Any, place: Place, options: dict[str, Any]) -> Kind:
    if len(args_of(hint)) != 1:
        raise place.no_kind(hint)
    low, high = _limit(place, {"max_length": MAX_ITEMS, **options}, 0, MAX_VALUES, _LENGTH)
    secret = options.get("secret", False)
    inner = _inner_kind(args_of(hint)[0], place, secret)
    wanted = options.get("description") or f"a list{_size_wanted(low, high, -1, 'items')}"

    def check(value: Any, path: str) -> FrozenList:
        if not issubclass(type(value), list) or not low <= list.__len__(value) <= high:
            raise wrong(path, f"be {wanted}", value, secret)
        check, items = inner.check, enumerate(list.__iter__(value))
        return FrozenList([check(item, f"{path}[{i}]") for i, item in items])

    def schema(definitions: Schema) -> Schema:
        items = {"items": inner.schema_in(definitions), "maxItems": high}
        sizes = {"minItems": low} if low else {}
        return {"type": "array", **items, **sizes, "description": wanted}

    def sample() -> list[Any]:
        return [] if inner.endless else [inner.make_example() for _ in range(low or min(high, 1))]

    return Kind(check, schema, sample, is_plain=False, endless=inner.endless, secret=inner.secret)


def _dict(hint: Any, place: Place, options: dict[str, Any]) -> Kind:
    if len(args_of(hint)) != 2 or place.found(args_of(hint)[0]) is not str:
        raise place.no_kind(hint)
    low, high = _limit(place, {"max_length": MAX_ITEMS, **options}, 0, MAX_VALUES, _LENGTH)
    secret = options.get("secret", False)
    inner = _inner_kind(args_of(hint)[1], place, secret)
    wanted = options.get("description") or f"an object{_size_wanted(low, high, -1, 'names')}"

    def check(value: Any, path: str) -> FrozenDict:
        if not issubclass(type(value), dict):
            raise wrong(path, "be an object", value, secret)
        items = own_dict(value, path)
        if len(items) != dict.__len__(value):
            raise wrong(path, "have texts as names", _first_no_text(value), secret)
        if not low <= len(items) <= high:
            raise wrong(path, f"be {wanted}", value, secret)
        if not all(map(is_unicode, items)):
            raise wrong(
                path, "have names in Unicode, without half of a surrogate pair", value, secret
            )
        check, name = inner.check, ""
        kept = {}
        try:
            for name, one in items.items():
                kept[name] = check(one, _path_in(path, name, secret))
        except ValidationError as error:
            if not is_secret(name):
                raise
            raise without_value(error, _path_in(path, name, secret)) from None
        return FrozenDict(kept)

    def schema(definitions: Schema) -> Schema:
        sizes = {"minProperties": low} if low else {}
        values = {"additionalProperties": inner.schema_in(definitions), "maxProperties": high}
        return {"type": "object", **values, **sizes, "description": wanted}

    def sample() -> dict[str, Any]:
        if inner.endless:
            return {}
        return {f"name{i + 1}": inner.make_example() for i in range(low or min(high, 1))}

    return Kind(check, schema, sample, is_plain=False, endless=inner.endless, secret=inner.secret)


def _first_no_text(names: Any) -> object:
    return next((name for name in dict.keys(names) if not issubclass(type(name), str)), None)


def _path_in(path: str, name: str, secret: bool) -> str:
    if name.isidentifier() and len(name) <= _values.MAX_SHOWN_CHARS and not secret:
        return f"{path}.{name}"
    return f"{path}[...]" if secret else f"{path}[{_values.shown(name)}]"


_MAKERS: dict[Any, Any] = {
    str: _text,
    int: _number,
    float: _number,
    bool: _boolean,
    list: _list,
    dict: _dict,
}
