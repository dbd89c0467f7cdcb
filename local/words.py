"""Text for a person at a terminal: what others sent, shown so that it does no harm, and numbers with their noun."""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["counted", "of_all", "own_command", "printable"]

# Control characters; what changes the direction of text, so that a line reads as another one
# (https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters); what ends a line or a paragraph;
# and halves of characters, which UTF-8 does not have.
_NOT_PRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return the text with what does more than show a character written out, as \\x1b or \\u202e."""
    return _NOT_PRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def counted(number: int, noun: str) -> str:
    """Return the number and the noun, in its plural unless it is one."""
    plural = f"{noun}es" if noun.endswith("sh") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def of_all(number: int, total: int, noun: str) -> str:
    """Return such as "2 of 3 chunks were", to go on with what was done to them."""
    return f"{number} of {counted(total, noun)} {'was' if total == 1 else 'were'}"


def own_command() -> str:
    """Return what this program is called by in the current folder."""
    python = Path(sys.executable)
    inside = python.is_relative_to(Path.cwd())
    return f"{python.relative_to(Path.cwd()) if inside else python} -m local"
