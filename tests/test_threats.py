"""docs/security.md and the tests that it names hold each other: no row without a test, no test without a row."""

import os
import re
import subprocess
import sys

import pytest

import threats
from marks import marked

DOCUMENT = threats.ROOT / "docs" / "security.md"

ROWS = """
| id | threat | stopped by | shown by |
| --- | --- | --- | --- |
| `guessed-id` | somebody tries ids | a limit | |
| `stolen-token` | a token is used twice | both are closed | what stood here before |
"""

TESTS = """
import pytest

@pytest.mark.threat("guessed-id")
def test_limit():
    ...

@pytest.mark.long
@pytest.mark.threat("stolen-token", "guessed-id")
def test_both_are_closed():
    ...
"""


def folder_with(tmp_path, source, folder="tests"):
    path = tmp_path / folder / "test_some.py"
    path.parent.mkdir(parents=True)
    path.write_text(source)
    return tmp_path


def test_row_gets_links_to_all_tests_that_name_it(tmp_path):
    lines = threats.filled(ROWS, folder_with(tmp_path, TESTS)).splitlines()

    limit, both = (
        "[limit](../tests/test_some.py)",
        "[both are closed](../tests/test_some.py), `make long`",
    )
    assert lines[3:] == [
        f"| `guessed-id` | somebody tries ids | a limit | {limit}, {both} |",
        f"| `stolen-token` | a token is used twice | both are closed | {both} |",
    ]


def test_what_is_made_once_is_made_the_same_again(tmp_path):
    root = folder_with(tmp_path, TESTS)

    once = threats.filled(ROWS, root)

    assert threats.filled(once, root) == once


@pytest.mark.parametrize("folder", threats.FOLDERS)
def test_tests_of_every_folder_that_a_tier_runs_are_found(tmp_path, folder):
    root = folder_with(tmp_path, TESTS, folder)

    assert f"(../{folder}/test_some.py)" in threats.filled(ROWS, root)


def test_row_whose_test_is_gone_is_refused(tmp_path):
    root = folder_with(tmp_path, TESTS.replace('"stolen-token", ', ""))

    with pytest.raises(ValueError, match=r"stolen-token says 'what stood here before', .* no test"):
        threats.filled(ROWS, root)


def test_test_that_no_tier_runs_shows_nothing(tmp_path):
    root = folder_with(tmp_path, TESTS, "somewhere")

    with pytest.raises(ValueError, match="no test"):
        threats.filled(ROWS, root)


def test_test_that_names_no_row_is_refused(tmp_path):
    root = folder_with(tmp_path, TESTS.replace('threat("guessed-id")', 'threat("guessed-ids")'))

    with pytest.raises(ValueError, match=r"no row guessed-ids for \[limit\]"):
        threats.filled(ROWS, root)


def test_row_may_say_why_it_has_no_test(tmp_path):
    rows = ROWS + "| `proxy` | a firewall | not ours | no test: AWS's part |\n"

    assert "| not ours | no test: AWS's part |" in threats.filled(
        rows, folder_with(tmp_path, TESTS)
    )


def test_row_that_has_a_test_may_not_say_that_it_has_none(tmp_path):
    rows = ROWS.replace("what stood here before", "no test: AWS's part")

    with pytest.raises(ValueError, match=r"stolen-token says .*no test: AWS's part"):
        threats.filled(rows, folder_with(tmp_path, TESTS))


def test_row_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="twice: guessed-id, stolen-token"):
        threats.filled(ROWS * 2, folder_with(tmp_path, TESTS))


@pytest.mark.parametrize("mark", ["threat", "threat()", "threat(row='guessed-id')"])
def test_mark_without_a_row_is_refused(tmp_path, mark):
    root = folder_with(tmp_path, TESTS.replace('threat("guessed-id")', mark))

    with pytest.raises(ValueError, match="test_limit: a mark names rows"):
        threats.filled(ROWS, root)


def test_test_that_may_be_skipped_shows_nothing(tmp_path):
    root = folder_with(tmp_path, TESTS.replace("mark.long", "mark.skip"))

    with pytest.raises(ValueError, match=r"test_both_are_closed .* no mark may say skip"):
        threats.filled(ROWS, root)


PAGE_TESTS = """
// threat: guessed-id, stolen-token
test("a limit holds", async () => {
"""


def test_test_of_the_page_shows_rows_too(tmp_path):
    path = folder_with(tmp_path, TESTS) / "web/tests/client.test.mjs"
    path.parent.mkdir(parents=True)
    path.write_text(PAGE_TESTS)

    lines = threats.filled(ROWS, tmp_path).splitlines()

    link = "[a limit holds](../web/tests/client.test.mjs)"
    assert [line.endswith(f", {link} |") for line in lines[3:]] == [True, True]


@pytest.mark.parametrize("begins", ["test.skip(", "  test(", "// test(", "\ntest("])
def test_comment_without_a_test_of_the_page_is_refused(tmp_path, begins):
    path = folder_with(tmp_path, TESTS) / "web/tests/client.test.mjs"
    path.parent.mkdir(parents=True)
    path.write_text(PAGE_TESTS.replace("test(", begins))

    with pytest.raises(ValueError, match=r"client.test.mjs: guessed-id, stolen-token"):
        threats.filled(ROWS, tmp_path)


@pytest.mark.parametrize(
    ("call", "ci", "counted"),
    [
        ("skip('for no reason')", "", "1 failed"),
        ("skip('not run, for want of a Chromium')", "", "1 skipped"),
        ("skip('not run, for want of a Chromium')", "true", "1 failed"),
        ("skip('a statement of Python 3.12')", "true", "1 failed"),
        ("xfail('it does not hold yet')", "", "1 failed"),
    ],
)
def test_row_whose_test_is_skipped_while_it_runs_fails(tmp_path, call, ci, counted):
    """But for want of a browser, on a machine where that has to be installed by hand."""
    (tmp_path / "conftest.py").write_text((threats.ROOT / "conftest.py").read_text())
    (tmp_path / "test_some.py").write_text(
        f"import pytest\n\n@pytest.mark.threat('a')\ndef test_it():\n    pytest.{call}\n"
    )

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.stdout.splitlines()[-1].startswith(counted)


def test_document_is_as_the_tests_have_it():
    text = DOCUMENT.read_text()

    assert threats.filled(text) == text


@pytest.mark.long
def test_tests_with_the_mark_are_those_that_pytest_collects():
    """In a class, behind a module's skip or a name that is not collected, a mark would show nothing."""
    folders = [threats.ROOT / folder for folder in threats.FOLDERS]
    files = [path for folder in folders for path in folder.rglob("test_*.py")]
    named = [path for path in files if "mark.threat" in path.read_text()]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "threat", *named],
        cwd=threats.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    collected = set(re.findall(r"^(\S+\.py)::(\w+)", run.stdout, re.MULTILINE))
    assert collected == {
        (str(test.file.relative_to(threats.ROOT)), test.test) for test in marked("threat", *folders)
    }
