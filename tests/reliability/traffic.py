"""Sessions under load in the running system, and an account of every chunk that was sent.

A chunk is accounted for if a listener heard it, if its speaker was refused it, or if a metric of the
functions counts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, NamedTuple

import websockets
from websockets.asyncio.client import connect as open_socket

from local.client import SUBPROTOCOL, RequestRefusedError, connect
from tests.reliability.clients import (
    CHUNK_SECONDS,
    PATIENCE_SECONDS,
    AtGateway,
    Listener,
    Phase,
    Speaker,
    chunk_event,
)
from tests.reliability.counts import FunctionLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.client import SessionClient
    from local.system import System
    from wslocal import Connection, Faults
    from wslocal.lambda_host.function import FunctionState

__all__ = ["KNOWN_SECONDS", "Account", "Asked", "Session", "Traffic", "p95"]

# An environment of the audio function may act on what it read so long ago.
KNOWN_SECONDS = 2.1
# After a failure an environment refuses what it does not know, and asks beside, for so long.
STORE_SECONDS = 2.1
MAX_ENVIRONMENTS = 4  # as LocalApi has it


class Asked(NamedTuple):
    """What a request was answered, and after how many seconds."""

    action: str
    seconds: float
    reply: dict


class Session:
    """A speaker, those who listen, and those who have joined and take nothing."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker = speaker
        self.listeners: list[Listener] = []
        self.stuck: list[AtGateway] = []
        self.speaks = True  # in `Traffic.speak`

    def missing(self, listener: Listener) -> set[int]:
        """Return what a listener has not heard, and the speaker was not refused."""
        return self.speaker.sent.keys() - listener.heard.keys() - self.speaker.refused.keys()

    def sent_in(self, phase: Phase) -> set[int]:
        """Return the numbers of the chunks that were sent in a phase."""
        return {number for number, at in self.speaker.sent.items() if phase.has(at)}


class Traffic:
    """Makes sessions in the running system, has them speak, and keeps the account."""

    def __init__(self, system: System, stack: contextlib.AsyncExitStack) -> None:
        self.system = system
        self.sessions: list[Session] = []
        self.lines = FunctionLines()
        self._stack = stack
        self._connecting = asyncio.Lock()  # who is new, is the one that has just connected
        stack.callback(system.api.subscribe(self.lines.take))

    @property
    def now(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    @property
    def faults(self) -> Faults:
        """What can be made to fail."""
        return self.system.api.faults

    async def begin(self) -> None:
        """Begin the account, before anybody speaks: what earlier traffic has left is written first."""
        await self.settle()
        self.lines.clear()

    # --- who takes part

    async def session(self, listeners: int, *, speaks: bool = True) -> Session:
        """Return a new session with so many who listen; only some take part in `speak`."""
        client, connection = await self._connected()
        created = await client.request("createSession", sourceLanguage="en")
        session = Session(Speaker(client, created, connection))
        self._stack.push_async_callback(session.speaker.end)
        session.speaks = speaks
        for _ in range(listeners):
            session.listeners.append(await self.listener(session))
        self.sessions.append(session)
        return session

    async def channel(self, session: Session, language: str, listeners: int) -> Session:
        """Return a new interpreter and so many who hear it, as a session: it speaks and is counted as one."""
        client, connection = await self._connected()
        speaker = session.speaker
        ready = await client.request(
            "joinAsInterpreter",
            sessionId=speaker.session_id,
            language=language,
            interpreterKey=speaker.interpreter_key,
        )
        channel = Session(Speaker(client, ready, connection))
        self._stack.push_async_callback(channel.speaker.end)
        for _ in range(listeners):
            channel.listeners.append(await self.listener(session, language))
        self.sessions.append(channel)
        return channel

    async def listener(self, session: Session, language: str = "ja") -> Listener:
        """Return a new listener of a session, which is none of those that the account is about."""
        client, connection = await self._connected()
        joined = await client.request(
            "joinSession", sessionId=session.speaker.session_id, targetLanguage=language
        )
        return self._listening(client, joined["refreshToken"], connection)

    def _listening(self, client: SessionClient, token: str, connection: Connection) -> Listener:
        listener = Listener(client, token, connection)
        self._stack.callback(listener.end)
        return listener

    async def stuck_listener(self, session: Session) -> AtGateway:
        """Have a client join that reads nothing from then on; return what the gateway does with it."""
        async with self._connecting:
            before = self._ids()
            socket = await open_socket(
                self.system.url,
                subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
                compression=None,
                proxy=None,
                max_queue=1,  # frames, before it leaves what comes to the system's buffers
                ping_interval=None,
            )
            self._stack.callback(socket.transport.abort)
            connection = self._new_connection(before)
        join = {"action": "joinSession", "sessionId": session.speaker.session_id}
        await socket.send(json.dumps({**join, "targetLanguage": "fr"}))
        joined = json.loads(await socket.recv())
        assert joined["type"] == "sessionJoined", joined
        return AtGateway(connection)

    async def returned(self, session: Session, listener: Listener) -> Listener:
        """Return a listener who has come back with the token of one whose connection is closed."""
        client, connection, token = await self._returned(session, listener.token)
        return self._listening(client, token, connection)

    async def return_speaker(self, session: Session) -> None:
        """Have a speaker whose connection is closed come back with its token."""
        session.speaker.move_to(*await self._returned(session, session.speaker.token))

    async def _returned(
        self, session: Session, token: str
    ) -> tuple[SessionClient, Connection, str]:
        """Return a connection that has taken over, and the next token."""
        client, connection = await self._connected()
        name = session.speaker.session_id
        reply = await client.request("refreshConnection", sessionId=name, refreshToken=token)
        await client.request("heartbeat")
        return client, connection, reply["refreshToken"]

    async def connect(self) -> SessionClient:
        """Return a client that is connected and nothing else."""
        return (await self._connected())[0]

    async def _connected(self) -> tuple[SessionClient, Connection]:
        async with self._connecting:
            before = self._ids()
            client = await self._stack.enter_async_context(connect(self.system.url))
            return client, self._new_connection(before)

    def _ids(self) -> set[str]:
        return {one.client.connection_id for one in self.system.api.connections()}

    def _new_connection(self, before: set[str]) -> Connection:
        [new] = [
            one for one in self.system.api.connections() if one.client.connection_id not in before
        ]
        return new

    # --- what happens

    async def speak(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> Phase:
        """Have all sessions speak at once, not all in the same moment, until it is `enough`."""
        since = self.now
        speakers = [session.speaker for session in self.sessions if session.speaks]
        step = CHUNK_SECONDS / len(speakers)
        speaking = [
            one.speak(seconds, number * step, enough) for number, one in enumerate(speakers)
        ]
        await asyncio.gather(*speaking)
        return Phase(since, self.now)

    async def warm_up(self) -> None:
        """Speak until every listener hears without delay: functions have started."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                phase = await self.speak(1.0)
                await self.idle()
                if not self.unheard(phase) and max(self.latencies(phase)) < 500:
                    return

    async def make_known(self) -> None:
        """Have as many environments of the audio function as there may be know every session."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while [state.environments for state in self.states("audio")] != [MAX_ENVIRONMENTS]:
                await self._in_each_environment([chunk_event(0, "nobody")] * MAX_ENVIRONMENTS)
            for session in self.sessions:
                statuses = [0] if session.speaks else []
                while set(statuses) - {200}:
                    if 500 in statuses:  # a busy machine: one could not read it in time
                        await asyncio.sleep(STORE_SECONDS)
                    events = [session.speaker.next_event() for _ in range(MAX_ENVIRONMENTS)]
                    statuses = await self._in_each_environment(events)

    async def _in_each_environment(self, events: list[dict]) -> list[int]:
        """Have the audio function handle events at once, one in each environment; return the statuses."""
        await self.idle()  # or one that is busy would leave its event to another
        calls = [
            self.system.api.invoke(state.name, event)
            for state in self.states("audio")
            for event in events
        ]
        return [result.payload["statusCode"] for result in await asyncio.gather(*calls)]

    async def idle(self) -> None:
        """Wait until the audio function has nothing to do, and all that was posted is read."""
        await asyncio.sleep(0.1)  # what was sent just now is on its way
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(state.busy or state.waiting for state in self.states("audio")):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)

    async def ask(self, client: SessionClient, action: str, **fields: object) -> Asked:
        """Send a request, and return what it was answered and when."""
        since = self.now
        try:
            reply = await client.request(action, **fields)
        except RequestRefusedError as refused:
            reply = refused.reply
        return Asked(action, self.now - since, reply)

    async def settle(self) -> None:
        """Have the audio function write what it counts in windows.

        A failure waits for no window.
        """
        environments = sum(state.environments for state in self.states("audio"))
        with self.faults.table(None, error="InternalServerError"):
            await self._in_each_environment([chunk_event(0, "nobody")] * environments)
        await asyncio.sleep(STORE_SECONDS)  # or the next chunks would be refused

    def states(self, function: str) -> list[FunctionState]:
        """Return what a function has running, nothing before its first event."""
        return [one for one in self.system.api.states() if one.name.endswith(f"-{function}")]

    # --- the account

    def latencies(self, phase: Phase) -> list[float]:
        """Return the latencies of the chunks of all sessions that were sent in a phase."""
        return [
            listener.heard[number]
            for session in self.sessions
            for listener in session.listeners
            for number in session.sent_in(phase) & listener.heard.keys()
        ]

    def unheard(self, phase: Phase, sessions: list[Session] | None = None) -> int:
        """Return how many chunks of a phase did not reach a listener, for whatever reason.

        Of sessions that take part in `speak`, unless others are given.
        """
        speaking = [session for session in self.sessions if session.speaks]
        return sum(
            len(session.sent_in(phase) - listener.heard.keys())
            for session in (speaking if sessions is None else sessions)
            for listener in session.listeners
        )

    def refused(self, phase: Phase) -> int:
        """Return how many chunks of a phase the speakers were refused."""
        return sum(len(one.sent_in(phase) & one.speaker.refused.keys()) for one in self.sessions)

    async def account(self) -> Account:
        """Return what became of the chunks, once nothing is on its way."""
        await self.settle()
        return Account(self.sessions, self.lines)


class Account:
    """What became of each chunk that was to reach those who read.

    `missing` were neither heard nor refused. A metric counts each of them, once: as a post that failed,
    or, `silent`, as a chunk that was dropped for all. A post without an answer in time is counted too,
    and may have been delivered.
    """

    def __init__(self, sessions: list[Session], lines: FunctionLines) -> None:
        self.sent = sum(len(session.speaker.sent) for session in sessions)
        self.refused = sum(len(session.speaker.refused) for session in sessions)
        self.due = sum(len(one.speaker.sent) * len(one.listeners) for one in sessions)
        self.heard = sum(len(each.heard) for one in sessions for each in one.listeners)
        self.twice = sum(each.twice for one in sessions for each in one.listeners)
        self.missing = sum(len(one.missing(each)) for one in sessions for each in one.listeners)
        self.from_gateway = sum(len(session.speaker.from_gateway) for session in sessions)
        self.failures = lines.sums("audio", "ListenerNotificationFailures")
        # While a busy store does not answer, what an environment remembers of a session serves for longer.
        self.unanswered = lines.sums("audio", "DynamoDBErrors").get("DeadlineExceeded", 0)
        counts = lines.sums("audio", "AudioChunksDropped")
        # A reason in capitals is a code, of an error reply; those of calls of our own are among them.
        self.dropped = {reason: n for reason, n in counts.items() if reason.islower()}
        self.silent = sum(self.dropped.values())
        self.refused_by_count = sum(counts.values()) - self.silent

    @property
    def given_up(self) -> int:
        """How many posts were given up though nothing was wrong: a busy machine may answer late."""
        return int(self.failures.get("timeout", 0) + self.failures.get("skipped", 0))

    def uncounted(self, listeners: int) -> int:
        """Return how many chunks are missing and not counted, in sessions of so many; below 0 the reverse."""
        over = self.missing - sum(self.failures.values()) - listeners * self.silent
        return max(over, 0) or min(over + self.failures.get("timeout", 0), 0)

    def __repr__(self) -> str:
        return repr(vars(self))


def p95(latencies: list[float]) -> float:
    """Return what 95 of a hundred chunks did not exceed."""
    return sorted(latencies)[int(0.95 * (len(latencies) - 1))]
