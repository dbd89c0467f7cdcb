"""An HTTP proxy before a DynamoDB API that misbehaves by plan, one fault a request.

A fault is a function that gets the request, and may forward it to the real API: what was forwarded was
carried out there. Without a fault left, requests are forwarded and answered. Everything is kept in
`requests`.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple


class Answer(NamedTuple):
    """An answer of DynamoDB's, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def on_the_wire(self) -> bytes:
        headers = {**self.headers, "content-length": str(len(self.body))}
        lines = [f"HTTP/1.1 {self.status} Reason", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class Request(NamedTuple):
    """A request as it came, and what can be done with it."""

    operation: str
    headers: dict[str, str]
    body: bytes
    sock: socket.socket
    forward: Callable[[], Answer]

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Fault = Callable[[Request], object]


def error(code: str, status: int = 400, **headers: str) -> Answer:
    """Return an error as DynamoDB answers it."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "m"})
    return with_checksum(Answer(status, headers, body.encode()))


def with_checksum(answer: Answer) -> Answer:
    headers = {**answer.headers, "x-amz-crc32": str(zlib.crc32(answer.body))}
    return answer._replace(headers=headers)


# --- faults ---------------------------------------------------------------------------------------


def answers(code: str, status: int = 400) -> Fault:
    """Refuse the request, which nobody carries out."""
    return lambda request: request.sock.sendall(error(code, status).on_the_wire())


def reset_unread(request: Request) -> None:
    """End the connection; nobody carries the request out."""
    request.reset()


def reset_after(request: Request) -> None:
    """Carry the request out, and end the connection without an answer."""
    request.forward()
    request.reset()


def close_after(request: Request) -> None:
    """The same with an orderly end."""
    request.forward()
    request.sock.close()


def half_after(request: Request) -> None:
    """Carry the request out, and break off in the middle of the answer."""
    whole = request.forward().on_the_wire()
    request.sock.sendall(whole[: len(whole) // 2])
    request.sock.close()


def wrong_checksum_after(request: Request) -> None:
    """Carry the request out, and answer with another checksum than the body's."""
    answer = request.forward()
    wrong = answer._replace(headers={**answer.headers, "x-amz-crc32": "1"})
    request.sock.sendall(wrong.on_the_wire())


def error_500_after(request: Request) -> None:
    """Carry the request out, and say that it failed."""
    request.forward()
    request.sock.sendall(error("InternalServerError", 500).on_the_wire())


def silence_after(request: Request) -> None:
    """Carry the request out, and say nothing until the client gives up."""
    request.forward()
    with suppress(OSError):
        while request.sock.recv(65536):
            pass
    request.sock.close()


def slowly(request: Request) -> None:
    """Answer byte by byte."""
    for byte in request.forward().on_the_wire():
        request.sock.sendall(bytes([byte]))


def close_when_idle(request: Request) -> None:
    """Answer, and close the connection that the client keeps."""
    request.sock.sendall(request.forward().on_the_wire())
    request.sock.close()


AFTER = (
    reset_after,
    close_after,
    half_after,
    wrong_checksum_after,
    error_500_after,
    silence_after,
)


# --- the proxy ------------------------------------------------------------------------------------


class FaultyProxy:
    """Serve until the end of a `with` statement; `faults` are used up in order.

    `check`, if there is one, sees every request first, and may return an answer instead.
    """

    def __init__(self, endpoint: str) -> None:
        self._target = endpoint.partition("://")[2]
        self.faults: list[Fault] = []
        self.check: Callable[[Request], Answer | None] = lambda request: None
        self.requests: list[Request] = []
        self.accepted = 0
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FaultyProxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(5)  # nobody else is let in
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.wait_for_connections()

    def wait_for_connections(self) -> None:
        """Return when all connections that have begun have ended."""
        for thread in self._threads[1:]:
            thread.join(5)

    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            self._open.add(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        upstream = http.client.HTTPConnection(self._target, timeout=10)
        try:
            while sock.fileno() >= 0 and (request := self._read(sock, upstream)):
                self._answer(request)
        except OSError:  # the client, or a fault, ended it
            pass
        finally:
            upstream.close()
            sock.close()
            self._open.discard(sock)
            self._threads.remove(threading.current_thread())

    def _read(self, sock: socket.socket, upstream: http.client.HTTPConnection) -> Request | None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += (more := sock.recv(65536))
            if not more:
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode().split("\r\n")[1:])
        headers = {name.lower(): value.strip() for name, _, value in lines}
        while len(body) < int(headers["content-length"]):
            body += (more := sock.recv(65536))
            if not more:
                return None

        def forward() -> Answer:
            upstream.request("POST", "/", body, headers)
            came = upstream.getresponse()
            return with_checksum(
                Answer(
                    came.status,
                    {k: v for k, v in came.headers.items() if k.lower().startswith("x-amzn")},
                    came.read(),
                )
            )

        operation = headers["x-amz-target"].partition(".")[2]
        return Request(operation, headers, body, sock, forward)

    def _answer(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            refused = self.check(request)
            fault = self.faults.pop(0) if self.faults and not refused else None
        if refused:
            request.sock.sendall(refused.on_the_wire())
        elif fault:
            fault(request)
        else:
            request.sock.sendall(request.forward().on_the_wire())
