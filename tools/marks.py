"""Tests that carry a mark of documents: `pytest.mark.fault(...)` and `pytest.mark.threat(...)`.

The tests are read, not run: such a mark holds nothing but texts.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Marked", "marked"]

# Marks that would let a test's promise go unproven.
_EXCUSES = {"skip", "skipif", "xfail"}


class Marked(NamedTuple):
    """A test, what its mark says, and whether only `make long` runs it."""

    file: Path
    test: str
    arguments: tuple[str, ...]
    keywords: dict[str, str]
    is_long: bool

    def link(self, root: Path) -> str:
        """Return a link to the test from a document in `docs`."""
        name = self.test.removeprefix("test_").replace("_", " ")
        link = f"[{name}](../{self.file.relative_to(root).as_posix()})"
        return f"{link}, `make long`" if self.is_long else link


def marked(mark: str, *folders: Path) -> list[Marked]:
    """Return the tests below folders with this mark; ValueError names one that may be skipped."""
    paths = [path for folder in folders for path in sorted(folder.rglob("test_*.py"))]
    return [test for path in paths for test in _of_file(path, mark)]


def _of_file(path: Path, mark: str) -> Iterator[Marked]:
    source = path.read_text()
    if f"mark.{mark}" not in source:
        return
    tree = ast.parse(source)
    for_all = [
        one
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for one in getattr(node.value, "elts", [node.value])
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            names = {_name(one) for one in [*for_all, *node.decorator_list]}
            for one in node.decorator_list:
                if _name(one) == mark:
                    yield _read(path, node.name, one, names)


def _name(mark: ast.expr) -> str:
    """Return NAME of `pytest.mark.NAME`, with a call or without, else an empty text."""
    text = ast.unparse(mark.func if isinstance(mark, ast.Call) else mark)
    return text.removeprefix("pytest.mark.") if text.startswith("pytest.mark.") else ""


def _read(path: Path, test: str, call: ast.expr, names: set[str]) -> Marked:
    if excuses := sorted(names & _EXCUSES):
        raise ValueError(f"{path.name}: {test} shows a row, so that no mark may say {excuses[0]}")
    arguments = tuple(str(ast.literal_eval(one)) for one in getattr(call, "args", ()))
    given = getattr(call, "keywords", ())
    keywords = {str(one.arg): str(ast.literal_eval(one.value)) for one in given}
    return Marked(path, test, arguments, keywords, "long" in names)
