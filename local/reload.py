"""Makes a changed file live: deploys again whenever a source of the system has changed.

Dates and sizes are compared a few times a second, for some sixty files: no change is missed, also
one that was made while the system started.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from .assembly import ROOT, AssemblyError
from .deploy import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .system import System

__all__ = ["Snapshot", "changes", "follow_sources", "take_snapshot"]

Snapshot = dict[str, tuple[int, int]]

_SOURCES = ("authorizer", "functions", "infrastructure", "shared-layer")
_NOT_DEPLOYED = {"tests", "__pycache__"}
_POLL_SECONDS = 0.3


def take_snapshot() -> Snapshot:
    """Return the date and size of every source that is deployed, by its path in the repository."""
    found = {}
    for source in _SOURCES:
        for path in (ROOT / source).rglob("*.py"):
            if not _NOT_DEPLOYED & set(path.parts[len(ROOT.parts) :]):
                state = path.stat()
                found[str(path.relative_to(ROOT))] = state.st_mtime_ns, state.st_size
    return found


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the paths that are new, gone or different."""
    return sorted(path for path in before | after if before.get(path) != after.get(path))


async def follow_sources(
    system: System, deployed: Snapshot, report: Callable[[str], object]
) -> None:
    """Deploy after each change until cancelled; what cannot be deployed is told, and changes nothing."""
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        try:
            found = await asyncio.to_thread(take_snapshot)
        except OSError:  # an editor replaces a file, or one cannot be read just now
            continue
        if paths := changes(deployed, found):
            deployed = found
            await _deploy(system, paths, report)


async def _deploy(system: System, paths: list[str], report: Callable[[str], object]) -> None:
    what = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    started = time.monotonic()
    try:
        await system.redeploy()
    except Exception as error:  # whatever it was: the next change is to be deployed all the same
        is_plain = isinstance(error, (AssemblyError, DeployError))
        reason = str(error) if is_plain else f"{type(error).__name__}: {error}"
        report(f"{what} changed, and is not live: {reason}")
    else:
        report(f"{what} is live after {time.monotonic() - started:.1f} s")
