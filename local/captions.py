"""Captions of a WebVTT file, as they are sent: each with its time, its name and as much text as one may have.

Nothing here reads the clock or the network.
"""

from __future__ import annotations

import bisect
import html
import itertools
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webvtt import WebVTT
from webvtt.errors import MalformedCaptionError, MalformedFileError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from webvtt import Caption

__all__ = ["Cue", "read_cues"]

# As the messages have it.
_MAX_TEXT = 500
_MAX_SEGMENT_ID = 64
# A connection may send 20 captions a second.
_CLOSEST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Cue:
    """What `sendCaption` says, and when it is due after the file's beginning."""

    segment_id: str
    text: str
    start_ms: int
    end_ms: int
    due_seconds: float


def read_cues(path: Path) -> list[Cue]:
    """Return a WebVTT file's cues in the order of their times; ValueError unless it is one, with text.

    A cue with more text than a caption may have becomes several. They are named as in the file if each then
    has a name of its own, else by their number.
    """
    captions = sorted(_read(path), key=lambda one: one.start_time.in_milliseconds())
    pieces = [
        (one, name, text)
        for number, one in enumerate(captions, 1)
        for name, text in _pieces(one, str(number))
    ]
    if not pieces:
        raise ValueError(f"{path} has no captions")
    names = [name for _, name, _ in pieces]
    if len(set(names)) < len(names) or max(map(len, names)) > _MAX_SEGMENT_ID:
        names = [str(number) for number, _ in enumerate(pieces, 1)]
    starts = [one.start_time.in_milliseconds() for one, _, _ in pieces]
    return [
        Cue(name, text, start_ms, one.end_time.in_milliseconds(), due)
        for name, (one, _, text), start_ms, due in zip(
            names, pieces, starts, _spaced(starts), strict=True
        )
    ]


def _read(path: Path) -> list[Caption]:
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: not UTF-8, as WebVTT is") from error
    try:
        return _parse(lines)
    except MalformedFileError as error:
        raise ValueError(f"{path}, line 1: a WebVTT file begins with WEBVTT") from error
    except MalformedCaptionError:
        pass  # it does not say where, and repeats the text
    number = bisect.bisect(range(len(lines)), False, key=lambda count: _fails(lines[:count]))
    raise ValueError(
        f"{path}, line {number}: a cue has an empty line before it, times such as 00:01.000 --> 00:02.500, "
        "of which the second is later, and no settings but those of WebVTT"
    )


def _parse(lines: list[str]) -> list[Caption]:
    captions = WebVTT.from_buffer(lines, strict=True).captions
    if any(one.end_time <= one.start_time for one in captions):
        raise MalformedCaptionError  # https://www.w3.org/TR/webvtt1/#webvtt-cue-timings
    return captions


def _fails(lines: list[str]) -> bool:
    try:
        _parse(lines)
    except MalformedCaptionError:
        return True
    except MalformedFileError:
        pass  # no lines at all
    return False


def _pieces(caption: Caption, number: str) -> list[tuple[str, str]]:
    """Return names and texts, without tags, of at most the length that a caption may have."""
    name = caption.identifier or number
    text = html.unescape(caption.text)
    texts = textwrap.wrap(text, _MAX_TEXT, break_on_hyphens=False)
    if len(texts) == 1:
        return [(name, texts[0])]
    return [(f"{name}-{piece}", text) for piece, text in enumerate(texts, 1)]


def _spaced(starts_ms: Iterable[int]) -> Iterable[float]:
    """Return when each is due, in seconds, none so soon after another that it would be refused."""
    return itertools.accumulate(
        (start / 1000 for start in starts_ms),
        lambda before, start: max(start, before + _CLOSEST_SECONDS),
    )
