"""The socket shell on real sockets, with an app that only keeps what it is told."""

import asyncio
import base64
import http.client
import queue
import socket
import weakref

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.sync.client import connect

from wslocal.gateway.limits import GatewayLimits
from wslocal.gateway.server import Socket
from wslocal.http1 import respond
from wslocal.loop import LoopThread

LIMITS = GatewayLimits(messages_at_work=2, close_seconds=0.05, client_buffer_bytes=1000)


class App:
    """Answers with what the test puts in; opens every connection."""

    def __init__(self):
        self.sockets = weakref.WeakSet()
        self.reported = queue.Queue()
        self.opened = None
        self.gate: asyncio.Event
        self.server: asyncio.Server
        self.address: tuple[str, int]
        self.tasks = set()

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(lambda done: self.tasks.discard(done) or done.exception())
        return task

    async def http(self, request):
        if request.target == "/raises":
            raise RuntimeError
        if request.target == "/slow":
            await self.gate.wait()
        return respond(200, request.target.encode())

    async def connect(self, socket, request):
        if request.target == "/raises":
            raise RuntimeError
        self.opened = socket
        socket.open(None)

    def message(self, socket, text):
        socket.begin_work()
        self.reported.put(text)

    def lost(self, socket, code, reason):
        self.reported.put((code, reason))


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def app(loop):
    app = App()

    async def serve():
        app.gate = asyncio.Event()
        running = asyncio.get_running_loop()
        app.server = await running.create_server(lambda: Socket(app, LIMITS), "127.0.0.1", 0)
        return app.server.sockets[0].getsockname()

    async def end():
        app.server.close()
        for one in list(app.sockets):
            one.abort()
        await asyncio.sleep(0)

    app.address = loop.run(serve())
    yield app
    loop.run(end())


async def call(function, *given):
    return function(*given)


def send_raw(app, *pieces):
    """Send pieces over one socket, and return all that comes until the other side closes."""
    with socket.create_connection(app.address) as raw:
        raw.settimeout(20)
        for piece in pieces:
            raw.sendall(piece)
        return b"".join(iter(lambda: raw.recv(65536), b""))


def get(path, *headers):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def test_garbage_is_refused(app):
    assert send_raw(app, b"garbage\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")


def test_body_that_is_far_too_large_is_refused_unread(app):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"

    answer = send_raw(app, head, b"x" * (8 * 131_072 + 1))

    assert answer.startswith(b"HTTP/1.1 413")


def test_app_that_raises_is_a_500(app):
    connection = http.client.HTTPConnection(*app.address, timeout=20)
    connection.request("GET", "/raises")
    first = connection.getresponse()
    first.read()
    connection.request("GET", "/next")  # over the same socket

    assert first.status == 500
    assert connection.getresponse().read() == b"/next"
    connection.close()


def test_answers_keep_the_order_of_requests(app, loop):
    with socket.create_connection(app.address) as raw:
        raw.sendall(get("/slow") + get("/quick", "Connection: close"))
        loop.run(call(app.gate.set))
        raw.settimeout(20)
        answers = b"".join(iter(lambda: raw.recv(65536), b""))

    assert answers.index(b"/slow") < answers.index(b"/quick")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((), id="no-key"),
        pytest.param(("Sec-WebSocket-Key: short", "Sec-WebSocket-Version: 13"), id="short-key"),
        pytest.param(
            (
                f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
                "Sec-WebSocket-Version: 8",
            ),
            id="version",
        ),
    ],
)
def test_handshake_that_is_not_one(app, headers):
    answer = send_raw(app, get("/", "Upgrade: websocket", "Connection: Upgrade", *headers))

    assert answer.startswith(b"HTTP/1.1 4")
    assert app.opened is None


def test_connect_that_raises_is_a_500(app):
    host, port = app.address
    with pytest.raises(Exception, match="500"), connect(f"ws://{host}:{port}/raises", proxy=None):
        pass


@pytest.fixture
def client(app):
    host, port = app.address
    options = {"proxy": None, "compression": None, "close_timeout": 0.1, "max_queue": 1}
    with connect(f"ws://{host}:{port}/", **options) as client:
        yield client


def test_client_with_too_much_at_work_is_not_read_from(app, client, loop):
    client.send("1")
    client.send("2")
    first = [app.reported.get(timeout=20) for _ in "12"]
    client.send("3")
    is_read_from = loop.run(call(app.opened._transport.is_reading))
    loop.run(call(app.opened.end_work))
    third = app.reported.get(timeout=20)

    assert first == ["1", "2"]
    assert not is_read_from
    assert third == "3"


def test_message_in_frames_with_a_ping_between(app, client):
    def pieces():
        yield "a"
        client.ping()
        yield "b"

    client.send(pieces())

    assert app.reported.get(timeout=20) == "ab"


def test_what_a_client_does_not_read_is_bounded(app, client, loop):
    async def fill():
        number = 0
        while number < 500 and app.opened.send(b"x" * 100_000):
            number += 1
        return number

    assert 1 <= loop.run(fill()) < 500
    assert loop.run(call(app.opened.send, b"x")) is False


def test_client_that_does_not_answer_a_close_is_cut_off(app, loop):
    key = base64.b64encode(bytes(16)).decode()
    with socket.create_connection(app.address) as raw:
        headers = (f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13")
        raw.sendall(get("/", "Upgrade: websocket", "Connection: Upgrade", *headers))
        assert raw.recv(65536).startswith(b"HTTP/1.1 101")
        loop.run(call(app.opened.close, CloseCode.GOING_AWAY, "bye"))

        assert app.reported.get(timeout=20) == (1001, "bye")


def test_sending_to_a_closing_connection_does_nothing(app, client, loop):
    loop.run(call(app.opened.close, CloseCode.NORMAL_CLOSURE, ""))

    assert loop.run(call(app.opened.send, b"late")) is True
    assert not app.opened.is_open
    with pytest.raises(ConnectionClosed):
        client.recv(timeout=20)


def test_frames_after_a_binary_one_are_not_heard(app, client):
    client.protocol.send_binary(b"\x00")
    client.protocol.send_text(b"after")
    client.socket.sendall(b"".join(client.protocol.data_to_send()))  # both at once
    with pytest.raises(ConnectionClosed):
        client.recv(timeout=20)

    assert app.reported.get(timeout=20)[0] == 1003
    assert app.reported.empty()
