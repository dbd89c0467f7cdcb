"""A change of what is watched is noticed, also one that was made before, and no other."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest
from watchfiles import awatch

from wslocal import watching
from wslocal.loop import LoopThread
from wslocal.watching import next_changes


@pytest.fixture
def folder(tmp_path):
    """Return a folder whose files are an hour old."""
    source = tmp_path / "src"
    (source / "node_modules").mkdir(parents=True)
    files = ("src/app.py", "src/app.pyc", "src/node_modules/index.js", "template.yaml", "other.txt")
    for name in files:
        (tmp_path / name).write_text("old")
    for path in [*tmp_path.rglob("*"), tmp_path]:
        os.utime(path, (time.time() - 3600,) * 2)
    return tmp_path


@pytest.fixture
def changes(folder):
    """Return what waits for changes of the source and the template, begun before `act` is called."""

    def changes(act) -> set[Path]:
        watched = [folder / "src", folder / "template.yaml"]

        async def wait():
            waiting = asyncio.create_task(next_changes(watched, time.time() - 60))
            while not waiting.done():  # what changes before the watch begins is found, too
                act()
                await asyncio.wait([waiting], timeout=0.5)
            return waiting.result()

        with LoopThread() as loop:
            return loop.run(asyncio.wait_for(wait(), 30))

    return changes


def test_file_below_a_folder(folder, changes):
    assert changes(lambda: (folder / "src" / "app.py").write_text("new")) == {
        folder / "src" / "app.py"
    }


def test_new_file(folder, changes):
    assert folder / "src" / "more.py" in changes(lambda: (folder / "src" / "more.py").touch())


def test_file_that_an_editor_puts_in_the_place_of_another(folder, changes):
    def replace():
        (folder / "template.yaml~").write_text("new")
        (folder / "template.yaml~").rename(folder / "template.yaml")

    assert changes(replace) == {folder / "template.yaml"}


def test_change_from_before_the_watch_is_found(folder):
    since = time.time() - 60
    (folder / "src" / "app.py").write_text("new")

    with LoopThread() as loop:
        found = loop.run(asyncio.wait_for(next_changes([folder / "src"], since), 30))

    assert found == {folder / "src" / "app.py"}


def test_what_is_not_watched_is_no_change(folder, changes):
    done = []

    def touch():
        (folder / "other.txt").write_text("new")
        (folder / "src" / "node_modules" / "index.js").write_text("new")
        (folder / "src" / "app.pyc").write_text("new")
        if done:  # only now something of ours
            (folder / "src" / "app.py").write_text("new")
        done.append(True)

    found = changes(touch)

    assert folder / "src" / "app.py" in found
    assert not {folder / "other.txt", folder / "src" / "node_modules" / "index.js"} & found
    assert folder / "src" / "app.pyc" not in found


def test_what_was_removed_before_the_watch_is_a_change(folder):
    """Its date says nothing any more."""
    gone = folder / "src" / "gone.py"

    with LoopThread() as loop:
        found = loop.run(asyncio.wait_for(next_changes([gone], time.time(), there=[gone]), 30))

    assert found == {gone}


def test_folder_that_is_removed_as_the_watch_begins_is_a_change(folder, monkeypatch):
    """`watchfiles` raises for one that is not there."""

    async def removed(*roots, **more):
        shutil.rmtree(folder / "src")
        async for found in awatch(*roots, **more):
            yield found

    monkeypatch.setattr(watching, "awatch", removed)
    with LoopThread() as loop:
        since = time.time() + 60
        found = loop.run(asyncio.wait_for(next_changes([folder / "src"], since), 30))

    assert found == {folder / "src"}


@pytest.mark.parametrize("is_moved", [False, True], ids=["written", "moved"])
def test_file_in_folders_that_are_not_there_yet(folder, is_moved):
    """As `.aws-sam/build/template.yaml`; one that was moved has the date that it had."""
    wanted = folder / "out" / "build" / "template.yaml"
    elsewhere = folder / "elsewhere" / "build"
    elsewhere.mkdir(parents=True)
    (elsewhere / "template.yaml").write_text("old")
    os.utime(elsewhere / "template.yaml", (time.time() - 3600,) * 2)

    async def main():
        waiting = asyncio.create_task(next_changes([wanted], time.time() - 60))
        while not waiting.done():
            if not is_moved:
                wanted.parent.mkdir(parents=True, exist_ok=True)
                wanted.write_text("new")
            elif elsewhere.exists():
                wanted.parent.parent.mkdir()
                await asyncio.wait([waiting], timeout=0.3)
                elsewhere.rename(wanted.parent)
            await asyncio.wait([waiting], timeout=0.5)
        return waiting.result()

    with LoopThread() as loop:
        assert loop.run(asyncio.wait_for(main(), 30)) == {wanted}


@pytest.mark.parametrize("name", ["synth.lock", "read.7276.1.lock", "synth.lock.7276_1"])
def test_locks_of_the_cdk_are_no_change(folder, name):
    async def main():
        since = time.time() + 60  # so that only what comes is seen
        waiting = asyncio.create_task(next_changes([folder / "src"], since))
        while not waiting.done():
            (folder / "src" / name).write_text("7276")
            await asyncio.wait([waiting], timeout=0.3)
            (folder / "src" / "poetry.lock").write_text("new")
        return waiting.result()

    with LoopThread() as loop:
        assert loop.run(asyncio.wait_for(main(), 30)) == {folder / "src" / "poetry.lock"}
