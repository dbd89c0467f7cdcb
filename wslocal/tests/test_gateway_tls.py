"""The socket shell under TLS: what ends, waits or is bounded does so as without it."""

import asyncio
import base64
import socket
import ssl

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from wslocal.certificates import Certificates
from wslocal.gateway.server import Socket
from wslocal.loop import LoopThread
from wslocal.tests.test_gateway_server import LIMITS, App, call, get, until

# What asyncio writes ahead under TLS, in bytes, and does not say: its high-water mark for a transport.
WRITTEN_AHEAD = 64 * 1024


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def app(loop, certificates):
    app = App()

    async def serve():
        app.gate = asyncio.Event()
        app.server = await asyncio.get_running_loop().create_server(
            lambda: Socket(app, LIMITS), "127.0.0.1", 0, ssl=certificates.context()
        )
        return app.server.sockets[0].getsockname()

    async def end():
        app.server.close()
        for one in list(app.sockets):
            one.abort()
        await asyncio.sleep(0)

    app.address = loop.run(serve())
    yield app
    loop.run(end())


@pytest.fixture
def trust(certificates):
    return ssl.create_default_context(cafile=certificates.ca_file)


class Client:
    """A connection on a loop of its own."""

    def __init__(self, loop, connection):
        self._run = loop.run
        self._connection = connection

    def send(self, message):
        self._run(self._connection.send(message))

    def recv(self):
        return self._run(asyncio.wait_for(self._connection.recv(), 20))

    def close(self, code, reason):
        self._run(self._connection.close(code, reason))


@pytest.fixture
def client(app, trust):
    options = {"proxy": None, "compression": None, "close_timeout": 1, "max_queue": 1}
    with LoopThread() as own:
        opening = connect(f"wss://127.0.0.1:{app.address[1]}/", ssl=trust, **options)
        yield Client(own, own.enter(opening))


@pytest.fixture
def raw(app, trust):
    """Return a socket on which a handshake is done, and nothing is read."""
    key = base64.b64encode(bytes(16)).decode()
    headers = ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    plain = socket.create_connection(app.address)
    with trust.wrap_socket(plain, server_hostname="127.0.0.1") as raw:
        raw.settimeout(20)
        raw.sendall(get("/", "Upgrade: websocket", "Connection: Upgrade", *headers))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += raw.recv(1)
        yield raw


def test_message_of_any_size_is_taken(app, client, loop):
    assert loop.run(call(app.opened.send, b"x" * 131_072))
    assert len(client.recv()) == 131_072


def test_client_that_closes(app, client):
    client.close(4000, "done")

    assert app.reported.get(timeout=20) == (4000, "done")


def test_close_from_our_side(app, client, loop):
    loop.run(call(app.opened.close, CloseCode.GOING_AWAY, "Going away"))

    with pytest.raises(ConnectionClosed) as caught:
        client.recv()
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1001, "Going away")
    assert app.reported.get(timeout=20) == (1001, "Going away")


def test_binary_frame_is_refused_with_its_code(app, client):
    client.send(b"\x00")

    with pytest.raises(ConnectionClosed) as caught:
        client.recv()
    assert caught.value.rcvd.code == 1003
    assert app.reported.get(timeout=20)[0] == 1003


def test_frame_that_is_too_large(app, client):
    client.send("x" * (32 * 1024 + 1))

    with pytest.raises(ConnectionClosed) as caught:
        client.recv()
    assert caught.value.rcvd.code == 1009


def test_client_that_is_gone(app, raw):
    raw.unwrap().close()

    assert app.reported.get(timeout=20)[0] == 1006


def test_client_that_does_not_answer_a_close_is_cut_off(app, raw, loop):
    loop.run(call(app.opened.close, CloseCode.GOING_AWAY, "bye"))

    assert app.reported.get(timeout=20) == (1001, "bye")


def test_client_with_too_much_at_work_is_not_read_from(app, client, loop):
    client.send("1")
    client.send("2")
    assert [app.reported.get(timeout=20) for _ in "12"] == ["1", "2"]
    assert not loop.run(call(app.opened._transport.is_reading))

    client.send("3")
    loop.run(call(app.opened.end_work))

    assert app.reported.get(timeout=20) == "3"


def test_what_a_client_does_not_read_is_bounded(app, raw, loop):
    chunk = b"x" * 4_300

    async def fill():
        number = 0
        while app.opened.send(chunk):
            number += 1
            await asyncio.sleep(0)
        return number

    number = loop.run(fill())
    frame = len(chunk) + 4
    reader = raw.makefile("rb")
    got = len(reader.read(number * frame))

    assert got == number * frame
    assert number * frame <= LIMITS.client_buffer_bytes + WRITTEN_AHEAD + raw_buffer(raw) + frame
    assert loop.run(until(lambda: app.opened.send(b"x")))


def raw_buffer(raw):
    """Return what the client's own system takes at most without being read."""
    return raw.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_requests_of_plain_http(app, trust):
    plain = socket.create_connection(app.address)
    with trust.wrap_socket(plain, server_hostname="127.0.0.1") as raw:
        raw.settimeout(20)
        raw.sendall(get("/one") + get("/two", "Connection: close"))
        answers = b"".join(iter(lambda: raw.recv(65536), b""))

    assert answers.index(b"/one") < answers.index(b"/two")
