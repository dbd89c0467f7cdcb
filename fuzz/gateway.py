"""The gateway's side of a socket: any bytes, in any pieces, with all that may become of them.

A client's bytes go through the socket's shell, the route's selection and the events into a gateway
whose functions and permissions are stand-ins. Nothing is opened: the transport keeps what is written.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
from http import HTTPStatus
from typing import Any

from fuzz.draws import Draws
from wslocal.credentials import Issued
from wslocal.faults import Faults
from wslocal.gateway.answers import Returned, connect_status, read_proxy_answer, select_route
from wslocal.gateway.definition import Api, ApiRoute
from wslocal.gateway.domains import names_of
from wslocal.gateway.limits import GatewayLimits, Throttle
from wslocal.gateway.local_api import LocalApi
from wslocal.gateway.server import Socket
from wslocal.http1 import BadRequest, HttpRequest, RequestReader
from wslocal.lambda_host.results import InvocationResult
from wslocal.tasks import Tasks

__all__ = ["try_input"]

_LIMITS = GatewayLimits(
    frame_bytes=200, message_bytes=400, client_buffer_bytes=2000, messages_at_work=3, url_bytes=200
)
_MAX_BODY_BYTES = 8 * _LIMITS.message_bytes
_MAX_HEAD_BYTES = 64 * 1024
# Of what came, a socket may keep one piece, a head, a body and a message.
_MAX_KEPT_BYTES = _MAX_HEAD_BYTES + _MAX_BODY_BYTES + 2 * _LIMITS.message_bytes
_KEY = base64.b64encode(bytes(16))
_ARN = "arn:aws:lambda:us-east-1:000000000000:function:fuzzed"
_NAMES = names_of("api", "dev", "us-east-1", is_endpoint_disabled=False, domains={})
_NOW = 1_767_225_600.0
_HOSTS = {"x"}
# The gateway asks the kernel how much waits for a client; nothing is written to them.
_SOCKETS = socket.socketpair()

_HEADERS = (
    *(
        b"Host: x\r\n",
        b"Connection: Upgrade\r\n",
        b"Upgrade: websocket\r\n",
        b"Connection: close\r\n",
    ),
    *(b"Sec-WebSocket-Key: " + _KEY + b"\r\n", b"Sec-WebSocket-Version: 13\r\n"),
    *(
        b"Sec-WebSocket-Protocol: a, b\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ),
    *(b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Authorization: AWS4-HMAC-SHA256\r\n"),
    *(b"X-Amz-Date: 20260101T000000Z\r\n", b"X-Amz-Security-Token: token\r\n"),
    b"Authorization: AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/execute-api/aws4_request,"
    b" SignedHeaders=host;x-amz-date, Signature=" + b"0" * 64 + b"\r\n",
    *(b"Expect: 100-continue\r\n", b"X: " + b"y" * 3000 + b"\r\n", b"a" * 500),
)
_UPGRADE = (
    b"GET /dev?a=b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: " + _KEY + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_LINES = (
    *(b"GET /dev HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n", b"HEAD /page HTTP/1.0\r\n", b"\r\n"),
    *(b"POST /dev/@connections/ID HTTP/1.1\r\n", b"DELETE /dev/@connections/ID HTTP/1.1\r\n"),
    *(b"GET /dev/@connections/%ff%00 HTTP/1.1\r\n", b"PATCH /dev/@connections/ID HTTP/1.1\r\n"),
    *(b"5\r\nhello\r\n", b"0\r\n", b"0\r\nX: y\r\n\r\n", b"hello"),
)
_TEXTS = (
    *(
        b'{"action":"plain"}',
        b'{"action":"$connect"}',
        b'{"action":{"a":1}}',
        b"[]",
        b"{}",
        b"\xff",
    ),
    *(b'{"action":"limited"}', b'{"action":"answers"}', b"[" * 300, b"1" * 350, b"\xc3\xa9"),
)
_EXPRESSIONS = ("$request.body.action", "${request.body.a.b}", "$request.body.", "$default", "")
_ANSWERS: tuple[bytes | None, ...] = (
    b'{"statusCode":200}', b'{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"b"}}', None,
    b'{"statusCode":403,"body":"no"}', b'{"statusCode":200,"body":"eA==","isBase64Encoded":true}',
    b"null", b"{", b'{"statusCode":1e999}', b'{"statusCode":200,"headers":[]}',
)  # fmt: skip


def try_input(data: bytes) -> None:
    """Try one of the gateway's parts."""
    draws = Draws(data)
    draws.pick((_try_socket, _try_socket, _try_socket, _try_reader, _try_values))(draws)


# --- what a client sends -----------------------------------------------------------------------


def _bytes_of_client(draws: Draws) -> bytes:
    parts = [_UPGRADE] if draws.flag() else []
    for _ in range(draws.up_to(12)):
        parts.append(draws.pick((_line, _header, _frame, _frame, _message, _any))(draws))
    return b"".join(parts)


def _line(draws: Draws) -> bytes:
    return draws.pick(_LINES)


def _header(draws: Draws) -> bytes:
    return draws.pick(_HEADERS) + (b"\r\n" if draws.up_to(3) == 3 else b"")


def _any(draws: Draws) -> bytes:
    return draws.some_bytes(60)


def _frame(draws: Draws) -> bytes:
    """Return a frame of any kind; most are masked, as those of clients have to be."""
    first, masked = draws.up_to(255), draws.up_to(7) != 7
    payload = draws.pick(_TEXTS) if draws.flag() else draws.some_bytes()
    return _framed(first, payload, masked)


def _message(draws: Draws) -> bytes:
    payload = draws.pick(_TEXTS)
    if draws.flag():
        return _framed(0x81, payload, True)
    return _framed(0x01, payload[:5], True) + _framed(0x80, payload[5:], True)


def _framed(first: int, payload: bytes, masked: bool) -> bytes:
    mark = 0x80 if masked else 0
    number = len(payload)
    size = (
        bytes([mark | number]) if number < 126 else bytes([mark | 126]) + struct.pack(">H", number)
    )
    mask = b"\1\2\3\4"
    data = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked else payload
    return bytes([first]) + size + (mask if masked else b"") + data


# --- the parts ---------------------------------------------------------------------------------


def _try_reader(draws: Draws) -> None:
    """Read requests whole and in pieces."""
    data = _bytes_of_client(draws)
    pieces = draws.cut(data)
    assert _requests([data] if data else []) == _requests(pieces), "it depends on the pieces"


def _requests(pieces: list[bytes]) -> list[HttpRequest | int]:
    reader = RequestReader(_MAX_BODY_BYTES, _HOSTS)
    found: list[HttpRequest | int] = []
    for piece in pieces:
        try:
            found += reader.feed(piece)
        except BadRequest as error:  # in one piece with good requests, it is all that is answered
            return [int(error.status)]
        for request in found:
            assert isinstance(request, HttpRequest)
            assert len(request.body) <= _MAX_BODY_BYTES, "the body is too long"
            if request.is_upgrade:
                return found
    return found


def _try_values(draws: Draws) -> None:
    """Try what takes values: a route's selection and a function's answer."""
    api = _api(draws.pick(_EXPRESSIONS) if draws.flag() else draws.text())
    text = draws.text(200) if draws.flag() else str(draws.pick(_TEXTS), "latin-1")
    route = select_route(api, text)
    assert route is None or route.key not in ("$connect", "$disconnect"), "a client chose it"
    answer = read_proxy_answer(draws.rest())
    if isinstance(answer, Returned):
        assert 100 <= answer.status <= 599, "its status is none"
        assert 100 <= connect_status(answer) <= 599, "its status is none"


def _api(expression: str) -> Api:
    def route(key: str, responds: bool = False, throttle: Throttle | None = None) -> ApiRoute:
        return ApiRoute(key, _ARN, 5.0, responds, throttle)

    routes = {
        "$connect": route("$connect"),
        "$disconnect": route("$disconnect"),
        "plain": route("plain"),
        "answers": route("answers", responds=True),
        "limited": route("limited", throttle=Throttle(0.001, 1)),
        "$default": route("$default", responds=True),
    }
    return Api("api", "dev", expression, routes, {}, _NAMES)


class _Permissions:
    async def check(self, *asked: object) -> None:
        """Allow it."""


class _Functions:
    """Stands in for the deployed functions: each answer is the next of a list, again and again."""

    permissions = _Permissions()

    def __init__(self, answers: list[bytes | None]) -> None:
        self._answers = answers
        self.faults = Faults()
        self.events: list[dict[str, Any]] = []

    async def invoke(self, function: str, event: Any, **_: object) -> InvocationResult:
        json.dumps(event).encode()
        self.events.append(event)
        answer = self._answers[len(self.events) % len(self._answers)]
        return InvocationResult("request", answer, None, [], [], 1.0, None)

    def issued(self, access_key: str) -> Issued | None:
        if access_key != "KEY":
            return None
        return Issued("KEY", "secret", "token", "arn:aws:iam::1:role/r", "arn", _NOW + 900)


class _Transport:
    """Keeps what is written, and counts what is asked of it."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.is_paused = self.has_ended = self.is_closed = False

    def get_extra_info(self, name: str) -> Any:
        known = {"socket": _SOCKETS[0], "peername": ("192.0.2.1", 1234)}
        return known.get(name)

    def write(self, data: bytes) -> None:
        if not self.is_closed:
            self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close


class _Failures:
    """Keeps what failed."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def report(self, context: str, error: BaseException) -> None:
        self.errors.append(error)


class _Gateway(LocalApi):
    """A gateway that serves nobody, with what a stack would have deployed."""

    functions: _Functions  # type: ignore[assignment]

    def __init__(self, answers: list[bytes | None]) -> None:
        super().__init__(lambda service: None, "api", "dev", limits=_LIMITS, clock=lambda: _NOW)
        self.domain, self._region = "127.0.0.1:1", "us-east-1"
        self.functions = _Functions(answers)
        self._api = _api("$request.body.action")
        self.failures = _Failures()
        self._tasks = Tasks(self.failures)  # type: ignore[arg-type]


_loop = asyncio.new_event_loop()


def _try_socket(draws: Draws) -> None:
    """Feed a socket whole and in pieces, and compare what the functions saw."""
    data = _bytes_of_client(draws)
    answers = [draws.pick(_ANSWERS) for _ in range(1 + draws.up_to(3))]
    ends = draws.flag()
    pieces = draws.cut(data)
    whole = _loop.run_until_complete(_serve([data] if data else [], answers, ends))
    again = _loop.run_until_complete(_serve(pieces, answers, ends))
    # A refusal ends the connection, and may overtake the answers to what came in one piece with it.
    seen = 2 if any(status < 0 for status in whole[2] + again[2]) else 3
    assert again[:seen] == whole[:seen], f"it depends on the pieces: {whole} and {again}"


async def _serve(pieces: list[bytes], answers: list[bytes | None], ends: bool) -> Any:
    """Return which events the functions got, and what the client was answered first."""
    gateway = _Gateway(answers)
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
    gateway_socket, transport = Socket(gateway, _LIMITS, _HOSTS), _Transport()
    gateway_socket.connection_made(transport)  # type: ignore[arg-type]
    for piece in pieces:
        await _settle(gateway)
        if transport.is_closed or transport.is_paused:
            break
        gateway_socket.data_received(piece)
        _check_kept(gateway_socket, len(piece))
    await _settle(gateway)
    if ends and not transport.is_closed:
        gateway_socket.eof_received()
    gateway_socket.connection_lost(None)
    await _settle(gateway)
    assert gateway.failures.errors == failures == [], (
        f"unhandled: {gateway.failures.errors or failures}"
    )
    assert not gateway.connections(), "a connection is left"
    assert gateway_socket.at_work == 0, "a message is at work for ever"
    kinds = [event["requestContext"]["eventType"] for event in gateway.functions.events]
    assert kinds.count("CONNECT") <= 1, "it was opened twice"
    assert kinds.count("DISCONNECT") <= kinds.count("CONNECT"), (
        "it was closed more often than opened"
    )
    bodies = [event.get("body") for event in gateway.functions.events]
    return kinds, bodies, _statuses(bytes(transport.written))


async def _settle(gateway: LocalApi) -> None:
    """Let everything that can go on do so."""
    for _ in range(200):
        await asyncio.sleep(0)
        if not gateway._tasks._tasks:
            break
    await asyncio.sleep(0)


def _check_kept(gateway_socket: Socket, piece: int) -> None:
    reader = gateway_socket._reader
    kept = len(reader.rest) + len(gateway_socket._message) + len(reader._body)
    kept += sum(len(name) + len(value) for name, value in reader._headers) + len(reader._target)
    assert kept <= _MAX_KEPT_BYTES + piece, "it keeps too much"


def _statuses(written: bytes) -> list[int]:
    """Return the statuses of the HTTP answers that a client got; that of a refusal is negative."""
    found = []
    while written.startswith(b"HTTP/1.1 "):
        head, _, rest = written.partition(b"\r\n\r\n")
        status = int(head[9:12])
        found.append(-status if b"\r\nConnection: close" in head else status)
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            break
        length = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
        written = rest[int(length[0][16:]) if length else 0 :]
    return found
