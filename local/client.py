"""A client of the WebSocket API, as a speaker, an interpreter or a listener has one; it knows only the protocol.

Requests get their own replies, audio its own queue; all other messages wait in `messages`. In that queue is
only what the listener is to hear: what comes of another channel is counted, and dropped.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import itertools
import json
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import websockets
from websockets.asyncio.client import connect as open_socket

from .audio import JitterBuffer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator

    from websockets.asyncio.client import ClientConnection

    from .captions import Cue

__all__ = [
    "FLOOR",
    "OF_THE_CONNECTION",
    "SUBPROTOCOL",
    "Chunk",
    "ConnectionRefusedWithStatusError",
    "RequestRefusedError",
    "SessionClient",
    "SessionClientError",
    "UnansweredError",
    "connect",
    "ordered_chunks",
    "stream",
    "stream_captions",
    "without_audio",
]

T = TypeVar("T")

Message = dict[str, Any]

# At DEBUG the library would log each header and each frame: tokens, keys, and what people say.
_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.INFO)

SUBPROTOCOL = "websocket-audio.v1"
# What a listener hears who hears no interpreter: the speaker.
FLOOR = "floor"

_REPLY_SECONDS = 10.0
# The gateway keeps no order: the session's end may overtake its last chunks.
_AFTER_END_SECONDS = 0.5
# The gateway's own errors name no request of ours. One that comes while a request waits may be of a chunk
# that was sent before; then the reply comes, too.
_DOUBT_SECONDS = 1.0
# How often a client has to show that it is there; an interpreter is replaced after 10 s without a sign.
_HEARTBEAT_SECONDS = 30.0
_INTERPRETERS_HEARTBEAT_SECONDS = 3.0
_REPLACED_SECONDS = 10.0
# A sender that is so late was stopped, as by Ctrl-Z, or its machine was.
_STOPPED_SECONDS = 2.0
# A server that is gone, or stopped, does not answer the closing frame.
_CLOSE_SECONDS = 2.0
# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
_GOING_AWAY, _NO_CLOSING_FRAME = 1001, 1006
# Errors that are sent before the connection is closed: they refuse nothing that was sent.
OF_THE_CONNECTION = {"CONNECTION_TIMEOUT", "CONNECTION_CLOSED"}
# What comes for whatever is sent after the end, and perhaps before the reason for it.
_WITHOUT_REASON = "CONNECTION_CLOSED: The connection is closed"


class SessionClientError(Exception):
    """The connection was refused, or has ended, or a reply did not come."""


class ConnectionRefusedWithStatusError(SessionClientError):
    """The handshake was answered with another status than 101."""

    def __init__(self, url: str, status: int, reason: str) -> None:
        colon = ": " if reason else ""
        super().__init__(f"{url} refused the connection with status {status}{colon}{reason}")
        self.status = status


class RequestRefusedError(SessionClientError):
    """A request was answered with an error message."""

    def __init__(self, reply: Message) -> None:
        super().__init__(f"{reply['code']}: {reply['message']}")
        self.code: str = reply["code"]
        self.reply = reply


class UnansweredError(SessionClientError):
    """The system took a request and did not reply to it: it failed, or took too long."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the speaker's sound, or of a channel's; times are milliseconds since the epoch.

    Chunks are numbered within their part: another one begins when the listener hears somebody else.
    """

    number: int
    pcm: bytes
    spoken_at: float
    heard_at: float
    channel: str = FLOOR
    part: int = 0


class SessionClient:
    """One connection. `connect` makes it, and reads for it until its block ends.

    `refused` counts, by code or text, the errors that reply to no request: what was sent without one,
    audio or a caption, was not taken. `session_end` is the message that ended the session. `hears` is what a
    listener hears by the last message that said so: a channel's language, or FLOOR; None before the first.
    `dropped` counts the chunks that did not belong to it. `failure` is why the connection ends, by what came
    on it; empty if nothing said so.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._news = asyncio.Event()
        self._sent_at = asyncio.get_running_loop().time()
        self._silence_seconds = (
            0.0  # the last one of an interpreter that was long enough to be replaced
        )
        self._silent_until = 0.0
        self._has_sent_audio = False  # or anything else that wants no reply
        self._interprets = asyncio.Event()
        self._part = 0  # of what the listener hears
        self.hears: str | None = None
        self.dropped = 0
        self.failure = ""
        self.refused: Counter[str] = Counter()
        self.session_end: Message | None = None
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.audio: asyncio.Queue[Chunk] = asyncio.Queue()
        self.ended = asyncio.Event()  # the session has, or the connection
        self.closed = asyncio.Event()

    async def request(self, action: str, **fields: object) -> Message:
        """Send a message and return its reply.

        RequestRefusedError if that is an error; UnansweredError if the gateway answers with an error of
        its own, or nobody does.
        """
        request_id = f"request-{next(self._numbers)}"
        reply = self._replies[request_id] = asyncio.get_running_loop().create_future()
        try:
            await self._send_fields(action, requestId=request_id, **fields)
            async with asyncio.timeout(_REPLY_SECONDS):
                message: Message = await reply
        except TimeoutError:
            sentence = f"{action}: no reply in {_REPLY_SECONDS:g} s"
            raise UnansweredError(sentence) from None
        finally:
            del self._replies[request_id]
        if "type" not in message:
            raise UnansweredError(f"{action} failed: {message['message']}")
        if message["type"] == "error":
            raise RequestRefusedError(message)
        return message

    async def send(self, action: str, **fields: object) -> None:
        """Send a message that wants no reply."""
        self._has_sent_audio = True
        await self._send_fields(action, **fields)

    async def _send_fields(self, action: str, **fields: object) -> None:
        await self.send_frame(json.dumps({"action": action, **fields}))

    async def send_frame(self, frame: str | bytes) -> None:
        """Send a text or binary frame as it is."""
        self._note_sign()
        try:
            await self._socket.send(frame)
        except websockets.ConnectionClosed as error:
            raise SessionClientError(self.closing_words) from error

    async def next_message(self) -> Message:
        """Return the next message that is no reply; SessionClientError once no more can come."""
        while self.messages.empty():
            if self.closed.is_set():
                raise SessionClientError(self.closing_words)
            self._news.clear()
            await self._news.wait()
        return self.messages.get_nowait()

    async def expect(self, kind: str, seconds: float = _REPLY_SECONDS) -> Message:
        """Return the next message of this type, and drop those before it.

        SessionClientError if it does not come in time, or the connection ends.
        """
        seen = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await self.next_message()
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

    @property
    def closing_words(self) -> str:
        """Why the connection has ended, in one sentence."""
        code, reason = self._socket.close_code, self._socket.close_reason
        if self.failure:
            words = self.failure
        elif code in {None, _NO_CLOSING_FRAME}:
            words = "the connection broke without a closing frame"
        else:
            words = f"the connection was closed: {code} {reason or ''}".rstrip()
        is_explained = self.failure not in {"", _WITHOUT_REASON} or code == _GOING_AWAY
        if is_explained or not self._was_silent:
            return words
        return (
            f"{words}; this process was silent for {self._silence_seconds:.0f} s, as when it is stopped: "
            "its channel was probably taken away"
        )

    @property
    def _was_silent(self) -> bool:
        """Whether an interpreter might have been replaced, and this is the first that it learns since."""
        return self._silence_seconds > 0 and self._sent_at - self._silent_until < _REPLACED_SECONDS

    def _note_sign(self) -> None:
        """Note that the server hears of us, or could until now."""
        if self.closed.is_set():
            return
        now = asyncio.get_running_loop().time()
        seconds, self._sent_at = now - self._sent_at, now
        if self._interprets.is_set() and seconds > _REPLACED_SECONDS:
            self._silence_seconds, self._silent_until = seconds, now

    def _fail(self, sentence: str) -> None:
        """Note why the connection ends; the first reason counts."""
        if self.failure in {"", _WITHOUT_REASON}:
            self.failure = sentence

    async def _read(self) -> None:
        try:
            with contextlib.suppress(websockets.ConnectionClosed):
                async for frame in self._socket:
                    self._take(_parse(frame))
        except SessionClientError as error:
            self._fail(str(error))
        finally:
            self._note_sign()
            self.closed.set()
            self.ended.set()
            self._news.set()
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_exception(SessionClientError(self.closing_words))

    def _take(self, message: Message) -> None:
        kind = message.get("type")
        if kind == "audio":
            self._take_chunk(_chunk(message))
            return
        if kind == "sessionEnded":
            self.session_end = message
            self.ended.set()
        elif kind in {"sessionJoined", "channelChanged"}:
            self._hear(str(message.get("hears", FLOOR)))
        elif kind == "interpreterReady":
            self._interprets.set()
        reply = self._replies.get(str(message.get("requestId", "")))
        if reply is not None and not reply.done() and kind is not None:
            reply.set_result(message)
            return
        if kind is None and "message" in message:  # the gateway's own
            self._take_gateway_error(message)
        elif kind == "error" and message.get("code") in OF_THE_CONNECTION:
            self._fail(f"{message['code']}: {message.get('message', '')}")
        elif kind == "error":
            self.refused[str(message.get("code"))] += 1
        elif kind == "heartbeatAck":  # nobody waits for it any more
            return
        self.messages.put_nowait(message)
        self._news.set()

    def _take_chunk(self, chunk: Chunk) -> None:
        if self.hears in {None, chunk.channel}:
            self.audio.put_nowait(replace(chunk, part=self._part))
        else:
            self.dropped += 1

    def _hear(self, channel: str) -> None:
        """Begin another part, unless the speaker is heard as before.

        A channel that is named again has another interpreter, who counts from 0. What overtook the first of
        these messages waits still, and is judged by it.
        """
        early = [] if self.hears else [self.audio.get_nowait() for _ in range(self.audio.qsize())]
        self._part += channel != FLOOR or self.hears != FLOOR
        self.hears = channel
        for chunk in early:
            self._take_chunk(chunk)

    def _take_gateway_error(self, message: Message) -> None:
        """Count what refuses a chunk; it is the answer of the only request that waits, if no other comes."""
        text = str(message["message"])
        self.refused[text] += 1
        waiting = [reply for reply in self._replies.values() if not reply.done()]

        def answer(reply: asyncio.Future[Message]) -> None:
            if not reply.done():
                self.refused[text] -= 1
                self.refused += Counter()  # without what is 0
                reply.set_result(message)

        if len(waiting) == 1:
            doubt_seconds = _DOUBT_SECONDS if self._has_sent_audio else 0.0
            asyncio.get_running_loop().call_later(doubt_seconds, answer, waiting[0])

    async def _beat(self) -> None:
        """Send heartbeats as often as the role asks for; one without an answer does not delay the next."""
        while not self.closed.is_set():
            if self._interprets.is_set():
                await _within(_INTERPRETERS_HEARTBEAT_SECONDS, self.closed.wait())
            else:
                await _within(_HEARTBEAT_SECONDS, self._interprets.wait())
            is_interpreter = self._interprets.is_set()  # perhaps since now
            seconds = _INTERPRETERS_HEARTBEAT_SECONDS if is_interpreter else _HEARTBEAT_SECONDS
            try:
                await _within(seconds, self.request("heartbeat", timestamp=_now_ms()))
            except RequestRefusedError as error:
                if error.code in OF_THE_CONNECTION:  # somebody else interprets now
                    self._fail(str(error))
                    if self.failure == _WITHOUT_REASON:
                        await _within(_CLOSE_SECONDS, self.closed.wait())  # it may come yet
                    await self._socket.close()
            except SessionClientError:
                pass  # the next one may be answered


@contextlib.asynccontextmanager
async def connect(
    url: str, *, origin: str | None = None, token: str | None = None
) -> AsyncIterator[SessionClient]:
    """Open a connection for the block; ConnectionRefusedWithStatusError if it is refused.

    `token` goes along as a sub-protocol, as a page's does; `origin` is a page's, as a browser sends it.
    """
    names = [SUBPROTOCOL] if token is None else [SUBPROTOCOL, f"bearer.{token}"]
    try:
        socket = await open_socket(
            url,
            subprotocols=[websockets.Subprotocol(name) for name in names],
            origin=None if origin is None else websockets.Origin(origin),
            compression=None,
            proxy=None,
            logger=_protocol_log,
            close_timeout=_CLOSE_SECONDS,
        )
    except websockets.InvalidStatus as error:
        status = error.response.status_code
        reason = _why_refused(status, origin, has_token=token is not None)
        raise ConnectionRefusedWithStatusError(url, status, reason) from error
    except (OSError, websockets.InvalidHandshake, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise SessionClientError(f"{url} cannot be reached: {reason}") from error
    client = SessionClient(socket)
    tasks = [asyncio.create_task(client._read()), asyncio.create_task(client._beat())]
    try:
        yield client
    finally:
        await socket.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _why_refused(status: int, origin: str | None, *, has_token: bool) -> str:
    """Return what a status may mean; empty for one that says nothing here."""
    if status == HTTPStatus.UNAUTHORIZED:
        return f"the access token {'was refused' if has_token else 'is missing'}"
    if status == HTTPStatus.FORBIDDEN:
        sent = "no origin was sent, and" if origin is None else f"the origin sent was {origin}, and"
        return f"{sent} only certain ones may connect, or a policy forbids it"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "there are too many new connections, of this address or of all; wait a minute"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "a function failed, or the keys of the tokens' issuer cannot be had"
    return ""


async def stream(
    client: SessionClient,
    chunks: Iterable[bytes],
    chunk_seconds: float,
    *,
    first: int = 0,
    sent: Callable[[int], object] = lambda number: None,
) -> None:
    """Send chunks at their pace, numbered from `first`; stop when the session ends."""
    due = ((number * chunk_seconds, chunk) for number, chunk in enumerate(chunks))
    async for index, chunk in _in_time(client, due):
        await client.send(
            "sendAudio",
            audioData=base64.b64encode(chunk).decode(),
            sequenceNumber=first + index,
            timestamp=_now_ms(),
        )
        sent(first + index)


async def stream_captions(
    client: SessionClient,
    cues: Iterable[Cue],
    *,
    sent: Callable[[int], object] = lambda number: None,
) -> None:
    """Send captions, each when it is due; stop when the session ends."""
    async for index, cue in _in_time(client, ((cue.due_seconds, cue) for cue in cues)):
        await client.send(
            "sendCaption",
            segmentId=cue.segment_id,
            text=cue.text,
            isFinal=True,
            startMs=cue.start_ms,
            endMs=cue.end_ms,
        )
        sent(index)


async def _in_time(
    client: SessionClient, due: Iterable[tuple[float, T]]
) -> AsyncIterator[tuple[int, T]]:
    """Yield what is due with its number, each when its second has come; stop when the session ends.

    What is late is caught up with, unless this process was stopped: all at once would be too much.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    for index, (seconds, what) in enumerate(due):
        delay = started + seconds - loop.time()
        if delay > 0:
            await _within(delay, client.ended.wait())
        elif delay < -_STOPPED_SECONDS:
            started -= delay
        if client.ended.is_set():
            return
        yield index, what


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
                for _, earlier in buffer.move_to(chunk.part):
                    yield earlier
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


@contextlib.contextmanager
def without_audio(client: SessionClient) -> Iterator[None]:
    """Forget the chunks that come in the block: nobody is there to hear them."""

    async def forget() -> None:
        while True:
            await client.audio.get()

    forgetting = asyncio.create_task(forget())
    try:
        yield
    finally:
        forgetting.cancel()


async def _nothing_more_comes(client: SessionClient) -> None:
    """Wait for the end; what was sent before it may still be on its way."""
    await client.ended.wait()
    await _within(_AFTER_END_SECONDS, client.closed.wait())


async def _within(seconds: float, work: Coroutine[Any, Any, object]) -> None:
    """Do `work` for at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work


def _parse(frame: str | bytes) -> Message:
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise SessionClientError("a message that is not JSON came") from error
    if not isinstance(message, dict):
        raise SessionClientError("a message that is not a JSON object came")
    return message


def _chunk(message: Message) -> Chunk:
    try:
        pcm = base64.b64decode(message["audioData"], validate=True)
        number, spoken_at = (
            int(message["sequenceNumber"]),
            float(message.get("speakerTimestamp", 0)),
        )
        channel = str(message.get("language", FLOOR))
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
        raise SessionClientError(f"an audio message without audio came: {error}") from error
    return Chunk(number, pcm, spoken_at, time.time() * 1000, channel)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
