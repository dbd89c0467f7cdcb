"""A change becomes live, or it is said why not; the next one is tried all the same."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from wslocal.deploy import DeployError
from wslocal.reloading import reload_now_and_then
from wslocal.watching import next_changes


class Project:
    """Runs what is in a folder; the first reload fails."""

    def __init__(self, folder: Path, error: Exception) -> None:
        self.folder = folder
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
        project = Project(tmp_path, error)
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
