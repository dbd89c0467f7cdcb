"""Makes changes of a project live while it runs, and says so."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

from .words import sentence_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable
    from pathlib import Path

__all__ = ["Reloadable", "reload_now_and_then"]


class Reloadable(Protocol):
    """What runs, and can take over what it is made of: RunningProject for instance."""

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

    `plain` are the errors whose message is that sentence; before those of others stands their type.
    """
    while True:
        what = _named(await project.next_changes())
        begun = time.monotonic()
        try:
            changed = await project.reload()
        except (
            Exception
        ) as error:  # whatever it was: the next change is to become live all the same
            kind = "" if isinstance(error, plain) else f"{type(error).__name__}: "
            report(f"{what} changed, and is not live: {kind}{sentence_of(error)}")
        else:
            names = f" ({', '.join(changed)})" if changed else ""
            report(f"{what} is live after {time.monotonic() - begun:.1f} s{names}")


def _named(paths: Iterable[Path]) -> str:
    # An editor writes beside a file before it puts the new one in its place; that is no news.
    first, *more = sorted(path for path in paths if path.is_file()) or sorted(paths)
    shown = os.path.relpath(first)
    name = str(first) if shown.startswith("..") else shown
    return f"{name} and {len(more)} more" if more else name
