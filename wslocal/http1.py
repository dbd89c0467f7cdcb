"""HTTP/1.1 off a socket, request by request, and each answer as one write.

One write, because the process that reads it shares the processor with us: two would wake it twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = ["LOOPBACK", "BadRequest", "HttpRequest", "RequestReader", "respond", "status_of"]

# How a request names this machine. A page of another site can have a name of its own lead here (DNS
# rebinding), and its browser then lets it read our answers; but it sends that name as `Host`.
LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
_HOST = re.compile(r"(\[[^]]*]|[^:]*)(?::[0-9]*)?")

# Ours: a request line and headers that need more are not those of a client we know.
_MAX_HEAD_BYTES = 64 * 1024
# Who sends a request on says itself how long its body is, and has let the body come already.
_HOP = {"content-length", "transfer-encoding", "expect"}


class BadRequest(Exception):  # noqa: N818 - the name of the status
    """The other end does not speak HTTP, or says too much; `status` is the answer it gets."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names as they came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_upgrade: bool
    version: str = "1.1"

    @property
    def head(self) -> bytes:
        """The request line and the headers, as they go over the wire."""
        lines = [f"{self.method} {self.target} HTTP/{self.version}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    @property
    def host(self) -> str:
        """The name that `Host` has, in lower case and without a port."""
        match = _HOST.fullmatch(self.header("Host"))
        return match[1].lower() if match else ""

    @property
    def path(self) -> str:
        """The target without its query string."""
        return self.target.partition("?")[0]

    def forwarded(self) -> bytes:
        """Return the request for another server, with all that its signature covers as it came."""
        head = [f"{self.method} {self.target} HTTP/1.1"]
        head += [f"{name}: {value}" for name, value in self.headers if name.lower() not in _HOP]
        head += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(head).encode("latin-1") + self.body

    def header(self, name: str) -> str:
        """Return the first header of that name, in any case, or an empty string."""
        name = name.lower()
        return next((value for key, value in self.headers if key.lower() == name), "")


class RequestReader:
    """Turns what a socket gives into requests; `rest` is what came behind one with `is_upgrade`.

    A request whose `Host`, without its port, is none of `hosts` is a BadRequest with 403. `expects` is
    whether the last one waits for `100 Continue` before it sends its body.
    """

    def __init__(self, max_body_bytes: int, hosts: Container[str] = LOOPBACK) -> None:
        self._max_body_bytes = max_body_bytes
        self._hosts = hosts
        self._parser = httptools.HttpRequestParser(self)
        self._done: list[HttpRequest] = []
        self.rest = b""
        self.expects = False
        self.on_message_begin()
        self._in_head = False

    def feed(self, data: bytes) -> list[HttpRequest]:
        """Return the requests that `data` completes; after one with `is_upgrade`, no more come."""
        if self._in_head:  # the parser keeps what is not finished to itself
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.rest = data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, BadRequest):
                raise error.__context__ from None
            raise
        except httptools.HttpParserError as error:
            raise BadRequest(HTTPStatus.BAD_REQUEST) from error
        done, self._done = self._done, []
        return done

    # --- called by the parser ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._head_bytes = 0
        self._in_head = True
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._in_head = False
        named = [value for name, value in self._headers if name.lower() == "host"]
        host = _HOST.fullmatch(named[0]) if len(named) == 1 else None
        if host is None or host[1].lower() not in self._hosts:
            raise BadRequest(HTTPStatus.FORBIDDEN)
        self.expects = any(
            name.lower() == "expect" and value.lower() == "100-continue"
            for name, value in self._headers
        )

    def on_body(self, body: bytes) -> None:
        self.expects = False
        self._body += body
        if len(self._body) > self._max_body_bytes:
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_complete(self) -> None:
        self.expects = False
        self._done.append(
            HttpRequest(
                self._parser.get_method().decode("latin-1"),
                self._target.decode("latin-1"),
                tuple(self._headers),
                bytes(self._body),
                self._parser.should_upgrade(),
                self._parser.get_http_version(),
            )
        )


def respond(
    status: int,
    body: bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
    content_type: str = "application/json",
) -> bytes:
    """Return an answer as it goes over the wire."""
    head = [
        f"HTTP/1.1 {int(status)} {responses.get(status, 'Unknown')}",
        # Without a content type the native part of the runtime client reads a null pointer.
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    if status == HTTPStatus.NO_CONTENT:
        del head[1:3]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def status_of(answer: bytes) -> int:
    """Return the status of what `respond` made."""
    return int(answer.split(b" ", 2)[1])
