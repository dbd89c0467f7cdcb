"""DynamoDB's typed JSON: plain Python values to what a request carries, and an answer's values back.

What DynamoDB's documented limits exclude is refused here, before anything is sent, with where it
stands and of which type it is, never with the value. What is encoded comes back as an equal value,
with `Decimal` for every number, `list` for a tuple, `bytes` for binary and `set` for a set.

Types: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from decimal import Context, Decimal, Inexact, Overflow, Subnormal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Typed = dict[str, Any]  # one type's name, and its value

__all__ = [
    "MAX_ITEM_BYTES",
    "MAX_LEVELS",
    "AttributeRefused",
    "decode_item",
    "decode_value",
    "encode_item",
    "encode_key",
    "encode_value",
    "item_size",
]

MAX_ITEM_BYTES = 400 * 1024
# An attribute of an item stands at level 1.
MAX_LEVELS = 32
MAX_NAME_BYTES = 64 * 1024 - 1
MAX_KEY_NAME_CHARS = 255
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024

# 38 significant digits, magnitudes from 1E-130 to 9.99E+125. Zeros at the end are no digits:
# rounding them away is not inexact.
_NUMBER = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, Overflow, Subnormal])
_SAFE_INTEGER = 10**38
# Longer integers are not even turned into text, which Python refuses for very long ones.
_MAX_INTEGER_BITS = 420
_MAX_SHOWN_CHARS = 64


class AttributeRefused(ValueError):  # noqa: N818
    """A value that DynamoDB would not take. `path` is where it stands, such as `Item.sizes[2]`."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


# --- to DynamoDB -------------------------------------------------------------------------------


def encode_item(value: Mapping[str, object], what: str) -> Typed:
    """Return an item's attributes as typed JSON; `what` is how a path begins.

    Raise `AttributeRefused` for what DynamoDB would refuse, except for the item's size, which is
    `item_size`'s.
    """
    if not isinstance(value, Mapping):
        raise AttributeRefused(f"must be a dict, got {_type_name(value)}", what)
    try:
        if "" in value:
            raise AttributeRefused("has an attribute without a name")
        return _attributes(value, 1)
    except AttributeRefused as refused:
        refused.path = what + refused.path
        raise


def encode_key(value: Mapping[str, object], what: str) -> Typed:
    """Return a primary key as typed JSON: one or two attributes that are text, numbers or bytes."""
    key = encode_item(value, what)
    if not 1 <= len(key) <= 2:
        raise AttributeRefused(f"must have one attribute or two, got {len(key)}", what)
    sizes = []
    for name, typed in key.items():
        path = what + _step(name)
        if len(name) > MAX_KEY_NAME_CHARS:
            raise AttributeRefused(f"is a name of over {MAX_KEY_NAME_CHARS} characters", path)
        if not typed.keys() & {"S", "N", "B"}:
            raise AttributeRefused("must be text, a number or bytes, as keys are", path)
        sizes.append(_value_size(typed))
        if sizes[-1] > MAX_PARTITION_KEY_BYTES:
            raise AttributeRefused(f"has over {MAX_PARTITION_KEY_BYTES} bytes", path)
    if len(sizes) == 2 and min(sizes) > MAX_SORT_KEY_BYTES:
        raise AttributeRefused(f"has a sort key of over {MAX_SORT_KEY_BYTES} bytes", what)
    return key


def encode_value(value: object, path: str) -> Typed:
    """Return one value as typed JSON, `{"S": "text"}`; raise `AttributeRefused`."""
    try:
        return _encoder(value)(value, 1)
    except AttributeRefused as refused:
        refused.path = path + refused.path
        raise


def _encoder(value: object) -> Callable[[Any, int], Typed]:
    """Return what encodes a value: by its exact type, or by what it is a kind of."""
    found = _ENCODERS.get(type(value))
    if found:
        return found
    for kind, encoder in _KINDS:
        if isinstance(value, kind):
            return encoder
    modules = [base.__module__ for base in type(value).__mro__]
    if "boto3.dynamodb.types" in modules:  # its wrapper of bytes, for those who come from there
        return _boto3_binary
    return _condition if "boto3.dynamodb.conditions" in modules else _unknown


def _attributes(value: Mapping[str, object], level: int) -> Typed:
    """Return names and typed values; a refused one's path begins with its name."""
    typed = {}
    name: object = None
    try:
        for name, inner in value.items():
            plain = type(name) is str and len(name) <= MAX_KEY_NAME_CHARS and name.isascii()
            typed[name if plain else _name(name)] = (_ENCODERS.get(type(inner)) or _encoder(inner))(
                inner, level
            )
    except AttributeRefused as refused:
        refused.path = _step(name) + refused.path
        raise
    if len(typed) < len(value):
        raise AttributeRefused("has two names that are the same text")
    return typed


def _name(name: object) -> str:
    """Return an attribute's name as exact text."""
    if not isinstance(name, str):
        raise AttributeRefused(f"is a name that must be text, got {_type_name(name)}")
    text = str.__str__(name)
    if _num_bytes(text) > MAX_NAME_BYTES:
        raise AttributeRefused(f"is a name of over {MAX_NAME_BYTES} bytes")
    return text


def _step(name: object) -> str:
    """Return what a path has for an attribute's name."""
    if not isinstance(name, str):
        return f"[{_type_name(name)}]"
    text = str.__str__(name)[:_MAX_SHOWN_CHARS]
    return f".{text}" if text.isidentifier() and text.isascii() else f"[{text!a}]"


def _num_bytes(text: str) -> int:
    """Return the length of text as UTF-8."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise AttributeRefused("has a lone surrogate, which is no character") from None


def _text(value: str, _level: int) -> Typed:
    if not value.isascii():
        _num_bytes(value)
    return {"S": value}


def _other_text(value: str, level: int) -> Typed:
    """Encode what a subclass holds, whatever its `__str__` says: an enum's member, its value."""
    return _text(str.__str__(value), level)


def _null(_value: None, _level: int) -> Typed:
    return {"NULL": True}


def _boolean(value: bool, _level: int) -> Typed:
    return {"BOOL": value}


def _integer(value: int, _level: int) -> Typed:
    if -_SAFE_INTEGER < value < _SAFE_INTEGER:
        return {"N": int.__repr__(value)}
    if value.bit_length() > _MAX_INTEGER_BITS:
        raise AttributeRefused(_OUT_OF_RANGE)
    return {"N": _number_text(Decimal(value))}


def _float(value: float, _level: int) -> Typed:
    """Encode the shortest decimal text that means the same float: 0.1 is sent as 0.1."""
    text = float.__repr__(value)
    # Between 0.0001 and 1E+16 `repr` writes no exponent, and what is infinite or NaN has an "n".
    if "e" in text or "n" in text or value == 0:
        text = _number_text(Decimal(text))
    return {"N": text}


def _decimal(value: Decimal, _level: int) -> Typed:
    return {"N": _number_text(value)}


_OUT_OF_RANGE = "is a number outside 1E-130 to 9.99E+125, positive or negative"


def _number_text(value: Decimal) -> str:
    if not value.is_finite():
        raise AttributeRefused("is NaN or infinite, which is no number for DynamoDB")
    if not value:  # without sign and exponent, which may be out of range
        return "0"
    try:
        return str(_NUMBER.create_decimal(value))
    except (Overflow, Subnormal):  # first: an overflow is inexact, too
        raise AttributeRefused(_OUT_OF_RANGE) from None
    except Inexact:
        raise AttributeRefused("is a number of more than 38 significant digits") from None


def _binary(value: bytes | bytearray | memoryview, _level: int) -> Typed:
    from binascii import b2a_base64

    try:
        return {"B": b2a_base64(bytes(value), newline=False).decode()}
    except (ValueError, BufferError):
        raise AttributeRefused("is a memoryview that was released") from None


def _boto3_binary(value: Any, level: int) -> Typed:
    return _binary(value.value, level)


def _map(value: Mapping[str, object], level: int) -> Typed:
    if level == MAX_LEVELS and value:
        raise AttributeRefused(_TOO_DEEP)
    return {"M": _attributes(value, level + 1)}


def _list(value: list[object] | tuple[object, ...], level: int) -> Typed:
    if level == MAX_LEVELS and value:
        raise AttributeRefused(_TOO_DEEP)
    typed: list[Typed] = []
    try:
        for inner in value:
            typed.append((_ENCODERS.get(type(inner)) or _encoder(inner))(inner, level + 1))
    except AttributeRefused as refused:
        refused.path = f"[{len(typed)}]{refused.path}"
        raise
    return {"L": typed}


_TOO_DEEP = f"holds values beyond {MAX_LEVELS} levels"


def _set(value: Set[object], level: int) -> Typed:
    """Encode a set whose members are all text, all numbers or all binary."""
    if not value:
        raise AttributeRefused("is an empty set, which DynamoDB cannot store")
    members = [_encoder(member)(member, level) for member in value]
    kinds = {kind for typed in members for kind in typed}
    if len(kinds) > 1 or not kinds <= {"S", "N", "B"}:
        types = ", ".join(sorted({_type_name(member) for member in value}))
        raise AttributeRefused(f"must be a set of text, of numbers or of bytes, got {types}")
    [kind] = kinds
    texts: list[str] = [typed[kind] for typed in members]
    # Equal only once encoded: a float and a Decimal, an enum's member and its value.
    distinct: set[Any] = set(map(Decimal, texts)) if kind == "N" else set(texts)
    if len(distinct) < len(texts):
        raise AttributeRefused("is a set with two members that DynamoDB takes for the same")
    return {f"{kind}S": texts}


def _condition(value: object, _level: int) -> Typed:
    raise AttributeRefused(
        f"is boto3's {_type_name(value)}, but expressions are strings here: write"
        " '#name = :value', with ExpressionAttributeNames and ExpressionAttributeValues"
    )


def _unknown(value: object, _level: int) -> Typed:
    raise AttributeRefused(
        "must be None, text, bytes, a bool, a number, or a dict, list, tuple or set of those,"
        f" got {_type_name(value)}"
    )


def _type_name(value: object) -> str:
    name: str = type.__dict__["__name__"].__get__(type(value))
    return name[:_MAX_SHOWN_CHARS]


_ENCODERS: dict[type, Callable[[Any, int], Typed]] = {
    str: _text,
    int: _integer,
    Decimal: _decimal,
    bool: _boolean,
    type(None): _null,
    float: _float,
    dict: _map,
    list: _list,
    tuple: _list,
    bytes: _binary,
    bytearray: _binary,
    memoryview: _binary,
    set: _set,
    frozenset: _set,
}
# For subclasses and look-alikes; an enum's member that is text or a number is sent as that.
_KINDS: tuple[tuple[type | tuple[type, ...], Callable[[Any, int], Typed]], ...] = (
    (str, _other_text),
    (int, _integer),
    (float, _float),
    (Decimal, _decimal),
    ((bytes, bytearray), _binary),
    (Mapping, _map),
    ((list, tuple), _list),
    (Set, _set),
)


# --- from DynamoDB -----------------------------------------------------------------------------


def decode_item(item: Mapping[str, Typed]) -> dict[str, Any]:
    """Return an item's attributes as plain values; raise ValueError for what is no typed JSON."""
    try:
        return _plain_attributes(item)
    except (ArithmeticError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("not DynamoDB's typed JSON, or of a type not known here") from error


def decode_value(typed: Typed) -> Any:
    """Return one typed value as a plain one; raise ValueError for what is none."""
    return decode_item({"value": typed})["value"]


def _plain_attributes(item: Mapping[str, Typed]) -> dict[str, Any]:
    plain = {}
    for name, typed in item.items():
        [kind] = typed
        plain[name] = _DECODERS[kind](typed[kind])
    return plain


def _plain_list(values: Iterable[Typed]) -> list[Any]:
    plain = []
    for typed in values:
        [kind] = typed
        plain.append(_DECODERS[kind](typed[kind]))
    return plain


def _plain_binary(value: str) -> bytes:
    from binascii import a2b_base64

    return a2b_base64(value)


def _itself(value: Any) -> Any:
    return value


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "S": _itself,
    "N": Decimal,
    "BOOL": _itself,
    "NULL": lambda _: None,
    "M": _plain_attributes,
    "L": _plain_list,
    "B": _plain_binary,
    "SS": set,
    "NS": lambda values: set(map(Decimal, values)),
    "BS": lambda values: set(map(_plain_binary, values)),
}


# --- size --------------------------------------------------------------------------------------


def item_size(item: Mapping[str, Typed]) -> int:
    """Return the least number of bytes that DynamoDB counts for an item in typed JSON.

    AWS gives a number's size as approximately a byte per two significant digits and one more; a
    sign or an odd exponent may add one each, which are left out here: an item over the limit by
    this count is refused by DynamoDB for certain. An item's JSON is always longer than its size,
    so that a request below the limit need not be counted.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(_num_bytes(name) + _value_size(typed) for name, typed in item.items())


def _value_size(typed: Typed) -> int:
    [(kind, value)] = typed.items()
    if kind == "S":
        return _num_bytes(value)
    if kind == "N":
        return _number_size(value)
    if kind == "B":
        return _binary_size(value)
    if kind == "M":
        return 3 + len(value) + item_size(value)
    if kind == "L":
        return 3 + len(value) + sum(map(_value_size, value))
    if kind in ("SS", "NS", "BS"):
        return sum(_value_size({kind[0]: member}) for member in value)
    return 1  # BOOL, NULL


def _number_size(text: str) -> int:
    digits = text.partition("E")[0].replace(".", "").strip("-0")
    return 1 + (len(digits) + 1) // 2


def _binary_size(text: str) -> int:
    return len(text) // 4 * 3 - text[-2:].count("=")
