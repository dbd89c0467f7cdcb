"""Patterns that Python and ECMAScript read alike: which they are, and a text that fits one.

Clients check with the published JSON Schema, functions with `re`: what the two read differently
(`.`, `\\d`, `$`, look-around, back references, named groups) is refused.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# With ECMAScript's flag `u`, only these may follow a backslash; half of a pair stands for nothing.
_ESCAPE = r"\\(?:[\\^$.*+?()\[\]{}|/nrt]|x[0-9A-Fa-f]{2}|u(?![Dd][89A-Fa-f])[0-9A-Fa-f]{4})"
# Twice `&`, `|`, `~` or `-` in a class will mean set operations in a later Python.
_CLASS = rf"\[\^?(?:(?!&&|\|\||~~|--){_ESCAPE}|(?!&&|\|\||~~|--)[^\\\[\]]|\\-)+\]"
_ATOM = rf"{_CLASS}|{_ESCAPE}|[^\\^$.*+?()\[\]{{}}|]"
_REPEAT = r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??"
_TOKEN = rf"\((?:\?:)?|\||(?:\)|{_ATOM})(?:{_REPEAT})?"
# Where a class excludes some characters, one of these is left.
_CANDIDATES = [*map(chr, range(97, 123)), *map(chr, range(32, 97)), *map(chr, range(123, 0x3000))]


def is_read_alike(pattern: str) -> bool:
    """Return whether Python and ECMAScript read `pattern` alike, and it can be read at all."""
    if re.fullmatch(f"(?:{_TOKEN})*", pattern) is None:
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def sample(pattern: str, shortest: int, longest: int) -> str | None:
    """Return a text that fits the whole of `pattern`, of a length in the given range, if one is found."""
    for times in range(shortest + 2):
        tokens = (match[0] for match in re.finditer(_TOKEN, pattern))
        text, _ = _first_alternative(tokens, times)
        if shortest <= len(text) <= longest and re.fullmatch(pattern, text):
            return text
    return None


def _first_alternative(tokens: Iterator[str], times: int) -> tuple[str, str]:
    """Return a text for the tokens up to the end of their group, and how often that is repeated."""
    first, text = None, ""
    for token in tokens:
        if token == "|":  # noqa: S105
            first, text = text if first is None else first, ""
        elif token[0] == ")":
            return text if first is None else first, token[1:]
        elif token in ("(", "(?:"):
            inner, repeat = _first_alternative(tokens, times)
            text += inner * _count(repeat, times)
        else:
            atom = re.match(_ATOM, token)[0]  # type: ignore[index]
            text += _character(atom) * _count(token[len(atom) :], times)
    return text if first is None else first, ""


def _count(repeat: str, times: int) -> int:
    """Return a number of times that `repeat` allows, as near to `times` as there is."""
    if not repeat:
        return 1
    numbers = re.findall("[0-9]+", repeat)
    low = int(numbers[0]) if numbers else int(repeat[0] == "+")
    high = 1 if repeat[0] == "?" else int(numbers[-1]) if numbers and ",}" not in repeat else times
    return max(low, min(times, high))


def _character(atom: str) -> str:
    return next((one for one in (atom, *_CANDIDATES) if re.fullmatch(atom, one)), "")
