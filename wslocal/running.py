"""A whole project on this machine: the AWS APIs, its stacks, its functions, its WebSocket APIs.

Everything listens on 127.0.0.1, writes to temporary folders, and ends with the block it runs in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from .aws_front import AwsFront
from .deploy import DeployError
from .deployment import Deployment
from .emulator import Emulator, EmulatorError
from .events import EventError, LambdaApi
from .gateway import ApiError, LocalApi
from .lambda_host import HostError
from .lambda_host.function import FunctionState
from .lambda_host.local_lambda import LocalLambda
from .opened import OpenedParts
from .project_events import ProjectEvents
from .run_options import RunOptions, chosen_apis, following, listening
from .settings import SettingError
from .sources import ProjectError
from .tasks import end_task
from .watching import next_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from .certificates import Certificates
    from .lambda_host.results import InvocationResult
    from .sources import LeftOut, Project

__all__ = ["RUN_ERRORS", "RunningProject"]

#: Why a project cannot be run, or what it is now cannot be taken over: each says it in a sentence.
RUN_ERRORS = (
    ApiError,
    DeployError,
    EmulatorError,
    EventError,
    HostError,
    ProjectError,
    SettingError,
)


class RunningProject(OpenedParts):
    """Runs what `read` returns in an `async with` block; `report` gets what it does to start.

    What cannot be run is ProjectError, SettingError, DeployError, ApiError, HostError, EventError or EmulatorError,
    in one sentence, and nothing is left behind. When the AWS APIs end, nothing is left to go on with: all connections
    are closed with 1001, new ones are refused, and `watch` raises.
    """

    def __init__(
        self,
        read: Callable[[], Project],
        *,
        options: RunOptions | None = None,
        report: Callable[[str], None] = lambda doing: None,
    ) -> None:
        self._read = read
        self._report = report
        self._prepared: set[str] = set()
        self._options = options or RunOptions()
        self._stack = contextlib.AsyncExitStack()
        self._reloading = asyncio.Lock()
        self.emulator = Emulator()
        self.apis: dict[str, LocalApi] = {}
        self._front: AwsFront | None = None
        self.certificates: Certificates
        self.functions: LocalLambda
        self.project: Project
        self.short_names: dict[str, str] = {}

    @property
    def outputs(self) -> dict[str, dict[str, str]]:
        """The outputs of each stack by its name."""
        return self._deployment.outputs

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What of the templates is not played, and why."""
        return self._deployment.left_out

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as undo:
            try:
                await self._start(undo)
            except Exception:
                self.emulator.check()  # what then failed has failed for this reason
                raise
            self._stack = undo.pop_all()
        return self

    async def _start(self, undo: contextlib.AsyncExitStack) -> None:
        listener = undo.enter_context(listening(self._options.port))
        with listening(self._options.tls_port, "--tls-port"):
            pass  # only to know that it can be had
        self._read_at = time.time()
        self._report("reading the project")
        starting = asyncio.create_task(asyncio.to_thread(self._start_emulator))
        try:
            self.project = await asyncio.to_thread(self._read)
            self._there = _existing(self.project)
        finally:
            await starting
            undo.callback(self.emulator.__exit__, None, None, None)
        self._report("deploying it to this machine")
        self._deployment = Deployment(
            self.emulator.client,
            variables=self._options.variables,
            leave_out=self._options.leave_out,
        )
        await asyncio.to_thread(self._deployment.apply, self.project)
        self.short_names = self._deployment.functions()
        chosen = chosen_apis(await asyncio.to_thread(self._deployment.apis), self._options)
        await self._start_functions(undo)
        for number, (api, stage) in enumerate(chosen):
            if number:
                listener = undo.enter_context(listening(following(self._options.port, number)))
            secure_port = following(self._options.tls_port, number)
            running = self.apis[api.name] = await undo.enter_async_context(
                LocalApi(
                    self.emulator.client,
                    api.api_id,
                    stage,
                    functions=self.functions,
                    front=self._front,
                    listener=listener,
                    secure_port=secure_port,
                )
            )
            if self._options.endpoint_variable is not None:
                self.functions.overrides[self._options.endpoint_variable] = running.callback_url
        self._report("starting its functions")
        await self._prepare()
        self._watching = asyncio.create_task(self._supervise())
        undo.push_async_callback(end_task, self._watching)

    def _start_emulator(self) -> None:
        with contextlib.ExitStack() as undo:
            undo.enter_context(self.emulator)
            for service in ("s3", "cloudformation"):  # their models take as long as the project
                self.emulator.client(service)
            undo.pop_all()

    async def _start_functions(self, undo: contextlib.AsyncExitStack) -> None:
        """Have functions run, and find AWS's names here."""
        options = self._options
        self.functions = LocalLambda(
            self.emulator.client, runtimes=options.runtimes, root=self.emulator.root
        )
        self.events = ProjectEvents(
            self.functions, lambda: self.outputs, retry_scale=options.retry_scale
        )
        if options.endpoint_variable is None:
            self._front = await self._start_front(undo)
        await undo.enter_async_context(self.functions)
        await undo.enter_async_context(self.events)

    async def _start_front(self, undo: contextlib.AsyncExitStack) -> AwsFront:
        """Return what answers to AWS's names, and has functions invoke each other."""
        from .certificates import Certificates  # what it needs is slow to import

        folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="certificates-"))
        self.certificates = Certificates(Path(folder))
        endpoint = self.emulator.endpoint
        lambda_api = LambdaApi(self.functions, self.events.asynchronous, endpoint)
        undo.push_async_callback(lambda_api.close)
        return await undo.enter_async_context(
            AwsFront(self.functions, self.certificates, endpoint, lambda_api=lambda_api)
        )

    def client(self, service: str) -> Any:
        """Return a boto3 client as root; what it invokes runs as what functions invoke does."""
        endpoint = None if self._front is None else self._front.url
        return self.emulator.client(service, endpoint=endpoint)

    async def watch(self) -> None:
        """Wait for as long as the project can go on; then raise EmulatorError, in one sentence."""
        await asyncio.shield(self._watching)

    async def reload(self) -> list[str]:
        """Take over what the project is now; connections stay. Return the functions that changed.

        What cannot be taken over raises, as at the start, and what ran before is deployed again.
        """
        async with self._reloading:
            self._read_at, self._there = time.time(), _existing(self.project)
            project = await asyncio.to_thread(self._read)
            names, there = self.short_names, _existing(project)
            try:
                changed = await self._take_over(project)
            except Exception as error:  # whatever it was: half a change must not stay
                self.emulator.check()
                await self._undo(error)
                raise
            self.project, self._there = project, there
            names = {**names, **self.short_names}  # a function may be gone, or have another name
            return [names.get(name, name) for name in changed]

    async def _take_over(self, project: Project) -> list[str]:
        """Deploy a project in place of what is deployed, and run it; return the names of changed functions."""
        await asyncio.to_thread(self._deployment.apply, project)
        self.short_names = self._deployment.functions()
        if self._front is not None:
            await self._front.read_again()
        await self.events.reload()
        for api in self.apis.values():
            await api.read_again()
        changed = await self._taken_over()
        await self._prepare()
        return changed

    async def _undo(self, cause: Exception) -> None:
        """Deploy again what ran before a change that cannot be taken over; DeployError if that cannot be either."""
        try:
            await self._take_over(self.project)
        except Exception as error:
            raise DeployError(f"{cause}; what ran before is not back: {error}") from cause

    async def _taken_over(self) -> list[str]:
        try:
            return await self.functions.reload(if_they_start=self._options.prepare)
        except HostError as error:
            raise HostError(self._shortened(str(error))) from error

    def _shortened(self, sentence: str) -> str:
        """Return a sentence with the logical ids of functions for their names."""
        for name, short in self.short_names.items():
            sentence = sentence.replace(name, short)
        return sentence

    async def next_changes(self) -> set[Path]:
        """Wait until a file of the project is another than when it was read last; return which.

        While something builds the project anew, such as `cdk synth`, its end is waited for.
        """
        since, there = self._read_at, self._there
        while True:
            changed = await next_changes(
                self.project.watched, since, but_for=self.project.not_watched, there=there
            )
            # Before looking: what comes after it is waited for.
            since, there = time.time(), _existing(self.project)
            if self.project.is_whole():
                return changed

    async def invoke(self, function: str, event: object) -> InvocationResult:
        """Have a function, by logical id, name or ARN, handle `event`; HostError if there is none."""
        return await self.functions.invoke(self.full_name(function), event)

    async def invoke_asynchronously(self, function: str, event: object) -> str:
        """Have an event queued for a function, as InvocationType Event does; return the request's id."""
        return await self.events.asynchronous.invoke(self.full_name(function), event)

    def describe(self) -> dict[str, Any]:
        """Return the state of the run as JSON can hold it: what `status` shows."""
        states = {state.name: state for state in self.functions.states()}
        return {
            "apis": {
                name: {"url": api.url, "connections": len(api.connections())}
                for name, api in self.apis.items()
            },
            "functions": [
                {"function": short, **states.get(name, FunctionState(name)).counts()}
                for name, short in sorted(self.short_names.items(), key=lambda item: item[1])
            ],
            "queues": self.events.describe(),
        }

    def full_name(self, function: str) -> str:
        """Return the name of a function by its logical id, or by its name; SettingError if there is none."""
        name = function.rpartition(":function:")[2]
        for full, short in self.short_names.items():
            if name in (full, short):
                return full
        known = ", ".join(sorted(self.short_names.values())) or "none"
        raise SettingError(f"there is no function {function}: the project has {known}")

    def short_name(self, function: str) -> str:
        """Return the logical id of a function by its name; the name, if it is none of the project."""
        return self.short_names.get(function, function)

    async def _prepare(self) -> None:
        """Start an environment of each function that events lead to now; HostError if one does not start.

        The others are fetched, so that an interpreter that is not there is said now, too.
        """
        if not self._options.prepare:
            return
        arns = {arn for api in self.apis.values() for arn in api.handlers()}
        arns |= self.events.functions()
        reached = {arn.rpartition(":function:")[2].partition(":")[0] for arn in arns}
        at_once = asyncio.Semaphore(os.cpu_count() or 1)  # more would only take from each other

        async def prepare(name: str) -> None:
            async with at_once:
                try:
                    if name in arns:
                        await self.functions.prepare(name)
                    else:
                        await self.functions.find(name)
                except HostError as error:
                    raise HostError(self._shortened(str(error))) from error

        names = arns | (self.short_names.keys() - reached)
        new, self._prepared = names - self._prepared, names
        done = await asyncio.gather(*map(prepare, sorted(new)), return_exceptions=True)
        for error in done:
            if error is not None:
                raise error

    async def _supervise(self) -> NoReturn:
        try:
            await self.emulator.watch()
        except EmulatorError:
            for api in self.apis.values():
                api.close_connections()
            raise


def _existing(project: Project) -> frozenset[Path]:
    """Return what is there now of the files and folders that a project is made of."""
    return frozenset(path for path in project.watched if path.exists())
