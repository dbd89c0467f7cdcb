"""Connections that send junk as fast as they can, and those beside them."""

import asyncio
import contextlib
import json

import pytest

from local.client import SessionClientError, connect, stream
from local.system import System
from wslocal import LoopThread

from .test_broadcast import PCM, QUICKLY, SOON

# Each of four environments answers five, and warns once, before it closes the connection.
MOST_REPLIES = 30
# As by then all has been written that will be.
QUIET_SECONDS = 1.0

JUNK = {
    "no-json": "no JSON",
    "unknown-action": '{"action":"dance"}',
    "audio": '{"action":"sendAudio","audioData":"AAAA AAAA","sequenceNumber":0,"timestamp":1}',
}


class Written:
    """What the functions write while the block runs, but for what a schedule makes them write."""

    def __init__(self, api):
        self._api = api
        self.lines = []

    def __enter__(self):
        self._end = self._api.subscribe(self._take)
        return self

    def __exit__(self, *_):
        self._end()

    def _take(self, line):
        if not line.function.endswith("-housekeeping"):
            self.lines.append(line)

    @property
    def num_bytes(self):
        return sum(len(line.text.encode()) + 1 for line in self.lines)

    def total(self, metric):
        """Return the sum of a metric's values."""
        documents = [line.document or {} for line in self.lines]
        return sum(document.get(metric, 0) for document in documents)


async def flood(client, frames):
    """Send frames until all are sent or the connection is closed, and wait for its end."""
    with contextlib.suppress(SessionClientError):
        for frame in frames:
            await client.send_frame(frame)
    async with asyncio.timeout(SOON):
        await client.closed.wait()


async def flood_until_closed(client, frame):
    """Send a frame 40 times a second until the connection is closed: what is throttled does not count."""
    with contextlib.suppress(SessionClientError):
        async with asyncio.timeout(SOON):
            while not client.closed.is_set():
                for _ in range(20):
                    await client.send_frame(frame)
                await asyncio.sleep(0.5)


async def quiet(stage):
    """Wait until no function works any more."""
    async with asyncio.timeout(SOON):
        while any(state.busy or state.waiting for state in stage.system.api.states()):
            await asyncio.sleep(0.05)
    await asyncio.sleep(QUIET_SECONDS)


def replies(client):
    """Return what a client has got of the functions.

    Beyond the stage's rate the gateway answers `Too Many Requests` by itself, which is no work of theirs.
    """
    got = [client.messages.get_nowait() for _ in range(client.messages.qsize())]
    return [message for message in got if message.get("message") != "Too Many Requests"]


@pytest.mark.parametrize("frame", JUNK.values(), ids=JUNK)
@pytest.mark.fault(
    what="one connection sends 1,500 messages of junk as fast as it can",
    speaker="the client that floods: at most 30 replies, one of them RATE_LIMIT_EXCEEDED, then close code 1000",
    listeners="nothing",
    log="at most 30 KB; `RateLimitViolations`, `ConnectionsClosedForRateLimit` once",
    heals="the connection is closed; what it has sent before that costs a count",
)
@pytest.mark.threat("flood-junk", "ws-rate", "ws-test-flood")
def test_junk_is_answered_a_few_times_and_then_costs_nothing(live, frame):
    async def scenario(stage):
        with Written(stage.system.api) as written:
            client = await stage.connect()
            await flood(client, [frame] * 1500)
            await quiet(stage)
        return replies(client), client.close_code, written

    got, close_code, written = live.play(scenario)

    codes = [message["code"] for message in got]
    assert 6 <= len(got) <= MOST_REPLIES
    assert codes.count("RATE_LIMIT_EXCEEDED") >= 1
    assert close_code == 1000
    assert written.num_bytes <= 30_000
    assert written.total("ConnectionsClosedForRateLimit") == 1


def test_junk_for_every_function_is_answered_a_few_times_by_each(live):
    frames = [
        *JUNK.values(),
        '{"action":"createSession"}',
        '{"action":"setVolume","volumeLevel":2}',
        '{"action":"changeLanguage"}',
    ]

    async def scenario(stage):
        with Written(stage.system.api) as written:
            client = await stage.connect()
            await flood(client, frames * 250)
            await quiet(stage)
        return replies(client), client.close_code, written

    got, close_code, written = live.play(scenario)

    assert len(got) <= 5 * MOST_REPLIES
    assert close_code == 1000
    assert written.total("ConnectionsClosedForRateLimit") == 1


@pytest.mark.fault(
    what="50 connections send 2,000 unknown actions a second, until they are closed",
    speaker="the clients that flood: at most 30 replies each, then close code 1000; another: nothing",
    listeners="every chunk",
    log="`RateLimitViolations`, `ConnectionsClosedForRateLimit` once for each connection",
    heals="each connection is closed; what it has sent before that costs a count",
)
@pytest.mark.threat("flood-junk", "ws-test-flood")
def test_fifty_floods_are_cut_off_one_by_one_and_hurt_nobody(live):
    """While a speaker speaks and a listener hears.

    What the gateway throttles does not count, so they go on until each has been cut off.
    """

    async def speak(stage):
        speaker, created = await stage.speaker()
        listener, joined = await stage.listener(created["sessionId"])
        heard, task = stage.hearing(listener, joined)
        await stream(speaker, [PCM] * 40, QUICKLY)
        await heard.arrived(40, SOON)
        acknowledged = [await listener.request("heartbeat") for _ in range(3)]
        await speaker.request("endSession")
        await task
        return [chunk.number for chunk in heard.chunks], acknowledged, replies(speaker)

    async def scenario(stage):
        clients = [await stage.connect() for _ in range(50)]
        floods = [flood_until_closed(client, JUNK["unknown-action"]) for client in clients]
        (numbers, acknowledged, received), *_ = await asyncio.gather(speak(stage), *floods)
        await quiet(stage)
        return numbers, acknowledged, received, [(replies(c), c.close_code) for c in clients]

    numbers, acknowledged, received, flooded = live.play(scenario)

    assert max(len(got) for got, _ in flooded) <= MOST_REPLIES
    assert {code for _, code in flooded} == {1000}
    assert numbers == list(range(40))
    assert [message["type"] for message in acknowledged] == ["heartbeatAck"] * 3
    assert "error" not in {message["type"] for message in received}
    assert json.dumps(received).count("RATE_LIMIT") == 0


@pytest.mark.long
@pytest.mark.threat("flood-connections", "ws-connections")
def test_connections_of_one_address_beyond_the_limit_are_refused_with_429():
    """In a system of its own: all tests have one address."""

    async def scenario(system, count):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(count):
                await stack.enter_async_context(connect(system.url))
            with pytest.raises(SessionClientError) as refused:
                await stack.enter_async_context(connect(system.url))
        return str(refused.value)

    with LoopThread() as loop:
        system = loop.enter(System(settings={"RATE_LIMIT_CONNECTIONS": "3"}))

        assert "429" in loop.run(scenario(system, 3))
