"""The last lines of a run's functions: shown as they come, and kept for the command `logs`."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import click

from .settings import SettingError
from .show import is_platform_line, shown_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .lambda_host.lines import LogLine
    from .running import RunningProject

__all__ = ["KeptLines"]

_KEPT_LINES = 10_000  # that `logs` shows


class KeptLines:
    """What a run subscribes to lines with, and answers `logs` with."""

    def __init__(self, project: RunningProject) -> None:
        self._project = project
        self._kept: deque[dict[str, str]] = deque(maxlen=_KEPT_LINES)
        self._followers: set[asyncio.Queue[dict[str, str]]] = set()
        self.is_shown = False

    def take(self, line: LogLine) -> None:
        """Keep a line, and show it."""
        reply = {"function": self._project.short_name(line.function), "text": line.text}
        self._kept.append(reply)
        for queue in self._followers:
            if not queue.full():  # a reader that has stopped loses lines, and holds up nobody
                queue.put_nowait(reply)
        if self.is_shown and not is_platform_line(line.text):
            click.echo(shown_line(reply["function"], line.text))

    async def reply(
        self,
        request: Mapping[str, Any],
        reply: Callable[[Mapping[str, Any]], Awaitable[None]],
        gone: asyncio.Event,
    ) -> None:
        """Send the lines so far; with `follow` also those that come, until the client goes."""
        wanted = request.get("function")
        if wanted is not None:
            try:
                wanted = self._project.short_name(self._project.full_name(wanted))
            except SettingError as error:
                await reply({"error": str(error)})
                return
        queue: asyncio.Queue[dict[str, str]] = asyncio.Queue(_KEPT_LINES)
        self._followers.add(queue)
        try:
            for line in list(self._kept):
                if wanted in (None, line["function"]):
                    await reply(line)
            while request.get("follow") and not gone.is_set():
                came = await _next(queue, gone)
                if came is not None and wanted in (None, came["function"]):
                    await reply(came)
        finally:
            self._followers.discard(queue)


async def _next(queue: asyncio.Queue[dict[str, str]], gone: asyncio.Event) -> dict[str, str] | None:
    """Return the next line; None if the client goes before."""
    waits = [asyncio.create_task(queue.get()), asyncio.create_task(gone.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return waits[0].result() if waits[0].done() else None  # type: ignore[return-value]
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
