"""Answers of an AWS API, from any bytes: reading them ends, is bounded, and does not depend on their pieces."""

from __future__ import annotations

import socket
from typing import Any

from fuzz.draws import Draws
from shared_utils._aws_endpoint import Endpoint
from shared_utils._http1 import MAX_HEAD_BYTES, AnswerReader, date_of, header
from shared_utils._signed_http import Client, Job, Run, SignedRequest, error_name

__all__ = ["try_input"]

_MAX_BODY_BYTES = 500
_ENVIRON = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "eu-west-1",
}
_STEP_SECONDS = 0.01
# Each attempt may be repeated once, on a new socket; then the deadline ends the call.
_MAX_READS = 4000

# What a fuzzer would need long to find.
_PARTS = (
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 204 No\r\n",
        b"http/1.1 100 \r\n\r\n",
        b"\r\n",
        b"\r\n\r\n",
    ),
    *(b"Content-Length: 7\r\n", b"content-length:500\r\n", b"Content-Length: 501\r\n", b"X: y\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n"),
    *(
        b"0\r\nX: y\r\n\r\n",
        b"1f4;a=b\r\n" + b"x" * 500 + b"\r\n",
        b"x" * 1024,
        b"HTTP/1.1 403 No\r\n",
    ),
    *(b"Date: Sun, 30 Aug 2015 12:36:00 GMT\r\n", b"x-amzn-ErrorType: RequestTimeTooSkewed:\r\n"),
    b'{"__type":"com.amazonaws#ExpiredTokenException"}',
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 48\r\n\r\n",
)

_Result = tuple[Any, ...]


def try_input(data: bytes) -> None:
    """Read an answer whole, in pieces, and through a call over a socket."""
    draws = Draws(data)
    answer = _answer(draws)
    pieces = draws.cut(answer)
    whole = _read([answer] if answer else [])
    assert _read(pieces) == whole, "it depends on the pieces"
    # A call takes a hundred times as long, so that it is not made each time.
    if draws.up_to(7) == 7:
        _check_call(pieces, whole)


def _answer(draws: Draws) -> bytes:
    """Return parts of answers and any bytes."""
    parts = []
    for _ in range(draws.up_to(9)):
        parts.append(draws.pick(_PARTS) if draws.up_to(3) else draws.some_bytes(40))
    if draws.up_to(30) == 30:
        parts.append(b"a" * (MAX_HEAD_BYTES - draws.up_to(200)))
    return b"".join([*parts, draws.rest() if draws.flag() else b""])


def _read(pieces: list[bytes]) -> _Result:
    """Return what is read from the pieces and the end of the connection."""
    reader = AnswerReader(_MAX_BODY_BYTES)
    given = 0
    try:
        for piece in [*pieces, b""]:
            given += len(piece)
            found = reader.feed(piece)
            held = len(reader._data) + len(reader._body)
            assert held <= MAX_HEAD_BYTES + _MAX_BODY_BYTES + 2048 + len(piece), "it keeps too much"
            if found is not None:
                return _checked(found)
    except (ValueError, ConnectionError) as error:
        assert len(str(error)) < 80, "its text may have something of the answer"
        return (type(error), str(error))
    raise AssertionError("the end of the connection is not the end of the answer")


def _checked(found: Any) -> _Result:
    """Return what does not depend on how much came in one piece: not whether there is more."""
    status, head, body, _ = found
    assert 200 <= status <= 999, "the status is none"
    assert len(head) <= MAX_HEAD_BYTES, "the head is too long"
    assert len(body) <= _MAX_BODY_BYTES, "the body is too long"
    name = error_name(head, body)
    assert len(name) <= 80, "the name of the error is too long"
    assert name.isalpha() or name == "", "the name of the error is none"
    moment = date_of(head)
    assert moment is None or isinstance(moment, float), "the time is none"
    assert b"\r\n" not in header(head, b"connection"), "a header has a second line"
    return status, head, body


class _Clock:
    """Goes on by a step with each look at it."""

    now = 1_440_938_160.0

    def __call__(self) -> float:
        self.now += _STEP_SECONDS
        return self.now


class _Scripted:
    """A connected socket that gives an answer in pieces; there is always something to wait for."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._sock, other = socket.socketpair()
        self._sock.setblocking(False)
        other.close()
        self._pieces = iter([*pieces, b""])
        self._rest = b""
        self._is_asked = False
        self.reads = 0

    def send(self, data: bytes) -> int:
        self._is_asked = True
        return len(data)

    def recv(self, number: int) -> bytes:
        self.reads += 1
        assert self.reads < _MAX_READS, "it reads without an end"
        if not self._is_asked:
            raise BlockingIOError
        piece = self._rest or next(self._pieces, b"")
        self._rest = piece[number:]
        return piece[:number]

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()


class _Client(Client):
    """A client whose kept socket is scripted, and that cannot open another one."""

    def __init__(self, pieces: list[bytes]) -> None:
        clock = _Clock()
        place = (False, "localhost", 9, "/dev/")
        endpoint = Endpoint(
            place, "eu-west-1", "execute-api", environ=_ENVIRON, clock=clock, monotonic=clock
        )
        super().__init__(endpoint)
        self.scripted = _Scripted(pieces)
        self.pool.append((self.scripted, clock.now, clock.now))  # type: ignore[arg-type]

    def addresses(self) -> list[Any]:
        raise OSError("there is no other address")


def _check_call(pieces: list[bytes], whole: _Result) -> None:
    """Make a call whose answer is this one, and compare what comes of it."""
    client = _Client([piece for piece in pieces if piece])
    request = SignedRequest("POST", b"{}", max_answer_bytes=_MAX_BODY_BYTES)
    retries: list[Job] = []

    def retry(job: Job) -> float | None:
        retries.append(job)
        return None

    Run(client, request, ["name"], 5.0, retry).run()
    client.close_sockets()
    client.scripted.close()
    [job] = retries
    if isinstance(whole[0], int) and whole[0] not in (400, 401, 403):
        assert (job.status, job.head, job.body) == whole, "the call says something else"
    assert job.status or job.reason, "nothing is said of the request"
