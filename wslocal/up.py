"""`wslocal up`: runs a project as other processes can find it, until it is asked to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .control import answering
from .emulator import EmulatorError
from .kept_lines import KeptLines
from .lambda_host import HostError
from .options import PLAIN_ERRORS, Options
from .processes import guarded_temporary_files
from .progress import Progress
from .reloading import reload_now_and_then
from .running import RunningProject
from .settings import SettingError
from .signals import run_until_signal
from .state import AnnouncedRun
from .tasks import end_task
from .words import fail, sentence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .control import Command

__all__ = ["run_up"]


def run_up(path: Path, options: Options, *, follows: bool = True) -> int:
    """Run the project until a signal ends it; return the exit code. A changed file becomes live if it `follows`.

    0 after a signal, 1 if it could not go on, 2 if it could not be run. All that any part of it writes is in one
    temporary folder, which goes with this process, also if it is killed.
    """
    try:
        with guarded_temporary_files("wslocal-"):
            run_until_signal(_serve(path, options, follows))
    except EmulatorError as error:
        click.echo(f"Error: {sentence_of(error)}", err=True)
        return 1
    except PLAIN_ERRORS as error:
        fail(sentence_of(error))
    return 0


async def _serve(path: Path, options: Options, follows: bool) -> None:
    read, chosen = options.reader(path, _say), options.run_options(_say)
    async with contextlib.AsyncExitStack() as stack:
        with Progress(_say_to_a_terminal) as progress:
            project = await stack.enter_async_context(
                RunningProject(read, options=chosen, report=progress)
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
        for line in _welcome(project, follows):
            click.echo(line)
        lines.is_shown = True
        if follows:
            reloading = asyncio.create_task(reload_now_and_then(project, click.echo, PLAIN_ERRORS))
            stack.push_async_callback(end_task, reloading)
        await project.watch()


def _say_to_a_terminal(sentence: str) -> None:
    if sys.stderr is not None and sys.stderr.isatty():  # a program that waits has no use for it
        _say(sentence)


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _welcome(project: RunningProject, follows: bool) -> Iterable[str]:
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
    what = "A changed file" if project.project.build is None else "What is built anew"
    yield f"{what} becomes live. Ctrl-C ends it." if follows else "Ctrl-C ends it."


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
