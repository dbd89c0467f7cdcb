"""Speakers and listeners on real sockets, and what the gateway does with the chunks for one of them.

A speaker sends 10 chunks a second of 100 ms each. Times are seconds of the loop's clock, latencies
are milliseconds.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

from local.client import SessionClientError
from shared_utils.testing import message_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.client import SessionClient
    from wslocal import Connection

__all__ = [
    "CHUNK_SECONDS",
    "PATIENCE_SECONDS",
    "AtGateway",
    "Listener",
    "Phase",
    "Speaker",
    "chunk_event",
]

CHUNK_SECONDS = 0.1
AUDIO = base64.b64encode(bytes(range(200)) * 16).decode()  # 100 ms of PCM16 at 16 kHz
# Functions that start share two cores with everything else.
PATIENCE_SECONDS = 30.0


class Phase(NamedTuple):
    """A time in which chunks were sent."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.until - self.since

    def has(self, moment: float) -> bool:
        """Return whether a moment lies in it."""
        return self.since <= moment <= self.until


class Speaker:
    """Sends numbered chunks; each has a `requestId`, so that a refusal says which one it means."""

    def __init__(self, client: SessionClient, created: dict, connection: Connection) -> None:
        self.client = client
        self.at_gateway = AtGateway(connection)
        self.session_id: str = created["sessionId"]
        self.token: str = created["refreshToken"]
        self.interpreter_key: str = created.get("interpreterKey", "")
        self.expires_at: float = created.get("expiresAt", 0) / 1000  # epoch seconds
        self.sent: dict[int, float] = {}  # when, by number
        self.refused: dict[int, dict] = {}  # the error message, by number
        self.refused_after: dict[int, float] = {}  # seconds, by number
        self.from_gateway: list[str] = []  # what the gateway itself said instead of a function
        self.notices: list[tuple[float, dict]] = []
        self._reading = asyncio.create_task(self._read())

    async def speak(
        self, seconds: float, offset: float = 0.0, enough: Callable[[], bool] = lambda: False
    ) -> None:
        """Send a chunk each 100 ms, until it is `enough` or the connection has ended."""
        loop = asyncio.get_running_loop()
        begun = loop.time() + offset
        with contextlib.suppress(SessionClientError):
            for index in range(round(seconds / CHUNK_SECONDS)):
                await asyncio.sleep(begun + index * CHUNK_SECONDS - loop.time())
                if enough():
                    return
                await self.send_chunk()

    async def send_chunk(self) -> int:
        """Send the next chunk, and return its number."""
        number = len(self.sent)
        await self.client.send(**_chunk(number))
        self.sent[number] = asyncio.get_running_loop().time()
        return number

    def next_event(self) -> dict:
        """Return the next chunk as the gateway gives it to a function; it counts as sent."""
        number = len(self.sent)
        self.sent[number] = asyncio.get_running_loop().time()
        return chunk_event(number, self.at_gateway.id)

    async def end(self) -> None:
        """End the session, so that housekeeping need not, and stop reading."""
        with contextlib.suppress(SessionClientError):
            await self.client.request("endSession")
        self._reading.cancel()

    def kinds(self) -> list[str]:
        """Return the types of the messages that were no replies."""
        return [message["type"] for _, message in self.notices]

    async def expect(self, kind: str, count: int) -> None:
        """Wait for so many messages of a type that were no replies."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.kinds().count(kind) < count:
                await asyncio.sleep(0.02)

    def move_to(self, client: SessionClient, connection: Connection, token: str) -> None:
        """Go on with another connection, and the token that came there."""
        self._reading.cancel()
        self.token = token
        self.client, self.at_gateway = client, AtGateway(connection)
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await self.client.messages.get()
            chunk = str(message.get("requestId", ""))
            if "type" not in message:
                self.from_gateway.append(message["message"])
            elif message["type"] == "error" and chunk.startswith("chunk-"):
                number = int(chunk.removeprefix("chunk-"))
                self.refused[number] = message
                self.refused_after[number] = loop.time() - self.sent[number]
            else:
                self.notices.append((loop.time(), message))


def _chunk(number: int) -> dict:
    return {
        "action": "sendAudio",
        "audioData": AUDIO,
        "sequenceNumber": number,
        "timestamp": time.time_ns() // 1_000_000,
        "requestId": f"chunk-{number}",
    }


def chunk_event(number: int, connection_id: str) -> dict:
    """Return a chunk as the gateway gives it to a function, without a time: it is never late."""
    return message_event(_chunk(number), connection_id, requestTimeEpoch=None)


class Listener:
    """Reads whatever comes, and notes how long each chunk took; `heard` is of the channel that is heard."""

    def __init__(self, client: SessionClient, token: str, connection: Connection) -> None:
        self.client = client
        self.at_gateway = AtGateway(connection)
        self.token = token
        self.heard: dict[int, float] = {}  # latency, by number
        self.twice = 0
        self.notices: list[tuple[float, dict]] = []
        self._reading = [asyncio.create_task(self._hear()), asyncio.create_task(self._read())]

    def end(self) -> None:
        """Stop reading."""
        for task in self._reading:
            task.cancel()

    def errors(self) -> list[str]:
        """Return the codes of the errors that came."""
        return [message["code"] for _, message in self.notices if message.get("type") == "error"]

    async def _hear(self) -> None:
        while True:
            chunk = await self.client.audio.get()
            self.twice += chunk.number in self.heard
            self.heard.setdefault(chunk.number, chunk.heard_at - chunk.spoken_at)

    async def _read(self) -> None:
        while True:
            message = await self.client.messages.get()
            self.notices.append((asyncio.get_running_loop().time(), message))


class AtGateway:
    """What the gateway does with the chunks for one client, from now on: watched, not changed."""

    def __init__(self, connection: Connection) -> None:
        self.since = asyncio.get_running_loop().time()
        self.id = connection.client.connection_id
        self.taken = 0
        self.refused_at: list[float] = []
        self.closed_at: float | None = None
        self._socket = connection.socket
        methods = vars(connection.socket)
        methods["send"] = self._watched_send(connection.socket.send)
        methods["close"] = self._watched_close(connection.socket.close)

    @property
    def is_out(self) -> bool:
        """Whether the system has closed the connection."""
        return self.closed_at is not None

    @property
    def membership(self) -> Phase:
        """From now until the close."""
        assert self.closed_at is not None, "it was not closed"
        return Phase(self.since, self.closed_at)

    def _watched_send(self, send: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
        def watched(data: bytes) -> bool:
            is_chunk = self._socket.is_open and b'"type":"audio"' in data
            taken = send(data)
            if is_chunk and taken:
                self.taken += 1
            elif is_chunk:
                self.refused_at.append(asyncio.get_running_loop().time())
            return taken

        return watched

    def _watched_close(self, close: Callable[..., None]) -> Callable[..., None]:
        def watched(*reason: object) -> None:
            if self.closed_at is None:
                self.closed_at = asyncio.get_running_loop().time()
            close(*reason)

        return watched
