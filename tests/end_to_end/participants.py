"""Participants who say who sends each chunk, and keep what they hear by what they were to hear then.

A chunk's bytes are its sender's name and its number. Times are seconds of the loop's clock.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import websockets
from websockets.asyncio.client import connect as open_socket

from local.client import SUBPROTOCOL

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.client import ClientConnection

__all__ = ["FLOOR", "GAP", "NOTHING", "ON_THE_WAY", "Chunk", "Participant", "Scene", "until"]

FLOOR = "floor"
NOTHING = "nothing"  # while the speaker has paused, or is muted and the floor is heard
CHUNK_SECONDS = 0.2
# For two seconds an environment may act on what it has read, and half a second longer if the store is slow.
GAP = math.ceil(2.5 / CHUNK_SECONDS)
# What was on its way when something else was heard: a busy machine takes a while.
ON_THE_WAY = round(1.0 / CHUNK_SECONDS)
# After the gap so many have to come, one after the other.
ENOUGH = 3
PATIENCE_SECONDS = 20.0
NUM_BYTES = 120  # of a chunk; the least is 100


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


class Chunk(NamedTuple):
    """Who has sent it, and which one it is."""

    sender: str
    number: int


@dataclass
class Period:
    """A time in which a participant was to hear one channel, the floor, or nothing.

    `others` are chunks of another one, with its name: a client does not play them.
    """

    hears: str
    since: float
    until: float = float("inf")
    played: list[Chunk] = field(default_factory=list)
    others: list[tuple[str, Chunk]] = field(default_factory=list)


class Participant:
    """A connection whose messages are kept; `sent` has when each chunk was, by number."""

    def __init__(self, name: str, socket: ClientConnection, hears: str | None = None) -> None:
        self.name = name
        self.token = ""
        self.sent: dict[int, float] = {}
        # The first one lasts until a message says what is to be heard; what comes before is not played.
        self.periods = [Period(NOTHING, asyncio.get_running_loop().time())]
        self.messages: list[dict] = []  # all but audio
        self.unfit: list[dict] = []  # audio that has another one's number
        self.is_closed = False
        self.is_speaking = False
        self._socket = socket
        self._hears = hears
        self._is_paused = self._is_muted = False
        self._requests = 0
        self._speaking: asyncio.Task[None] | None = None
        self._reading = asyncio.create_task(self._read())

    # --- sending

    async def request(self, action: str, **fields: object) -> dict:
        """Send a message and return its reply, which may be an error."""
        self._requests += 1
        name = f"request-{self._requests}"
        await self.send(action, requestId=name, **fields)
        await until(lambda: self._with_id(name))
        [reply] = self._with_id(name)
        self.token = reply.get("refreshToken", self.token)
        return reply

    def speak(self, first: int = 0) -> None:
        """Send chunks from now on, numbered from `first`."""
        self.is_speaking = True
        self._speaking = asyncio.create_task(self._speak(first))

    async def fall_silent(self) -> int:
        """Send no more chunks; return the number of the next one."""
        self.is_speaking = False
        self._speaking.cancel()
        await asyncio.wait([self._speaking])
        return max(self.sent) + 1

    async def _speak(self, number: int) -> None:
        while True:
            self.sent[number] = asyncio.get_running_loop().time()
            pcm = f"{self.name} {number} ".ljust(NUM_BYTES).encode()
            await self.send(
                "sendAudio",
                audioData=base64.b64encode(pcm).decode(),
                sequenceNumber=number,
                timestamp=time.time_ns() // 1_000_000,
                requestId=f"chunk-{number}",
            )
            number += 1
            await asyncio.sleep(CHUNK_SECONDS)

    async def send(self, action: str, **fields: object) -> None:
        """Send a message."""
        await self._socket.send(json.dumps({"action": action, **fields}))

    def vanish(self) -> None:
        """End the connection without a close, as a lost network does."""
        self._socket.transport.abort()

    async def leave(self) -> None:
        """End the connection as a client does, and all that is done on it."""
        for task in filter(None, (self._speaking, self._reading)):
            task.cancel()
        await self._socket.close()

    # --- what came

    @property
    def now(self) -> Period:
        """What is to be heard since the last message that said so."""
        return self.periods[-1]

    @property
    def heard_channels(self) -> list[str]:
        """What was to be heard, one after the other."""
        return [period.hears for period in self.periods[1:]]

    @property
    def refused(self) -> dict[int, str]:
        """By number, the codes of the errors that have refused chunks."""
        return {
            int(message["requestId"].removeprefix("chunk-")): message["code"]
            for message in self.messages
            if message.get("requestId", "").startswith("chunk-")
        }

    def of_type(self, kind: str) -> list[dict]:
        """Return the messages of a type."""
        return [message for message in self.messages if message["type"] == kind]

    async def expect(self, kind: str, count: int = 1) -> dict:
        """Return the last message of a type, once there are so many."""
        await until(lambda: len(self.of_type(kind)) >= count)
        return self.of_type(kind)[-1]

    def _with_id(self, name: str) -> list[dict]:
        return [message for message in self.messages if message.get("requestId") == name]

    async def _read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for frame in self._socket:
                self._take(json.loads(frame))
        self.is_closed = True
        self._end_period()

    def _take(self, message: dict) -> None:
        kind = message["type"]
        if kind == "audio":
            self._hear(message)
            return
        self.messages.append(message)
        if kind in {"interpreterReady", "connectionRefreshComplete"}:
            self._begin_period(self._hears or FLOOR)
        elif "hears" in message:
            self._begin_period(message["hears"])
        elif self._hears and kind in {"broadcastPaused", "broadcastResumed"}:
            self._is_paused = kind == "broadcastPaused"
            self._begin_period(self._hears)
        elif self._hears and kind in {"broadcastMuted", "broadcastUnmuted"}:
            self._is_muted = kind == "broadcastMuted"
            if self._hears == FLOOR:
                self._begin_period(FLOOR)

    def _begin_period(self, hears: str) -> None:
        self._end_period()
        self._hears = hears
        is_silent = self._is_paused or (self._is_muted and hears == FLOOR)
        since = asyncio.get_running_loop().time()
        self.periods.append(Period(NOTHING if is_silent else hears, since))

    def _end_period(self) -> None:
        if self.now.until == float("inf"):
            self.now.until = asyncio.get_running_loop().time()

    def _hear(self, message: dict) -> None:
        channel = message.get("language", FLOOR)
        name, number, _ = base64.b64decode(message["audioData"]).decode().split(" ", 2)
        chunk = Chunk(name, int(number))
        if chunk.number != message["sequenceNumber"]:
            self.unfit.append(message)
        elif channel == self.now.hears:
            self.now.played.append(chunk)
        else:
            self.now.others.append((channel, chunk))


class Scene:
    """A session with its participants, and what each of them was to hear."""

    def __init__(self, url: str, stack: contextlib.AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self.participants: list[Participant] = []
        self.channels: dict[str, str] = {}  # by the name of who speaks there
        self.session_id = self.key = ""

    # --- who takes part

    async def speaker(self, name: str = "speaker") -> Participant:
        """Open the session."""
        speaker = await self.connected(name)
        created = await speaker.request("createSession", sourceLanguage="en")
        self.session_id, self.key = created["sessionId"], created["interpreterKey"]
        self.channels[name] = FLOOR
        return speaker

    async def listener(self, name: str, language: str, **fields: object) -> Participant:
        """Return one who has joined."""
        listener = await self.connected(name)
        joined = await listener.request(
            "joinSession", sessionId=self.session_id, targetLanguage=language, **fields
        )
        assert joined["type"] == "sessionJoined", joined
        return listener

    async def interpreter(self, name: str, language: str) -> Participant:
        """Return one who has joined, as the only one of a language."""
        interpreter = await self.connected(name)
        ready = await self.interpret(interpreter, language)
        assert ready["type"] == "interpreterReady", ready
        return interpreter

    async def interpret(self, client: Participant, language: str, key: str = "") -> dict:
        """Ask to interpret a language, and return the answer."""
        self.channels[client.name] = language
        return await client.request(
            "joinAsInterpreter",
            sessionId=self.session_id,
            language=language,
            interpreterKey=key or self.key,
        )

    async def refreshed(self, left: Participant) -> Participant:
        """Return a participant on another connection, who is the same to all."""
        again = await self.connected(left.name, left.now.hears)
        reply = await self.refresh(again, left)
        assert reply["type"] == "connectionRefreshComplete", reply
        return again

    async def refresh(self, client: Participant, left: Participant) -> dict:
        """Ask for the place of a participant, and return the answer."""
        return await client.request(
            "refreshConnection", sessionId=self.session_id, refreshToken=left.token
        )

    async def connected(self, name: str, hears: str | None = None) -> Participant:
        """Return a client that is connected and nothing else."""
        socket = await open_socket(
            self._url,
            subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
            compression=None,
            proxy=None,
        )
        participant = Participant(name, socket, hears)
        self._stack.push_async_callback(participant.leave)
        self.participants.append(participant)
        return participant

    # --- what they were to hear

    def sent(self, channel: str | None = None) -> list[tuple[float, Chunk]]:
        """Return what was sent, on one channel or on all, with when, in its order; not what was refused."""
        return sorted(
            (at, Chunk(one.name, number))
            for one in self.participants
            for number, at in one.sent.items()
            if channel in {None, self.channels[one.name]} and number not in one.refused
        )

    def due(self, period: Period) -> list[Chunk]:
        """Return what was sent in a period on the channel that was to be heard in it."""
        return [chunk for at, chunk in self.sent(period.hears) if period.since <= at < period.until]

    async def heard_on(self, *participants: Participant) -> None:
        """Wait until the gap is over for these, and enough has been sent after it."""
        for one in participants:
            channel = FLOOR if one.now.hears == NOTHING else one.now.hears
            period = replace(one.now, hears=channel)
            await until(lambda period=period: len(self.due(period)) >= GAP + ENOUGH)

    async def fall_silent(self) -> None:
        """Have nobody speak any more."""
        for one in self.participants:
            if one.is_speaking:
                await one.fall_silent()

    def lost(self, period: Period) -> list[Chunk]:
        """Return what was due and not heard in a period, but for the gaps at its ends.

        There is none at its begin if the sender began later: the first chunk is heard by all.
        """
        due, played = self.due(period), set(period.played)
        has_gap = any(at < period.since for at, _ in self.sent(period.hears))
        first = GAP if has_gap else 0
        last = len(due) - (ON_THE_WAY if period.until < float("inf") else 0)
        return [chunk for chunk in due[first:last] if chunk not in played]

    def late(self, period: Period) -> list[Chunk]:
        """Return what came of other channels though it was sent when the gap was over."""
        over = {
            chunk
            for channel in {channel for channel, _ in period.others}
            for chunk in [c for at, c in self.sent(channel) if at >= period.since][GAP:]
        }
        return [chunk for _, chunk in period.others if chunk in over]

    def check(self) -> None:
        """Check that nobody has got what is another's, twice, or when its time was over."""
        for one in self.participants:
            assert one.unfit == [], one.name
            assert one.periods[0].others == [] or one.heard_channels, one.name
            for period in one.periods[1:]:
                came = [*((period.hears, chunk) for chunk in period.played), *period.others]
                assert all(self.channels[chunk.sender] == name for name, chunk in came)
                assert len(set(came)) == len(came), one.name
                assert one.name not in self.channels or {name for name, _ in came} <= {FLOOR}
                assert self.late(period) == [], (one.name, period.hears)

    def all_lost(self) -> dict[Chunk, str]:
        """Return what somebody was to hear and has not, but for the gaps, with who, and where in its period."""
        return {
            chunk: f"{one.name}, {period.hears}, {self.due(period).index(chunk)} of {len(self.due(period))}"
            for one in self.participants
            for period in one.periods[1:]
            for chunk in self.lost(period)
        }

    def unheard(self) -> set[Chunk]:
        """Return what was sent and nobody got, to be played or not."""
        periods = [period for one in self.participants for period in one.periods]
        played = {chunk for period in periods for chunk in period.played}
        others = {chunk for period in periods for _, chunk in period.others}
        return {chunk for _, chunk in self.sent()} - played - others
