"""Says when one of some files and folders has changed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import Change, awatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

__all__ = ["next_changes"]

# Ours: an editor, or a build, that writes several files is waited for, up to a second.
_STEP_MS, _DEBOUNCE_MS = 100, 1_000
# The clock of files is the kernel's coarse one, behind ours by up to a tick.
_SLACK_SECONDS = 0.05
# Below a folder: what tools write there, and what no build of ours packs as source.
_IGNORED = frozenset(
    {".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "node_modules"}
)
# The locks of the CDK's CLI, and what it renames to them:
# https://github.com/aws/aws-cdk-cli/blob/main/packages/%40aws-cdk/toolkit-lib/lib/api/rwlock.ts
_LOCK = re.compile(r"(synth|read\.[^.]+\.[^.]+)\.lock(\.[^.]+)?")


async def next_changes(
    paths: Iterable[Path],
    since: float,
    *,
    but_for: Collection[str] = (),
    there: Collection[Path] = (),
) -> set[Path]:
    """Wait until some of `paths` are other than they were at `since` (epoch seconds); return which.

    Folders below them with a name in `but_for` do not count, nor do those of tools, such as `.git`. Files are watched by way of their folders: an editor that saves puts another file in their place.
    What is not there is waited for, also if the folder that it is to be in is not there either; but for
    those that were `there` at `since`: their removal is a change.
    """
    watched = [path.absolute() for path in paths]
    missing = {path for path in watched if not path.exists()}
    if gone := missing.intersection(path.absolute() for path in there):
        return gone
    while True:
        found = await _next_events(watched, since, _IGNORED.union(but_for))
        if changed := found | {path for path in missing if path.exists()}:
            return changed


async def _next_events(
    watched: Collection[Path], since: float, ignored: frozenset[str]
) -> set[Path]:
    """Return what changed; nothing if only a folder on the way to a path has come or gone."""
    folders = [path for path in watched if path.is_dir()]
    files = {path for path in watched if not path.is_dir()}
    parents = sorted({_nearest(path.parent) for path in files})
    ways = {*parents, *(part for path in files for part in path.parents if not part.exists())}

    def is_ours(change: Change, path: str) -> bool:
        return Path(path) in files or Path(path) in ways

    def is_source(change: Change, path: str) -> bool:
        return any(_is_source(Path(path), folder, ignored) for folder in folders)

    tasks = [
        asyncio.create_task(_first(roots, accepts, recursive=recursive))
        for roots, accepts, recursive in ((folders, is_source, True), (parents, is_ours, False))
        if roots
    ]
    await asyncio.sleep(0)  # from now on they watch
    try:
        after = since - _SLACK_SECONDS
        if found := await asyncio.to_thread(_changed_since, folders, files, after, ignored):
            return found
        if not tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return {path for task in done for path in task.result()} - (ways - files)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(one for one in (folder, *folder.parents) if one.is_dir())


async def _first(
    roots: list[Path], accepts: Callable[[Change, str], bool], *, recursive: bool
) -> set[Path]:
    watching = awatch(
        *roots, watch_filter=accepts, step=_STEP_MS, debounce=_DEBOUNCE_MS, recursive=recursive
    )
    try:
        async with contextlib.aclosing(watching):
            async for found in watching:
                return {Path(path) for _, path in found}
    except FileNotFoundError:  # it was removed just before the watch began
        return {root for root in roots if not root.exists()}
    return set()


def _changed_since(
    folders: list[Path], files: set[Path], moment: float, ignored: Collection[str]
) -> set[Path]:
    """Return what has a newer date; a folder has, when a file was added to it, or removed."""
    found = [path for folder in folders for path in _below(folder, ignored)]
    return {path for path in [*found, *files] if _date(path) > moment}


def _below(folder: Path, ignored: Collection[str]) -> Iterator[Path]:
    yield folder
    for at, names, files in os.walk(folder):
        names[:] = [name for name in names if name not in ignored]
        yield from (Path(at, name) for name in [*names, *files] if not _is_by_the_way(name))


def _date(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it was removed in between
        return 0.0


def _is_source(path: Path, folder: Path, ignored: frozenset[str]) -> bool:
    if not path.is_relative_to(folder):
        return False
    parts = path.relative_to(folder).parts
    # A folder's own date says nothing that its files do not say.
    return not ignored.intersection(parts) and not _is_by_the_way(path.name)


def _is_by_the_way(name: str) -> bool:
    return name.endswith(".pyc") or _LOCK.fullmatch(name) is not None
