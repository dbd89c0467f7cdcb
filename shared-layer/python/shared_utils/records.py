"""The engine of messages: a field means what its annotation says, and everything follows from it.

Parsing, checks, JSON, JSON Schema and examples come from one declaration. What a declaration cannot
mean is a TypeError when the class is declared; a value that does not fit is a ValidationError.
"""

from __future__ import annotations

import json
import sys
import time
from enum import Enum

from . import _cleaning, _json, _values
from ._kinds import (
    ABSENT,
    FILLED_IN,
    FROZEN,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_VALUES,
    REQUIRED,
    Annotated,
    Field,
    Kind,
    Limits,
    hidden,
    missing,
    own_dict,
    wrong,
)
from ._values import (
    MAX_CONTROL_MESSAGE_BYTES,
    MAX_MAGNITUDE,
    MAX_MESSAGE_BYTES,
    MIN_MAGNITUDE,
)
from .error_codes import ErrorCode, ValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar, NoReturn, TypeVar, dataclass_transform

    Schema = dict[str, Any]
    R = TypeVar("R", bound="Record")
else:

    def dataclass_transform(**_options):
        return lambda cls: cls


__all__ = [
    "MAX_DEPTH",
    "MAX_ITEMS",
    "MAX_MAGNITUDE",
    "MAX_VALUES",
    "MIN_MAGNITUDE",
    "ClientMessage",
    "Limits",
    "Record",
    "ServerMessage",
    "check_size",
    "event_body",
    "example",
    "json_schema",
    "read_fields",
    "read_object",
    "request_id_of",
]

# --- errors


def _malformed(message: str) -> ValidationError:
    return ValidationError(message, None, ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT)


def _too_large(message: str) -> ValidationError:
    return ValidationError(message, "body", ErrorCode.VALIDATION_MESSAGE_TOO_LARGE)


# --- records

_new = object.__new__
_OURS = f"{__package__}."


class _Plan:
    """What is done with the fields of a class."""

    __slots__ = ("checks", "fields", "head", "is_plain", "rows", "secret", "wires")

    def __init__(self, cls: type[Record], fields: dict[str, Field]) -> None:
        self.fields = fields
        self.head = {cls._tag: getattr(cls, cls._tag)} if hasattr(cls, cls._tag) else {}
        self.wires = {name: field.wire for name, field in fields.items()}
        self.is_plain = all(
            field.kind.is_plain and field.wire == name for name, field in fields.items()
        )
        self.secret = {name for name, field in fields.items() if field.kind.secret}
        self.checks = cls.check is not Record.check
        self.rows = tuple(
            (
                name,
                field.wire,
                field.kind.check,
                REQUIRED if field.is_required else field.default,
                None if field.is_optional and cls.accepts_null else ABSENT,
            )
            for name, field in fields.items()
        )


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record:
    """An immutable JSON object: its `__dict__` holds the fields that are present.

    Constructors take the fields as keywords: `None` means absent, an enum's member is its
    value, a `Decimal` a number. A field that is missing, unknown or wrong is a `ValidationError`.
    """

    # Largest JSON text that `from_json` takes.
    max_bytes: ClassVar[int] = MAX_MESSAGE_BYTES
    # Whether null on the wire is the absence of an `X | None`, or refused.
    accepts_null: ClassVar[bool] = True

    _tag: ClassVar[str] = ""
    _tag_code: ClassVar[ErrorCode] = ErrorCode.VALIDATION_INVALID_PARAMETER
    _plan: ClassVar[_Plan | None] = None
    _kinds: ClassVar[dict[str, tuple[Kind, bool]]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._plan = None
        tag, body = cls._tag, cls.__dict__
        if tag and tag not in body and "_tag" not in body and cls.__name__[0] != "_":
            setattr(cls, tag, _tag_of(cls.__name__))
        # The layer's own classes wait for their first use: no function uses all of them.
        if not cls.__module__.startswith(_OURS):
            _check_options(cls)
            frame: Any = sys._getframe(1)
            while frame.f_back and frame.f_globals.get("__name__") != cls.__module__:
                frame = frame.f_back  # a metaclass, or a base that has a hook as well
            from ._annotations import declared_kinds

            cls._kinds = declared_kinds(cls, frame.f_globals, frame.f_locals)
            _prepare(cls)

    def __init__(self, /, **values: Any) -> None:
        plan = self._plan or _prepare(type(self))
        data = {name: value for name, value in values.items() if value is not None}
        for name in values:
            if name not in plan.wires:
                raise ValidationError(f"{type(self).__name__} has no {name[:40]!a}", name)
        self._complete(data)
        if not plan.is_plain:
            _check_bounds(data)
            data = {plan.wires[name]: value for name, value in data.items()}
        self.__dict__.update(read_fields(type(self), data).__dict__)

    def _complete(self, data: dict[str, Any]) -> None:
        """Add what a constructor's caller may leave out."""

    def check(self) -> None:
        """Raise ValueError or ValidationError if the fields do not fit together."""

    @classmethod
    def _as_kind(cls, place: Any) -> Kind:
        return _kind_of_record(cls, place)

    @classmethod
    def from_dict(cls: type[R], data: object) -> R:
        """Return the message in a dict; raise ValidationError. Fields that are not declared are ignored."""
        own = own_dict(data)
        if not (cls._plan or _prepare(cls)).is_plain:
            _check_bounds(own)
        return _tagged(cls, own, "")

    @classmethod
    def from_json(cls: type[R], text: str | bytes) -> R:
        """Return the message in JSON text of at most `max_bytes`; raise ValidationError."""
        return _tagged(cls, read_object(text, cls.max_bytes), "")

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes, in dicts and lists of the caller's own."""
        plan = self._plan or _prepare(type(self))
        if plan.is_plain:
            return {**plan.head, **self.__dict__}
        wire: dict[str, Any] = {**plan.head}
        for name, value in self.__dict__.items():
            wire[plan.wires[name]] = _plain_copy(value)
        return wire

    def to_json(self) -> str:
        """Return the message as compact ASCII JSON."""
        return _json.encode(self.to_dict())

    def __setattr__(self, name: str, value: object = None) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    __delattr__ = __setattr__

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        items = self.__dict__.items()
        return hash((type(self), *(item for item in items if type(item[1]) not in FROZEN)))

    def __reduce__(self) -> tuple[object, ...]:
        return read_fields, (type(self), self.to_dict())

    def __repr__(self) -> str:
        plan = self._plan or _prepare(type(self))
        shown = (
            f"{name}={_shown(value, name in plan.secret)}" for name, value in self.__dict__.items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(value: object, secret: bool) -> str:
    text = value if isinstance(value, str) else repr(value)
    return hidden(value) if secret or len(text) > 128 else repr(value)


def _plain_copy(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Enum):
        return value._value_
    if isinstance(value, list):
        return [_plain_copy(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain_copy(item) for name, item in value.items()}
    return value


def read_inside(cls: type[R], value: object, path: str) -> R:
    """Return a record inside of another: one as it is, one in a dict checked."""
    return value if type(value) is cls else _tagged(cls, own_dict(value, path), path + ".")


def _tagged(cls: type[R], data: dict[str, Any], prefix: str) -> R:
    """Return the record in `data`, whose `action` or `type` must be that of its class."""
    plan = cls._plan or _prepare(cls)
    for tag, name in plan.head.items():
        if tag not in data:
            raise missing(prefix + tag)
        if _values.plain_text(data[tag]) != name:
            error = wrong(prefix + tag, f"be {name}", data[tag])
            raise ValidationError(error.message, error.field, cls._tag_code)
    return read_fields(cls, data, prefix)


def read_fields(cls: type[R], data: dict[str, Any], prefix: str = "") -> R:
    """Return the record in a dict of JSON values, its fields in the order of their declaration.

    For who has chosen the class and checked the bounds, as `read_object` does: no `action` or
    `type` is looked at. `prefix` is where the record stands in its message, such as `rooms[2].`.
    """
    plan = cls._plan or _prepare(cls)
    record = _new(cls)
    fields = record.__dict__
    get = data.get
    for name, wire, check, default, absent in plan.rows:
        value = get(wire, absent)
        if value is not absent:
            fields[name] = check(value, prefix + wire)
        elif default is not None:
            if default is REQUIRED:
                raise missing(prefix + wire)
            fields[name] = default
    if plan.checks:
        _check_together(record, prefix)
    return record


def _check_together(record: Record, prefix: str) -> None:
    path = prefix[:-1] or "message"
    try:
        record.check()
    except ValidationError as error:
        field = prefix + error.field if error.field else prefix[:-1] or None
        raise ValidationError(error.message, field, error.code) from None
    except ValueError as error:
        text = f"{path}: {_cleaning.text(str(error), 200)}"
        raise ValidationError(text, prefix[:-1] or None) from None


def _check_bounds(data: dict[str, Any]) -> None:
    """Raise ValidationError if there are too many values in a message, or too deep; it may be cyclic."""
    level: list[Any] = [data]
    total = 0
    for _ in range(MAX_DEPTH):
        inside = [value for container in level for value in _items(container)]
        total += len(inside)
        if total > MAX_VALUES:
            raise _too_large(f"message must hold at most {MAX_VALUES} values")
        level = [value for value in inside if issubclass(type(value), (dict, list, Record))]
        if not level:
            return
    raise _malformed(f"message must be at most {MAX_DEPTH} levels deep")


def _items(container: Any) -> Iterator[Any]:
    if issubclass(type(container), list):
        return list.__iter__(container)
    fields = container if issubclass(type(container), dict) else container.__dict__
    return iter(dict.values(fields))


# --- declarations

_MAX_TAG_CHARS = 128


def _tag_of(name: str) -> str:
    """Return the `action` or `type` of a class, unless it says another: `sendChat` for `SendChat`."""
    short = name.removesuffix("Message") or name
    return short[0].lower() + short[1:]


def _check_options(cls: type[Record]) -> None:
    """Raise TypeError if what a class says of itself, beside its fields, cannot be."""
    tag = getattr(cls, cls._tag, "none") if cls._tag else "none"
    if type(tag) is not str or not 0 < len(tag) <= _MAX_TAG_CHARS:
        wanted = f'{cls._tag}: ClassVar[str] = "..." with 1 to {_MAX_TAG_CHARS} characters'
        got = f"{cls.__name__}.{cls._tag}: {_values.shown(tag)} is no text"
        raise TypeError(f"{got}: write {wanted}")
    if type(cls.max_bytes) is not int or not 0 < cls.max_bytes <= MAX_MESSAGE_BYTES:
        got = f"{cls.__name__}.max_bytes: {_values.shown(cls.max_bytes)} is no size of a message"
        raise TypeError(f"{got}: write max_bytes: ClassVar[int] = 1 to {MAX_MESSAGE_BYTES}")


def _prepare(cls: type[Record]) -> _Plan:
    """Work out what is done with each field of a class."""
    from ._annotations import fields_of

    cls._plan = _Plan(cls, fields_of(cls))
    return cls._plan


def _kind_of_record(cls: type[Record], place: Any) -> Kind:
    endless = cls is place.cls

    def check(value: Any, path: str) -> Any:
        return read_inside(cls, value, path)

    def schema(definitions: Schema) -> Schema:
        plan = cls._plan or _prepare(cls)
        if not any(field.kind.endless for field in plan.fields.values()):
            return _object_schema(cls, definitions)
        if cls.__name__ not in definitions:
            definitions[cls.__name__] = {}
            definitions[cls.__name__] = _object_schema(cls, definitions)
        return {"$ref": f"#/definitions/{cls.__name__}"}

    sample = None if endless else lambda: example(cls).to_dict()
    return Kind(check, schema, sample, is_plain=False, endless=endless)


# --- messages

RequestId = Annotated[str, Limits(max_length=128, example="request-1")]
Timestamp = Annotated[
    int,
    Limits(minimum=0, description="milliseconds since the epoch", example=1767225600000),
]


class ClientMessage(Record):
    """What a client sends: `class SendChat(ClientMessage)` is the action `sendChat`.

    `action: ClassVar[str] = "chat/send"` sets another. `max_bytes` is how large its text may be.
    """

    action: ClassVar[str]
    max_bytes: ClassVar[int] = MAX_CONTROL_MESSAGE_BYTES

    _tag = "action"
    _tag_code = ErrorCode.VALIDATION_INVALID_ACTION
    requestId: RequestId | None = None


class ServerMessage(Record):
    """What a client receives: `class ChatSentMessage(ServerMessage)` is the type `chatSent`.

    `type: ClassVar[str] = "chat/sent"` sets another. `timestamp`, in ms, is now unless given.
    """

    type: ClassVar[str]

    _tag = "type"
    timestamp: Timestamp = FILLED_IN
    requestId: RequestId | None = None

    def _complete(self, data: dict[str, Any]) -> None:
        if "timestamp" not in data:
            data["timestamp"] = time.time_ns() // 1_000_000


# --- reading


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _refuse_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal names counts, and API Gateway's routing is one of them."""
    names = dict(pairs)
    if len(names) != len(pairs):
        raise _malformed("message must not have the same name twice in an object")
    return names


# What `json.loads` does around its scanner takes as long as scanning a control message.
_decoder: Any = json.JSONDecoder
_scan = _decoder(parse_constant=_refuse_constant).scan_once
_scan_every_name = _decoder(
    parse_constant=_refuse_constant, object_pairs_hook=_refuse_repetition
).scan_once
_NOT_JSON = (StopIteration, ValueError, RecursionError)


def read_object(source: str | bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> dict[str, Any]:
    """Return the JSON object in text or bytes, within `MAX_DEPTH` and `MAX_VALUES`.

    Raise `ValidationError` for anything else, VALIDATION_MESSAGE_TOO_LARGE or
    VALIDATION_INVALID_MESSAGE_FORMAT: no name twice in an object, no NaN, no byte order mark.
    """
    is_small = (
        type(source) is str and len(source) * 4 <= max_bytes
    )  # a character is 4 bytes at most
    text: Any = source if is_small else _text_within(source, max_bytes)
    try:
        data, end = _scan(text, 0)
    except _NOT_JSON:
        return _read_carefully(text)  # there may be space before it
    # As many colons as names: no name comes twice, and no object is inside. To look at every name
    # takes as long as the scanner.
    if end == len(text) and type(data) is dict and text.count(":") == len(data) and "[" not in text:
        return data
    return _read_carefully(text)


def _read_carefully(text: str) -> dict[str, Any]:
    text = text.strip(" \t\n\r")
    try:
        data, end = _scan_every_name(text, 0)
    except _NOT_JSON:
        raise _malformed("message must be JSON") from None  # the cause shows the text
    if end != len(text) or type(data) is not dict:
        raise _malformed("message must be one JSON object")
    _check_bounds(data)
    return data


def check_size(body: object, max_bytes: int) -> None:
    """Raise ValidationError if `body` is no text and no bytes, or has more; text counts as UTF-8."""
    length = _values.num_bytes(body)
    if length is None:
        raise ValidationError(
            f"body must be text or bytes, got {_values.json_type(body)}",
            "body",
            ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT,
        )
    if length > max_bytes:
        raise _too_large(f"body must hold at most {max_bytes} bytes, got {length}")


def _text_within(body: Any, max_bytes: int) -> str:
    check_size(body, max_bytes)
    if issubclass(type(body), str):
        return _values.plain_text(body)
    try:
        return bytes(body).decode()
    except UnicodeDecodeError:
        raise _malformed("message must be UTF-8") from None  # the cause holds the bytes


def event_body(event: dict[str, Any]) -> Any:
    """Return the body of an API Gateway event; bytes if `isBase64Encoded` says that it is base64."""
    body: Any = event.get("body")
    if event.get("isBase64Encoded") is not True or not issubclass(type(body), str):
        check_size(body, MAX_MESSAGE_BYTES)
        return body
    from binascii import a2b_base64

    try:
        return a2b_base64(_values.plain_text(body), strict_mode=True)
    except ValueError:
        raise _malformed("body must be base64, as isBase64Encoded says") from None


def unwrapped(source: Any, tag: str) -> Any:
    """Return the body of an API Gateway event, a copy of any other dict, all else as it is.

    A dict is an event if it has no `tag` but a `requestContext` or a `body`.
    """
    if not issubclass(type(source), dict):
        return source
    data = own_dict(source)
    is_event = tag not in data and ("requestContext" in data or "body" in data)
    return event_body(data) if is_event else data


def request_id_of(source: object) -> str | None:
    """Return the client's `requestId` for an error reply, if it can be read. Never raises."""
    try:
        found = unwrapped(source, "action")
        data = found if type(found) is dict else read_object(found)
        return read_fields(ClientMessage, {"requestId": data.get("requestId")}).requestId
    except ValidationError:
        return None


# --- for documents


def json_schema(cls: type[Record]) -> Schema:
    """Return the JSON Schema (draft-07) of what parsing takes.

    It does not say how large, how deep and how full a message may be, that no name comes twice,
    nor what `check` refuses.
    """
    definitions: Schema = {}
    schema = _object_schema(cls, definitions)
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    if definitions:
        schema["definitions"] = definitions
    return json.loads(_json.encode(schema))  # type: ignore[no-any-return]


def _object_schema(cls: type[Record], definitions: Schema) -> Schema:
    plan = cls._plan or _prepare(cls)
    properties: Schema = {tag: {"const": name} for tag, name in plan.head.items()}
    for field in plan.fields.values():
        schema = field.kind.schema_in(definitions)
        if field.is_optional and cls.accepts_null:
            schema = _or_null(schema)
        if field.default is not None and not field.is_required:
            schema = {**schema, "default": _plain_copy(field.default)}
        properties[field.wire] = schema
    required = [field.wire for field in plan.fields.values() if field.is_required]
    about = {"description": " ".join(cls.__doc__.split())} if cls.__doc__ else {}
    return {
        "type": "object",
        "title": cls.__name__,
        **about,
        "properties": properties,
        "required": [*plan.head, *required],
    }


def _or_null(schema: Schema) -> Schema:
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    nothing = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **nothing}


def example(cls: type[R]) -> R:
    """Return a message that has every field, but for one that would hold another of its class.

    Where no example of the kind fits what `check` wants, the default does. Raise TypeError if there
    is none: `Limits(example=...)` says one.
    """
    plan = cls._plan or _prepare(cls)
    try:
        data = {field.wire: _example_of(field) for field in plan.fields.values()}
        return read_fields(cls, {name: value for name, value in data.items() if value is not None})
    except ValidationError as error:
        text = f"{cls.__name__}: no example is known, {error.message}: write Limits(example=...)"
        raise TypeError(text) from None


def _example_of(field: Field) -> Any:
    value = field.kind.make_example()
    try:
        if value is not None:
            field.kind.check(value, field.wire)
        return value
    except ValidationError:
        if field.is_required or field.default is None:
            raise
        return _plain_copy(field.default)
