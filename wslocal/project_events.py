"""What invokes the functions of a project besides its APIs: queues, streams, schedules, and each other."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from .events import (
    AsynchronousInvocations,
    EventSources,
    check,
    read_schedules,
    run_schedules,
)
from .opened import OpenedParts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .events import DeployedSchedule
    from .lambda_host.local_lambda import LocalLambda

__all__ = ["ProjectEvents"]


class ProjectEvents(OpenedParts):
    """Plays what the stacks named by `stacks` have in an `async with` block, once the functions run.

    `retry_scale` multiplies the waits between attempts. EventError, in one sentence, for what cannot be played.
    """

    def __init__(
        self,
        functions: LocalLambda,
        stacks: Callable[[], Iterable[str]],
        *,
        retry_scale: float = 1.0,
    ) -> None:
        self.asynchronous = AsynchronousInvocations(functions, retry_scale=retry_scale)
        self._functions = functions
        self._stacks = stacks
        self._sources = EventSources(functions, self.asynchronous, retry_scale=retry_scale)
        self.schedules: list[DeployedSchedule] = []
        self._scheduler: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(check, self._functions.client)
            await stack.enter_async_context(self.asynchronous)
            await stack.enter_async_context(self._sources)
            stack.push_async_callback(self._end_schedules)
            await self._follow_schedules()
            self._stack = stack.pop_all()
        return self

    async def reload(self) -> None:
        """Take over what was deployed since."""
        self.asynchronous.descriptions.forget()
        await asyncio.to_thread(check, self._functions.client)
        await self._sources.reload()
        await self._follow_schedules()

    def functions(self) -> set[str]:
        """Return the names of the functions that queues, streams and schedules lead to."""
        sources = {mapping.function for mapping in self._sources.mappings}
        return sources | {schedule.function for schedule in self.schedules}

    def describe(self) -> list[dict[str, Any]]:
        """Return what there is, as JSON can hold it."""
        sources = [
            {"queue": one.source_arn, "function": one.function} for one in self._sources.mappings
        ]
        waiting = {"queue": "asynchronous invocations", "waiting": self.asynchronous.waiting}
        return [waiting, *sources]

    async def _follow_schedules(self) -> None:
        found = await asyncio.to_thread(self._read_schedules)
        if found != self.schedules:  # else each reload would put off what is due
            await self._end_schedules()
            self.schedules = found
        if self._scheduler is None and found:
            self._scheduler = asyncio.create_task(run_schedules(found, self.asynchronous.run_due))

    def _read_schedules(self) -> list[DeployedSchedule]:
        client = self._functions.client
        return [one for stack in self._stacks() for one in read_schedules(client, stack)]

    async def _end_schedules(self) -> None:
        if self._scheduler is not None:
            self._scheduler.cancel()
            await asyncio.gather(self._scheduler, return_exceptions=True)
            self._scheduler = None
