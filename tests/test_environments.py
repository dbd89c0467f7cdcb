"""Pythons are found by running them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import environments
from environments import find_pythons, probe

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


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        pytest.param("echo is 3.8", "is 3.8", id="old"),
        pytest.param("exit 127", "does not run or has no venv module", id="shim"),
        pytest.param(None, "does not run or has no venv module", id="missing"),
    ],
)
def test_make_refuses_a_named_python_before_it_makes_anything(script, tmp_path, commands, said):
    named = script(commands) if commands else tmp_path / "missing"

    done = make("--dry-run", "dev", f"PYTHON={named}")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        f"*** Python 3.11 or newer is needed, PYTHON={named} {said}.  Stop.\n"
    )


def test_make_takes_a_named_python_that_runs():
    done = make("--dry-run", "dev", f"PYTHON={sys.executable}")

    assert done.stdout == f"{sys.executable} tools/environments.py dev\n"


def make(*arguments):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=environments.ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_stamp_says_a_made_environment_from_a_stale_or_broken_one(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "made-from").write_text("3.11.7 /usr/bin/python3.11\nabc\n")
    without_python = environments._is_made(tmp_path, "3.11.7 /usr/bin/python3.11\nabc\n")
    (tmp_path / "bin" / "python").symlink_to(sys.executable)

    assert not without_python
    assert environments._is_made(tmp_path, "3.11.7 /usr/bin/python3.11\nabc\n")
    assert not environments._is_made(tmp_path, "3.11.7 /usr/bin/python3.11\nabd\n")


PIP = """
for last; do :; done
case "$*" in *"$FAIL"*) exit 1;; esac
mkdir -p "$last" && echo "$*" >> "$LOG" && touch "$last/one.whl"
"""
TARGETS = ["arm64-3.11", "arm64-3.12", "arm64-3.13", "arm64-3.14", "here"]


@pytest.fixture
def fetch(script, tmp_path, monkeypatch):
    """Return a function that has the wheels of a lock file fetched, and returns pip's command lines.

    A program stands in for pip: it writes what it was asked for, and fails for what holds a word.
    """
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    (tmp_path / "requirements").mkdir()
    lock_file = tmp_path / "requirements" / "tool.txt"
    pip = str(script(PIP, name="pip"))
    python = environments.Python(11, "3.11.7", sys.executable)

    def fetch(lock: str = "one==1.0", *, failing: str = "nothing") -> list[str]:
        log = tmp_path / "log"
        log.write_text("")
        monkeypatch.setenv("LOG", str(log))
        monkeypatch.setenv("FAIL", failing)
        lock_file.write_text(lock)
        environments.ensure_wheels("tool", python, pip)
        return log.read_text().splitlines()

    return fetch


def test_wheels_are_fetched_once_for_this_machine_and_for_every_python_on_lambda(fetch, tmp_path):
    commands = fetch()

    folder = tmp_path / ".cache/wheels/tool"
    assert sorted(path.parent.name for path in folder.rglob("one.whl")) == TARGETS
    assert sum("--platform" in command for command in commands) == len(TARGETS) - 1
    assert all("--require-hashes --only-binary :all:" in command for command in commands)
    assert fetch() == []


def test_wheels_of_another_lock_are_fetched_instead(fetch, tmp_path):
    fetch()
    old = tmp_path / ".cache/wheels/tool/here/old.whl"
    old.touch()

    assert len(fetch("one==2.0")) == len(TARGETS)
    assert not old.exists()


def test_wheels_that_were_not_all_fetched_are_fetched_again(fetch, tmp_path):
    with pytest.raises(environments.subprocess.CalledProcessError):
        fetch(failing="--python-version 3.13")
    half = tmp_path / ".cache/wheels/tool/arm64-3.13.partial/half.whl"
    half.parent.mkdir()
    half.touch()

    commands = fetch()

    assert len(commands) == 2
    assert not list(tmp_path.rglob("half.whl"))


def test_hypothesis_for_wasm_is_fetched_alone_and_once(script, tmp_path, monkeypatch):
    """Of the lock file's packages it is the one that the layer's tests cannot do without there."""
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAIL", "nothing")
    (tmp_path / "requirements").mkdir()
    (tmp_path / ".cache").mkdir()
    block = "hypothesis==6.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    lock = f"attrs==2.0 \\\n    --hash=sha256:cc\n{block}pytest==9.0 \\\n    --hash=sha256:dd\n"
    (tmp_path / "requirements" / "test.txt").write_text(lock)
    pip = str(script(PIP, name="pip"))

    homes = {environments.ensure_hypothesis_for_wasm(pip) for _ in range(2)}

    [home], [command] = homes, (tmp_path / "log").read_text().splitlines()
    assert (home / "lock.txt").read_text() == block
    assert "--require-hashes --only-binary :all: --platform pyemscripten" in command
    assert (home / "one.whl").exists()
