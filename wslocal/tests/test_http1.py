"""Requests off a socket, however it cuts them, and answers."""

import pytest

from wslocal.http1 import LOOPBACK, BadRequest, RequestReader, respond, status_of

POST = b"POST /a?b=1 HTTP/1.1\r\nHost: localhost\r\nX-Own: \xe9\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = (
    b"GET /dev HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)


def test_request_at_once():
    [request] = RequestReader(100).feed(POST)

    assert (request.method, request.target, request.body) == ("POST", "/a?b=1", b"hello")
    assert request.headers == (("Host", "localhost"), ("X-Own", "é"), ("Content-Length", "5"))
    assert request.header("x-own") == "é"
    assert request.header("absent") == ""
    assert not request.is_upgrade


def test_request_byte_by_byte_is_the_same():
    reader = RequestReader(100)

    pieces = [reader.feed(POST[at : at + 1]) for at in range(len(POST))]

    assert pieces[-1] == RequestReader(100).feed(POST)
    assert pieces[:-1] == [[]] * (len(POST) - 1)


def test_requests_one_after_the_other():
    assert [one.method for one in RequestReader(100).feed(POST + GET + POST)] == [
        "POST",
        "GET",
        "POST",
    ]


def test_upgrade():
    [request] = RequestReader(100).feed(UPGRADE)

    assert request.is_upgrade
    assert request.head == UPGRADE


def test_what_comes_behind_an_upgrade_is_kept_as_it_is():
    reader = RequestReader(100)

    assert reader.feed(UPGRADE[:20]) == []
    assert [one.method for one in reader.feed(UPGRADE[20:] + b"\x81\x80 frames")] == ["GET"]
    assert reader.rest == b"\x81\x80 frames"


def test_head_says_the_version_that_came():
    data = b"GET /a HTTP/1.0\r\nHost: localhost\r\nA: \xe9\r\n\r\n"

    [request] = RequestReader(100).feed(data)

    assert request.head == data


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost", "localhost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]"),
        *("[::1]:65535", "api.execute-api.us-east-1.amazonaws.com"),
        "api.execute-api.us-east-1.amazonaws.com:443",
    ],
)
def test_host_that_is_one_of_ours(host):
    reader = RequestReader(100, LOOPBACK | {"api.execute-api.us-east-1.amazonaws.com"})

    assert len(reader.feed(GET.replace(b"localhost", host.encode()))) == 1


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Host: evil.example", id="other"),
        pytest.param("Host: evil.example:80", id="other-with-port"),
        pytest.param("Host: localhost.evil.example", id="begins-like-ours"),
        pytest.param("Host: evil-localhost", id="ends-like-ours"),
        pytest.param("Host: 127.0.0.1.nip.example", id="begins-like-our-address"),
        pytest.param("Host: localhost@evil.example", id="user"),
        pytest.param("Host: localhost:80:80", id="two-ports"),
        pytest.param("Host: localhost:http", id="port-of-letters"),
        pytest.param("Host: [::1", id="open-bracket"),
        pytest.param("Host: 2130706433", id="address-as-a-number"),
        pytest.param("Host: api.execute-api.us-east-1.amazonaws.com", id="not-given"),
        pytest.param("Host:", id="empty"),
        pytest.param("X-Own: 1", id="none"),
        pytest.param("Host: localhost\r\nHost: evil.example", id="two"),
        pytest.param("Host: localhost\r\nhost: localhost", id="the-same-twice"),
    ],
)
@pytest.mark.parametrize("request_of", [GET, UPGRADE, POST], ids=["get", "upgrade", "post"])
def test_host_that_is_not_ours_is_refused(request_of, line):
    """Also before a request that begins a WebSocket, and before the body has come."""
    head = request_of.replace(b"Host: localhost", line.encode()).removesuffix(b"hello")

    with pytest.raises(BadRequest) as caught:
        RequestReader(100).feed(head)

    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"hello\r\n\r\n", 400, id="not-http"),
        pytest.param(POST.replace(b": 5", b": 101") + b"x" * 96, 413, id="large-body"),
    ],
)
def test_bad_request(data, status):
    with pytest.raises(BadRequest) as caught:
        RequestReader(100).feed(data)

    assert caught.value.status == status


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nA: ", GET[:-2]])
def test_head_without_end(start):
    reader = RequestReader(100)
    reader.feed(start)

    with pytest.raises(BadRequest) as caught:
        feed_until_refused(reader, b"x" * 1000)

    assert caught.value.status == 431


def feed_until_refused(reader, data):
    for _ in range(66):
        reader.feed(data)


def test_largest_body():
    data = POST.replace(b": 5", b": 100") + b"x" * 95

    assert len(RequestReader(100).feed(data)[0].body) == 100


def test_answer():
    assert respond(200, b"{}", [("X-Own", "1")]) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nX-Own: 1\r\n\r\n{}"
    )


def test_answer_without_content():
    assert respond(204) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert status_of(respond(204)) == 204


@pytest.mark.parametrize(
    ("value", "host"),
    [("LocalHost:80", "localhost"), ("[::1]:8080", "[::1]"), ("127.0.0.1", "127.0.0.1")],
)
def test_host_of_a_request(value, host):
    [request] = RequestReader(100).feed(f"GET /a?b HTTP/1.1\r\nHost: {value}\r\n\r\n".encode())

    assert (request.host, request.path) == (host, "/a")


def test_forwarded_request_says_its_own_length():
    data = (
        b"PUT /a%20b?c=%2F HTTP/1.1\r\nHost: localhost\r\nX-Own: \xe9\r\nExpect: 100-continue\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )

    [request] = RequestReader(100).feed(data)

    assert request.forwarded() == (
        b"PUT /a%20b?c=%2F HTTP/1.1\r\nHost: localhost\r\nX-Own: \xe9\r\n"
        b"Content-Length: 3\r\n\r\nabc"
    )


def test_request_that_waits_for_an_answer_to_its_head():
    reader = RequestReader(100)

    reader.feed(b"PUT / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-Continue\r\n")
    assert not reader.expects
    reader.feed(b"Content-Length: 2\r\n\r\n")
    assert reader.expects
    reader.feed(b"{")
    assert not reader.expects
