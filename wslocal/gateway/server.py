"""One TCP connection: HTTP requests, and a WebSocket from the request that asks for one on.

The WebSocket protocol itself is the `websockets` library's, without its sockets: that lets us see
single frames, hold a handshake until `$connect` has ended, and choose the close codes.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sys
import termios
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, cast

from websockets import http11
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from wslocal.http1 import LOOPBACK, BadRequest, HttpRequest, RequestReader, respond

if TYPE_CHECKING:
    from collections.abc import Container, Coroutine
    from weakref import WeakSet

    from .limits import GatewayLimits

__all__ = ["App", "Socket"]

# What each side says when it ends a connection; the texts for a client's own are AWS's:
# https://github.com/aws-powertools/powertools-lambda-python/issues/5543
_NO_STATUS = "Client-side close frame status not set"
_ABNORMAL = "Connection closed abnormally"
# What a TCP socket has to send, and what it has sent without an acknowledgement, in bytes: tcp(7).
_SIOCOUTQ = termios.TIOCOUTQ
# At DEBUG the library would log each header and each frame: tokens, and what people say.
_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.WARNING)


class App(Protocol):
    """What a socket talks to."""

    sockets: WeakSet[Socket]

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Have `work` done."""
        ...

    async def http(self, request: HttpRequest) -> bytes | None:
        """Return the answer to a plain request; None: it gets none, and its socket is cut."""
        ...

    async def connect(self, socket: Socket, request: HttpRequest) -> None:
        """Call `open` or `refuse`."""

    def message(self, socket: Socket, text: str) -> None:
        """Take a message."""

    def lost(self, socket: Socket, code: int, reason: str) -> None:
        """Forget a socket that was open."""


class Socket(asyncio.Protocol):
    """Serves one connection of a client or of a function, which names us as one of `hosts`.

    A body of more than `max_body_bytes` is answered with 413, without being read to its end.
    """

    def __init__(
        self,
        app: App,
        limits: GatewayLimits,
        hosts: Container[str] = LOOPBACK,
        *,
        max_body_bytes: int | None = None,
    ) -> None:
        self._app = app
        self._limits = limits
        self._reader = RequestReader(max_body_bytes or 8 * limits.message_bytes, hosts)
        self._websocket: ServerProtocol | None = None
        self._accepted: http11.Response | None = None
        self._message = bytearray()
        self._answering: asyncio.Task[None] | None = None
        self._aborting: asyncio.TimerHandle | None = None
        self._held: list[bytes] | None = None
        self._is_open = False
        self.source_ip = ""
        self.at_work = 0

    # --- asyncio's side --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.source_ip = transport.get_extra_info("peername")[0]
        self._app.sockets.add(self)

    def data_received(self, data: bytes) -> None:
        if self._websocket is not None:
            self._take_frames(self._websocket, data)
            return
        try:
            requests = self._reader.feed(data)
        except BadRequest as error:
            self.refuse(error.status, b'{"message":"%s"}' % error.status.phrase.encode())
            return
        for request in requests:
            if request.is_upgrade:
                self._begin_handshake(request)
                return
            self._answering = self._app.spawn(self._answer(request, self._answering))
        if self._reader.expects and (self._answering is None or self._answering.done()):
            self._reader.expects = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def eof_received(self) -> None:
        if self._websocket is not None:
            self._websocket.receive_eof()
            self._flush(self._websocket)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._aborting is not None:
            self._aborting.cancel()
        if self._is_open and self._websocket is not None:
            self._is_open = False
            self._app.lost(self, *_end_of(self._websocket))

    @property
    def is_secure(self) -> bool:
        """Whether there is TLS."""
        return self._transport.get_extra_info("sslcontext") is not None

    def hand_over(self, app: App) -> None:
        """Talk to `app` from now on."""
        self._app.sockets.discard(self)
        self._app = app
        app.sockets.add(self)

    # --- HTTP ------------------------------------------------------------------------------------

    async def _answer(self, request: HttpRequest, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])  # answers keep the order of requests
        try:
            answer = await self._app.http(request)
        except Exception:  # raised again, once the client has its answer
            self._transport.write(respond(HTTPStatus.INTERNAL_SERVER_ERROR))
            raise
        if answer is None:
            self._transport.abort()
            return
        self._transport.write(answer)
        if request.header("Connection").lower() == "close":
            self._transport.close()

    def refuse(self, status: int, body: bytes) -> None:
        """Answer with `status`, and close."""
        self._transport.write(respond(status, body, [("Connection", "close")]))
        self._transport.close()

    # --- WebSocket -------------------------------------------------------------------------------

    def _begin_handshake(self, request: HttpRequest) -> None:
        limits = self._limits
        sizes = limits.message_bytes, limits.frame_bytes
        self._websocket = ServerProtocol(max_size=sizes, logger=_protocol_log)
        self._websocket.receive_data(request.head)
        events = self._websocket.events_received()
        if not events or not isinstance(events[0], http11.Request):
            self.refuse(HTTPStatus.BAD_REQUEST, b'{"message":"Bad Request"}')
            return
        self._accepted = self._websocket.accept(events[0])
        if self._accepted.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self.refuse(self._accepted.status_code, b'{"message":"Bad Request"}')
            return
        self._transport.pause_reading()
        self._app.spawn(self._connect(request))

    async def _connect(self, request: HttpRequest) -> None:
        try:
            await self._app.connect(self, request)
        except Exception:  # raised again, once the client has its answer
            self.refuse(HTTPStatus.INTERNAL_SERVER_ERROR, b'{"message":"Internal server error"}')
            raise

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent; no longer once either side has begun to close."""
        return self._websocket is not None and self._websocket.state is State.OPEN

    def open(self, subprotocol: str | None) -> None:
        """Finish the handshake; from now on there are messages."""
        if self._websocket is None or self._accepted is None:
            return
        if self._transport.is_closing():
            self._app.lost(self, CloseCode.ABNORMAL_CLOSURE, _ABNORMAL)
            return
        if subprotocol is not None:
            self._accepted.headers["Sec-WebSocket-Protocol"] = subprotocol
        self._is_open = True
        self._websocket.send_response(self._accepted)
        self._flush(self._websocket)
        self._transport.resume_reading()
        if self._reader.rest:  # a client that did not wait for our answer
            self.data_received(self._reader.rest)

    def send(self, data: bytes) -> bool:
        """Send a message of UTF-8 text; False if too much waits for the client already."""
        if self._websocket is None or not self.is_open or self._transport.is_closing():
            return True  # whoever has just sent to it could not know
        if self._waiting() > self._limits.client_buffer_bytes:
            return False
        self._websocket.send_text(data)
        self._flush(self._websocket)
        return True

    def _waiting(self) -> int:
        """Return how many bytes the client's system has not taken yet: here, and in the kernel.

        The kernel alone would take 4 MB more for a client on this machine that does not read.
        """
        sock = self._transport.get_extra_info("socket")
        in_kernel = int.from_bytes(fcntl.ioctl(sock.fileno(), _SIOCOUTQ, bytes(4)), sys.byteorder)
        held = sum(map(len, self._held or ()))
        return in_kernel + self._transport.get_write_buffer_size() + held

    def close(self, code: CloseCode, reason: str) -> None:
        """Close from our side."""
        if self._websocket is not None and self.is_open:
            self._websocket.send_close(code, reason)
            self._flush(self._websocket)

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def hold(self) -> None:
        """Write nothing until `release`; what waits counts as what the client does not read."""
        self._held = []

    def release(self) -> None:
        """Write what has waited, and go on."""
        pieces, self._held = self._held or [], None
        self._write(pieces)

    def begin_work(self) -> None:
        """Count a message at work; a client with too many is not read from."""
        self.at_work += 1
        if self.at_work == self._limits.messages_at_work:
            self._transport.pause_reading()

    def end_work(self) -> None:
        """Count a message as done."""
        if self.at_work == self._limits.messages_at_work:
            self._transport.resume_reading()
        self.at_work -= 1

    def _take_frames(self, websocket: ServerProtocol, data: bytes) -> None:
        """Take what came before the client's close or mistake, too, and nothing after our close."""
        is_heard = self.is_open
        websocket.receive_data(data)
        for event in websocket.events_received():
            is_heard = is_heard and self._take_frame(websocket, cast("Frame", event))
        self._flush(websocket)

    def _take_frame(self, websocket: ServerProtocol, frame: Frame) -> bool:
        """Collect text, and return whether more is heard.

        The library has answered what is not data, and failed what is too big.
        """
        if frame.opcode is Opcode.BINARY:
            websocket.fail(CloseCode.UNSUPPORTED_DATA, "Binary frames are not supported")
            return False
        if frame.opcode in {Opcode.TEXT, Opcode.CONT}:
            self._message += frame.data
            if frame.fin:
                data, self._message = self._message, bytearray()
                try:
                    text = data.decode()
                except UnicodeDecodeError:
                    websocket.fail(CloseCode.INVALID_DATA, "Text is not UTF-8")
                    return False
                self._app.message(self, text)
        return True

    def _flush(self, websocket: ServerProtocol) -> None:
        pieces = websocket.data_to_send()
        if self._held is None:
            self._write(pieces)
        else:
            self._held += pieces
        closing = self._transport.is_closing()
        if self._aborting is None and not closing and websocket.close_expected():
            loop = asyncio.get_running_loop()
            self._aborting = loop.call_later(self._limits.close_seconds, self._transport.abort)

    def _write(self, pieces: list[bytes]) -> None:
        if self._transport.is_closing():
            return
        if data := b"".join(pieces):
            self._transport.write(data)
        if pieces and not pieces[-1]:  # an empty piece asks to end our direction
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:  # TLS has no single directions; what is written goes out before
                self._transport.close()


def _end_of(websocket: ServerProtocol) -> tuple[int, str]:
    """Return the code and the reason of the side that ended the connection first."""
    received, sent = websocket.close_rcvd, websocket.close_sent
    if sent is not None and (received is None or not websocket.close_rcvd_then_sent):
        return sent.code, sent.reason
    if received is None:
        return CloseCode.ABNORMAL_CLOSURE, _ABNORMAL
    if received.code == CloseCode.NO_STATUS_RCVD:
        return received.code, _NO_STATUS
    return received.code, received.reason
