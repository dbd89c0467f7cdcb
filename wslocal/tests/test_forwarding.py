"""A request goes on as it came, and its answer comes back byte by byte."""

import asyncio

from wslocal.events.forwarding import forward
from wslocal.http1 import HttpRequest, status_of


def request(**headers):
    pairs = tuple(headers.items())
    return HttpRequest("POST", "/a%3Ab?c=d", pairs, b"body", is_upgrade=False)


async def through(asked, answer):
    """Return what a server gets of a request, and what comes back of its answer."""
    got = []

    async def serve(reader, writer):
        got.append(await reader.readuntil(b"body"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        return await forward(f"http://127.0.0.1:{port}", asked), got


def test_forwarded():
    answer = b"HTTP/1.1 200 OK\r\n\r\nanswer"

    back, [got] = asyncio.run(
        through(request(Host="h:1", Authorization="signed", Connection="keep-alive"), answer)
    )

    assert back == answer
    assert got == (
        b"POST /a%3Ab?c=d HTTP/1.1\r\nHost: h:1\r\nAuthorization: signed\r\n"
        b"Content-Length: 4\r\nConnection: close\r\n\r\nbody"
    )


def test_no_answer_is_a_bad_gateway():
    back, _ = asyncio.run(through(request(), b""))

    assert status_of(back) == 502


def test_nobody_there_is_a_bad_gateway():
    assert status_of(asyncio.run(forward("http://127.0.0.1:1", request()))) == 502
