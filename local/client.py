"""A client of the WebSocket API, as a speaker or a listener has one; it knows only the protocol.

Requests get their own replies, audio its own queue; all other messages wait in `messages`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import itertools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import websockets
from websockets.asyncio.client import connect as open_socket

from .audio import JitterBuffer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from websockets.asyncio.client import ClientConnection

__all__ = [
    "SUBPROTOCOL",
    "Chunk",
    "RequestRefusedError",
    "SessionClient",
    "SessionClientError",
    "connect",
    "ordered_chunks",
    "stream",
]

Message = dict[str, Any]

SUBPROTOCOL = "websocket-audio.v1"

_REPLY_SECONDS = 10.0
# The gateway keeps no order: the session's end may overtake its last chunks.
_AFTER_END_SECONDS = 0.5
# How often a client has to show that it is there.
_HEARTBEAT_SECONDS = 30.0


class SessionClientError(Exception):
    """The connection was refused, or has ended, or a reply did not come."""


class RequestRefusedError(SessionClientError):
    """A request was answered with an error message."""

    def __init__(self, reply: Message) -> None:
        super().__init__(f"{reply['code']}: {reply['message']}")
        self.code: str = reply["code"]
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the speaker's sound; times are milliseconds since the epoch."""

    number: int
    pcm: bytes
    spoken_at: float
    heard_at: float


class SessionClient:
    """One connection. `connect` makes it, and reads for it until its block ends."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.audio: asyncio.Queue[Chunk] = asyncio.Queue()
        self.ended = asyncio.Event()  # the session has, or the connection
        self.closed = asyncio.Event()

    async def request(self, action: str, **fields: object) -> Message:
        """Send a message and return its reply; `RefusedError` if that is an error."""
        request_id = f"request-{next(self._numbers)}"
        reply = self._replies[request_id] = asyncio.get_running_loop().create_future()
        try:
            await self.send(action, requestId=request_id, **fields)
            async with asyncio.timeout(_REPLY_SECONDS):
                message: Message = await reply
        except TimeoutError:
            raise SessionClientError(f"{action}: no reply in {_REPLY_SECONDS:.0f} s") from None
        finally:
            del self._replies[request_id]
        if message["type"] == "error":
            raise RequestRefusedError(message)
        return message

    async def send(self, action: str, **fields: object) -> None:
        """Send a message that wants no reply."""
        await self.send_frame(json.dumps({"action": action, **fields}))

    async def send_frame(self, frame: str | bytes) -> None:
        """Send a text or binary frame as it is."""
        try:
            await self._socket.send(frame)
        except websockets.ConnectionClosed as error:
            raise SessionClientError(self._closing_words()) from error

    async def expect(self, kind: str, seconds: float = _REPLY_SECONDS) -> Message:
        """Return the next message of this type, and drop those before it."""
        seen = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await self.messages.get()
                    if message.get("type") == kind:
                        return message
                    seen.append(message.get("type"))
        except TimeoutError:
            raise SessionClientError(f"no {kind} in {seconds:g} s, only {seen}") from None

    async def close(self) -> None:
        """End the connection as a client does."""
        await self._socket.close()

    def vanish(self) -> None:
        """End the connection without a word, as a lost network does."""
        self._socket.transport.abort()

    @property
    def close_code(self) -> int | None:
        """What the closing frame said, None while the connection is open."""
        return self._socket.close_code

    async def _read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for frame in self._socket:
                self._take(json.loads(frame))
        self.closed.set()
        self.ended.set()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(SessionClientError(self._closing_words()))

    def _take(self, message: Message) -> None:
        if message.get("type") == "audio":
            self.audio.put_nowait(_chunk(message))
            return
        reply = self._replies.get(message.get("requestId", ""))
        if reply is not None and not reply.done() and "type" in message:
            reply.set_result(message)
            return
        if message.get("type") == "sessionEnded":
            self.ended.set()
        self.messages.put_nowait(message)

    async def _beat(self) -> None:
        with contextlib.suppress(SessionClientError):
            while True:
                await asyncio.sleep(_HEARTBEAT_SECONDS)
                await self.request("heartbeat", timestamp=_now_ms())

    def _closing_words(self) -> str:
        code, reason = self._socket.close_code, self._socket.close_reason
        return f"the connection was closed: {code} {reason or ''}".rstrip()


@contextlib.asynccontextmanager
async def connect(url: str, *, origin: str | None = None) -> AsyncIterator[SessionClient]:
    """Open a connection for the block; ClientError with the status if it is refused."""
    try:
        socket = await open_socket(
            url,
            subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
            origin=None if origin is None else websockets.Origin(origin),
            compression=None,
            proxy=None,
        )
    except websockets.InvalidStatus as error:
        status = error.response.status_code
        raise SessionClientError(f"{url} refused the connection with status {status}") from error
    except (OSError, websockets.InvalidHandshake, TimeoutError) as error:
        raise SessionClientError(f"{url} cannot be reached: {error}") from error
    client = SessionClient(socket)
    tasks = [asyncio.create_task(client._read()), asyncio.create_task(client._beat())]
    try:
        yield client
    finally:
        await socket.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stream(
    client: SessionClient,
    chunks: Sequence[bytes],
    chunk_seconds: float,
    *,
    first: int = 0,
    sent: Callable[[int], object] = lambda number: None,
) -> None:
    """Send chunks at their pace, numbered from `first`; stop when the session ends."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    for index, pcm in enumerate(chunks):
        delay = started + index * chunk_seconds - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        if client.ended.is_set():
            return
        await client.send(
            "sendAudio",
            audioData=base64.b64encode(pcm).decode(),
            sequenceNumber=first + index,
            timestamp=_now_ms(),
        )
        sent(first + index)


async def ordered_chunks(
    client: SessionClient, buffer: JitterBuffer[Chunk]
) -> AsyncIterator[Chunk]:
    """Yield what a listener hears, in order, until the session or the connection has ended."""
    loop = asyncio.get_running_loop()
    over = asyncio.ensure_future(_nothing_more_comes(client))
    arrival = asyncio.ensure_future(client.audio.get())
    try:
        while not over.done() or arrival.done():
            patience = buffer.due - loop.time()
            await asyncio.wait(
                (arrival, over),
                timeout=None if patience == float("inf") else max(0.0, patience),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if arrival.done():
                chunk = arrival.result()
                buffer.push(chunk.number, chunk, loop.time())
                arrival = asyncio.ensure_future(client.audio.get())
                await asyncio.sleep(0)  # the queue may have more
            for _, chunk in buffer.pop(loop.time()):
                yield chunk
        for _, chunk in buffer.drain():
            yield chunk
    finally:
        over.cancel()
        arrival.cancel()


async def _nothing_more_comes(client: SessionClient) -> None:
    """Wait for the end; what was sent before it may still be on its way."""
    await client.ended.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_AFTER_END_SECONDS):
            await client.closed.wait()


def _chunk(message: Message) -> Chunk:
    try:
        pcm = base64.b64decode(message["audioData"], validate=True)
    except (KeyError, binascii.Error) as error:
        raise SessionClientError(f"an audio message without audio: {error}") from error
    return Chunk(
        message["sequenceNumber"], pcm, message.get("speakerTimestamp", 0), time.time() * 1000
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
