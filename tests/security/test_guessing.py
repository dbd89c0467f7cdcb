"""Many who try session ids at once, from one address and from fifty, and honest listeners beside them.

Each client is on a loopback address of its own, which the gateway gives to the functions.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from typing import NamedTuple

import pytest
import websockets
from websockets.asyncio.client import connect as open_socket

from local.client import SUBPROTOCOL
from tests import browser

pytestmark = pytest.mark.slow

SECONDS = 900.0
LIMIT = 10  # RATE_LIMIT_FAILED_JOINS
WINDOW_SECONDS = 60
# A connection may fail so often before it is closed, and so many connections guess at a time.
PER_CONNECTION, AT_A_TIME = 10, 40
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def running():
    """Return a system of this file's own, whose limits on guesses are the usual ones.

    Thousands of connections from one address are more than it may open in a minute; but here it is
    to be seen what stops those that have got in.
    """
    settings = {
        "RATE_LIMIT_CONNECTIONS": "100000",
        "RATE_LIMIT_SESSION_CREATION": "1000",
        "RATE_LIMIT_CONTROL_MESSAGES": "1000",
    }
    with browser.Running(settings=settings) as running:
        yield running


class Guessed(NamedTuple):
    """How guesses ended, by address: codes of errors, or `unanswered`.

    That is where the connection was closed, or the gateway had an error of its own: then the machine
    was too slow, and nobody knows whether the guess was looked at.
    """

    by_address: dict[str, Counter]
    seconds: float

    def total(self, code):
        return sum(counts[code] for counts in self.by_address.values())

    @property
    def most_looks(self):
        """How many guesses of one address may be looked at in the windows of this time."""
        return LIMIT * (1 + int(self.seconds // WINDOW_SECONDS) + 1)


@contextlib.asynccontextmanager
async def client(url, address):
    async with open_socket(
        url,
        subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
        local_addr=(address, 0),
        compression=None,
        proxy=None,
        open_timeout=PATIENCE_SECONDS,
    ) as socket:
        yield socket


async def ask(socket, action, **fields):
    """Send a message and return the next one that comes."""
    await socket.send(json.dumps({"action": action, **fields}))
    async with asyncio.timeout(PATIENCE_SECONDS):
        return json.loads(await socket.recv())


async def join(url, address, session_id, **fields):
    async with client(url, address) as socket:
        return await ask(socket, "joinSession", sessionId=session_id, targetLanguage="fr", **fields)


def wrong_id(number):
    """Return an id that nobody has: sessions are not called so."""
    return f"wrong-guess-{number % 1000:03}"


async def guess(url, total, addresses):
    """Try so many ids, from all addresses in turn, on as many connections as it takes."""
    counts = {address: Counter() for address in addresses}
    places = asyncio.Semaphore(AT_A_TIME)

    async def try_some(address, first, number):
        async with places, client(url, address) as socket:
            for index in range(first, first + number):
                message = {"action": "joinSession", "targetLanguage": "fr"}
                await socket.send(json.dumps({**message, "sessionId": wrong_id(index)}))
            answered = 0
            with contextlib.suppress(websockets.ConnectionClosed):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while answered < number:
                        reply = json.loads(await socket.recv())
                        counts[address][reply.get("code", "unanswered")] += 1
                        answered += 1
            counts[address]["unanswered"] += number - answered

    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for index in range(0, total, PER_CONNECTION):
            address = addresses[index // PER_CONNECTION % len(addresses)]
            group.create_task(try_some(address, index, min(PER_CONNECTION, total - index)))
    return Guessed(counts, time.monotonic() - started)


def play(running, scenario):
    """Return what a scenario returns; it gets the address, and the id of a session that it may join."""

    async def main():
        url = running.system.url
        async with asyncio.timeout(SECONDS), client(url, "127.0.0.1") as speaker:
            created = await ask(speaker, "createSession", sourceLanguage="en")
            return await scenario(url, created["sessionId"])

    return running.loop.run(main())


def addresses(first, count):
    return [f"127.{first}.0.{number}" for number in range(1, count + 1)]


def test_each_client_has_an_address_of_its_own(running):
    async def scenario(url, session_id):
        async with client(url, "127.9.0.1"), client(url, "127.9.0.2"):
            sockets = running.system.api.connections()
            return Counter(connection.client.source_ip for connection in sockets)

    assert play(running, scenario) == {"127.0.0.1": 1, "127.9.0.1": 1, "127.9.0.2": 1}


class Outcome(NamedTuple):
    guessed: Guessed
    beside: dict  # the answer to an honest listener of an address that guesses
    elsewhere: dict  # and of another one


def guessing(total, guessers, elsewhere):
    async def scenario(url, session_id):
        guessed = await guess(url, total, guessers)
        beside = await join(url, guessers[0], session_id)
        return Outcome(guessed, beside, await join(url, elsewhere, session_id))

    return scenario


@pytest.mark.parametrize(
    ("total", "num_addresses", "first"),
    [
        pytest.param(300, 1, 1, id="300-from-1"),
        pytest.param(600, 50, 2, id="600-from-50", marks=pytest.mark.long),
        pytest.param(10_000, 1, 3, id="10000-from-1", marks=pytest.mark.long),
        pytest.param(10_000, 50, 4, id="10000-from-50", marks=pytest.mark.long),
    ],
)
@pytest.mark.threat("guessed-id", "ws-test-flood")
def test_few_of_many_guesses_are_looked_at(running, record_property, total, num_addresses, first):
    guessers = addresses(first, num_addresses)

    guessed, beside, elsewhere = play(running, guessing(total, guessers, f"127.{first}.1.1"))

    looks = guessed.total("SESSION_NOT_FOUND")
    refused = guessed.total("RATE_LIMIT_EXCEEDED")
    record_property("looks", looks)
    record_property("refused", refused)
    record_property("unanswered", guessed.total("unanswered"))
    record_property("seconds", round(guessed.seconds, 1))
    by_address = {
        address: counts["SESSION_NOT_FOUND"] for address, counts in guessed.by_address.items()
    }
    assert max(by_address.values()) <= guessed.most_looks
    assert looks + refused + guessed.total("unanswered") == total
    assert elsewhere["type"] == "sessionJoined"
    if guessed.seconds < WINDOW_SECONDS - 10 and not guessed.total("unanswered"):
        assert by_address == dict.fromkeys(guessers, LIMIT)
        assert beside["code"] == "RATE_LIMIT_EXCEEDED"
        assert 0 < beside["details"]["retryAfterMs"] <= WINDOW_SECONDS * 1000


@pytest.mark.long
def test_honest_listener_beside_one_who_guesses_is_in_after_a_minute_at_most(
    running, record_property
):
    async def scenario(url, session_id):
        await guess(url, 2 * LIMIT, ["127.5.0.1"])
        started = time.monotonic()
        refused = await join(url, "127.5.0.1", session_id)
        await asyncio.sleep(refused["details"]["retryAfterMs"] / 1000)
        joined = await join(url, "127.5.0.1", session_id)
        return refused, joined, time.monotonic() - started

    refused, joined, seconds = play(running, scenario)

    record_property("seconds", round(seconds, 1))
    assert refused["code"] == "RATE_LIMIT_EXCEEDED"
    assert joined["type"] == "sessionJoined"
    assert seconds < WINDOW_SECONDS + 5


@pytest.mark.long
def test_crowd_behind_one_address_is_in_at_once(running, record_property):
    """More than may fail, all of them at once; nobody is refused, and nobody has to come again."""

    async def scenario(url, session_id):
        async with contextlib.AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(client(url, "127.6.0.1")) for _ in range(40)]
            started = time.monotonic()
            replies = await asyncio.gather(
                *(
                    ask(socket, "joinSession", sessionId=session_id, targetLanguage="fr")
                    for socket in sockets
                )
            )
            return Counter(reply["type"] for reply in replies), time.monotonic() - started

    kinds, seconds = play(running, scenario)

    record_property("seconds", round(seconds, 2))
    assert kinds == {"sessionJoined": 40}
