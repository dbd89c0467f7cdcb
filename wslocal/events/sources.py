"""The deployed event source mappings, played: each has a poller that invokes its function.

They are deployed disabled, so that the emulator does not poll beside us; whether one is enabled thus
says nothing here. The function's role must have the rights that Lambda asks for; we poll as root.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from wslocal.failures import FailureLog
from wslocal.lambda_host.results import HostError
from wslocal.tasks import Tasks

from .destinations import Destinations, check_target
from .errors import EventError
from .mappings import RIGHTS, read_mapping
from .queues import QueuePoller
from .streams import StreamPoller

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from wslocal.lambda_host.local_lambda import LocalLambda

    from .asynchronous import AsynchronousInvocations
    from .mappings import EventSourceMapping

__all__ = ["EventSources", "check"]

_log = logging.getLogger(__name__)


class EventSources:
    """Polls what is deployed in an `async with` block; EventError, in one sentence, for what cannot be.

    `retry_scale` multiplies the waits between attempts at the records of a stream.
    """

    def __init__(
        self,
        functions: LocalLambda,
        asynchronous: AsynchronousInvocations,
        *,
        retry_scale: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._functions = functions
        self._descriptions = asynchronous.descriptions
        self._destinations = Destinations(functions, asynchronous.invoke)
        self._retry_scale = retry_scale
        self._clock = clock
        expected = (EventError, HostError, OSError, BotoCoreError, ClientError)
        self._failures = FailureLog(_log, expected)
        self._tasks = Tasks(self._failures)
        self._running: dict[EventSourceMapping, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await self.reload()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._tasks.end()
        self._failures.flush()

    @property
    def mappings(self) -> list[EventSourceMapping]:
        """What is polled."""
        return list(self._running)

    async def reload(self) -> None:
        """Take over what was deployed since: mappings that stayed as they are read on where they are."""
        found = await asyncio.to_thread(_read_mappings, self._functions.client)
        for mapping in found:
            await self._check_rights(mapping)
        for mapping in set(self._running) - set(found):
            task = self._running.pop(mapping)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for mapping in found:
            if mapping not in self._running:
                poller = self._poller(mapping)
                try:
                    await poller.prepare()
                except (BotoCoreError, ClientError) as error:
                    text = f"{mapping.source_arn}, the event source of {mapping.function}: {error}"
                    raise EventError(text) from error
                self._running[mapping] = self._tasks.spawn(poller.run(), mapping.source_arn)

    async def _check_rights(self, mapping: EventSourceMapping) -> None:
        described = await self._descriptions.get(mapping.function)
        for action in RIGHTS[mapping.kind]:
            allowed = await self._functions.permissions.allows(
                described.role_arn, action, mapping.source_arn
            )
            if not allowed:
                raise EventError(
                    f"{described.role_arn}, the role of {mapping.function}, has no right to {action}"
                    f" on {mapping.source_arn}: AWS refuses such an event source, so give it the right"
                )

    def _poller(self, mapping: EventSourceMapping) -> QueuePoller | StreamPoller:
        client = self._functions.client
        if mapping.kind == "sqs":
            return QueuePoller(mapping, self._functions, client("sqs"), self._failures)
        return StreamPoller(
            mapping,
            self._functions,
            client("dynamodbstreams"),
            self._failures,
            descriptions=self._descriptions,
            destinations=self._destinations,
            retry_scale=self._retry_scale,
            clock=self._clock,
        )


def _read_mappings(client: Callable[[str], Any]) -> list[EventSourceMapping]:
    pages = client("lambda").get_paginator("list_event_source_mappings").paginate()
    return [read_mapping(found) for page in pages for found in page["EventSourceMappings"]]


def check(client: Callable[[str], Any]) -> None:
    """EventError for the first event source or destination that is deployed and cannot be played."""
    _read_mappings(client)
    functions = client("lambda")
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            name = function["FunctionName"]
            dead_letters = function.get("DeadLetterConfig", {}).get("TargetArn", "")
            check_target(dead_letters, f"the dead-letter queue of {name}")
            found = functions.list_function_event_invoke_configs(FunctionName=name)
            for configured in found["FunctionEventInvokeConfigs"]:
                for outcome, leads in configured.get("DestinationConfig", {}).items():
                    check_target(leads.get("Destination", ""), f"{outcome} of {name}")
