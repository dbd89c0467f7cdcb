"""The relay in front of DynamoDB on real sockets: exact when nothing is wrong, and each fault."""

import asyncio
import http.client
import json
import socket
import struct
import threading
import zlib
from contextlib import contextmanager

import pytest

from wslocal.faults import Faults
from wslocal.loop import LoopThread
from wslocal.relay import Relay

ANSWER = b"HTTP/1.1 200 OK\r\nX-Amz-Crc32: 1\r\nContent-Length: 2\r\n\r\n{}"


class Upstream:
    """An API that keeps what comes, byte for byte, and answers each request with the next answer."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.answers = []
        self.came = []
        self.sockets = []
        self.ended = threading.Semaphore(0)
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            while request := self._read(sock):
                self.came.append(request)
                sock.sendall(self.answers.pop(0) if self.answers else ANSWER)
        except OSError:
            pass
        self.ended.release()

    def _read(self, sock):
        data = b""
        while b"\r\n\r\n" not in data:
            data += (more := sock.recv(65536))
            if not more:
                return data
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += sock.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join(20)  # nobody else is let in
        self.listener.close()
        for sock in self.sockets:
            sock.close()


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def faults():
    faults = Faults({})
    faults.has_relay = True
    return faults


@pytest.fixture
def relay(loop, upstream, faults):
    relay = Relay(upstream.endpoint, faults.of_call)
    loop.run(relay.start())
    yield relay
    loop.run(relay.close())


@contextmanager
def caller(relay):
    host, _, port = relay.endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        yield sock


def request(table="Things", **headers):
    body = json.dumps({"TableName": table, "Key": {"id": {"S": "é"}}}).encode()
    lines = ["POST / HTTP/1.1", "Host: 127.0.0.1:1", "X-Amz-Target: DynamoDB_20120810.GetItem"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def answer(sock):
    """Return the status and the body of the next answer."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.status, response.read()


def kind(sock):
    status, body = answer(sock)
    return status, json.loads(body)["__type"].partition("#")[2]


@contextmanager
def on(loop, fault):
    """Have a fault on the loop."""

    async def call(function, *given):
        return function(*given)

    entered = loop.run(call(fault.__enter__))
    try:
        yield entered
    finally:
        loop.run(call(fault.__exit__, None, None, None))


# --- without a fault ------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_request_goes_on_as_it_came_and_so_does_its_answer(relay, upstream, step):
    """Whatever pieces it comes in."""
    sent = request(**{"X-Odd": "a,b;  c", "authorization": "AWS4-HMAC-SHA256 Credential=x"})
    with caller(relay) as sock:
        for at in range(0, len(sent), step):
            sock.sendall(sent[at : at + step])
        got = b""
        while len(got) < len(ANSWER):
            got += sock.recv(65536)

    assert upstream.came == [sent]
    assert got == ANSWER


def test_socket_is_kept_for_the_next_request(relay, upstream):
    with caller(relay) as sock:
        for _ in range(3):
            sock.sendall(request())
            assert answer(sock) == (200, b"{}")

    assert len(upstream.sockets) == 1
    assert len(upstream.came) == 3


def test_requests_at_once_are_answered_in_their_order(relay, upstream):
    upstream.answers = [ANSWER.replace(b"{}", b"%02d" % n) for n in range(3)]
    with caller(relay) as sock:
        sock.sendall(request() * 3)
        reader = sock.makefile("rb")
        got = reader.read(3 * len(ANSWER))

    assert [got[len(ANSWER) * n - 2 : len(ANSWER) * n] for n in (1, 2, 3)] == [b"00", b"01", b"02"]


def test_chunked_answer_is_not_touched(relay, upstream):
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    upstream.answers = [chunked]
    with caller(relay) as sock:
        sock.sendall(request())
        first = sock.makefile("rb").read(len(chunked))
        sock.sendall(request())
        second = answer(sock)

    assert first == chunked
    assert second == (200, b"{}")


def test_chunked_request_goes_on_with_its_length(relay, upstream):
    with caller(relay) as sock:
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        )
        answer(sock)

    assert upstream.came == [b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"]


def test_request_for_another_host_does_not_go_on(relay, upstream):
    with caller(relay) as sock:
        sock.sendall(request().replace(b"127.0.0.1:1", b"evil.example"))

        assert answer(sock)[0] == 403
        assert sock.recv(1) == b""

    assert upstream.came == []


def test_socket_ends_with_the_one_to_the_api(relay, upstream):
    with caller(relay) as sock:
        sock.sendall(request())
        answer(sock)
        upstream.sockets[0].shutdown(socket.SHUT_RDWR)

        assert sock.recv(1) == b""


def test_socket_to_the_api_ends_with_the_callers(relay, upstream):
    with caller(relay) as sock:
        sock.sendall(request())
        answer(sock)

    assert upstream.ended.acquire(timeout=20)


def test_api_that_does_not_run_resets_the_caller(loop, faults):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    relay = Relay(endpoint, faults.of_call)
    loop.run(relay.start())
    try:
        with pytest.raises(ConnectionResetError), caller(relay) as sock:
            sock.recv(1)
    finally:
        loop.run(relay.close())


def test_answer_that_is_not_http_resets_the_caller(relay, upstream):
    upstream.answers = [b"garbage\r\n\r\n"]
    with caller(relay) as sock:
        sock.sendall(request())
        with pytest.raises(ConnectionResetError):
            sock.makefile("rb").read()


def test_request_that_is_not_http_is_refused(relay, upstream):
    with caller(relay) as sock:
        sock.sendall(b"garbage\r\n\r\n")

        assert answer(sock)[0] == 400
        assert sock.recv(1) == b""
    assert upstream.came == []


def test_end_of_the_relay_ends_calls(loop, upstream, faults):
    relay = Relay(upstream.endpoint, faults.of_call)
    loop.run(relay.start())
    with on(loop, faults.table(None, delay_seconds=60)) as fault, caller(relay) as sock:
        sock.sendall(request())
        wait_for(lambda: fault.hits)
        loop.run(relay.close())
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert upstream.came == []


# --- faults ---------------------------------------------------------------------------------------


def wait_for(condition):
    async def wait():
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.002)

    asyncio.run(wait())


def test_fault_begins_and_ends_on_a_socket_that_is_kept(relay, upstream, loop, faults):
    with caller(relay) as sock:
        sock.sendall(request())
        before = answer(sock)
        with on(loop, faults.table("Things", error="ThrottlingException")) as fault:
            sock.sendall(request())
            meanwhile = kind(sock)
        sock.sendall(request())
        after = answer(sock)

    assert before == after == (200, b"{}")
    assert meanwhile == (400, "ThrottlingException")
    assert fault.hits == 1
    assert len(upstream.came) == 2
    assert len(upstream.sockets) == 1


@pytest.mark.parametrize(
    ("error", "status"), [("InternalServerError", 500), ("ServiceUnavailable", 503)]
)
def test_error_has_its_status_and_its_checksum(relay, loop, faults, error, status):
    with on(loop, faults.table(None, error=error)), caller(relay) as sock:
        sock.sendall(request())
        response = http.client.HTTPResponse(sock)
        response.begin()
        body = response.read()

    assert response.status == status
    assert json.loads(body)["__type"].endswith(f"#{error}")
    assert response.headers["x-amz-crc32"] == str(zlib.crc32(body))
    assert response.headers["Content-Type"] == "application/x-amz-json-1.0"


def test_every_third_call_about_the_table_fails(relay, loop, faults):
    with (
        on(loop, faults.table("Things", error="InternalServerError", every=3)) as fault,
        caller(relay) as sock,
    ):
        statuses = []
        for table in ["Things", "Others"] * 6:
            sock.sendall(request(table))
            statuses.append(answer(sock)[0])

    assert [n for n, status in enumerate(statuses) if status == 500] == [4, 10]
    assert fault.hits == 2


def test_socket_is_reset(relay, upstream, loop, faults):
    with on(loop, faults.table(None, error="refuse")), caller(relay) as sock:
        sock.sendall(request())
        with pytest.raises(ConnectionResetError):
            sock.recv(1)

    assert upstream.came == []


def test_delayed_call_is_carried_out_when_the_fault_ends(relay, upstream, loop, faults):
    with caller(relay) as sock:
        with on(loop, faults.table("Things", delay_seconds=60, error="InternalServerError")) as one:
            sock.sendall(request())
            wait_for(lambda: one.hits)
            before = list(upstream.came)
        after = answer(sock)

    assert before == []
    assert after == (200, b"{}")


def test_delay_passes(relay, upstream, loop, faults):
    with (
        on(loop, faults.table("Things", delay_seconds=0.01)) as fault,
        caller(relay) as sock,
    ):
        sock.sendall(request())
        got = answer(sock)

    assert got == (200, b"{}")
    assert fault.hits == 1


def test_delayed_call_whose_caller_has_gone_is_not_carried_out(relay, upstream, loop, faults):
    with on(loop, faults.table("Things", delay_seconds=60)) as fault:
        with caller(relay) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(request())
            wait_for(lambda: fault.hits)
        assert upstream.ended.acquire(timeout=20)

    assert upstream.came == []
    assert not relay.callers
    assert not relay.tasks
