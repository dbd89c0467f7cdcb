"""The running system as tests use it: speakers and listeners on real sockets, tables and logs."""

import asyncio
import contextlib
import time

import pytest

from local.audio import JitterBuffer
from local.client import connect
from local.talk import Heard, hear
from tests.sounds import read_wav

# The first messages wait for functions that start; on a busy machine that takes seconds.
PATIENCE_SECONDS = 20


class Live:
    """The running system, for tests that are not asynchronous themselves."""

    def __init__(self, loop, system):
        self.system = system
        self.run = loop.run
        self.client = system.emulator.client

    def play(self, scenario):
        """Run `scenario(Stage)` with connections that are closed at its end, for at most 60 s."""

        async def main():
            async with contextlib.AsyncExitStack() as stack, asyncio.timeout(60):
                return await scenario(Stage(self.system, stack))

        return self.run(main())

    def redeploy(self, edit):
        """Deploy the template as `edit` changes it."""
        self.run(self.system.redeploy(edit))

    def table(self, base):
        """Return the name of a table in the emulator."""
        return f"{base}-{self.system.stage}"

    def item(self, base, **key):
        """Return an item as DynamoDB has it, None if it is not there."""
        [(name, value)] = key.items()
        found = self.client("dynamodb").get_item(
            TableName=self.table(base), Key={name: {"S": value}}, ConsistentRead=True
        )
        return found.get("Item")

    def lines(self, function, pattern):
        """Return the events of a function's log group that CloudWatch's filter pattern finds.

        A function writes its summary after it has answered, so that the first look may be too early.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.run(self.system.api.flush())
            found = self.client("logs").filter_log_events(
                logGroupName=f"/aws/lambda/websocket-audio-{self.system.stage}-{function}",
                filterPattern=pattern,
            )["events"]
            if found or time.monotonic() > until:
                return found

    def housekeeping(self):
        """Run housekeeping now, as its schedule does."""
        [schedule] = self.system.schedules
        result = self.run(self.system.run_schedule(schedule))
        assert result.error is None
        return result


class Stage:
    """Makes speakers and listeners for one scenario."""

    def __init__(self, system, stack):
        self.system = system
        self.url = system.url
        self._stack = stack

    async def connect(self):
        """Return a client that is connected and nothing else."""
        return await self._stack.enter_async_context(connect(self.url))

    async def speaker(self, **fields):
        """Return a client with a session, and what `createSession` was answered."""
        client = await self.connect()
        return client, await client.request("createSession", **{"sourceLanguage": "en", **fields})

    async def listener(self, session, language="es"):
        """Return a client that has joined, and what `joinSession` was answered."""
        client = await self.connect()
        joined = await client.request("joinSession", sessionId=session, targetLanguage=language)
        return client, joined

    async def handled(self, function, count):
        """Wait until a function has answered so many messages, since the system started."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.invocations(function) < count:
                await asyncio.sleep(0.02)

    def invocations(self, function):
        """Return how many messages a function has answered."""
        states = self.system.api.states()
        return sum(s.invocations - s.busy for s in states if s.name.endswith(f"-{function}"))

    def hearing(self, client, joined, first=0):
        """Return what a listener hears from chunk `first` on, and the task that ends with it."""
        heard = Heard(joined["audioFormat"], JitterBuffer(PATIENCE_SECONDS, first))
        return heard, asyncio.create_task(hear(client, heard))


@pytest.fixture(scope="session")
def live(running):
    return Live(running.loop, running.system)


@pytest.fixture
def restored(live):
    """Deploy the template as it is after a test that changes it."""
    yield
    live.redeploy(lambda template: template)


@pytest.fixture(scope="session")
def speech():
    from local.__main__ import SPEECH

    return read_wav(SPEECH)
