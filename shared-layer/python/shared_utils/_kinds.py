"""What a field of a message is: its kind, its limits, and the values that are kept of it.

What every module with messages needs when it is imported; `_annotations` does the rest, later.
"""

from __future__ import annotations

from decimal import Decimal
from types import UnionType

from . import _cleaning, _json, _redaction, _values
from .error_codes import ErrorCode, ValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Annotated as Annotated  # noqa: PLC0414 - the layer's modules have it from here
    from typing import Any

    Check = Callable[[Any, str], Any]
    Schema = dict[str, Any]
else:

    class Annotated:
        """What stands for `typing.Annotated` in the layer's own modules: `typing` takes 2 ms to load."""

        def __init__(self, origin, *metadata):
            self.__origin__, self.__metadata__ = origin, metadata

        def __class_getitem__(cls, args):
            return cls(*args)

        def __or__(self, other):
            return _Union(self, other)

    class _Union:
        __origin__ = UnionType

        def __init__(self, *args):
            self.__args__ = args


#: How many items a list or an object without a `max_length` may have: checking so many takes 1 ms.
MAX_ITEMS = 1000
#: How many values a message may have, all levels together: they take 10 ms and 1 MB. Only messages
#: above 4,096 bytes, which hold 2,048 at most, can have so many.
MAX_VALUES = 10_000
#: How deep objects and lists may stand in each other. Readers and writers call themselves for each
#: level, and Python ends at a thousand calls; no protocol that we know needs more than six.
MAX_DEPTH = 32

_SECRETS = _redaction.Policy()


def is_secret(name: str) -> bool:
    """Return whether logs hide what stands under a name: errors and `repr` do the same."""
    return _SECRETS.kind(name) in ("secret", "spoken")


class Limits:
    """What a value must keep to beyond its type: `Annotated[str, Limits(max_length=80)]`.

    - `minimum`, `maximum` of a number; both belong to the range.
    - `min_length`, `max_length` of a text (in characters), a list or a dict (in items).
    - `pattern`: the whole text fits it; what Python and ECMAScript do not read alike is refused.
    - `check(value)` returns the value to keep, or raises ValueError or ValidationError; it is not
      in the schema.
    - `description`: what is wanted, as in "must be ..."; `example`: a value that fits.
    - `secret`: neither errors nor `repr` show the value; so it is with the names that logs hide.
    """

    __slots__ = ("given",)

    def __init__(
        self,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
        check: Callable[[Any], Any] | None = None,
        description: str | None = None,
        example: object = None,
        secret: bool | None = None,
    ) -> None:
        options: dict[str, Any] = {"minimum": minimum, "maximum": maximum, "pattern": pattern}
        options |= {
            "check": check,
            "min_length": min_length,
            "max_length": max_length,
            "secret": secret,
        }
        options |= {"description": description, "example": example}
        self.given = {k: v for k, v in options.items() if v is not None}


class Kind:
    """How the values of a field are checked, described and shown: what an annotation comes down to.

    `check(value, path)` returns the value to keep or raises ValidationError. `schema` and `example`
    may be functions; the one of a schema is given the definitions, by name, to add to.
    """

    __slots__ = ("check", "endless", "example", "is_plain", "schema", "secret")

    def __init__(
        self,
        check: Check,
        schema: Schema | Callable[[Schema], Schema],
        example: object,
        is_plain: bool = True,
        endless: bool = False,
        secret: bool = False,
    ) -> None:
        self.check = check
        self.schema = schema
        self.example = example
        self.is_plain = is_plain  # JSON holds the value as it is
        self.endless = endless  # holds messages of the class that it belongs to
        self.secret = secret

    def schema_in(self, definitions: Schema) -> Schema:
        return self.schema(definitions) if callable(self.schema) else {**self.schema}

    def make_example(self) -> Any:
        return self.example() if callable(self.example) else self.example


# --- values

# A default of a field that has none, and of one that is always on the wire, but that the
# constructor can fill in.
REQUIRED: Any = object()
FILLED_IN: Any = object()
ABSENT: Any = object()


def missing(path: str) -> ValidationError:
    """Return the refusal of a message without a field."""
    code = ErrorCode.VALIDATION_MISSING_PARAMETER
    error = ValidationError(f"{path} is required", path, code)
    vars(error)["bare"] = error.message
    return error


def wrong(path: str, wanted: str, value: object, secret: bool = False) -> ValidationError:
    bare = f"{path} must {wanted}, got {_values.json_type(value)}"
    text = bare if secret else f"{path} must {wanted}, got {_values.shown_json(value)}"
    error = ValidationError(text, path)
    vars(error)["bare"] = bare
    return error


def without_value(error: ValidationError, path: str) -> ValidationError:
    """Return the refusal of what stands at `path`, or inside of it, without any of it."""
    bare = vars(error).get("bare") if error.field == path else None
    return ValidationError(bare or f"{path} is not accepted", path, error.code)


_TEXT_ONLY = {str}


def own_dict(value: Any, path: str = "message") -> dict[str, Any]:
    """Return any dict as a plain one, without the keys that cannot come from JSON."""
    if type(value) is dict and _TEXT_ONLY.issuperset(map(type, value)):
        return value
    if not issubclass(type(value), dict):
        raise wrong(path, "be an object", value)
    return {str.__str__(k): v for k, v in dict.items(value) if issubclass(type(k), str)}


def _refuse_change(self: object, *_: Any, **__: Any) -> Any:
    raise AttributeError("a message is immutable")


def hidden(value: object) -> str:
    """Return what `repr` shows of a secret."""
    return f"<{len(value if isinstance(value, str) else repr(value))} characters>"


class FrozenDict(dict):  # type: ignore[type-arg]
    """A dict in a message; its copies can be changed, and `repr` hides what stands under a secret's name."""

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = (  # pyright: ignore
        _refuse_change
    )

    def __reduce__(self) -> tuple[object, ...]:
        return dict, (dict(self),)

    def __repr__(self) -> str:
        items = (f"{k!r}: {hidden(v) if is_secret(k) else repr(v)}" for k, v in self.items())
        return "{" + ", ".join(items) + "}"


class FrozenList(list):  # type: ignore[type-arg]
    """A list in a message; its copies can be changed."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = clear = extend = _refuse_change  # pyright: ignore
    insert = pop = remove = reverse = sort = _refuse_change  # pyright: ignore

    def __reduce__(self) -> tuple[object, ...]:
        return list, (list(self),)


FROZEN = (FrozenDict, FrozenList)


# --- one of several values


def plain(value: Any, whole: bool = False) -> Any:
    """Return what JSON holds in place of a Decimal, an enum's member or a subclass; all else as it is."""
    kind = type(value)
    if issubclass(kind, str):
        return value if kind is str else str.__str__(value)
    # The field is a `float` or an `int`, whatever came; `float` itself raises for a signaling NaN.
    if issubclass(kind, Decimal) and not value.is_snan():
        is_whole = _json.is_readable(value) and value == value.to_integral_value()
        value = int(value) if is_whole else float(value)
    elif issubclass(kind, (int, float)) and kind not in (int, float, bool):
        value = _cleaning.clean(value, None)
    return int(value) if whole and type(value) is float and value.is_integer() else value


_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def one_of(*values: Any, check: Check | None = None, example: Any = None) -> Kind:
    """Return the kind of one of the values: `Literal` where `typing` is not loaded.

    `check(value, path)` stands for the usual check, if it has errors of its own.
    """
    kind = choice(values, values, None, {})
    return Kind(check or kind.check, kind.schema, example or kind.example)


def _text(value: object) -> str:
    return _values.shown_json(value) if type(value) is bool else str(value)


def choice(values: Any, kept: Any, members: Any, options: dict[str, Any]) -> Kind:
    """Return the kind of one of the values; what is kept of it is its member, or the value."""
    secret = options.get("secret", False)
    # By type, too: True is equal to 1.
    found_by = {(type(value), value): one for value, one in zip(values, kept, strict=True)}
    wanted = options.get("description") or f"one of {', '.join(map(_text, values))}"

    def check(value: Any, path: str) -> Any:
        if type(value) is members:
            return value
        bare = plain(value, whole=True)
        found = found_by.get((type(bare), bare)) if type(bare) in _JSON_TYPES else None
        if found is None:
            raise wrong(path, f"be {wanted}", value, secret)
        return found

    types = {*map(type, values)}
    schema: Schema = {"type": _JSON_TYPES[types.pop()]} if len(types) == 1 else {}
    schema |= {"enum": [*values], "description": wanted}
    return Kind(check, schema, values[0], is_plain=members is None)


class Field:
    """One field of a class: its name on the wire, its kind and its default."""

    __slots__ = ("default", "is_optional", "is_required", "kind", "wire")

    def __init__(self, wire: str, kind: Kind, is_optional: bool, default: object) -> None:
        self.wire = wire
        self.kind = kind
        self.is_optional = is_optional
        self.default = default
        self.is_required = default is REQUIRED or default is FILLED_IN
