"""The table of docs/reliability.md, made from the tests: each mark `fault` is a row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from marks import marked

if TYPE_CHECKING:
    from marks import Marked

__all__ = ["rows", "table"]

ROOT = Path(__file__).resolve().parent.parent
_COLUMNS = ("what", "speaker", "listeners", "log", "heals")
_HEADS = (
    "fault",
    "the speaker sees",
    "listeners see",
    "the log says",
    "how it heals",
    "shown by",
)


def table(root: Path = ROOT) -> str:
    """Return a Markdown table of all rows."""
    lines = [f"| {' | '.join(_HEADS)} |", "| --- " * len(_HEADS) + "|"]
    for row in rows(root):
        texts = [row.keywords[name] for name in _COLUMNS]
        lines.append(f"| {' | '.join(texts)} | {row.link(root)} |")
    return "\n".join(lines)


def rows(root: Path = ROOT) -> list[Marked]:
    """Return the rows of all tests below a folder; ValueError names a test whose row is no row."""
    found = marked("fault", root / "tests")
    for row in found:
        if row.arguments or set(row.keywords) != set(_COLUMNS):
            wanted = f"a row has {', '.join(_COLUMNS)}, got {set(row.keywords)}"
            raise ValueError(f"{row.file.name}: {row.test}: {wanted}")
    return found
