"""Text for a person at a terminal: numbers with their noun, and what this program is called by."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["counted", "of_all", "own_command"]


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
