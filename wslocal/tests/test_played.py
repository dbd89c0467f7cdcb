"""The README's table of what is played has a test behind each row."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from . import played, test_projects

TESTS = Path(__file__).parent


def functions_of(file: str) -> dict[str, str]:
    """Return the tests of a file, each with its decorators."""
    found = {}
    for node in ast.parse((TESTS / file).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = " ".join(map(ast.unparse, node.decorator_list))
    return found


def shapes() -> set[str]:
    entries = [getattr(one, "values", (one,))[0] for one in test_projects.SHAPES]
    return {shape.name for shape in entries}


@pytest.mark.parametrize("row", played.ROWS, ids=lambda row: row.what)
def test_row_is_shown_by_tests_that_run(row):
    assert row.tests
    for test in row.tests:
        file, _, name = test.partition("::")
        name, _, chosen = name.partition("[")
        assert name in functions_of(file)
        assert "skip" not in functions_of(file)[name]
        assert not chosen or chosen.removesuffix("]") in shapes()


def test_every_shape_has_a_row():
    named = {test for row in played.ROWS for test in row.tests}

    assert {name for name in shapes() if any(f"[{name}]" in test for test in named)} == shapes()


def test_readme_has_the_rows():
    document = played.README.read_text()

    assert document == played.replaced(document, played.table())
