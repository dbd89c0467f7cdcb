"""The whole system on this machine: AWS APIs, the deployed stack, the gateway, the schedules.

Everything listens on 127.0.0.1, writes to temporary folders, and ends with the block it runs in.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, Self

from wslocal import Emulator, EmulatorError, LocalApi

from .assembly import (
    ROOT,
    Assembly,
    build_authorizer,
    build_functions,
    build_layer,
    synthesize,
)
from .deploy import Deployer, localize, uploads
from .scheduler import DeployedSchedule, read_schedules, run_schedules, scheduled_event
from .settings import check_settings, function_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import NoReturn

    from .assembly import Template

__all__ = ["System"]


def _unchanged(template: Template) -> Template:
    return template


class System:
    """Runs in an `async with` block; `api` is the gateway, `emulator` has the AWS APIs.

    When the AWS APIs end, nothing is left to go on with: all connections are closed with 1001, new ones
    are refused, and `watch` raises.

    `settings` win over the variables of every function; UnusableSettingError if they cannot. `report` gets a word for a person about
    each step. Ports: 0 is a free one.
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
        self._port = port
        self._settings = dict(settings or {})
        self._report = report
        self._stack = contextlib.AsyncExitStack()
        self._deploying = asyncio.Lock()
        self._edit: Callable[[Template], Template] = _unchanged
        self._built: dict[Callable[[], bytes], tuple[str, bytes]] = {}
        self._scheduler: asyncio.Task[None] | None = None
        self.emulator = Emulator()
        self.assembly: Assembly
        self.outputs: dict[str, str] = {}
        self.schedules: list[DeployedSchedule] = []
        self.api: LocalApi

    @property
    def url(self) -> str:
        """The address of the WebSocket API."""
        return str(self.api.url)

    @property
    def namespace(self) -> str:
        """The CloudWatch namespace of the stage's metrics."""
        variables = function_variables(self.assembly.template) | self._settings
        return str(variables["METRICS_NAMESPACE"])

    @property
    def functions(self) -> list[str]:
        """The names of the stack's functions."""
        return self._names("AWS::Lambda::Function", "FunctionName")

    @property
    def tables(self) -> list[str]:
        """The names of the stack's tables."""
        return self._names("AWS::DynamoDB::Table", "TableName")

    def _names(self, kind: str, name: str) -> list[str]:
        resources = self.assembly.template["Resources"].values()
        found = [resource for resource in resources if resource["Type"] == kind]
        return [str(resource["Properties"][name]) for resource in found]

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
        if self._settings:  # a wrong one is said before anything is started
            self._report("making the template, to check what was set")
            assembly = await asyncio.to_thread(synthesize, self.stage, self._settings)
            await asyncio.to_thread(check_settings, assembly.template, self._settings)
        self._report("starting the AWS APIs, and making the template and the layer")
        # Each of the three takes seconds, and none needs the others.
        starting = asyncio.create_task(asyncio.to_thread(self.emulator.__enter__))
        try:
            self.assembly, _ = await asyncio.gather(
                asyncio.to_thread(synthesize, self.stage, self._settings),
                asyncio.to_thread(self._built_layer),
            )
        finally:
            await starting
            undo.callback(self.emulator.__exit__, None, None, None)
        self._report("deploying the stack")
        self._deployer = await asyncio.to_thread(
            Deployer, self.emulator.client, self.assembly.stack
        )
        await asyncio.to_thread(self._deploy)
        self.api = await undo.enter_async_context(
            LocalApi(
                self.emulator.client,
                self.outputs["ApiId"],
                self.outputs["StageName"],
                port=self._port,
            )
        )
        undo.push_async_callback(self._stop_schedules)
        self._start_schedules()
        self._watching = asyncio.create_task(self._supervise())
        undo.push_async_callback(_end, self._watching)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def watch(self) -> None:
        """Wait for as long as the system can go on; then raise EmulatorError, in one sentence."""
        await asyncio.shield(self._watching)

    async def _supervise(self) -> NoReturn:
        try:
            await self.emulator.watch()
        except EmulatorError:
            self.api.close_connections()
            raise

    async def redeploy(self, edit: Callable[[Template], Template] | None = None) -> None:
        """Deploy what the sources are now; connections stay, messages in flight are answered.

        `edit` changes the template before it is deployed, now and from now on.
        """
        async with self._deploying:
            if edit is not None:
                self._edit = edit
            self.assembly = await asyncio.to_thread(synthesize, self.stage, self._settings)
            await asyncio.to_thread(self._deploy)
            await self.api.reload()
            await self._stop_schedules()
            self._start_schedules()

    async def run_schedule(self, schedule: DeployedSchedule) -> Any:
        """Run a scheduled function now, and return what came of it."""
        result = await self.api.invoke(schedule.function, scheduled_event(schedule, time.time()))
        if result.error is not None:
            self._report(f"{schedule.function}: {result.error.type}: {result.error.message}")
        return result

    def _deploy(self) -> None:
        archives = {key: path.read_bytes() for key, path in self.assembly.assets.items()}
        archives |= dict.fromkeys(self.assembly.layer_keys, self._built_layer())
        for key in self.assembly.authorizer_keys:
            archives[key] = self._built_authorizer()
        for key, packages in self.assembly.code_keys.items():
            archives[key] = build_functions(packages)
        keys, files = uploads(archives)
        template = self._edit(localize(self.assembly.template, keys, self._settings))
        self.outputs = self._deployer.deploy(template, files)
        self.schedules = read_schedules(self.emulator.client, self.assembly.stack)

    def _built_layer(self) -> bytes:
        layer = ROOT / "shared-layer"
        return self._build(build_layer, [*(layer / "python").rglob("*.py*"), layer / "build.py"])

    def _built_authorizer(self) -> bytes:
        lock_file = ROOT / "requirements" / "authorizer.txt"
        return self._build(build_authorizer, [*(ROOT / "authorizer").glob("*.py"), lock_file])

    def _build(self, build: Callable[[], bytes], sources: list[Path]) -> bytes:
        """Return a zip, built again only if a source has changed."""
        digest = _digest_of(sources)
        if self._built.get(build, ("",))[0] != digest:
            self._built[build] = digest, build()
        return self._built[build][1]

    def _start_schedules(self) -> None:
        self._scheduler = asyncio.create_task(run_schedules(self.schedules, self._run_due))

    async def _run_due(self, schedule: DeployedSchedule) -> None:
        try:
            await self.run_schedule(schedule)
        except Exception as error:  # the next run is due all the same
            self._report(f"{schedule.function} did not run: {error}")

    async def _stop_schedules(self) -> None:
        if self._scheduler is not None:
            await _end(self._scheduler)


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _digest_of(sources: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(sources):
        if "__pycache__" not in path.parts:
            digest.update(f"{path}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def describe(system: System) -> str:
    """Return the state of the running system as JSON: what `status` shows."""
    functions = [
        {
            "name": state.name,
            "environments": state.environments,
            "busy": state.busy,
            "waiting": state.waiting,
            "invocations": state.invocations,
            "errors": state.errors,
            "timeouts": state.timeouts,
            "crashes": state.crashes,
            "throttles": state.throttles,
            "coldStarts": state.cold_starts,
            "starts": list(state.starts),
        }
        for state in system.api.states()
    ]
    connections = len(system.api.connections())
    return json.dumps({"functions": functions, "connections": connections})
