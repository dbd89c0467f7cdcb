"""Lambda's Runtime API for one runtime process, on a free port of 127.0.0.1.

The process asks for work and gives answers (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html);
here each request becomes one message in `outbox`, in the order in which they came.
"""

from __future__ import annotations

import queue
import socket
import socketserver
import sys
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "Answered",
    "Exited",
    "InitFailed",
    "Message",
    "Ready",
    "RuntimeApi",
    "TimedOut",
    "Work",
]

# Event and response of a synchronous invocation, 6 MB; Lambda's own messages give this number.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 6_291_556

_PREFIX = "/2018-06-01/runtime"


@dataclass(frozen=True, slots=True)
class Work:
    """One event for the process, with what its context says."""

    request_id: str
    body: bytes
    deadline_ms: int  # since the epoch
    function_arn: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has asked for work."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The process has answered the work; `failed` tells an error from a response."""

    body: bytes
    failed: bool


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The process could not load the handler."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Exited:
    """The process has ended; a negative status is the signal that ended it."""

    status: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The process has said nothing for too long."""

    seconds: float


Message = Ready | Answered | InitFailed | Exited | TimedOut


class RuntimeApi(socketserver.TCPServer):
    """Serves one process: one thread, one connection at a time, as the runtime client uses it."""

    def __init__(self, outbox: queue.SimpleQueue[Message], before_answer: Callable[[], object]):
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.outbox = outbox
        self.before_answer = before_answer
        self.current: Work | None = None
        self._inbox: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._connection: socket.socket | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="runtime-api", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API says."""
        host, port = cast("tuple[str, int]", self.server_address)
        return f"{host}:{port}"

    def offer(self, work: Work) -> None:
        """Hand `work` to the process, which is waiting for it or will ask."""
        self._inbox.put(work)

    def next_work(self) -> Work | None:
        """Wait for work; None means that the server closes."""
        self.current = self._inbox.get()
        return self.current

    def close(self) -> None:
        """Stop, also in the middle of a request, and give the port back."""
        self._closing = True
        self._inbox.put(None)
        for connection in (self.socket, self._connection):
            _shut_down(connection)
        self._thread.join()
        self.server_close()

    def _serve(self) -> None:
        while not self._closing:
            self.handle_request()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection until its end, so that `close` can end it."""
        self._connection = request
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a process that died in the middle of a request be reported by its exit alone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _shut_down(connection: socket.socket | None) -> None:
    try:
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # its other end was faster


class _Exchange(BaseHTTPRequestHandler):
    """Reads requests and writes each answer at once: client and server share the processor."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def _api(self) -> RuntimeApi:
        return cast("RuntimeApi", self.server)

    def do_GET(self) -> None:
        if self.path != f"{_PREFIX}/invocation/next":
            return self._refuse(HTTPStatus.NOT_FOUND, "InvalidPath")
        self._api.outbox.put(Ready())
        work = self._api.next_work()
        if work is None:
            self.close_connection = True
            return None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": work.request_id,
            "Lambda-Runtime-Deadline-Ms": str(work.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": work.function_arn,
            "Lambda-Runtime-Trace-Id": work.trace_id,
        }
        return self._answer(HTTPStatus.OK, work.body, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        work = self._api.current
        current = f"{_PREFIX}/invocation/{work.request_id}" if work else None
        if self.path == f"{_PREFIX}/init/error":
            return self._accept(InitFailed(body))
        if current is None or self.path not in {f"{current}/response", f"{current}/error"}:
            return self._refuse(HTTPStatus.BAD_REQUEST, "InvalidRequestID")
        if len(body) > MAX_PAYLOAD_BYTES:
            self._report(Answered(_too_large(len(body)), failed=True))
            return self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Function.ResponseSizeTooLarge"
            )
        return self._accept(Answered(body, failed=self.path.endswith("/error")))

    def _accept(self, message: Message) -> None:
        self._report(message)
        self._answer(HTTPStatus.ACCEPTED, b'{"status":"OK"}')

    def _report(self, message: Message) -> None:
        # The process waits for our answer, so all that it wrote for this work is in its pipes.
        self._api.before_answer()
        self._api.current = None
        self._api.outbox.put(message)

    def _refuse(self, status: HTTPStatus, error_type: str) -> None:
        self._answer(status, b'{"errorType":"%s","errorMessage":""}' % error_type.encode())

    def _answer(
        self, status: HTTPStatus, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        head = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            # Without a content type the native part of the runtime client reads a null pointer.
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        self.wfile.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent: the function's lines are what there is to see."""


def _too_large(size: int) -> bytes:
    return (
        b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size (%d '
        b'bytes) exceeded maximum allowed payload size (%d bytes)."}' % (size, MAX_PAYLOAD_BYTES)
    )
