"""Starts the system as other processes can find it, and keeps it until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

from wslocal import RUN_ERRORS, answering, end_task, guarded_temporary_files, reload_now_and_then

from .assembly import ROOT, AssemblyError
from .control import commands_of
from .machine import check_machine, check_ports
from .page import Page, sign_in_config
from .results import run_cancelled_by_signals
from .session_reports import reported_sessions
from .settings import UnusableSettingError
from .state import RunningSystem, announced
from .system import System
from .words import own_command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
    from typing import Any, TypeVar

    from rich.console import Console

    T = TypeVar("T")

__all__ = [
    "lets_any_origin_in",
    "run_until_stopped",
    "running_system",
    "serve",
    "sign_in_of",
    "welcome",
    "while_it_runs",
]


def run_until_stopped(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` with a temporary folder that goes with this process, also if it is killed.

    Ctrl-C and SIGTERM cancel `main`, which then ends what it started.
    """
    with guarded_temporary_files("websocket-audio-"):
        try:
            return run_cancelled_by_signals(main)
        except asyncio.CancelledError:
            return 0


@contextlib.asynccontextmanager
async def running_system(
    *,
    stage: str,
    port: int,
    page_port: int,
    reload: bool,
    report: Callable[[str], object],
    settings: Mapping[str, str] | None = None,
    client_id: str | None = None,
) -> AsyncIterator[tuple[System, RunningSystem]]:
    """Start the system and announce it; with `reload`, changed sources become live.

    UnusableSettingError for `settings` that the functions cannot have. `client_id` is the page's name at
    the issuer, if the settings name one.
    """
    check_machine()
    check_ports(port, page_port)
    sign_in = sign_in_of(settings or {}, client_id)
    async with contextlib.AsyncExitStack() as stack:
        system = await stack.enter_async_context(
            System(stage=stage, port=port, settings=settings, report=report)
        )
        page = stack.enter_context(_page_of(system, sign_in, page_port))
        await stack.enter_async_context(reported_sessions(system, page))
        running = RunningSystem(
            pid=os.getpid(),
            url=system.url,
            page=page.url,
            stack=system.stack,
            namespace=system.namespace,
            variables=system.emulator.variables,
            started_at=time.time(),
            folder=str(ROOT),
        )
        report(system.outputs["Speakers"])  # loudly, when that is anyone
        if lets_any_origin_in(settings or {}):
            report("pages of any origin may connect: ALLOWED_ORIGINS names those that may")
        stack.enter_context(announced(running))
        commands = commands_of(system)
        await stack.enter_async_context(answering(running.control_socket, commands))
        if reload:
            task = asyncio.create_task(
                reload_now_and_then(system, report, (*RUN_ERRORS, AssemblyError))
            )
            stack.push_async_callback(end_task, task)
        yield system, running


def sign_in_of(settings: Mapping[str, str], client_id: str | None) -> dict[str, Any]:
    """Return what the page is told of the issuer that the functions trust, if they trust one.

    With Amazon Cognito the page's client id is the audience; with others `client_id` says it.
    UnusableSettingError for an issuer that the page's policy would not let it ask.
    """
    issuer, audience = settings.get("SPEAKER_ISSUER"), settings.get("SPEAKER_AUDIENCE")
    if not issuer or not audience:
        return {}  # one without the other is refused by the functions
    scope = settings.get("SPEAKER_SCOPE") or "openid"
    listeners = settings.get("LISTENERS_NEED_TOKEN", "false").lower() == "true"
    try:
        return sign_in_config(issuer, client_id or audience, scope, listeners=listeners)
    except ValueError:
        wanted = "an https address without query or fragment, or an http one of this machine"
        hosts = "by 127.0.0.1 or localhost"  # what the page's policy can name
        message = f"SPEAKER_ISSUER must be {wanted} {hosts}, got {issuer[:80]!r}"
        raise UnusableSettingError(message) from None


def lets_any_origin_in(settings: Mapping[str, str]) -> bool:
    """Return whether it takes a token to speak, and yet pages of every origin may connect."""
    return bool(settings.get("SPEAKER_ISSUER")) and not any(
        map(str.strip, settings.get("ALLOWED_ORIGINS", "").split(","))
    )


@contextlib.contextmanager
def _page_of(system: System, sign_in: Mapping[str, Any], port: int) -> Iterator[Page]:
    """Serve the page, with all that the functions write."""
    page = Page({"url": system.url, **sign_in}, port)
    stop = system.api.subscribe(
        lambda line: page.publish(line.function, line.text, line.request_id)
    )
    page.start()
    try:
        yield page
    finally:
        stop()
        page.close()


async def while_it_runs(system: System, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; EmulatorError, and `work` is cancelled, if the system cannot go on."""
    watching = asyncio.create_task(system.watch())
    working = asyncio.create_task(work)
    try:
        await asyncio.wait((watching, working), return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            await watching
        try:
            return await working
        except Exception:
            system.emulator.check()  # what then failed has failed for this reason
            raise
    finally:
        await end_task(working)
        await end_task(watching)


async def serve(
    console: Console,
    *,
    stage: str,
    port: int,
    page_port: int,
    reload: bool,
    settings: Mapping[str, str],
    client_id: str | None,
) -> int:
    """Start the system, say what a person can do with it, and keep it until cancelled."""
    report = console.print
    async with running_system(
        stage=stage,
        port=port,
        page_port=page_port,
        reload=reload,
        report=report,
        settings=settings,
        client_id=client_id,
    ) as (system, running):
        report(welcome(running))
        try:
            await while_it_runs(system, asyncio.Event().wait())
        finally:
            report(f"ending {system.stack}")
    return 0


def welcome(running: RunningSystem) -> str:
    """Return where the system is, and what to do next."""
    page = f"page     {running.page}\n" if running.page else ""
    command = own_command()
    return (
        f"\nAPI      {running.url}\n{page}process  {running.pid}\n"
        "\nIn another terminal, in this folder:\n"
        f"  {command} speak local/recordings/speech.wav --listeners 1\n"
        f"  {command} listen SESSION --language es\n"
        f"  {command} logs | metrics | status | fault\n"
        "\nA changed handler or layer file becomes live by itself. Ctrl-C ends everything.\n"
    )
