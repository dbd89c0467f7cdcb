"""Other processes find what runs, and only what runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from wslocal import state
from wslocal.state import AnnouncedRun, RunNotFoundError, find_run, runs_folder

from .up_process import environment

ANNOUNCE = """
import sys
from pathlib import Path
from wslocal import state
state.BASE = Path(sys.argv[2])
with state.AnnouncedRun(int(sys.argv[1]), sys.argv[3], {"chat": "ws://x/dev"}, {"A": "1"}, 1000.0).announced():
    print("announced", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "BASE", tmp_path)
    return tmp_path / f"wslocal-{os.getuid()}"


@pytest.fixture
def announcing(tmp_path):
    """Return a function that announces a run in another process, and kills it at the end."""
    started = []

    def start(pid: int, project: object = "/a") -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", ANNOUNCE, str(pid), str(tmp_path), str(project)],
            env=environment(),
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


def test_run_is_found_until_it_ends(announcing, folder):
    process = announcing(7)

    assert find_run() == AnnouncedRun(7, "/a", {"chat": "ws://x/dev"}, {"A": "1"}, 1000.0)
    process.communicate()
    assert list(folder.iterdir()) == []


def test_run_that_was_killed_is_forgotten(announcing, folder):
    process = announcing(7)
    (folder / "7.sock").touch()
    process.kill()
    process.wait()

    with pytest.raises(RunNotFoundError, match="start a project with `wslocal up PATH`"):
        find_run()

    assert list(folder.iterdir()) == []


def test_of_several_runs_one_has_to_be_chosen(announcing):
    announcing(7)
    announcing(8)

    with pytest.raises(
        RunNotFoundError, match=r"choose with --pid one of 7 \(/a, for .* s\), 8 \(/a,"
    ):
        find_run()
    assert find_run(8).pid == 8
    with pytest.raises(RunNotFoundError, match="no run with process id 9 is here"):
        find_run(9)


@pytest.mark.parametrize(
    ("here", "pid"),
    [
        pytest.param("shop", 7, id="folder"),
        pytest.param("shop/src", 7, id="inside"),
        pytest.param("shop/chat", 8, id="nearest"),
        pytest.param("news", 9, id="of-a-build"),
    ],
)
def test_of_several_runs_the_one_of_the_current_folder_is_meant(
    announcing, tmp_path, monkeypatch, here, pid
):
    for name in ("shop/src", "shop/chat", "news/cdk.out"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "shop" / "chat" / "template.yaml").touch()
    announcing(7, tmp_path / "shop")
    announcing(8, tmp_path / "shop" / "chat" / "template.yaml")
    announcing(9, tmp_path / "news" / "cdk.out")
    monkeypatch.chdir(tmp_path / here)

    assert find_run().pid == pid


def test_only_the_user_can_read_it(announcing, folder):
    announcing(7)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "7.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_folder_that_others_can_open_is_refused(folder, mode):
    folder.mkdir()
    folder.chmod(mode)

    with pytest.raises(
        RunNotFoundError, match="must be a folder that only you can open: remove it"
    ):
        runs_folder().documents()


def test_link_in_its_place_is_refused(folder, tmp_path):
    folder.symlink_to(tmp_path)

    with pytest.raises(RunNotFoundError, match="must be a folder that only you can open"):
        runs_folder().socket(7)


def test_file_that_cannot_be_written_leaves_none(folder):
    with pytest.raises(TypeError), runs_folder().announced(7, {"a": object()}):
        pass

    assert list(folder.iterdir()) == []


def test_half_a_file_is_never_read(folder, announcing):
    announcing(7)

    assert json.loads((folder / "7.json").read_text())["pid"] == 7
    assert not (folder / "7.partial").exists()
