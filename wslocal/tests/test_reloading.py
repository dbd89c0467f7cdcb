"""A change becomes live, or it is said why not; the next one is tried all the same."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from wslocal.deploy import DeployError
from wslocal.reloading import reload_now_and_then
from wslocal.sources import Project
from wslocal.watching import next_changes


class Running:
    """Runs what is in a folder; the first reload fails."""

    def __init__(self, folder: Path, error: Exception) -> None:
        self.folder = folder
        self.project = Project((), (folder,))
        self.read_at = time.time()
        self.errors = [error]
        self.done = asyncio.Event()

    async def next_changes(self) -> set[Path]:
        """Wait for a change; there is one at once."""
        (self.folder / "a.py").write_text("changed")
        return await next_changes([self.folder], self.read_at)

    async def reload(self) -> list[str]:
        """Fail, then return what changed, then wait for the end."""
        self.read_at = time.time()
        if self.errors:
            raise self.errors.pop()
        if self.done.is_set():
            await asyncio.Event().wait()
        self.done.set()
        return ["Audio", "Text"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DeployError("no such\ntable"), "no such table"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (ConnectionResetError("gone"), "ConnectionResetError: gone"),
    ],
)
def test_change_that_cannot_be_live_is_reported_and_the_next_one_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []

    async def main() -> None:
        project = Running(tmp_path, error)
        following = asyncio.create_task(reload_now_and_then(project, said.append, (DeployError,)))
        async with asyncio.timeout(20):
            await project.done.wait()
            while len(said) < 2:
                await asyncio.sleep(0.005)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(main())

    assert said[0] == f"a.py changed, and is not live: {reason}"
    assert re.fullmatch(r"a\.py is live after [0-9.]+ s \(Audio, Text\)", said[1])


class Scripted:
    """Takes over one project after the other, each with what has changed before; then waits."""

    def __init__(self, first: Project, *steps: tuple[set[Path], Project]) -> None:
        self.project = first
        self.steps = [*steps]
        self.done = asyncio.Event()

    async def next_changes(self) -> set[Path]:
        """Return what the next step changes."""
        if not self.steps:
            self.done.set()
            await asyncio.Event().wait()
        return self.steps[0][0]

    async def reload(self) -> list[str]:
        """Take over the next step."""
        self.project = self.steps.pop(0)[1]
        return []


def said_of(first: Project, *steps: tuple[set[Path], Project]) -> list[str]:
    """Return what is said of these changes, without the seconds."""
    said: list[str] = []

    async def main() -> None:
        running = Scripted(first, *steps)
        following = asyncio.create_task(reload_now_and_then(running, said.append, ()))
        async with asyncio.timeout(20):
            await running.done.wait()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(main())
    return [re.sub(r" after [0-9.]+ s$", "", line) for line in said]


def test_build_that_comes_and_goes_is_said_with_its_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that it was made of is not said to be live, though it changed, too."""
    monkeypatch.chdir(tmp_path)
    source, made, more = (
        tmp_path / "app.py",
        tmp_path / "build" / "t.yaml",
        tmp_path / "build" / "a",
    )
    made.parent.mkdir()
    for path in (source, made, more):
        path.touch()
    gone = tmp_path / "build" / "gone"
    unbuilt = Project((), (source, made))
    built = Project((), (made.parent,), ("run `sam build` after a change",), build=made.parent)

    assert said_of(
        unbuilt, ({source, made}, built), ({made, more, gone}, unbuilt), ({gone}, built)
    ) == [
        "build/t.yaml is live",
        "note: run `sam build` after a change",
        "build/t.yaml is live",
        "the removal of build/gone is live",
        "note: run `sam build` after a change",
    ]


def test_nothing_is_said_of_a_project_that_is_what_it_was(tmp_path: Path) -> None:
    project, same = Project((), (tmp_path,)), Project((), (tmp_path,))

    assert said_of(project, ({tmp_path / "a.py"}, same)) == []


def test_end_of_the_watch_is_said(tmp_path: Path) -> None:
    said: list[str] = []

    class Unwatched(Scripted):
        async def next_changes(self) -> set[Path]:
            raise OSError(28, "OS file watch limit reached")

    asyncio.run(reload_now_and_then(Unwatched(Project((), ())), said.append, ()))

    assert said == ["changes are not followed any more: [Errno 28] OS file watch limit reached"]


def test_several_files_are_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {tmp_path / name for name in ("a.py", "b.py", "c.py")}
    for path in files:
        path.touch()

    assert said_of(Project((), ()), (files, Project((), (tmp_path,)))) == [
        "a.py and 2 more are live"
    ]


def test_folders_that_do_not_count_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "code").mkdir()

    async def main() -> set[Path]:
        since = time.time() + 10  # so that only what comes is seen
        watching = asyncio.create_task(next_changes([tmp_path], since, but_for={"tests"}))
        async with asyncio.timeout(20):
            for number in range(10_000):
                (tmp_path / "tests" / "test_a.py").write_text(str(number))
                if number > 9:
                    (tmp_path / "code" / "a.py").write_text(str(number))
                await asyncio.sleep(0.02)
                if watching.done():
                    break
        return await watching

    assert asyncio.run(main()) == {tmp_path / "code" / "a.py"}


def test_what_changed_before_in_a_folder_that_does_not_count_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").touch()
    (tmp_path / "a.py").touch()

    found = asyncio.run(next_changes([tmp_path], 0.0, but_for={"tests"}))

    assert found == {tmp_path, tmp_path / "a.py"}
