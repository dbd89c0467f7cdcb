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


def nests_repetitions(pattern: str) -> bool:
    """Return whether a group without bound holds a repetition without bound, as in `(a+)+`.

    A text that does not fit is tried in as many ways as it can be divided, twice as many with each
    character. `(-[a-z]+)*` can be divided in one way: the group begins, or ends, with what is nowhere else in it.
    """
    groups: list[list[str]] = [[]]
    for match in re.finditer(_TOKEN, pattern):
        token = match[0]
        if token in ("(", "(?:"):
            groups.append([])
            continue
        if token[0] == ")":
            body = groups.pop()
            is_nested = _is_endless(token[1:]) and any(_is_endless(_repeat_of(one)) for one in body)
            if is_nested and not _is_divided_once(body):
                return True
            groups[-1] += ["(", *body, token]
        else:
            groups[-1].append(token)
    return False


def _repeat_of(token: str) -> str:
    if token[0] == ")":
        return token[1:]
    atom = re.match(_ATOM, token)
    return token[atom.end() :] if atom else ""


def _is_endless(repeat: str) -> bool:
    return repeat[:1] in ("*", "+") or ",}" in repeat


def _is_divided_once(body: list[str]) -> bool:
    return "|" not in body and (_is_divider(body[0], body[1:]) or _is_divider(body[-1], body[:-1]))


def _is_divider(atom: str, tokens: list[str]) -> bool:
    """Return whether `atom`, which is not repeated, has no character in common with `tokens`."""
    if not re.fullmatch(_ATOM, atom):
        return False
    others = [match[0] for token in tokens if (match := re.match(_ATOM, token))]
    text = "".join([atom, *others])
    codes = re.findall(r"\\[xu]([0-9A-Fa-f]+)", text)
    # Where two ranges overlap, the end of one is in the other.
    looked_at = {*map(chr, range(128)), *text, *(chr(int(code, 16)) for code in codes)}
    return not any(
        re.fullmatch(atom, one) and re.fullmatch(other, one)
        for one in looked_at
        for other in others
    )


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
