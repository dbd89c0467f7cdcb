"""Pythons are found by running them."""

import os
import sys
from pathlib import Path

import pytest

import environments
from environments import find_pythons, probe
from run_tests import count

REAL = f'exec "{sys.executable}" "$@"'


@pytest.fixture
def script(tmp_path):
    """Return a function that makes a program with a Python's name."""

    def script(commands: str, name: str = "python3.12") -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{commands}\n")
        path.chmod(0o755)
        return path

    return script


def test_python_that_runs_is_reported_by_its_version():
    python = probe(sys.executable)

    assert python.minor == sys.version_info.minor
    assert python.version == ".".join(map(str, sys.version_info[:3]))
    assert Path(python.executable).samefile(sys.executable)


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param("echo 'pyenv: python3.12: command not found' >&2; exit 127", id="shim"),
        pytest.param("exit 0", id="says-nothing"),
        pytest.param("echo hello", id="says-something-else"),
        pytest.param("echo pypy 3 12 1 /usr/bin/pypy", id="not-cpython"),
        pytest.param("echo cpython 2 7 18 /usr/bin/python2", id="python-2"),
        pytest.param("kill -9 $$", id="dies"),
        pytest.param("echo \"No module named 'ensurepip'\" >&2; exit 1", id="without-venv"),
    ],
)
def test_program_that_only_has_a_pythons_name_is_not_one(script, commands):
    assert probe(script(commands)) is None


def test_missing_file_and_text_file_are_no_pythons(tmp_path):
    text = tmp_path / "python3.11"
    text.write_text("hello")

    assert probe(tmp_path / "missing") is None
    assert probe(text) is None


def test_broken_shim_does_not_hide_the_python_behind_it(script, tmp_path, monkeypatch):
    minor = sys.version_info.minor
    script("exit 127", name=f"python3.{minor}")
    behind = tmp_path / "behind"
    behind.mkdir()
    (behind / f"python3.{minor}").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{behind}")

    assert find_pythons()[minor].minor == minor


def test_python_of_another_version_than_its_name_is_not_taken(script, monkeypatch, tmp_path):
    other = 12 if sys.version_info.minor != 12 else 13
    script(REAL, name=f"python3.{other}")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))

    found = find_pythons().get(other)

    assert found is None or found.version.startswith(f"3.{other}.")


def test_stamp_says_a_made_environment_from_a_stale_or_broken_one(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "made-from").write_text("3.11.7 /usr/bin/python3.11\nabc\n")
    without_python = environments._is_made(tmp_path, "3.11.7 /usr/bin/python3.11\nabc\n")
    (tmp_path / "bin" / "python").symlink_to(sys.executable)

    assert not without_python
    assert environments._is_made(tmp_path, "3.11.7 /usr/bin/python3.11\nabc\n")
    assert not environments._is_made(tmp_path, "3.11.7 /usr/bin/python3.11\nabd\n")


@pytest.mark.parametrize(
    ("attributes", "counted"),
    [
        ('tests="5" failures="0" errors="0" skipped="0"', (5, 0, 0)),
        ('tests="5" failures="1" errors="1" skipped="1"', (2, 2, 1)),
    ],
)
def test_report_is_counted(tmp_path, attributes, counted):
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite {attributes}/></testsuites>")

    assert count(report) == counted


def test_run_without_a_report_counts_as_one_failure(tmp_path):
    assert count(tmp_path / "missing.xml") == (0, 1, 0)
