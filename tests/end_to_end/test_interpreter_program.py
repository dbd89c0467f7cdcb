"""The example of a program that interprets, in the running system: what it sends, and who hears that."""

import asyncio
import os
import sys
from array import array
from pathlib import Path

import pytest

from local.client import stream
from local.talk import CHUNK_MS

PROGRAM = Path(__file__).parents[2] / "examples/interpreter_program.py"
SOON = 20.0
SECONDS = CHUNK_MS / 1000


class Program:
    """The program as a process of its own, for the channel of a language."""

    def __init__(self, process):
        self._process = process

    @classmethod
    async def start(cls, stage, session, language, key):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", PROGRAM, stage.url, session, language),
            env={**os.environ, "WEBSOCKET_AUDIO_INTERPRETER_KEY": key},
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def end(self):
        """Return its exit code, once it has ended by itself, and what it wrote."""
        async with asyncio.timeout(SOON):
            _, written = await self._process.communicate()
        return self._process.returncode, written.decode()


async def started(stage, **fields):
    """Return a speaker, what it was answered, and the program that interprets German."""
    speaker, created = await stage.speaker(**fields)
    program = await Program.start(stage, created["sessionId"], "de", created["interpreterKey"])
    await speaker.expect("interpreterJoined", SOON)
    return speaker, created, program


async def captions(client):
    """Return the captions that have come, up to the second final one."""
    found = []
    while sum(caption["isFinal"] for caption in found) < 2:
        found.append(await client.expect("caption", SOON))
    return found


def is_tone(pcm):
    """Return whether a chunk is of the stand-in's tone."""
    return {*array("h", pcm)} == {2048, -2048}


def test_listeners_of_the_language_hear_the_program_and_read_it(live, speech):
    async def scenario(stage):
        speaker, created, program = await started(stage, audioFormat=speech.audio_format)
        join = {"sessionId": created["sessionId"], "captions": True}
        german, spanish = await stage.connect(), await stage.connect()
        joined = [
            await german.request("joinSession", targetLanguage="de", **join),
            await spanish.request("joinSession", targetLanguage="es", **join),
        ]
        hearing = [stage.hearing(german, joined[0]), stage.hearing(spanish, joined[1])]
        await stream(speaker, speech.chunks(CHUNK_MS), SECONDS)
        read = await captions(german)
        await hearing[0][0].arrived(46, SOON)
        await hearing[1][0].arrived(53, SOON)
        await speaker.request("endSession")
        await asyncio.gather(*(task for _, task in hearing))
        return (
            [one["hears"] for one in joined],
            [one for one, _ in hearing],
            read,
            await program.end(),
        )

    hears, (german, spanish), read, ended = live.play(scenario)

    assert hears == ["de", "floor"]
    assert [chunk.number for chunk in german.chunks] == list(range(46))
    assert all(is_tone(chunk.pcm) for chunk in german.chunks)
    assert spanish.recording == speech
    assert [caption["text"] for caption in read if caption["isFinal"]] == ["1.7 s", "2.9 s"]
    assert {caption["language"] for caption in read} == {"de"}
    assert len({caption["segmentId"] for caption in read}) == 2
    assert ended == (0, "")


@pytest.mark.threat("interpreter-key", "interpreter-replaced")
def test_program_that_is_refused_says_so_in_a_sentence(live):
    async def scenario(stage):
        speaker, created, first = await started(stage)
        session, key = created["sessionId"], created["interpreterKey"]
        programs = [
            await Program.start(stage, session, "de", key),
            await Program.start(stage, session, "fr", "not-the-key"),
        ]
        ended = [await program.end() for program in programs]
        await speaker.request("endSession")
        return session, ended, await first.end()

    session, (taken, wrong_key), first = live.play(scenario)

    already = "The language has an interpreter already"
    assert taken == (1, f"{session} cannot be interpreted: {already}\n")
    assert wrong_key == (1, f"{session} cannot be interpreted: Session not found\n")
    assert first == (0, "")


@pytest.mark.threat("interpreter-removed")
def test_program_that_is_removed_ends(live):
    async def scenario(stage):
        speaker, _, program = await started(stage)
        await speaker.request("removeInterpreter", language="de")
        return await program.end()

    assert live.play(scenario) == (1, "The speaker has removed this interpreter\n")


def test_program_says_which_sessions_it_cannot_interpret(live):
    async def scenario(stage):
        audio_format = {"encoding": "pcm_mulaw", "sampleRate": 8000, "channels": 1}
        _, created, program = await started(stage, audioFormat=audio_format)
        return created["sessionId"], await program.end()

    session, ended = live.play(scenario)

    assert ended == (1, f"{session} cannot be interpreted: its audio is not pcm_s16le\n")
