"""What several harnesses ask of a line or of a reply."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import orjson

from fuzz.draws import PLANTED

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["captured", "line_of", "lines_of", "strictly_read"]


class _Stream(io.StringIO):
    """A stream that keeps what is written, UTF-8 as a real one is."""

    encoding = "utf-8"

    def write(self, text: str, /) -> int:
        text.encode()
        return super().write(text)


@contextlib.contextmanager
def captured() -> Iterator[io.StringIO]:
    """Keep what a block writes to stdout."""
    before, sys.stdout = sys.stdout, _Stream()
    try:
        yield sys.stdout
    finally:
        sys.stdout = before


def strictly_read(text: str) -> dict[str, Any]:
    """Return the object in a text; fail where the strictest of JSON's readers does."""
    assert isinstance(orjson.loads(text.encode()), dict), "it is no object"
    found: dict[str, Any] = json.loads(text, object_pairs_hook=_once)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a name stands there twice"
    return dict(pairs)


def lines_of(stream: io.StringIO, most: int) -> list[dict[str, Any]]:
    """Return the lines that were written: whole, of bounded size, without what was planted."""
    text = stream.getvalue()
    assert text == "" or text.endswith("\n"), "a line has no end"
    assert PLANTED not in text, "a secret is shown"
    lines = text.split("\n")[:-1]
    assert max((len(line.encode()) for line in lines), default=0) <= most, "a line is too long"
    for line in lines:
        assert len(line.splitlines()) == 1, "some readers see more than one line"
    return [strictly_read(line) for line in lines]


def line_of(stream: io.StringIO, most: int) -> dict[str, Any]:
    """Return the one line that was written."""
    lines = lines_of(stream, most)
    assert len(lines) == 1, f"{len(lines)} lines instead of one"
    return lines[0]
