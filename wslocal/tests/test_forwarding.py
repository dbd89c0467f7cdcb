"""A request goes on as it came, and its answer comes back; what concerns the socket stays here."""

import asyncio

import pytest

from wslocal.forwarding import forward
from wslocal.http1 import HttpRequest


def request(**headers):
    pairs = tuple(headers.items())
    return HttpRequest("POST", "/a%3Ab?c=d", pairs, b"body", is_upgrade=False)


async def through(asked, answer):
    """Return what comes back of a server's answer, and what the server gets."""
    got = []

    async def serve(reader, writer):
        got.append(await reader.readuntil(b"body"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        return await forward(asked, f"http://127.0.0.1:{port}"), got


def test_request_goes_on_as_it_was_signed():
    asked = request(Host="h:1", Authorization="signed", Connection="keep-alive")

    _, [got] = asyncio.run(through(asked, b"HTTP/1.1 200 OK\r\n\r\n"))

    assert got.startswith(b"POST /a%3Ab?c=d HTTP/1.1\r\nHost: h:1\r\nAuthorization: signed\r\n")
    assert b"Connection: close\r\n" in got
    assert b"keep-alive" not in got
    assert b"Content-Length: 4\r\n" in got
    assert got.endswith(b"\r\n\r\nbody")


def test_answer_says_where_it_ends():
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-A: b\r\n\r\nanswer"

    back, _ = asyncio.run(through(request(), answer))

    assert back == b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 6\r\n\r\nanswer"


def test_answer_without_a_body():
    back, _ = asyncio.run(through(request(), b"HTTP/1.1 204 No Content\r\n\r\n"))

    assert back == b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["none", "half-a-head"])
def test_no_whole_answer(answer):
    with pytest.raises(OSError, match="no whole head"):
        asyncio.run(through(request(), answer))


def test_nobody_there():
    with pytest.raises(OSError, match="Connect"):
        asyncio.run(forward(request(), "http://127.0.0.1:1"))
