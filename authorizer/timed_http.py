"""One GET whose whole has a time limit: connection, TLS, headers and body, however slowly they come.

A timeout of a socket is for each step: a server that sends a byte now and then never reaches it. Only to
look up a name takes the resolver's own time. A redirect is not followed, and no proxy is asked.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from typing import Any

__all__ = ["get"]


def get(url: str, timeout_seconds: float, max_bytes: int) -> tuple[int, bytes]:
    """Return the status, and of a 200 the first `max_bytes` of what it brings.

    OSError, of which TimeoutError is one, HTTPException, or ValueError for a URL that is none.
    """
    deadline = time.monotonic() + timeout_seconds
    parts = urlsplit(url)
    host, is_https = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_https else 80)
    context = ssl.create_default_context() if is_https else None
    with (
        _connect(host, port, deadline) as plain,
        _secure(plain, host, context, deadline) if context else plain as sock,
    ):
        connection = (
            HTTPSConnection(host, port, context=context) if context else HTTPConnection(host, port)
        )
        connection.sock = sock
        sock.settimeout(_left(deadline))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": "application/json"})
        with HTTPResponse(_Reader(sock, deadline), method="GET") as response:  # type: ignore[arg-type]  # it asks for `makefile` only
            response.begin()
            return response.status, response.read(max_bytes) if response.status == 200 else b""


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """Return a connection to the first address that takes one; else raise the last one's failure."""
    failure = OSError("no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _secure(
    sock: socket.socket, host: str, context: ssl.SSLContext, deadline: float
) -> ssl.SSLSocket:
    """Return the connection with TLS on it; the handshake as a whole has the time that is left."""
    sock.settimeout(_left(deadline))
    return context.wrap_socket(sock, server_hostname=host)


class _Reader(io.RawIOBase):
    """What HTTPResponse reads from: each read of the socket has the time that is left."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
