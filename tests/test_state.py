"""Other processes find a running system, and only a running one."""

import os
import re
import subprocess
import sys

import pytest

from local.state import RunningSystem, announced, find_running, running_systems
from wslocal import RunNotFoundError

ANNOUNCE = """
import sys
from pathlib import Path
import wslocal.state
from local import state
wslocal.state.BASE = Path(sys.argv[2])
fields = (int(sys.argv[1]), "ws://x/dev", None, "Stack-dev", "Space", {"A": "1"}, 1000.0, "/a")
with state.announced(state.RunningSystem(*fields)):
    print("announced", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("wslocal.state.BASE", tmp_path)
    return tmp_path / f"websocket-audio-{os.getuid()}"


def running(pid: int) -> RunningSystem:
    return RunningSystem(pid, "ws://x/dev", None, "Stack-dev", "Space", {"A": "1"}, 1000.0, "/a")


@pytest.fixture
def announcing(tmp_path):
    """Return a function that announces a system in another process, and kills it at the end."""
    started = []

    def start(pid: int) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", ANNOUNCE, str(pid), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_system_is_found_until_it_ends(announcing):
    process = announcing(7)

    assert find_running() == running(7)
    process.communicate()
    assert running_systems() == []


def test_a_system_that_was_killed_is_forgotten(announcing, folder):
    process = announcing(7)
    process.kill()
    process.wait()

    with pytest.raises(RunNotFoundError, match="start one with `python -m local up`"):
        find_running()

    assert list(folder.iterdir()) == []


def test_of_several_systems_one_has_to_be_chosen(announcing):
    announcing(7)
    announcing(8)

    with pytest.raises(RunNotFoundError) as refused:
        find_running()

    assert re.fullmatch(
        r"2 systems run here: choose with --pid one of 7 \(/a, for \d+ d\), 8 \(/a, for \d+ d\)",
        str(refused.value),
    )

    assert find_running(8).pid == 8


def test_a_system_that_does_not_run_is_not_found(announcing):
    announcing(7)

    with pytest.raises(RunNotFoundError, match="no system with process id 9 runs here"):
        find_running(9)


def test_only_the_user_may_read_the_credentials(folder):
    with announced(running(7)) as path:
        assert path.parent == folder
        assert path.stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h"), (86_399, "23 h"), (86_400, "1 d")],
)
def test_age_is_shown_in_one_unit(seconds, age):
    assert running(7).age(1000.0 + seconds) == age


def test_folder_depends_on_no_variable():
    """Not on those of a login, which cron, `su` and containers lack; here on none at all."""
    show = "from local.state import RunningSystem as R; print(R(7, *7 * [0]).control_socket.parent)"

    run = subprocess.run(
        [sys.executable, "-c", show], env={}, capture_output=True, text=True, check=True
    )

    assert run.stdout == f"/tmp/websocket-audio-{os.getuid()}\n"  # noqa: S108 - as BASE
