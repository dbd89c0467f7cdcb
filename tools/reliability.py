"""The table of docs/reliability.md, made from the tests: each mark `fault` is a row.

The tests are read, not run: the marks hold nothing but texts.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Row", "rows", "table"]

ROOT = Path(__file__).resolve().parent.parent
# Marks that would let a test's promise go unproven.
_EXCUSES = {"skip", "skipif", "xfail"}
_COLUMNS = ("what", "speaker", "listeners", "log", "heals")
_HEADS = (
    "fault",
    "the speaker sees",
    "listeners see",
    "the log says",
    "how it heals",
    "shown by",
)


class Row(NamedTuple):
    """A promise, the test that shows it, and whether only `make long` runs that."""

    what: str
    speaker: str
    listeners: str
    log: str
    heals: str
    test: str
    file: Path
    is_long: bool


def table(root: Path = ROOT) -> str:
    """Return a Markdown table of all rows."""
    lines = [f"| {' | '.join(_HEADS)} |", "| --- " * len(_HEADS) + "|"]
    for row in rows(root):
        name = row.test.removeprefix("test_").replace("_", " ")
        link = f"[{name}](../{row.file.relative_to(root).as_posix()})"
        shown = f"{link}, `make long`" if row.is_long else link
        texts = [getattr(row, name) for name in _COLUMNS]
        lines.append(f"| {' | '.join(texts)} | {shown} |")
    return "\n".join(lines)


def rows(root: Path = ROOT) -> list[Row]:
    """Return the rows of all tests below a folder; ValueError names a test whose row is no row."""
    return [row for path in sorted((root / "tests").rglob("test_*.py")) for row in _of_file(path)]


def _of_file(path: Path) -> Iterator[Row]:
    tree = ast.parse(path.read_text())
    for_all = [
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for mark in getattr(node.value, "elts", [node.value])
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            names = {_mark_name(mark) for mark in [*for_all, *node.decorator_list]}
            for mark in node.decorator_list:
                if _mark_name(mark) == "fault":
                    yield _row(path, node.name, mark, names)


def _mark_name(mark: ast.expr) -> str:
    """Return NAME of `pytest.mark.NAME`, with a call or without, else an empty text."""
    text = ast.unparse(mark.func if isinstance(mark, ast.Call) else mark)
    return text.removeprefix("pytest.mark.") if text.startswith("pytest.mark.") else ""


def _row(path: Path, test: str, call: ast.expr, names: set[str]) -> Row:
    given = {one.arg: one.value for one in getattr(call, "keywords", ())}
    if set(given) != set(_COLUMNS):
        raise ValueError(f"{path.name}: {test}: a row has {', '.join(_COLUMNS)}, got {set(given)}")
    if excuses := sorted(names & _EXCUSES):
        raise ValueError(f"{path.name}: {test} shows a row, so that no mark may say {excuses[0]}")
    texts = {name: str(ast.literal_eval(given[name])) for name in _COLUMNS}
    return Row(**texts, test=test, file=path, is_long="long" in names)
