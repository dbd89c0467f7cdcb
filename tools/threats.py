"""The rows of docs/security.md and the tests that show them: marks `threat`, with the ids of rows.

A row is a line of a table whose first cell is an id, "`like-this`". What it says stands in the document;
the last cell is made here, from the tests. A row without a test says why there is none, in that cell:
"no test: ...". A test of the page has its ids in a comment above it: `// threat: like-this, like-that`.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from marks import marked
from run_tests import REST

__all__ = ["FOLDERS", "filled", "shown_by"]

ROOT = Path(__file__).resolve().parent.parent
# Whatever some tier runs.
FOLDERS = (*REST, "shared-layer/tests")
NO_TEST = "no test: "

PAGE = "web/tests"

_PAGE_TEST = re.compile(r'^// threat: (.*)\n(?:test\("(.*?)", |)', re.MULTILINE)
_ROW = re.compile(r"^\| `([a-z0-9-]+)` \|(.*)\|([^|\n]*)\|$", re.MULTILINE)


def filled(text: str, root: Path = ROOT) -> str:
    """Return the document with the last cells made anew; ValueError names a row or a test that is alone."""
    shown = shown_by(root)
    rows = [found[1] for found in _ROW.finditer(text)]
    if twice := [row for row, count in Counter(rows).items() if count > 1]:
        raise ValueError(f"rows that are there twice: {', '.join(twice)}")
    if strays := sorted(shown.keys() - set(rows)):
        raise ValueError("\n".join(f"no row {row} for {', '.join(shown[row])}" for row in strays))

    def row(found: re.Match[str]) -> str:
        links, last = shown.get(found[1], []), found[3].strip()
        if bool(links) == last.startswith(NO_TEST):
            raise ValueError(f"{found[1]} says {last!r}, and is shown by {links or 'no test'}")
        return f"| `{found[1]}` |{found[2]}| {', '.join(links) or last} |"

    return _ROW.sub(row, text)


def shown_by(root: Path = ROOT) -> dict[str, list[str]]:
    """Return links to the tests that show each row, by its id."""
    shown: dict[str, list[str]] = {}
    for test in marked("threat", *(root / folder for folder in FOLDERS)):
        if not test.arguments or test.keywords:
            raise ValueError(
                f"{test.file.name}: {test.test}: a mark names rows, got {test.keywords}"
            )
        for row in test.arguments:
            shown.setdefault(row, []).append(test.link(root))
    for path in sorted((root / PAGE).glob("*.test.mjs")):
        for rows, name in _PAGE_TEST.findall(path.read_text()):
            if not name:
                raise ValueError(f"{path.name}: {rows}: a test has to begin right below")
            for row in rows.split(", "):
                shown.setdefault(row, []).append(f"[{name}](../{PAGE}/{path.name})")
    return shown
