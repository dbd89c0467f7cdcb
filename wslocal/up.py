"""`wslocal up`: runs a project as other processes can find it, until it is asked to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from .control import answering
from .emulator import EmulatorError
from .kept_lines import KeptLines
from .lambda_host import HostError
from .lambda_host.interpreters import base_python, find_python, python_versions
from .lambda_host.node_packages import npm_command
from .lambda_host.runtime_folder import cache_folder
from .lambda_host.runtimes import Runtimes
from .processes import guarded_temporary_files
from .reloading import reload_now_and_then
from .run_options import RunOptions
from .running import RUN_ERRORS, RunningProject
from .settings import SettingError, read_variables
from .signals import run_until_signal
from .sources import PackageInstaller, ProjectError, ProjectOptions, read_project
from .state import AnnouncedRun, RunNotFoundError
from .tasks import end_task
from .words import fail, sentence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .control import Command

__all__ = ["UpOptions", "run_up"]

# What a person can do something about: one sentence, no traceback.
_PLAIN_ERRORS = (*RUN_ERRORS, BotoCoreError, ClientError, OSError, RunNotFoundError)


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The options of the command, as click gives them."""

    parameters: tuple[str, ...]
    variables: tuple[str, ...]
    env_file: Path | None
    apis: tuple[str, ...]
    stage: str | None
    cdk_stage: str | None
    port: int
    tls_port: int
    leave_out: tuple[str, ...]
    install: bool
    any_python: bool
    any_node: bool
    retry_scale: float
    no_reload: bool


def run_up(path: Path, options: UpOptions) -> int:
    """Run the project until a signal ends it; return the exit code.

    0 after a signal, 1 if it could not go on, 2 if it could not be run. All that any part of it writes is in one
    temporary folder, which goes with this process, also if it is killed.
    """
    try:
        with guarded_temporary_files("wslocal-"):
            run_until_signal(_serve(path, options))
    except EmulatorError as error:
        click.echo(f"Error: {sentence_of(error)}", err=True)
        return 1
    except _PLAIN_ERRORS as error:
        fail(sentence_of(error))
    return 0


async def _serve(path: Path, options: UpOptions) -> None:
    read = partial(read_project, path, _project_options(options))
    async with contextlib.AsyncExitStack() as stack:
        project = await stack.enter_async_context(
            RunningProject(read, options=_run_options(options))
        )
        run = AnnouncedRun(
            pid=os.getpid(),
            project=str(path.absolute()),
            urls={name: api.url for name, api in project.apis.items()},
            variables=project.emulator.variables,
            started_at=time.time(),
        )
        lines = KeptLines(project)
        stack.callback(project.functions.subscribe(lines.take))
        stack.enter_context(run.announced())
        commands: dict[str, Command] = {
            "status": partial(_status, project),
            "invoke": partial(_invoke, project),
            "logs": lines.reply,
        }
        await stack.enter_async_context(answering(run.control_socket, commands))
        for line in _welcome(project):
            click.echo(line)
        lines.is_shown = True
        if not options.no_reload:
            reloading = asyncio.create_task(reload_now_and_then(project, click.echo, _PLAIN_ERRORS))
            stack.push_async_callback(end_task, reloading)
        await project.watch()


def _project_options(options: UpOptions) -> ProjectOptions:
    parameters = {}
    for text in options.parameters:
        name, is_pair, value = text.partition("=")
        if not is_pair or not name:
            raise SettingError(f"--parameter must be NAME=VALUE, got {name[:40]!r}")
        parameters[name] = value
    return ProjectOptions(
        parameters=parameters,
        install=_installer(options) if options.install else None,
        leave_out=frozenset(options.leave_out),
        stage=options.cdk_stage,
    )


def _installer(options: UpOptions) -> PackageInstaller:
    """Return what runs pip and npm, and says so."""
    return PackageInstaller(
        cache=cache_folder() / "packages",
        python_of=partial(_python_of, any_python=options.any_python),
        npm_of=lambda runtime: npm_command(),
        report=_say,
    )


def _python_of(runtime: str, *, any_python: bool) -> Path:
    """Return the interpreter that is to run functions of a runtime such as `python3.12`."""
    found = find_python(runtime.removeprefix("python"))
    if found is None and not any_python:
        raise ProjectError(
            f"packages for {runtime} cannot be installed: this machine has "
            f"{', '.join(python_versions())}; install it, or run it in another with --any-python"
        )
    return Path(found or base_python())


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _runtimes(options: UpOptions) -> Runtimes:
    return Runtimes(
        any_python=options.any_python,
        any_node=options.any_node,
        install=_say if options.install else None,
    )


def _run_options(options: UpOptions) -> RunOptions:
    return RunOptions(
        apis=options.apis,
        stage=options.stage,
        port=options.port,
        tls_port=options.tls_port,
        variables=read_variables(options.variables, options.env_file),
        retry_scale=options.retry_scale,
        runtimes=_runtimes(options),
        leave_out=frozenset(options.leave_out),
    )


def _welcome(project: RunningProject) -> Iterable[str]:
    """Yield what a person has to know, the addresses first."""
    for name, api in project.apis.items():
        name_after = f"  {name}" if len(project.apis) > 1 else ""
        yield f"{api.url}{name_after}"
        yield f"{api.secure_url}{name_after}"
    yield f"for wss: {project.certificates.ca_file} is the certificate to trust"
    for gone in project.left_out:
        yield f"left out: {gone.name} ({gone.type}): {gone.reason}"
    for note in project.project.notes:
        yield f"note: {note}"
    yield f"functions: {', '.join(sorted(project.short_names.values()))}"
    yield "A changed file becomes live. Ctrl-C ends it."


async def _status(project: RunningProject, request: Any, reply: Any, gone: asyncio.Event) -> None:
    await reply(project.describe())


async def _invoke(
    project: RunningProject, request: Mapping[str, Any], reply: Any, gone: asyncio.Event
) -> None:
    try:
        if request["asynchronous"]:
            await project.invoke_asynchronously(request["function"], request["event"])
            await reply({"payload": None, "failed": False})
            return
        result = await project.invoke(request["function"], request["event"])
    except (HostError, SettingError) as error:
        await reply({"error": str(error)})
        return
    if result.error is None:
        await reply({"payload": result.payload, "failed": False})
    else:
        failure = {"errorType": result.error.type, "errorMessage": result.error.message}
        await reply({"payload": failure, "failed": True})
