"""How a value from outside is looked at and shown: the checks and the messages share this.

No code of the value's own class runs, whatever its type says of itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Payload quota of an API Gateway WebSocket API:
#: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_MESSAGE_BYTES = 128 * 1024
#: Ours: what is no audio is small, and cheap to refuse when it is not.
MAX_CONTROL_MESSAGE_BYTES = 4 * 1024
#: The largest integer that JSON's readers agree on: https://www.rfc-editor.org/rfc/rfc7493#section-2.2
MAX_SAFE_INTEGER = 2**53 - 1
#: What a message holds may be stored. DynamoDB's numbers have magnitudes from 1E-130 to 9.99...E+125 and
#: 38 digits; this is the largest double among them, and a double needs 17 digits at most.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MIN_MAGNITUDE, MAX_MAGNITUDE = 1e-130, 9.999999999999998e125

MAX_SHOWN_CHARS = 40
# The name that the interpreter keeps, not the one that a metaclass may make up.
_class_name = type.__dict__["__name__"].__get__

_JSON_TYPES = (
    (type(None), "null"),
    (str, "text"),
    (dict, "an object"),
    (list, "an array"),
    (int, "a number"),
    (float, "a number"),
)


def shown(value: object) -> str:
    """Return what a message may show: short text and numbers, of anything else its type.

    `repr` escapes line breaks, surrogates and what changes the direction of writing.
    """
    if issubclass(type(value), str):
        text = plain_text(value)
        return repr(text) if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]!r}..."
    if type(value) is int:  # 128 bits are at most 39 digits
        return repr(value) if value.bit_length() <= 128 else "a longer int"
    return repr(value) if type(value) in (float, bool, type(None)) else type_name(value)


def shown_json(value: Any) -> str:
    """Return what a message to a client may show of what it sent, in JSON's words."""
    kind = type(value)
    if issubclass(kind, str):
        return shown(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int and value.bit_length() > 128:
        return "a long number"
    if kind is float and value - value != 0:  # 1e999, say
        return "a number out of range"
    return repr(value) if kind in (int, float) else json_type(value)


def json_type(value: object) -> str:
    """Return what JSON calls the value, of what it cannot hold the name of its class, bounded."""
    kind = type(value)
    if kind is bool:
        return "a boolean"
    for types, name in _JSON_TYPES:
        if issubclass(kind, types):
            return name
    return type_name(value)


def type_name(value: object) -> str:
    """Return the name of a value's class, bounded."""
    return str(_class_name(type(value)))[:MAX_SHOWN_CHARS]


def plain_text(value: object) -> str:
    """Return exact `str`, without what a subclass (an enum, say) overrides; "" if it is no text."""
    if type(value) is str:
        return value
    return str.__str__(value) if issubclass(type(value), str) else ""


def storable(number: float) -> float:
    """Return a number of up to `MAX_MAGNITUDE` as DynamoDB and every JSON reader hold it.

    One below `MIN_MAGNITUDE` is 0, as one below 5e-324 is to whoever reads it into a double. Of an
    integer above `MAX_SAFE_INTEGER`, which may have over 38 digits, this is the nearest double.
    """
    if type(number) is int:
        return number if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER else float(number)
    return number if abs(number) >= MIN_MAGNITUDE else 0.0


def is_unicode(text: str) -> bool:
    """Return whether text has no half of a surrogate pair.

    JSON can write one, but it is no character: UTF-8 and DynamoDB cannot hold it, and strict readers
    refuse it. https://www.rfc-editor.org/rfc/rfc7493#section-2.1
    """
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def num_bytes(value: object) -> int | None:
    """Return the length of text as UTF-8, of `bytes`, a `bytearray` or a `memoryview`, else None."""
    if issubclass(type(value), str):
        text = plain_text(value)
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return num_raw_bytes(value)


def num_raw_bytes(value: Any) -> int | None:
    """Return the length of `bytes`, a `bytearray` or a `memoryview`, None for all else."""
    if type(value) is bytes or type(value) is bytearray:
        return len(value)
    try:
        return int(value.nbytes) if type(value) is memoryview else None
    except ValueError:  # a released view
        return None
