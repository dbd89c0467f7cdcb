"""The socket shell on real sockets, with an app that only keeps what it is told."""

import asyncio
import base64
import http.client
import logging
import queue
import socket
import weakref
from contextlib import contextmanager

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
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def test_garbage_is_refused(app):
    assert send_raw(app, b"garbage\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")


def test_body_that_is_far_too_large_is_refused_unread(app):
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"

    answer = send_raw(app, head, b"x" * (8 * 131_072 + 1))

    assert answer.startswith(b"HTTP/1.1 413")


def test_client_that_waits_before_its_body(app):
    head = (
        b"POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    with socket.create_connection(app.address) as raw:
        raw.settimeout(20)
        raw.sendall(head)
        goes_on = raw.recv(65536)
        raw.sendall(b"{}")
        answer = raw.recv(65536)

    assert goes_on == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 OK")


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


HANDSHAKE = get(
    "/",
    *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
)


@pytest.mark.parametrize("request_of", [get("/"), HANDSHAKE], ids=["http", "websocket"])
@pytest.mark.threat("dns-rebinding")
def test_request_for_another_host_is_refused(app, request_of):
    """A page of another site sends its own name, wherever its DNS has led it."""
    answer = send_raw(app, request_of.replace(b"localhost", b"evil.example"))

    assert answer.startswith(b"HTTP/1.1 403 Forbidden")
    assert answer.endswith(b'{"message":"Forbidden"}')
    assert app.opened is None


MASK = bytes(4)  # which changes nothing
HELLO, BYE = b"\x81\x85" + MASK + b"hello", b"\x88\x82" + MASK + b"\x03\xe8"


@pytest.mark.parametrize("end", ["", ".broken"], ids=["opened", "refused"])
def test_nothing_that_a_client_sends_is_logged(app, caplog, end):
    """The websockets library logs headers and frames at DEBUG."""
    caplog.set_level(logging.DEBUG)
    secrets = ["in-the-query", "in-a-header", "in-a-subprotocol", "in-a-message"]
    sent = HANDSHAKE.replace(b"GET /", b"GET /dev?token=in-the-query").removesuffix(b"\r\n")
    sent += b"Authorization: Bearer in-a-header\r\n"
    sent += f"Sec-WebSocket-Protocol: bearer.in-a-subprotocol{end and ',,;'}\r\n\r\n".encode()
    sent = sent.replace(b"Version: 13", f"Version: 13{end}".encode())

    send_raw(app, sent + b"\x81\x8c" + MASK + b"in-a-message" + BYE)

    written = "".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    assert [secret for secret in secrets if secret in written] == []
    assert (app.opened is None) == bool(end)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([HANDSHAKE[:1], HANDSHAKE[1:]], id="one-byte-first"),
        pytest.param([get("/before"), HANDSHAKE], id="a-request-before"),
        pytest.param([get("/before") + HANDSHAKE], id="a-request-before-in-one-piece"),
        pytest.param([HANDSHAKE], id="whole"),
    ],
)
def test_handshake_in_whatever_pieces(app, loop, pieces):
    with socket.create_connection(app.address) as raw:
        raw.settimeout(20)
        for piece in pieces:
            raw.sendall(piece)
            loop.run(asyncio.sleep(0.01))  # so that the pieces come apart
        raw.sendall(HELLO + BYE)
        answered = b"".join(iter(lambda: raw.recv(65536), b""))

    assert b"HTTP/1.1 101" in answered
    assert (b"/before" in answered) == (b"/before" in b"".join(pieces))


@pytest.mark.parametrize(
    ("behind", "reported"),
    [
        pytest.param(HELLO, ["hello"], id="message"),
        pytest.param(HELLO + HELLO + BYE, ["hello", "hello", (1000, "")], id="messages-and-close"),
        pytest.param(HELLO + b"\xff\xff", ["hello", (1002, "invalid opcode")], id="mistake"),
    ],
)
def test_what_a_client_sends_at_once_is_heard_up_to_its_end(app, behind, reported):
    """Without waiting for the handshake's answer; its close or its mistake comes in the same piece."""
    with socket.create_connection(app.address) as raw:
        raw.settimeout(20)
        raw.sendall(HANDSHAKE + behind)
        heard = [app.reported.get(timeout=20) for _ in reported]

    assert heard == reported


def test_connect_that_raises_is_a_500(app):
    host, port = app.address
    with pytest.raises(Exception, match="500"), connect(f"ws://{host}:{port}/raises", proxy=None):
        pass


@contextmanager
def websocket(app):
    """Give a TCP connection after its handshake."""
    key = base64.b64encode(bytes(16)).decode()
    headers = f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"
    with socket.create_connection(app.address) as raw:
        raw.settimeout(20)
        raw.sendall(get("/", "Upgrade: websocket", "Connection: Upgrade", *headers))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += raw.recv(1)
        yield raw


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


CHUNK = b"x" * 4_300


@pytest.mark.threat("ws-backpressure")
def test_what_a_client_does_not_read_is_bounded_by_what_its_own_system_has_not_taken(loop, app):
    """The kernel would keep 4 MB for it besides. Its receive buffer is left alone."""

    async def fill():
        number = 0
        while app.opened.send(CHUNK):
            number += 1
            await asyncio.sleep(0)
        return number, app.opened._waiting(), app.opened._transport.get_write_buffer_size()

    with websocket(app) as raw:
        number, waiting, in_process = loop.run(fill())
        refused = loop.run(call(app.opened.send, b"x"))
        frame = len(CHUNK) + 4
        got = len(raw.makefile("rb").read(number * frame))
        taken = loop.run(until(lambda: app.opened.send(b"x")))

    assert LIMITS.client_buffer_bytes < waiting <= LIMITS.client_buffer_bytes + frame
    assert in_process == 0
    assert refused is False
    assert got == number * frame
    assert taken


async def until(condition):
    async with asyncio.timeout(20):
        while not (found := condition()):
            await asyncio.sleep(0.002)
    return found


def test_one_message_of_any_size_is_taken(app, client, loop):
    assert loop.run(call(app.opened.send, b"x" * 131_072))
    assert len(client.recv(timeout=20)) == 131_072


def test_message_to_a_client_that_is_just_cut_is_taken(app, client, loop):
    async def cut_and_send():
        app.opened.abort()
        return app.opened.send(b"x")

    assert loop.run(cut_and_send())


def test_nothing_is_written_while_writes_are_held(app, client, loop):
    """They count as what the client does not read; the close that follows is written in its turn."""

    async def hold():
        app.opened.hold()
        taken = [app.opened.send(b"%d" % n * 600) for n in range(3)]
        app.opened.close(CloseCode.NORMAL_CLOSURE, "done")
        waiting = app.opened._waiting()
        app.opened.release()
        return taken, waiting

    taken, waiting = loop.run(hold())

    assert taken == [True, True, False]
    assert waiting == 2 * 604 + 8
    assert [client.recv(timeout=20) for _ in "01"] == ["0" * 600, "1" * 600]
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=20)
    assert closed.value.rcvd.reason == "done"


def test_client_that_does_not_answer_a_close_is_cut_off(app, loop):
    with websocket(app):
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
