"""What the command of `make test` makes of failures: which are tried again, what it says, how it ends."""

import os
import sys

import pytest

from run_tests import Counted, PytestRun, count, run, summarise

# Fails beside others, as what looks at times does on a busy machine.
DISTURBED = """
import os

def test_busy():
    assert "PYTEST_XDIST_WORKER" not in os.environ, "too late"
"""
SKIPPED_ALONE = """
import os, pytest

def test_skipped_alone():
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("alone")
    assert False
"""
BROKEN = """
import pytest

@pytest.mark.parametrize("number", range({failures}))
def test_broken(number):
    assert number < 0, "a reason"
"""
FINE = "def test_fine(): pass"


@pytest.fixture
def pytest_run(tmp_path, monkeypatch):
    """Return a function that runs files of tests as the command does, none of it a part of this run."""
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def pytest_run(*files: str, arguments: tuple[str, ...] = ()) -> PytestRun:
        for number, text in enumerate(files):
            (tmp_path / f"test_{number}.py").write_text(text)
        return run("a part", sys.executable, tmp_path, arguments)

    return pytest_run


def test_what_passes_runs_once(pytest_run, capfd):
    done = pytest_run(FINE)

    assert done == PytestRun("a part", Counted(1, (), 0), 0)
    assert "again" not in capfd.readouterr().out


def test_what_fails_beside_others_and_passes_alone_passes_and_is_named(pytest_run, capsys):
    done = pytest_run(FINE, DISTURBED)

    assert done.counted == Counted(2, (), 0)
    assert done.exit_code == 0
    assert summarise([done]) == 0
    name = "test_1.test_busy: AssertionError: too late"
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "a part: passed",
        f"  passed only alone: {name}",
        "2 passed, 0 failed, 0 skipped",
    ]


def test_what_is_skipped_alone_has_not_passed(pytest_run):
    done = pytest_run(FINE, SKIPPED_ALONE)

    assert (done.exit_code, len(done.counted.failed), done.disturbed) == (1, 1, ())


def test_what_fails_alone_too_fails_and_is_named(pytest_run, capsys):
    done = pytest_run(FINE, DISTURBED, BROKEN.format(failures=1))

    assert done.exit_code == 1
    assert not done.disturbed
    assert summarise([done]) == 1
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert lines[0] == "a part: failed, exit code 1"
    assert lines[1].startswith("  failed: test_1.test_busy: ")
    assert lines[2].startswith("  failed: test_2.test_broken[0]: AssertionError: a reason")
    assert lines[3] == "1 passed, 2 failed, 0 skipped"


def test_many_failures_are_not_tried_again(pytest_run, capfd):
    done = pytest_run(DISTURBED, BROKEN.format(failures=3))

    assert done.exit_code == 1
    assert len(done.counted.failed) == 4
    assert "again" not in capfd.readouterr().out


def test_run_that_could_not_begin_fails(pytest_run):
    done = pytest_run(FINE, arguments=("--no-such-option",))

    assert done.exit_code == pytest.ExitCode.USAGE_ERROR
    assert done.counted == Counted(0, ("the run ended without a report",), 0)


def test_report_counts_failures_errors_and_skipped(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1">'
        '<testcase classname="a" name="b"><failure message="one&#10;two"/></testcase>'
        '<testcase classname="a" name="c"><error/></testcase>'
        "</testsuite></testsuites>"
    )

    assert count(report) == Counted(2, ("a.b: one", "a.c: "), 1)
