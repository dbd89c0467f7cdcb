"""Lambda's queue of asynchronous invocations: events that are accepted at once, and tried again.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from wslocal.failures import FailureLog
from wslocal.lambda_host.results import (
    FunctionNotFoundError,
    HostError,
    InvocationContext,
    ThrottledError,
    encode,
)
from wslocal.tasks import Tasks

from .described import Descriptions
from .destinations import Destinations, invocation_record, letter_attributes
from .errors import EventError
from .schedules import scheduled_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from wslocal.lambda_host.local_lambda import LocalLambda
    from wslocal.lambda_host.results import InvocationResult

    from .described import Described
    from .schedules import DeployedSchedule

__all__ = ["AsynchronousInvocations"]

# Before the second attempt at an event that the function failed at, and before the third.
_WAITS_SECONDS = (60.0, 120.0)
# Before another attempt at one that was throttled, or that no environment could take: doubled each time.
# However short waits are made, no event asks more often than this.
_FIRST_WAIT_SECONDS, _LAST_WAIT_SECONDS, _LEAST_WAIT_SECONDS = 1.0, 300.0, 0.25
# Ours: as many as the host lets wait for a function, and as many bytes.
_MAX_EVENTS, _MAX_BYTES = 10_000, 64 << 20

_log = logging.getLogger(__name__)


class AsynchronousInvocations:
    """Hands events to functions in an `async with` block, in the order in which they were accepted.

    `retry_scale` multiplies the waits between attempts. What a wait was shortened by counts for the age
    at which an event is given up, so that it has as many attempts as on AWS.
    `clock` gives seconds since the epoch, `sleep` waits for seconds.
    """

    def __init__(
        self,
        functions: LocalLambda,
        *,
        retry_scale: float = 1.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.descriptions = Descriptions(functions.client)
        self._functions = functions
        self._retry_scale = retry_scale
        self._clock = clock
        self._sleep = sleep
        self._waiting = 0
        self._waiting_bytes = 0
        self._destinations = Destinations(functions, self.invoke)
        expected = (HostError, EventError, OSError, BotoCoreError, ClientError)
        self._failures = FailureLog(_log, expected)
        self._tasks = Tasks(self._failures)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        waiting = self._waiting
        await self._tasks.end()
        self._failures.flush()
        if waiting:
            _log.warning("asynchronous invocations that are dropped at the end: %d", waiting)

    @property
    def waiting(self) -> int:
        """The events that are accepted and not done."""
        return self._waiting

    async def invoke(self, function: str, event: object) -> str:
        """Accept an event for a function, by name or ARN; return the request's id.

        FunctionNotFoundError, ThrottledError; `event` as for `LocalLambda.invoke`.
        """
        described = await self.descriptions.get(function.rpartition(":function:")[2])
        body = event if isinstance(event, bytes) else encode(event)
        context = InvocationContext(request_id=str(uuid.uuid4()))
        self.accept(described, body, context)
        return context.request_id

    async def run_due(self, schedule: DeployedSchedule) -> None:
        """Accept what a schedule sends now; that it cannot be is a line in our log."""
        try:
            await self.invoke(schedule.function, scheduled_event(schedule, self._clock()))
        except (HostError, OSError, BotoCoreError, ClientError) as error:
            self._failures.report(f"the schedule of {schedule.function}", error)

    def accept(self, described: Described, body: bytes, context: InvocationContext) -> None:
        """Accept an event whose context has the id that all attempts have; ThrottledError if too many wait."""
        if self._waiting >= _MAX_EVENTS or self._waiting_bytes >= _MAX_BYTES:
            raise ThrottledError("too many asynchronous invocations wait")
        self._waiting += 1
        self._waiting_bytes += len(body)
        self._tasks.spawn(
            self._handle(described, body, context),
            f"asynchronous invocation of {described.name}",
        )

    async def _handle(self, described: Described, body: bytes, context: InvocationContext) -> None:
        try:
            await self._try(described, body, context)
        finally:
            self._waiting -= 1
            self._waiting_bytes -= len(body)

    async def _try(self, described: Described, body: bytes, context: InvocationContext) -> None:
        accepted_at, attempts, refusals = self._clock(), 0, 0
        not_waited = 0.0  # of the documented waits
        result: InvocationResult | None = None
        while True:
            try:
                result = await self._functions.invoke(described.name, body, context=context)
            except FunctionNotFoundError:
                raise  # it was deleted meanwhile: the event goes, with a line in our log
            except HostError as error:
                self._failures.report(f"asynchronous invocation of {described.name}", error)
                documented = min(_FIRST_WAIT_SECONDS * 2**refusals, _LAST_WAIT_SECONDS)
                wait = max(documented * self._retry_scale, _LEAST_WAIT_SECONDS)
                refusals += 1
            else:
                attempts += 1
                if result.error is None:
                    await self._done(described, body, context, result, "Success", attempts)
                    return
                if attempts > described.max_retries:
                    await self._done(described, body, context, result, "RetriesExhausted", attempts)
                    return
                documented = _WAITS_SECONDS[min(attempts, len(_WAITS_SECONDS)) - 1]
                wait = documented * self._retry_scale
                not_waited += documented - wait
            if self._clock() - accepted_at + not_waited + wait > described.max_age_seconds:
                await self._done(described, body, context, result, "EventAgeExceeded", attempts)
                return
            await self._sleep(wait)

    async def _done(
        self,
        described: Described,
        body: bytes,
        context: InvocationContext,
        result: InvocationResult | None,
        condition: str,
        attempts: int,
    ) -> None:
        """Send the records that the function asks for."""
        failed = condition != "Success"
        target = described.on_failure_arn if failed else described.on_success_arn
        if failed:
            _log.warning(
                "%s: an asynchronous event is given up after %d attempts: %s",
                described.name,
                attempts,
                condition,
            )
        if target:
            record = invocation_record(
                described,
                body,
                result,
                request_id=context.request_id,
                condition=condition,
                attempts=attempts,
                now=self._clock(),
            )
            await self._send(described, target, record)
        if failed and described.dead_letter_arn:
            error = result.error if result is not None else None
            message = error.message if error else condition
            attributes = letter_attributes(context.request_id, message)
            await self._send(described, described.dead_letter_arn, body, attributes)

    async def _send(
        self, described: Described, target: str, body: bytes, attributes: Any = None
    ) -> None:
        try:
            await self._destinations.send(described.role_arn, target, body, attributes)
        except (EventError, HostError, OSError, BotoCoreError, ClientError) as error:
            self._failures.report(f"destination of {described.name}", error)
