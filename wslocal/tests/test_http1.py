"""Requests off a socket, however it cuts them, and answers."""

import pytest

from wslocal.http1 import BadRequest, RequestReader, respond

POST = b"POST /a?b=1 HTTP/1.1\r\nHost: x\r\nX-Own: \xe9\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = b"GET /dev HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_request_at_once():
    [request] = RequestReader(100).feed(POST)

    assert (request.method, request.target, request.body) == ("POST", "/a?b=1", b"hello")
    assert request.headers == (("Host", "x"), ("X-Own", "é"), ("Content-Length", "5"))
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
    [request] = RequestReader(100).feed(b"GET /a HTTP/1.0\r\nA: \xe9\r\n\r\n")

    assert request.head == b"GET /a HTTP/1.0\r\nA: \xe9\r\n\r\n"


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
