"""Interpreters who are lost: their listeners hear the speaker, until somebody interprets again."""

import asyncio

import pytest

from local.client import RequestRefusedError, stream

FLOOR, CHANNEL = bytes(range(200)) * 16, bytes(range(200, 0, -1)) * 16
CHUNK_SECONDS = 0.1
SOON = 20.0
# An environment may act on what it knew two seconds ago.
KNOWN_SECONDS = 2.1


async def opened(stage):
    """Return a speaker, who joins as the German interpreter, and that interpreter with its reply."""
    speaker, created = await stage.speaker()
    fields = {name: created[name] for name in ("sessionId", "interpreterKey")}
    interpreter = await stage.connect()
    ready = await interpreter.request("joinAsInterpreter", language="de", **fields)
    return speaker, {"language": "de", **fields}, interpreter, ready


async def heard(client, count):
    """Return the sound of the next chunks."""
    async with asyncio.timeout(SOON):
        return [(await client.audio.get()).pcm for _ in range(count)]


@pytest.mark.fault(
    what="an interpreter's connection is cut",
    speaker="`interpreterLeft` at once",
    listeners="those who heard it: `channelChanged`, and within 2 s the speaker; the others: every chunk",
    log="nothing, or `ListenerNotificationFailures`, ErrorType `gone`, for posts until it is known",
    heals="the interpreter comes back with its token, or anybody with the key joins for the language",
)
def test_listeners_of_an_interpreter_who_is_cut_hear_the_speaker_until_it_is_back(live):
    async def scenario(stage):
        speaker, join, interpreter, ready = await opened(stage)
        german, _ = await stage.listener(join["sessionId"], "de")
        spanish, joined = await stage.listener(join["sessionId"], "es")
        hearing, task = stage.hearing(spanish, joined)
        await stream(interpreter, [CHANNEL] * 3, CHUNK_SECONDS)
        sounds = [await heard(german, 3)]
        interpreter.vanish()
        hears = [(await german.expect("channelChanged"))["hears"]]
        left = await speaker.expect("interpreterLeft")
        await asyncio.sleep(KNOWN_SECONDS)
        await stream(speaker, [FLOOR] * 3, CHUNK_SECONDS)
        sounds.append(await heard(german, 3))
        back = await stage.connect()
        name, token = join["sessionId"], ready["refreshToken"]
        await back.request("refreshConnection", sessionId=name, refreshToken=token)
        hears.append((await german.expect("channelChanged"))["hears"])
        await asyncio.sleep(KNOWN_SECONDS)
        await stream(back, [CHANNEL] * 3, CHUNK_SECONDS, first=3)
        await stream(speaker, [FLOOR] * 3, CHUNK_SECONDS, first=3)
        sounds.append(await heard(german, 3))
        await hearing.arrived(6, SOON)
        await speaker.request("endSession")
        await task
        return sounds, hears, left["language"], [chunk.pcm for chunk in hearing.chunks]

    sounds, hears, left, spanish = live.play(scenario)

    assert sounds == [[CHANNEL] * 3, [FLOOR] * 3, [CHANNEL] * 3]
    assert hears == ["floor", "de"]
    assert left == "de"
    assert spanish == [FLOOR] * 6


@pytest.mark.long
@pytest.mark.fault(
    what="an interpreter's client hangs: its connection stays, and nothing comes from it",
    speaker="`interpreterJoined` when another takes its place, else `interpreterLeft` within 70 s",
    listeners="those who heard it: silence until then; the others: every chunk",
    log="nothing",
    heals="after 10 s whoever joins for the language replaces it, and housekeeping takes it out",
)
def test_interpreter_who_hangs_is_replaced_or_taken_out(live, monkeypatch):
    monkeypatch.setattr("local.client._INTERPRETERS_HEARTBEAT_SECONDS", 3600.0)

    async def scenario(stage):
        speaker, join, hanging, _ = await opened(stage)
        await speaker.expect("interpreterJoined")
        german, _ = await stage.listener(join["sessionId"], "de")
        other = await stage.connect()
        while not await took_over(other, join):
            await asyncio.sleep(1.0)
        refused = await hanging.expect("error")
        await asyncio.wait_for(hanging.closed.wait(), SOON)
        await stream(other, [CHANNEL] * 3, CHUNK_SECONDS)
        sounds = [await heard(german, 3)]
        await speaker.expect("interpreterJoined")
        [schedule] = live.system.schedules
        while not other.closed.is_set():  # which hangs now, too
            await live.system.run_schedule(schedule)
            await asyncio.sleep(1.0)
        left = await speaker.expect("interpreterLeft")
        await stream(speaker, [FLOOR] * 3, CHUNK_SECONDS)
        sounds.append(await heard(german, 3))
        await speaker.request("endSession")
        return refused["code"], left["language"], sounds

    code, left, sounds = live.play(scenario)

    assert code == "CONNECTION_CLOSED"
    assert left == "de"
    assert sounds == [[CHANNEL] * 3, [FLOOR] * 3]


async def took_over(client, join):
    """Return whether a client has become the interpreter, where another may be that still."""
    try:
        await client.request("joinAsInterpreter", **join)
    except RequestRefusedError as error:
        if error.code != "SESSION_LANGUAGE_TAKEN":
            raise
        return False
    return True
