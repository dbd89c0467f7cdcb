"""A function and its pool of environments: reused, grown with concurrency, replaced when broken.

As on Lambda an environment handles one event at a time, stays after an exception, and ends after a
timeout or a crash.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import textwrap
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from .environment import Environment
from .lines import LogLine, finished, init_failed, passes, started
from .results import (
    HostError,
    InvocationContext,
    InvocationResult,
    ThrottledError,
    error_of,
)
from .runtime_api import Answered, Exited, InitFailed, Ready, TimedOut, Work
from .shifted_clock import shifted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from .runtime_api import Message

__all__ = ["Credentials", "FunctionPool", "FunctionSettings", "FunctionState"]

# An init phase that takes longer is ended:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_TIMEOUT_SECONDS = 10.0
# Credentials have to outlive the longest invocation, 15 minutes.
_MARGIN_SECONDS = 16 * 60
# What may wait for an environment, where AWS would start more of them: as many events as a function may
# get in a second (10 times an account's default concurrency of 1,000), and what we can hold.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_WAITING, _MAX_WAITING_BYTES = 10_000, 64 << 20
# Environments that are killed together are reported together.
_REPORT_SECONDS = 0.5
_KEPT_STARTS = 100
_MB = 1 << 20
# What a runtime client says after an error: of no use to a person who reads a sentence.
_WHERE = re.compile(r"\n(?=Traceback \(most recent call last\)|Require stack:)")
_MAX_SENTENCE = 500  # characters; ours

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What a function is configured with, and where its code is unpacked."""

    name: str
    arn: str
    command: tuple[str, ...]
    task_root: Path
    variables: Mapping[str, str]
    timeout_seconds: float
    memory_mb: int
    log_format: Literal["Text", "JSON"]
    log_level: str | None
    system_log_level: str
    log_group: str
    version: str = "$LATEST"
    # What may run or wait at once; None where the function has no limit of its own.
    reserved_concurrency: int | None = None
    limits_memory: bool = False  # to memory_mb


class Credentials(NamedTuple):
    """Variables with which an environment signs its requests, and when they end (epoch seconds)."""

    variables: Mapping[str, str]
    expires_at: float


@dataclass(slots=True)
class FunctionState:
    """What a function has running, and what it has done since the start."""

    name: str
    environments: int = 0
    busy: int = 0
    waiting: int = 0
    invocations: int = 0
    errors: int = 0  # of invocations, timeouts and crashes included
    timeouts: int = 0
    crashes: int = 0  # also of environments that had no event
    throttles: int = 0  # not invoked
    cold_starts: int = 0
    # When the last environments were begun, and when they were ready: ms since the epoch.
    starts: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_KEPT_STARTS))

    def counts(self) -> dict[str, int]:
        """Return the numbers as a run describes them to other processes."""
        return {
            "environments": self.environments,
            "busy": self.busy,
            "waiting": self.waiting,
            "invocations": self.invocations,
            "errors": self.errors,
            "timeouts": self.timeouts,
            "crashes": self.crashes,
            "throttles": self.throttles,
            "coldStarts": self.cold_starts,
        }


class FunctionPool:
    """A pool of at most `max_environments`; calls beyond that wait for their turn, up to a bound.

    `on_line` gets each line that the function writes and those that Lambda adds. `clock_shift` says
    by how many seconds the clock of an environment that starts now is off.
    """

    def __init__(
        self,
        settings: FunctionSettings,
        *,
        max_environments: int = 1,
        credentials: Callable[[], Awaitable[Credentials]] | None = None,
        on_line: Callable[[LogLine], None] | None = None,
        clock: Callable[[], float] = time.time,
        clock_shift: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.settings = settings
        self._max_environments = max_environments
        self._credentials = credentials
        self._on_line = on_line
        self._clock = clock
        self._clock_shift = clock_shift
        self._state = FunctionState(settings.name)
        self._members: set[_Member] = set()
        self._idle: list[_Member] = []
        self._waiting: deque[asyncio.Future[_Member]] = deque()
        self._waiting_bytes = 0
        self._invocations = 0  # that wait or run
        self._starting: set[asyncio.Task[None]] = set()
        self._dropping: set[asyncio.Task[None]] = set()
        self._closed = False
        self._idle_crashes = 0  # that were not reported yet

    @property
    def state(self) -> FunctionState:
        """What is running now, and what was done."""
        state = self._state
        state.environments = len(self._members) + len(self._starting)
        state.busy = len(self._members) - len(self._idle)
        state.waiting = len(self._waiting)
        return state

    async def invoke(
        self, body: bytes, context: InvocationContext | None = None
    ) -> InvocationResult:
        """Have the function handle an event; whatever the function does becomes the result.

        ThrottledError if too many wait, or run at once; HostError if no environment can be started.
        """
        reserved = self.settings.reserved_concurrency
        is_full = reserved is not None and self._invocations >= reserved
        if (
            is_full
            or len(self._waiting) >= _MAX_WAITING
            or self._waiting_bytes >= _MAX_WAITING_BYTES
        ):
            self._state.throttles += 1
            raise ThrottledError(f"{self.settings.name} is throttled: TooManyRequestsException")
        self._invocations += 1
        try:
            return await self._handle(body, context or InvocationContext())
        finally:
            self._invocations -= 1

    async def _handle(self, body: bytes, context: InvocationContext) -> InvocationResult:
        self._waiting_bytes += len(body)
        try:
            member, outcome = await self._take()
        finally:
            self._waiting_bytes -= len(body)
        try:
            result, usable = await self._run(member, outcome, body, context)
        except BaseException:  # Ctrl-C included: what runs on would answer the next call
            await self._drop(member)
            self._grow()
            raise
        if usable:
            self._give(member)
        else:
            await self._drop(member)
            self._grow()
        return result

    async def prepare(self) -> None:
        """Start an environment and keep it for the first invocation; HostError with the function's own error."""
        member, outcome = await self._take()
        if isinstance(outcome, Ready):
            self._give(member)
            return
        await self._fail(member, outcome)

    async def replace(self, settings: FunctionSettings) -> None:
        """Use other settings from now on if an environment starts with them; else HostError, and nothing changes.

        The environment is kept for the first invocation; the error is the function's own.
        """
        member = await self._new(settings, INIT_TIMEOUT_SECONDS)
        if not isinstance(member.first, Ready):
            await self._fail(member, member.first)
            return
        await self.renew(settings)
        self._give(member)

    async def _fail(self, member: _Member, outcome: Message) -> None:
        """End an environment that did not become ready; HostError with what the function says of it."""
        await member.environment.end()
        error = error_of(outcome, "")
        await self._drop(member)
        self._grow()
        if error is not None:
            raise HostError(
                f"function {self.settings.name} does not start: {error.type}: {_in_a_sentence(error.message)}"
            )

    async def renew(self, settings: FunctionSettings) -> None:
        """Use other settings from now on: idle environments end, busy ones after their answer."""
        self.settings = settings
        idle, self._idle = self._idle, []
        for member in idle:
            await self._drop(member)

    def kill(self, count: int | None = None) -> int:
        """Kill processes of environments, at most `count`, as if they crashed; return how many."""
        if count is not None and count < 1:
            raise HostError(f"count must be an integer from 1, got {count}")
        members = list(self._members)[:count]
        for member in members:
            member.environment.kill()
        return len(members)

    async def close(self) -> None:
        """End all environments; an invocation after it is refused."""
        self._closed = True
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(HostError("the host is closed"))
        for member in list(self._members):
            await self._drop(member)
        await asyncio.gather(*self._dropping)

    # --- one invocation --------------------------------------------------------------------------

    async def _run(
        self, member: _Member, outcome: Message, body: bytes, context: InvocationContext
    ) -> tuple[InvocationResult, bool]:
        settings = member.settings
        member.request_id = request_id = context.request_id or str(uuid.uuid4())
        logs_platform = settings.log_format == "Text" or settings.system_log_level in {
            "DEBUG",
            "INFO",
        }
        if logs_platform:
            self._write_line(member, started(settings.log_format, request_id, settings.version))
        init_ms, member.init_ms = member.init_ms, None
        begun = time.perf_counter()
        if isinstance(outcome, Ready):
            member.environment.offer(_work(member, request_id, body, context))
            outcome = await member.environment.next_message(settings.timeout_seconds)
        usable = isinstance(outcome, Answered)
        if not usable:
            await member.environment.end()
        peak_bytes = member.environment.peak_memory_bytes
        result = InvocationResult(
            request_id=request_id,
            body=outcome.body if isinstance(outcome, Answered) and not outcome.failed else None,
            error=error_of(outcome, request_id),
            stdout=member.environment.stdout.take(),
            stderr=member.environment.stderr.take(),
            duration_ms=_milliseconds_since(begun),
            init_ms=init_ms,
            error_body=_reported(outcome),
            max_memory_mb=None if peak_bytes is None else -(-peak_bytes // _MB),
        )
        self._count(result, outcome)
        # The report of an end that was no answer is of level WARN, all else of INFO:
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
        if logs_platform or not usable:
            for text in finished(settings.log_format, result, settings.memory_mb):
                self._write_line(member, text)
        member.request_id = ""
        return result, usable

    def _count(self, result: InvocationResult, outcome: Message) -> None:
        self._state.invocations += 1
        self._state.errors += result.error is not None
        self._state.timeouts += isinstance(outcome, TimedOut)
        self._state.crashes += isinstance(outcome, Exited)
        self._state.cold_starts += result.init_ms is not None

    # --- the pool --------------------------------------------------------------------------------

    async def _take(self) -> tuple[_Member, Message]:
        """Return an environment and its first message: `Ready`, or why it did not start."""
        while True:
            member = self._take_idle() if self._idle else await self._wait()
            outcome = member.first
            try:
                if member.init_ms is None:
                    timeout_seconds = member.settings.timeout_seconds
                    outcome = await member.environment.next_message(timeout_seconds)
            except BaseException:
                await self._drop(member)
                self._grow()
                raise
            is_new = member.init_ms is not None
            if self._is_current(member) and (is_new or isinstance(outcome, Ready)):
                return member, outcome
            if not is_new and not member.environment.is_alive:
                self._count_idle_crash()
            await self._drop(member)  # it ended between two invocations, or is out of date

    def _take_idle(self) -> _Member:
        """Take the environment that was started first: it knows most. AWS does not say which it takes.

        One that answers at once, because it refuses, would get all events if the last one used were next.
        """
        member = min(self._idle, key=lambda member: member.started_at)
        self._idle.remove(member)
        return member

    async def _wait(self) -> _Member:
        if self._closed:
            raise HostError("the host is closed")
        waiter: asyncio.Future[_Member] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._grow()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self._give(waiter.result())
            raise

    def _is_current(self, member: _Member) -> bool:
        return (
            member.settings is self.settings
            and member.clock_shift in {0.0, self._clock_shift()}
            and member.expires_at - self._clock() > _MARGIN_SECONDS
            and (member.environment.is_alive or not isinstance(member.first, Ready))
        )

    def _give(self, member: _Member) -> None:
        """Hand an environment to the call that has waited longest, else keep it for the next one."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(member)
                return
        self._idle.append(member)

    def _grow(self) -> None:
        room = self._max_environments - len(self._members) - len(self._starting)
        if len(self._waiting) > len(self._starting) and room > 0 and not self._closed:
            task = asyncio.create_task(self._start())
            self._starting.add(task)
            task.add_done_callback(self._started)

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        self._grow()  # it may have failed, and others wait

    async def _start(self) -> None:
        begun_ms = time.time() * 1000
        try:
            member = await self._new(self.settings, INIT_TIMEOUT_SECONDS)
            if not isinstance(member.first, Ready):
                # Lambda tries once more, in the time that the function's timeout gives:
                # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
                await self._give_up(member)
                member = await self._new(self.settings, self.settings.timeout_seconds)
            self._state.starts.append((begun_ms, time.time() * 1000))
            self._give(member)
        except Exception as error:
            while self._waiting:
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_exception(error)
                    return

    async def _give_up(self, member: _Member) -> None:
        """End an environment whose init phase has failed, and write so."""
        await member.environment.end()
        error = error_of(member.first, "")
        if error is not None and member.init_ms is not None:
            text = init_failed(member.settings.log_format, error, member.init_ms)
            self._write_line(member, text)
        await self._drop(member)

    async def _new(self, settings: FunctionSettings, init_seconds: float) -> _Member:
        begun = time.perf_counter()
        member = _Member(settings, self._clock_shift())
        member.environment = Environment(
            lambda text: self._written(member, text),
            lambda: self._exited(member),
            settings.memory_mb * _MB if settings.limits_memory else None,
        )
        variables = {**settings.variables, "AWS_LAMBDA_LOG_STREAM_NAME": member.log_stream}
        if self._credentials is not None:
            given = await self._credentials()
            member.expires_at = given.expires_at
            variables |= given.variables
        command = settings.command
        if member.clock_shift:
            command = shifted(command, member.clock_shift)
        try:
            await member.environment.start(command, settings.task_root, variables)
        except OSError as error:
            raise HostError(f"no environment of {settings.name} can start: {error}") from error
        self._members.add(member)
        member.first = await member.environment.next_message(init_seconds)
        member.init_ms = _milliseconds_since(begun)
        return member

    def _exited(self, member: _Member) -> None:
        if member in self._idle:  # else whoever has it will notice
            self._idle.remove(member)
            self._members.discard(member)  # at once: the next call may need its place
            self._count_idle_crash()
            dropping = asyncio.create_task(member.environment.close())
            self._dropping.add(dropping)
            dropping.add_done_callback(self._dropping.discard)

    def _count_idle_crash(self) -> None:
        """Count it, and report all that come within a moment in one line."""
        self._state.crashes += 1
        self._idle_crashes += 1
        if self._idle_crashes == 1:
            asyncio.get_running_loop().call_later(_REPORT_SECONDS, self._report_idle_crashes)

    def _report_idle_crashes(self) -> None:
        count, self._idle_crashes = self._idle_crashes, 0
        _log.warning(
            "%s: environments that ended while they were idle: %d", self.settings.name, count
        )

    async def _drop(self, member: _Member) -> None:
        if member in self._members:
            self._members.discard(member)
            if member in self._idle:
                self._idle.remove(member)
            await asyncio.shield(member.environment.close())

    # --- lines -----------------------------------------------------------------------------------

    def _written(self, member: _Member, text: str) -> None:
        if self._on_line is None or not text:
            return
        line = _line(member, text)
        settings = member.settings
        if settings.log_format == "Text" or passes(line, settings.log_level):
            self._on_line(line)

    def _write_line(self, member: _Member, text: str) -> None:
        if self._on_line is not None:
            self._on_line(_line(member, text))


class _Member:
    """An environment of the pool and what it was started with."""

    environment: Environment
    first: Message

    def __init__(self, settings: FunctionSettings, clock_shift: float) -> None:
        self.settings = settings
        self.clock_shift = clock_shift  # seconds
        self.started_at = time.monotonic()
        day = time.strftime("%Y/%m/%d", time.gmtime())
        self.log_stream = f"{day}/[{settings.version}]{secrets.token_hex(16)}"
        self.expires_at = float("inf")
        self.init_ms: float | None = None  # until the first invocation
        self.request_id = ""


def _line(member: _Member, text: str) -> LogLine:
    return LogLine(
        function=member.settings.name,
        log_group=member.settings.log_group,
        log_stream=member.log_stream,
        request_id=member.request_id,
        timestamp_ms=int(time.time() * 1000),
        # A runtime client that writes to a pipe says so of a line's end within what is one event.
        text=text.replace("\r", "\n"),
    )


def _in_a_sentence(message: str) -> str:
    """Return what a function says of an error, in one line, without where in the code it was."""
    said = _WHERE.split(message.removeprefix("RequestId:  Error: "), maxsplit=1)[0]
    return textwrap.shorten(said, _MAX_SENTENCE, placeholder=" ...")


def _reported(outcome: Message) -> bytes | None:
    if isinstance(outcome, InitFailed) or (isinstance(outcome, Answered) and outcome.failed):
        return outcome.body
    return None


def _work(member: _Member, request_id: str, body: bytes, context: InvocationContext) -> Work:
    # By the environment's own clock, as Lambda says a deadline: MonoToEpoch in lambda/metering/time.go
    # of https://github.com/aws/aws-lambda-runtime-interface-emulator
    now = time.time() + member.clock_shift
    return Work(
        request_id=request_id,
        body=body,
        deadline_ms=int((now + member.settings.timeout_seconds) * 1000),
        function_arn=member.settings.arn,
        trace_id=context.trace_id or f"Root=1-{int(now):08x}-{secrets.token_hex(12)};Sampled=0",
        client_context=context.client_context,
    )


def _milliseconds_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
