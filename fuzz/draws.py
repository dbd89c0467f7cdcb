"""Values drawn from the bytes that a fuzzer changes: the same bytes are always the same values.

Where the bytes end, everything that is drawn is the smallest: no input is too short.
"""

from __future__ import annotations

import collections
import datetime
import enum
import itertools
import math
import pathlib
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PLANTED", "Draws"]

# Stands where nothing may be shown. Nothing that is drawn has it: a fuzzer finds out what is compared.
PLANTED = "hunter2Xq9"

T = TypeVar("T")

_MAX_DEPTH = 4

# What readers of text, JSON and names have stumbled over.
_TEXTS = (
    *("", " ", "\n", "\0", '"', "\\", "{}", "[]", "null", "true", "-0", "1e999", "NaN", "\u2028"),
    *(
        "é",
        "\ud800",
        "\udc00\ud800",
        "😀",
        "\ufeff",
        "\u017f",
        "İ",
        "\x1b[1m",
        "%s%n",
        "${x}",
        "../..",
    ),
    *("action", "type", "message", "level", "self", "requestId", "sessionId", "error", "_aws"),
    *("golden-eagle-427", "golden-eagle-427\n", "en-US", "standard", "pcm_s16le", "x" * 3000),
)
_NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 0.5, 0.85, 16000, 2**31, 2**53 - 1, 2**53, -(2**53) - 1, 2**64, 10**30, 10**400),
    *(-0.0, 1e-320, 1e307, 1.7e308, math.inf, -math.inf, math.nan, True, False),
    *(Decimal("1.10"), Decimal("1E+400"), Decimal("-0E-9999"), Decimal("NaN"), Decimal("sNaN")),
    *(Decimal("9.9999999999999999999999999999999999999E+125"), Decimal("1E-130")),
)


class Colour(enum.Enum):
    """Some enum."""

    RED = "red"
    BLUE = 2


@dataclass
class Order:
    """Some object with a field."""

    comment: Any
    child: Any = None


class Hostile:
    """Fails wherever it is looked at, with an error of a kind of its own."""

    def __init__(self, error: type[BaseException]) -> None:
        self.__dict__["error"] = error

    def _fail(self, *_: object, **__: object) -> NoReturn:
        raise self.__dict__["error"]("hostile")

    __str__ = __repr__ = __len__ = __iter__ = __getitem__ = __eq__ = __hash__ = _fail
    __index__ = __float__ = __int__ = __bool__ = __format__ = __getattr__ = _fail


class Text(str):
    """A text of a class of its own."""

    __slots__ = ()


class Draws:
    """Takes values off the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.raw(len(self._data))

    def raw(self, number: int) -> bytes:
        """Return so many bytes, less at the end."""
        start, self._at = self._at, min(self._at + number, len(self._data))
        return self._data[start : self._at]

    def some_bytes(self, most: int = 255) -> bytes:
        """Return up to `most` bytes."""
        return self.raw(self.up_to(most))

    def up_to(self, most: int) -> int:
        """Return an integer from 0 to `most`."""
        size = (most.bit_length() + 7) // 8
        return int.from_bytes(self.raw(size), "little") % (most + 1)

    def flag(self) -> bool:
        """Return True or False."""
        return self.up_to(1) == 1

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.up_to(len(options) - 1)]

    def cut(self, data: bytes, most: int = 8) -> list[bytes]:
        """Return the bytes in up to `most` pieces, none of them empty."""
        places = {self.up_to(len(data)) for _ in range(self.up_to(most - 1))} | {0, len(data)}
        ends = sorted(places)
        return [data[start:end] for start, end in itertools.pairwise(ends)]

    def text(self, most: int = 60) -> str:
        """Return a text, with halves of surrogate pairs among the others; what is planted is not in it."""
        return self._text(most).replace(PLANTED, "")

    def _text(self, most: int) -> str:
        kind = self.up_to(4)
        if kind == 0:
            return self.pick(_TEXTS)
        data = self.some_bytes(most)
        if kind == 1:
            return data.decode("utf-16-le", "replace" if len(data) % 2 else "surrogatepass")
        if kind == 2:
            return data.decode("latin-1")
        return data.decode("utf-8", "replace")

    def number(self) -> Any:
        """Return a number of any kind."""
        kind = self.up_to(3)
        if kind == 0:
            return self.up_to(255)
        if kind == 1:
            return self.up_to(2**64) - 2**63
        return self.up_to(2**32) / 2**16 if kind == 2 else self.pick(_NUMBERS)

    def json(self, depth: int = 0) -> Any:
        """Return a value as `json.loads` does."""
        kind = self.up_to(5 if depth < _MAX_DEPTH else 3)
        if kind == 0:
            return self.pick((None, True, False))
        if kind == 1:
            number = self.number()
            return str(number) if isinstance(number, Decimal) else number
        if kind < 4:
            return self.text()
        return self._container(self.json, depth, kind == 4)

    def value(self, depth: int = 0) -> Any:
        """Return a value of any type, such as a program may log."""
        kind = self.up_to(9 if depth < _MAX_DEPTH else 5)
        if kind == 0:
            return self.pick((None, True, False))
        if kind == 1:
            return self.number()
        if kind < 4:
            return self.text()
        if kind == 4:
            return self.some_bytes()
        if kind == 5:
            return self.pick(_STRANGERS)(self)
        if kind < 8:
            return self._container(self.value, depth, kind == 6)
        return self.pick(_WRAPPERS)(self.value(depth + 1))

    def wide(self) -> Any:
        """Return a value that is small in memory and, written out, larger than any memory."""
        value = self.value(_MAX_DEPTH)
        for _ in range(1 + self.up_to(10)):
            value = [value] * 10 if self.flag() else dict.fromkeys("abcdefghij", value)
        return value

    def _container(self, draw: Callable[[int], Any], depth: int, is_list: bool) -> Any:
        number = self.up_to(6)
        if is_list:
            return [draw(depth + 1) for _ in range(number)]
        return {self.text(): draw(depth + 1) for _ in range(number)}

    def error(self) -> BaseException:
        """Return an exception that was raised, with whatever an exception may carry."""
        kind = self.pick(_ERRORS)
        made: BaseException = kind(*(self.value(2) for _ in range(self.up_to(2))))
        if self.flag():
            made.add_note(self.text())
        if self.flag():
            made.__cause__ = ValueError(self.text())
        if self.flag():
            made = BaseExceptionGroup(self.text(), [made, made])
        try:
            raise made
        except BaseException as raised:  # to have a traceback
            return raised


class Refused(Exception):  # noqa: N818 - it is no error of ours
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        """Fail."""
        raise ValueError("no text")


_ERRORS: tuple[Callable[..., BaseException], ...] = (
    *(ValueError, KeyError, Exception, OSError, SystemExit, KeyboardInterrupt, Refused),
    RecursionError,
)


def _endless(_: Draws) -> list[Any]:
    cycle: list[Any] = []
    cycle.append({"again": cycle})
    return cycle


def _deep(draws: Draws) -> Any:
    value: Any = draws.text()
    for _ in range(draws.up_to(2000)):
        value = [value]
    return value


_STRANGERS: tuple[Callable[[Draws], Any], ...] = (
    lambda draws: Hostile(draws.pick((ValueError, TypeError, SystemExit, RecursionError))),
    lambda draws: Text(draws.text()),
    lambda draws: draws.pick(list(Colour)),
    lambda _: datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC),
    lambda _: uuid.UUID(int=7),
    lambda draws: pathlib.PurePosixPath("/tmp", draws.text().replace("\0", "")),  # noqa: S108
    lambda draws: bytearray(draws.some_bytes()),
    lambda draws: memoryview(draws.some_bytes()),
    lambda draws: (one for one in (draws.text(),)),
    lambda draws: Decimal(draws.up_to(2**64)).scaleb(draws.up_to(255) - 128),
    lambda draws: draws.text() * draws.up_to(400),
    lambda draws: [draws.text()] * draws.up_to(400),
    lambda draws: {f"name{number}": draws.number() for number in range(100)},
    lambda _: Draws,
    lambda _: len,
    _endless,
    _deep,
    lambda draws: draws.error(),
)
_WRAPPERS: tuple[Callable[[Any], Any], ...] = (
    lambda inner: (inner, inner),
    Order,
    lambda inner: Order("a", inner),
    lambda inner: collections.OrderedDict(name=inner),
    lambda inner: collections.deque([inner]),
    lambda inner: {1: inner, None: inner, (1, 2): inner, b"name": inner},
    lambda inner: {"a": inner, "b": {"a": inner}},
    ValueError,
)
