"""The table of CONFORMANCE.md: one row for each test of tests/test_conformance*.py.

`python -m wslocal.tests.conformance_table` writes it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "wslocal" / "CONFORMANCE.md"
CHOSEN = "not documented: chosen"
BEGIN, END = "<!-- conformance: begin -->\n", "<!-- conformance: end -->\n"


def behaviour(text: str, source: str):
    """Say which behaviour a test shows, and where it is said that AWS behaves so, or CHOSEN."""

    def mark(test):
        test.behaviour = text, source
        return test

    return mark


def modules() -> list[ModuleType]:
    """Return the test modules with the rows."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_conformance*.py"))
    return [
        importlib.import_module(f"wslocal.tests.{name}")
        for name in names
        if name != "test_conformance_table"
    ]


def table(tests: Iterable[ModuleType]) -> str:
    """Return the rows of test modules, in their order."""
    every = [test for module in tests for test in vars(module).values()]
    rows = [test.behaviour for test in every if hasattr(test, "behaviour")]
    lines = [f"| {number} | {text} | {source} |" for number, (text, source) in enumerate(rows, 1)]
    return "\n".join(["| | behaviour | source |", "| --- | --- | --- |", *lines]) + "\n"


def replaced(document: str, rows: str) -> str:
    """Return a document with these rows between its marks."""
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN + rows + END + rest.partition(END)[2]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    DOCUMENT.write_text(replaced(DOCUMENT.read_text(), table(modules())))
