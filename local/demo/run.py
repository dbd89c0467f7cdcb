"""Runs the demo: starts the system, streams a recording to listeners, shows what happened."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

from local.audio import JitterBuffer, check_writable, read_recording, write_recording
from local.client import SessionClientError, connect, stream
from local.results import ExitCode, TalkError
from local.system import describe
from local.talk import CHUNK_MS, Heard, hear
from local.up import running_system, welcome, while_it_runs
from local.watch import metric_rows, parse_line, read_logs

from .broken import BROKEN, BROKEN_IN_A_SESSION, CLOSING
from .record import DemoResult, ListenerResult
from .summary import show_summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from local.audio import Recording
    from local.client import SessionClient
    from local.state import RunningSystem
    from local.system import System

    from .broken import Broken

__all__ = ["run_demo"]

LANGUAGES = ("es", "fr", "de")

# The first chunks wait for functions that start; on a busy machine that takes seconds.
PATIENCE_SECONDS = 10.0
# A connection may send 10 control messages a second, and as many at once; each of the environments
# that a function has counts for itself. A sender that goes on all the same is disconnected.
CONTROLS_PER_SECOND, ENVIRONMENTS, FLOOD = 10, 4, 120
# The fifth invalid message in a row is answered with a warning as well.
BROKEN_IN_A_ROW = 4


async def run_demo(
    console: Console, recording: Path, output: Path, port: int, page_port: int
) -> int:
    """Return 0 if all went as it should, else 1; on a terminal stay until Ctrl-C.

    TalkError after a Ctrl-C that comes earlier.
    """
    sound = read_recording(recording)
    check_writable(output)
    record = DemoResult()
    try:
        await _run(console, sound, record, output, port, page_port)
    except asyncio.CancelledError:
        if not record.is_complete:
            raise TalkError(ExitCode.INTERRUPTED, "interrupted before the demo's end") from None
    return ExitCode.FAILED if record.problems else ExitCode.DONE


async def _run(
    console: Console, sound: Recording, record: DemoResult, output: Path, port: int, page_port: int
) -> None:
    started = time.monotonic()

    def report(text: str) -> None:
        console.print(f"{time.monotonic() - started:5.1f} s  {text}")

    async with running_system(
        stage="dev", port=port, page_port=page_port, reload=console.is_terminal, report=report
    ) as (system, running):
        report(f"the system runs: {system.url}")
        await while_it_runs(system, _play(system, running, sound, record, report))
        write_recording(output, record.listeners[0].heard.recording)
        record.check()
        rows = await asyncio.to_thread(metric_rows, running)
        show_summary(console, record, rows, output)
        if console.is_terminal:
            console.print(welcome(running))
            await while_it_runs(system, asyncio.Event().wait())


async def _play(
    system: System,
    running: RunningSystem,
    sound: Recording,
    record: DemoResult,
    report: Callable[[str], object],
) -> None:
    await talk(system.url, sound, record, report)
    await clumsy_speaker(system.url, record, report)
    await look(system, running, record)


async def talk(
    url: str, sound: Recording, record: DemoResult, report: Callable[[str], object]
) -> None:
    """Stream the recording from one speaker to a listener in each language, and end the session."""
    chunks = sound.chunks(CHUNK_MS)
    record.pcm, record.chunks_sent = sound.pcm, len(chunks)
    async with contextlib.AsyncExitStack() as stack:
        speaker = await stack.enter_async_context(connect(url))
        created = await speaker.request(
            "createSession", sourceLanguage="en", audioFormat=sound.audio_format
        )
        record.session = created["sessionId"]
        report(f"session {record.session}")
        hearing = []
        for language in LANGUAGES:
            client = await stack.enter_async_context(connect(url))
            joined = await client.request(
                "joinSession", sessionId=record.session, targetLanguage=language
            )
            heard = Heard(joined["audioFormat"], JitterBuffer(PATIENCE_SECONDS, first=0))
            hearing.append((language, client, heard, asyncio.create_task(hear(client, heard))))
            await speaker.expect("listenerJoined")
        report(f"{len(hearing)} listeners; speaking for {sound.seconds:.1f} s")
        await stream(speaker, chunks, CHUNK_MS / 1000)
        with contextlib.suppress(TimeoutError):  # what is missing is a problem, told at the end
            for _, _, heard, _ in hearing:
                await heard.arrived(len(chunks), PATIENCE_SECONDS)
        await speaker.request("endSession")
        for language, client, heard, task in hearing:
            await task
            record.listeners.append(ListenerResult(language, heard, _types(client)))
        report("the session has ended")


async def clumsy_speaker(url: str, record: DemoResult, report: Callable[[str], object]) -> None:
    """Send what is broken, and far too much, as a speaker of another session."""
    for start in range(0, len(BROKEN), BROKEN_IN_A_ROW):
        async with connect(url) as client:
            await _send_broken(client, BROKEN[start : start + BROKEN_IN_A_ROW], record)
    async with connect(url) as client:
        await client.request("createSession", sourceLanguage="en")
        await _send_broken(client, BROKEN_IN_A_SESSION, record)
        record.flood_sent, started = FLOOD, time.monotonic()
        answers = await asyncio.gather(
            *(client.request("getSessionStatus") for _ in range(FLOOD)), return_exceptions=True
        )
        record.flood_refused = sum(isinstance(answer, SessionClientError) for answer in answers)
        seconds = time.monotonic() - started
        record.flood_allowed = ENVIRONMENTS * CONTROLS_PER_SECOND * (1 + seconds)
    for broken in CLOSING:
        async with connect(url) as client:
            await client.send_frame(broken.frame)
            with contextlib.suppress(TimeoutError):  # then it has no close code
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await client.closed.wait()
            record.refusals.append((broken, str(client.close_code), "connection closed"))
    report(f"{len(record.refusals)} broken messages, {FLOOD} requests at once")


async def _send_broken(client: SessionClient, broken: list[Broken], record: DemoResult) -> None:
    for one in broken:
        await client.send_frame(one.frame)
        answer = await client.expect("error")
        record.refusals.append((one, answer["code"], answer["message"]))


async def look(system: System, running: RunningSystem, record: DemoResult) -> None:
    """See what an operator sees."""
    await system.api.flush()
    events = await asyncio.to_thread(read_logs, running)
    lines = [(event["function"], parse_line(event["message"])) for event in events]
    record.lines = [pair for pair in lines if pair[1].get("sessionId") == record.session]
    record.functions = json.loads(describe(system))["functions"]
    rows = await asyncio.to_thread(metric_rows, running)
    record.metrics = {row.name: row.total for row in rows}


def _types(client: SessionClient) -> list[str]:
    return [client.messages.get_nowait().get("type", "") for _ in range(client.messages.qsize())]
