"""This repository's system on this machine: what `wslocal` runs, with what only this system has.

Everything listens on 127.0.0.1, writes to temporary folders, and ends with the block it runs in.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from wslocal import FunctionVariables, RunningProject, RunOptions, scheduled_event

from .project import Builds, read_system, read_template
from .settings import check_settings, function_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from wslocal import DeployedSchedule, InvocationResult, LocalApi, Project, Stack, Template

__all__ = ["System"]

_ENDPOINT_VARIABLE = (
    "API_GATEWAY_ENDPOINT"  # where functions find the connections, without TLS here
)


def _unchanged(template: Template) -> Template:
    return template


class System:
    """Runs in an `async with` block; `api` is the gateway, `emulator` has the AWS APIs.

    When the AWS APIs end, nothing is left to go on with: all connections are closed with 1001, new ones
    are refused, and `watch` raises.

    `settings` win over the variables of every function; UnusableSettingError if they cannot. `report` gets
    a word for a person about each step. Ports: 0 is a free one.
    """

    def __init__(
        self,
        *,
        stage: str = "dev",
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        report: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.stage = stage
        self._settings = dict(settings or {})
        self._report = report
        self._builds = Builds()
        self._is_read = False
        self._edit: Callable[[Template], Template] = _unchanged
        options = RunOptions(
            port=port,
            variables=FunctionVariables(self._settings),
            endpoint_variable=_ENDPOINT_VARIABLE,
            prepare=False,
        )
        self._running = RunningProject(self._read, options=options)
        self.emulator = self._running.emulator
        self.api: LocalApi

    @property
    def url(self) -> str:
        """The address of the WebSocket API."""
        return self.api.url

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return self._stack.name

    @property
    def namespace(self) -> str:
        """The CloudWatch namespace of the stage's metrics."""
        variables = function_variables(self._stack.template) | self._settings
        return str(variables["METRICS_NAMESPACE"])

    @property
    def functions(self) -> list[str]:
        """The names of the stack's functions."""
        return self._names("AWS::Lambda::Function", "FunctionName")

    @property
    def tables(self) -> list[str]:
        """The names of the stack's tables."""
        return self._names("AWS::DynamoDB::Table", "TableName")

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of the stack."""
        return self._running.outputs[self.stack]

    @property
    def schedules(self) -> list[DeployedSchedule]:
        """What EventBridge runs on AWS."""
        return self._running.events.schedules

    @property
    def project(self) -> Project:
        """What runs now, as it was read."""
        return self._running.project

    @property
    def _stack(self) -> Stack:
        [stack] = self.project.stacks
        return stack

    def _names(self, kind: str, name: str) -> list[str]:
        resources = self._stack.template["Resources"].values()
        found = [resource for resource in resources if resource["Type"] == kind]
        return [str(resource["Properties"][name]) for resource in found]

    async def __aenter__(self) -> Self:
        if self._settings:  # a wrong one is said before anything is started
            self._report("making the template, to check what was set")
            await asyncio.to_thread(self._check_settings)
        self._report("starting the AWS APIs, and making the template and the layer")
        await self._running.__aenter__()
        [self.api] = self._running.apis.values()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._running.__aexit__(kind, error, traceback)

    async def watch(self) -> None:
        """Wait for as long as the system can go on; then raise EmulatorError, in one sentence."""
        await self._running.watch()

    async def next_changes(self) -> set[Path]:
        """Wait until a source is another than when it was read last; return which."""
        return await self._running.next_changes()

    async def reload(self) -> tuple[()]:
        """Make the sources live as they are now; see `redeploy`."""
        await self.redeploy()
        return ()  # all functions have all of the code: their names say nothing

    async def redeploy(self, edit: Callable[[Template], Template] | None = None) -> None:
        """Deploy what the sources are now; connections stay, messages in flight are answered.

        `edit` changes the template before it is deployed, now and from now on.
        """
        if edit is not None:
            self._edit = edit
        await self._running.reload()

    async def run_schedule(self, schedule: DeployedSchedule) -> InvocationResult:
        """Run a scheduled function now, and return what came of it."""
        return await self.api.invoke(schedule.function, scheduled_event(schedule, time.time()))

    def describe(self) -> dict[str, Any]:
        """Return the state of the running system as JSON can hold it: what `status` shows."""
        functions = [
            {"name": state.name, **state.counts(), "starts": list(state.starts)}
            for state in self.api.states()
        ]
        return {"functions": functions, "connections": len(self.api.connections())}

    def _check_settings(self) -> None:
        template = read_template(self.stage, self._settings)
        check_settings(template, self._settings)

    def _read(self) -> Project:
        project = read_system(self.stage, self._settings, self._builds)
        if not self._is_read:
            self._is_read = True
            self._report("deploying the stack")
        stacks = [replace(one, template=self._edit(one.template)) for one in project.stacks]
        return replace(project, stacks=tuple(stacks))
