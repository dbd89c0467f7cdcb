"""Compact JSON text, and a clock's text: what every line and every message is written with.

`encode` and `readable` take plain values and refuse what JSON cannot hold. What strict readers
refuse is never written: NaN, infinities, numbers beyond a double's range, and, in a line, half a
surrogate pair.
"""

from __future__ import annotations

import os
import re
import time
from decimal import Decimal
from functools import lru_cache
from json import encoder as _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

quote: Callable[[str], str] = _json.encode_basestring_ascii
quote_readable: Callable[[str], str] = _json.encode_basestring

# The largest power of ten that a double holds: strict readers refuse a larger number.
_MAX_EXPONENT = 307

# Stands before a number that neither `int` nor `float` holds with all its digits. It is drawn when
# the process starts, so that no text from outside can hold it.
_MARK = os.urandom(8).hex()
_marks_used = False


def is_readable(value: Decimal) -> bool:
    """Return whether a Decimal is a number that every JSON reader takes."""
    return value.is_finite() and (not value or value.adjusted() <= _MAX_EXPONENT)


def plain_number(value: Decimal) -> int | float | Decimal:
    """Return the `int` or `float` that has all of a readable Decimal's digits, else itself."""
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else value


def _default(value: object) -> object:
    """Return what stands for a value that is not JSON's own: a Decimal's number, with all digits."""
    global _marks_used
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not JSON serializable")
    if not is_readable(value):
        raise ValueError("neither NaN nor a number beyond a double's range is JSON")
    number = plain_number(value)
    if number is not value:
        return number
    _marks_used = True
    return f"{_MARK}{value}"


def _encoder(quote_text: Callable[[str], str], ascii_only: bool) -> Callable[..., Iterable[str]]:
    # `JSONEncoder.encode` builds this C object on every call; built once, a call costs half.
    c_encoder: Any = getattr(_json, "c_make_encoder", None)
    if c_encoder is not None:
        return c_encoder(None, _default, quote_text, None, ":", ",", False, False, False)  # type: ignore[no-any-return]
    encoder = _json.JSONEncoder(
        ensure_ascii=ascii_only,
        check_circular=False,
        allow_nan=False,
        separators=(",", ":"),
        default=_default,
    )
    return lambda value, _: [encoder.encode(value)]


_ascii = _encoder(quote, True)
_readable = _encoder(quote_readable, False)


def encode(value: object) -> str:
    """Return compact ASCII JSON; raise ValueError, TypeError or RecursionError if there is none."""
    text = "".join(_ascii(value, 0))
    return _with_digits(text) if _marks_used else text


def readable(value: object) -> str:
    """Return compact JSON in which other alphabets are as they are read, for `in_one_line`."""
    text = "".join(_readable(value, 0))
    return _with_digits(text) if _marks_used else text


def in_one_line(text: str) -> str:
    """Return JSON text, made of what `readable` returns, as one line for every reader.

    What some take for the end of a line is escaped; half a surrogate pair is U+FFFD.
    """
    return text if text.isascii() else _not_in_a_line().sub(_in_a_line, text)


def _with_digits(text: str) -> str:
    return re.sub(rf'"{_MARK}([^"]*)"', r"\1", text) if _MARK in text else text


@lru_cache(maxsize=1)  # compiled when it is needed: an import should not pay for it
def _not_in_a_line() -> re.Pattern[str]:
    return re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff\x85\u2028\u2029]")


def _in_a_line(match: re.Match[str]) -> str:
    text = match[0]
    if len(text) == 2:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    return "\ufffd" if text >= "\ud800" else f"\\u{ord(text):04x}"


def without_surrogates(text: str) -> str:
    """Return text with U+FFFD for each half of a surrogate pair, and whole pairs joined."""
    return text if text.isascii() else _not_in_a_line().sub(_in_text, text)


def _in_text(match: re.Match[str]) -> str:
    return match[0] if match[0] < "\ud800" else _in_a_line(match)


# --- time --------------------------------------------------------------------------------------

_second: tuple[int, str] = (-2_000_000_000, "")  # where a second begins, and its text


def timestamp(ns: int) -> str:
    """Return RFC 3339 UTC text with milliseconds, `2026-01-31T12:00:00.123Z`."""
    global _second
    start, text_of_second = _second  # one read: another thread may replace it
    if not 0 <= ns - start < 1_000_000_000:
        second = ns // 1_000_000_000
        start = second * 1_000_000_000
        text_of_second = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        _second = (start, text_of_second)
    return f"{text_of_second}{str(1000 + (ns - start) // 1_000_000)[1:]}Z"
