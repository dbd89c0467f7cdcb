"""Runs the demo: starts the system, streams a recording and its interpretation, shows what happened."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.audio import JitterBuffer, check_writable, write_recording
from local.captions import read_cues
from local.client import FLOOR, SessionClientError, connect, stream, stream_captions
from local.decoding import open_audio
from local.machine import check_ports
from local.results import ExitCode, TalkError
from local.sending import opened
from local.talk import CHUNK_MS, Heard, hear
from local.up import running_system, welcome, while_it_runs
from local.watch import metric_rows, parse_line, read_logs

from .broken import BROKEN, BROKEN_IN_A_SESSION, CLOSING
from .record import DemoResult, ListenerResult, Voice
from .summary import show_summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from local.audio import Recording
    from local.captions import Cue
    from local.client import SessionClient
    from local.state import RunningSystem
    from local.system import System

    from .broken import Broken

__all__ = ["run_demo", "voices_of"]

INTERPRETATION = Path(__file__).parent.parent / "recordings" / "interpretation.wav"
# Who listens, and whether with captions; one of them has an interpreter.
SPOKEN, INTERPRETED = "en", "de"
LISTENERS = {"es": True, "fr": False, INTERPRETED: True}

# Of the recording, of which speaker and listeners have a copy each, in memory.
LONGEST_SECONDS = 600
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
    async with opened(recording, console) as file:
        if file.seconds > LONGEST_SECONDS:
            raise ValueError(
                f"{file.name} plays for {file.seconds:,.0f} s: the demo takes at most {LONGEST_SECONDS} s"
            )
        stream_of_file = file.as_is()
        if stream_of_file.is_converted:
            console.print(stream_of_file.conversion)
        sound = stream_of_file.recording()
    record = DemoResult(voices=await voices_of(recording, sound))
    check_writable(output)
    check_ports(port, page_port)
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
    is_watched = console.file.isatty()  # whatever FORCE_COLOR says

    def report(text: str) -> None:
        console.print(f"{time.monotonic() - started:5.1f} s  {text}")

    async with running_system(
        stage="dev", port=port, page_port=page_port, reload=is_watched, report=report
    ) as (system, running):
        report(f"the system runs: {system.url}")
        await while_it_runs(system, _play(system, running, sound, record, report))
        write_recording(output, record.listeners[0].heard.recording)
        record.check()
        rows = await asyncio.to_thread(metric_rows, running)
        show_summary(console, record, rows, output)
        if is_watched:
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


async def voices_of(path: Path, sound: Recording) -> list[Voice]:
    """Return what the speaker says, and the interpreter, in the speaker's format."""
    async with open_audio(INTERPRETATION) as file:
        interpretation = list(file.fit_for(sound.audio_format).chunks(CHUNK_MS))
    return [
        Voice(FLOOR, sound.chunks(CHUNK_MS), _cues_of(path)),
        Voice(INTERPRETED, interpretation, _cues_of(INTERPRETATION)),
    ]


def _cues_of(path: Path) -> list[Cue]:
    captions = path.with_suffix(".vtt")
    return read_cues(captions) if captions.exists() else []


@dataclass(frozen=True, slots=True)
class _Listener:
    language: str
    voice: Voice
    has_captions: bool
    client: SessionClient
    heard: Heard
    hearing: asyncio.Task[None]

    async def captions(self) -> list[str] | None:
        """Return the texts that are due, or those that come in time; None if none were asked for."""
        if not self.has_captions:
            return None
        texts: list[str] = []
        with contextlib.suppress(
            SessionClientError
        ):  # what is missing is a problem, told at the end
            while len(texts) < len(self.voice.cues):
                message = await self.client.expect("caption", PATIENCE_SECONDS)
                texts.append(message["text"])
        return texts


async def talk(
    url: str, sound: Recording, record: DemoResult, report: Callable[[str], object]
) -> None:
    """Stream the recording, its interpretation and the captions of both to listeners, and end the session."""
    floor, channel = record.voices
    async with contextlib.AsyncExitStack() as stack:
        speaker = await stack.enter_async_context(connect(url))
        created = await speaker.request(
            "createSession", sourceLanguage=SPOKEN, audioFormat=sound.audio_format
        )
        record.session = created["sessionId"]
        report(f"session {record.session}")
        listeners = []
        for language, has_captions in LISTENERS.items():
            client = await stack.enter_async_context(connect(url))
            voice = channel if language == INTERPRETED else floor
            listeners.append(await _join(client, record.session, language, voice, has_captions))
            await speaker.expect("listenerJoined")
        interpreters = []
        for language in (SPOKEN, INTERPRETED):
            client = await stack.enter_async_context(connect(url))
            await client.request(
                "joinAsInterpreter",
                sessionId=record.session,
                language=language,
                interpreterKey=created["interpreterKey"],
            )
            interpreters.append(client)
            await speaker.expect("interpreterJoined")
        for listener in listeners:
            if listener.voice is channel:
                await listener.client.expect("channelChanged")
        report(
            f"{len(listeners)} listeners, one with an interpreter; speaking for {sound.seconds:.1f} s"
        )
        captioner, interpreter = interpreters
        record.num_interpreters = len(interpreters)
        await asyncio.gather(
            stream(speaker, floor.chunks, CHUNK_MS / 1000),
            stream_captions(captioner, floor.cues),
            stream(interpreter, channel.chunks, CHUNK_MS / 1000),
            stream_captions(interpreter, channel.cues),
        )
        with contextlib.suppress(TimeoutError):  # what is missing is a problem, told at the end
            for one in listeners:
                await one.heard.arrived(len(one.voice.chunks), PATIENCE_SECONDS)
        captions = [await listener.captions() for listener in listeners]
        await speaker.request("endSession")
        for one, texts in zip(listeners, captions, strict=True):
            await one.hearing
            types = _types(one.client)
            record.listeners.append(
                ListenerResult(one.language, one.voice, one.heard, texts, types)
            )
        report("the session has ended")


async def _join(
    client: SessionClient, session: str, language: str, voice: Voice, has_captions: bool
) -> _Listener:
    wanted = {"targetLanguage": language, "captions": has_captions}
    joined = await client.request("joinSession", sessionId=session, **wanted)
    heard = Heard(joined["audioFormat"], JitterBuffer(PATIENCE_SECONDS, first=0))
    hearing = asyncio.create_task(hear(client, heard))
    return _Listener(language, voice, has_captions, client, heard, hearing)


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
            record.refusals.append(
                (broken, str(client.close_code), "the gateway closes the connection with this code")
            )
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
    record.functions = system.describe()["functions"]
    rows = await asyncio.to_thread(metric_rows, running)
    record.metrics = {row.name: row.total for row in rows}


def _types(client: SessionClient) -> list[str]:
    return [client.messages.get_nowait().get("type", "") for _ in range(client.messages.qsize())]
