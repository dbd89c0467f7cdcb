"""How a page of the documents is read, run and compared: a page that shows something else than it does is seen."""

import pytest

from tests import document_blocks
from tests.document_blocks import fits, missing, run_page, said_of


@pytest.fixture
def run_text(tmp_path, monkeypatch):
    """Return what runs a page with this text."""
    monkeypatch.setattr(document_blocks, "ROOT", tmp_path)

    def run(text):
        (tmp_path / "page.md").write_text(text)
        return run_page("page.md", tmp_path, {})

    return run


def test_block_is_shown_by_comments_or_by_what_follows_it(run_text):
    [first, second] = run_text(
        """```python
print(1)  # 2
```
Prose.
```python
print("x 7")
print('{"a": 1}')
```
```json
{"a": "..."}
```
```text
x ...
```
"""
    )

    assert (first.printed, said_of(first.block)) == (["1"], ([], ["2"]))
    assert (second.printed, second.lines) == (["x 7"], [{"a": 1}])
    assert said_of(second.block) == ([{"a": "..."}], ["x ..."])


def test_page_finds_what_it_imports_and_nothing_else(run_text):
    [found] = run_text(
        """```python
import click
from importlib.util import find_spec
print([find_spec(name) is None for name in ("click", "shared_utils", "structlog")])
```
"""
    )

    assert found.printed == ["[False, False, True]"]


def test_error_of_a_page_is_seen(run_text):
    with pytest.raises(AssertionError, match=r'page.md", line 3, in <module>'):
        run_text("# Title\n```python\n1 / 0\n```\n")


@pytest.mark.parametrize(
    ("shown", "first_missing"),
    [
        ([{"a": 1}, {"a": 2}], None),
        ([{"a": "..."}, {"a": 2}], None),
        ([{"a": 2}, {"a": 1}], {"a": 1}),
        ([{"a": 1, "b": 2}], {"a": 1, "b": 2}),
        ([{"a": 3}], {"a": 3}),
    ],
)
def test_line_that_is_missing_or_too_early_is_seen(shown, first_missing):
    assert missing(shown, [{"a": 1}, {"a": 2}]) == first_missing


@pytest.mark.parametrize(
    ("line", "shown", "is_same"),
    [("x 7 y", "x ... y", True), ("x 7", "x ... y", False), ("x", "y", False), ("x", "x", True)],
)
def test_printed_line_is_compared_with_what_is_shown(line, shown, is_same):
    assert fits(line, shown) is is_same
