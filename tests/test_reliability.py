"""The table of docs/reliability.md is made of the marks of tests, and a row needs a test that runs."""

import os
import subprocess
import sys

import pytest

import documents
import reliability

ROW = """
@pytest.mark.{more}
@pytest.mark.fault(what="a", speaker="b", listeners="c", log="d", heals="e")
def test_that_shows(play):
    ...
"""


def folder_with(tmp_path, source):
    path = tmp_path / "tests" / "test_faults.py"
    path.parent.mkdir()
    path.write_text(source)
    return tmp_path


def test_row_is_what_the_mark_says_and_leads_to_the_test(tmp_path):
    root = folder_with(tmp_path, ROW.format(more="slow"))

    assert reliability.table(root).splitlines()[2:] == [
        "| a | b | c | d | e | [that shows](../tests/test_faults.py) |"
    ]


def test_row_says_when_its_test_runs_only_in_make_long(tmp_path):
    root = folder_with(tmp_path, ROW.format(more="long"))

    assert reliability.table(root).endswith("(../tests/test_faults.py), `make long` |")


def test_test_without_the_mark_is_no_row(tmp_path):
    root = folder_with(tmp_path, "@pytest.mark.slow\ndef test_other():\n    ...\n")

    assert reliability.rows(root) == []


@pytest.mark.parametrize("more", ["skip", "skipif(True, reason='')", "xfail(strict=True)"])
def test_row_whose_test_may_be_skipped_is_refused(tmp_path, more):
    root = folder_with(tmp_path, ROW.format(more=more))

    with pytest.raises(ValueError, match=r"test_faults.py: test_that_shows .* no mark may say"):
        reliability.rows(root)


@pytest.mark.parametrize("marks", ["pytest.mark.skip", "[pytest.mark.slow, pytest.mark.skip()]"])
def test_row_in_a_file_that_is_skipped_is_refused(tmp_path, marks):
    root = folder_with(tmp_path, f"pytestmark = {marks}\n{ROW.format(more='slow')}")

    with pytest.raises(ValueError, match="no mark may say skip"):
        reliability.rows(root)


@pytest.mark.parametrize(
    "texts", ["what='a', speaker='b'", "", "what='', speaker='', listeners='', log='', heal=''"]
)
def test_row_with_other_columns_is_refused(tmp_path, texts):
    source = f"@pytest.mark.fault({texts})\ndef test_that_shows():\n    ...\n"
    root = folder_with(tmp_path, source)

    with pytest.raises(ValueError, match="test_that_shows: a row has what, speaker, listeners"):
        reliability.rows(root)


def test_row_whose_test_is_skipped_while_it_runs_fails(tmp_path):
    source = ROW.format(more="slow").replace("...", "pytest.skip()").replace("play", "")
    (tmp_path / "conftest.py").write_text((reliability.ROOT / "conftest.py").read_text())
    (tmp_path / "test_faults.py").write_text(
        f"import pytest\n{source}\n\ndef test_other():\n    pytest.skip()\n"
    )
    variables = {name: value for name, value in os.environ.items() if name != "CI"}

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 failed, 1 skipped" in run.stdout
    assert "test_that_shows was skipped, and docs/reliability.md promises" in run.stdout


def test_document_has_the_rows_of_the_tests():
    """A row whose test is gone, or says something else now, is seen."""
    path = reliability.ROOT / "docs" / "reliability.md"

    assert documents.documents()[path] == path.read_text()
    assert len(reliability.rows()) == path.read_text().count("](../tests/")
