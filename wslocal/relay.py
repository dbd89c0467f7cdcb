"""Stands in front of DynamoDB for the functions, so that a fault can begin on sockets that they keep.

Each socket of a function has one of the relay's own to the API, and ends with it. A request goes on
with its method, target, headers and body as they came, `Host` included, so that its signature holds; an
answer goes back byte by byte.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import httptools

from .aws_names import AwsNames
from .http1 import BadRequest, HttpRequest, RequestReader, respond

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from .fault_kinds import TableFault

__all__ = ["Relay"]

# Ours: twice what a request to DynamoDB may have, 16 MB as items.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
_MAX_BODY_BYTES = 32 * 1024 * 1024
_NAMES = AwsNames()
_RESET = struct.pack("ii", 1, 0)  # an end of the socket that is no orderly one


class Relay:
    """Serves from `start` to `close`. `fault_of` says what a call with this body meets."""

    def __init__(self, endpoint: str, fault_of: Callable[[bytes], TableFault | None]) -> None:
        parts = urlsplit(endpoint)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.fault_of = fault_of
        self.callers: set[_Caller] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.endpoint = ""

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1; `endpoint` is the address from then on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Caller(self), "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop, also in the middle of calls."""
        self._server.close()
        for caller in list(self.callers):
            caller.reset()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class _Caller(asyncio.Protocol):
    """One socket of a function; its requests are answered one after the other."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._reader = RequestReader(_MAX_BODY_BYTES, _NAMES)
        self._requests: deque[HttpRequest] = deque()
        self._at_work = True  # until there is a connection to the API
        self._upstream: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._relay.callers.add(self)
        self._task = self._spawn(self._connect())

    def data_received(self, data: bytes) -> None:
        try:
            self._requests += self._reader.feed(data)
        except BadRequest as error:
            self.transport.write(respond(error.status, headers=[("Connection", "close")]))
            self.transport.close()
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.callers.discard(self)
        self._task.cancel()
        if self._upstream is not None:
            self._upstream.abort()

    def answered(self) -> None:
        """Go on: an answer is complete."""
        self._at_work = False
        self._next()

    def reset(self) -> None:
        """End the socket in no order."""
        if (sock := self.transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._upstream, _ = await loop.create_connection(
                lambda: _Upstream(self), self._relay.host, self._relay.port
            )
        except OSError:
            self.reset()
        else:
            self.answered()

    def _next(self) -> None:
        if self._at_work or not self._requests:
            return
        self._at_work = True
        request = self._requests.popleft()
        fault = self._relay.fault_of(request.body)
        if fault is None:
            self._forward(request)
        else:
            self._task = self._spawn(self._meet(fault, request))

    async def _meet(self, fault: TableFault, request: HttpRequest) -> None:
        try:
            async with asyncio.timeout(fault.delay_seconds):
                await fault.ended.wait()
        except TimeoutError:
            pass
        if fault.answer is None or fault.ended.is_set():
            self._forward(request)
        elif fault.answer:
            self.transport.write(fault.answer)
            self.answered()
        else:
            self.reset()

    def _forward(self, request: HttpRequest) -> None:
        if self._upstream is not None:
            self._upstream.write(request.forwarded())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._relay.tasks.add(task)
        task.add_done_callback(self._relay.tasks.discard)
        return task


class _Upstream(asyncio.Protocol):
    """The API's end of a caller."""

    def __init__(self, caller: _Caller) -> None:
        self._caller = caller
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._caller.transport.write(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:  # nobody could tell where the next answer begins
            self._caller.reset()

    def on_message_complete(self) -> None:
        """Of the parser's."""
        self._caller.answered()

    def connection_lost(self, exc: Exception | None) -> None:
        self._caller.transport.close()  # what was written goes out before
