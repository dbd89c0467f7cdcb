"""Makes changes of a project live while it runs, and says so."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

from .words import sentence_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable
    from pathlib import Path

    from .sources import Project

__all__ = ["Reloadable", "reload_now_and_then"]


class Reloadable(Protocol):
    """What runs, and can take over what it is made of: RunningProject for instance."""

    @property
    def project(self) -> Project:
        """What runs now, as it was read."""
        ...

    def next_changes(self) -> Awaitable[Collection[Path]]:
        """Wait until a file is another than when it was read last; return which."""
        ...

    def reload(self) -> Awaitable[Iterable[str]]:
        """Take over what there is now; return the names of what changed, for a person."""
        ...


async def reload_now_and_then(
    project: Reloadable,
    report: Callable[[str], object],
    plain: tuple[type[Exception], ...],
) -> None:
    """Make changes live until cancelled; what cannot be is said in a sentence, and what ran before stays.

    `plain` are the errors whose message is that sentence; before those of others stands their type. Nothing is
    said when the project is what it was. Notes that it did not have before follow.
    """
    failed = False
    while True:
        try:
            paths = await project.next_changes()
        except (OSError, RuntimeError) as error:  # such as that the system watches too much already
            report(f"changes are not followed any more: {sentence_of(error)}")
            return
        begun, before = time.monotonic(), project.project
        try:
            changed = await project.reload()
        except (
            Exception
        ) as error:  # whatever it was: the next change is to become live all the same
            kind = "" if isinstance(error, plain) else f"{type(error).__name__}: "
            what, verb, happened = _named(paths)
            report(f"{what}{happened} {verb} not live: {kind}{sentence_of(error)}")
            failed = True
            continue
        now = project.project
        if failed or now != before:
            what, verb, _ = _named(_used(paths, now) or paths)
            names = f" ({', '.join(changed)})" if changed else ""
            report(f"{what} {verb} live after {time.monotonic() - begun:.1f} s{names}")
        for note in now.notes:
            if note not in before.notes:
                report(f"note: {note}")
        failed = False


def _used(paths: Iterable[Path], project: Project) -> list[Path]:
    """Return those that the project is made of: what a build was made of is not, once there is a build."""
    watched = [path.absolute() for path in project.watched]
    return [path for path in paths if any(path.is_relative_to(one) for one in watched)]


def _named(paths: Iterable[Path]) -> tuple[str, str, str]:
    """Return what a person calls some files, the verb for so many, and what happened if the name does not say it."""
    # An editor writes beside a file before it puts the new one in its place; that is no news.
    there = sorted(path for path in paths if path.is_file())
    first, *more = there or sorted(paths)
    shown = os.path.relpath(first)
    name = str(first) if shown.startswith("..") else shown
    name = f"{name} and {len(more)} more" if more else name
    if not there and not first.exists():
        return f"the removal of {name}", "is", ""
    return name, "are" if more else "is", " changed, and"
