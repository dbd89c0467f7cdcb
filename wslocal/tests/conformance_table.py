"""The table of CONFORMANCE.md: one row for each test of tests/test_conformance.py.

`python -m wslocal.tests.conformance_table` writes it.
"""

from __future__ import annotations

import sys
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


def table(tests: ModuleType) -> str:
    """Return the rows of a test module, in its order."""
    rows = [test.behaviour for test in vars(tests).values() if hasattr(test, "behaviour")]
    lines = [f"| {number} | {text} | {source} |" for number, (text, source) in enumerate(rows, 1)]
    return "\n".join(["| | behaviour | source |", "| --- | --- | --- |", *lines]) + "\n"


def replaced(document: str, rows: str) -> str:
    """Return a document with these rows between its marks."""
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN + rows + END + rest.partition(END)[2]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from wslocal.tests import test_conformance

    DOCUMENT.write_text(replaced(DOCUMENT.read_text(), table(test_conformance)))
