"""Lambda's Runtime API for one runtime process, on a free port of 127.0.0.1.

The process asks for work and gives answers (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html);
here each request becomes one message to `report`, in the order in which they came.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from wslocal.http1 import BadRequest, HttpRequest, RequestReader, respond

if TYPE_CHECKING:
    from collections.abc import Callable

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

#: Event and response of a synchronous invocation, 6 MB; Lambda's own messages give this number.
#: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 6_291_556

_PREFIX = "/2018-06-01/runtime"
_ACCEPTED = respond(HTTPStatus.ACCEPTED, b'{"status":"OK"}')


@dataclass(frozen=True, slots=True)
class Work:
    """One event for the process, with what its context says."""

    request_id: str
    body: bytes
    deadline_ms: int  # since the epoch
    function_arn: str
    trace_id: str
    client_context: str = ""


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


class RuntimeApi:
    """Serves one process. `report` is called before the process gets its answer."""

    def __init__(self, report: Callable[[Message], None]) -> None:
        self._report = report
        self._work: Work | None = None  # not fetched yet
        self._current: Work | None = None  # fetched, not answered yet
        self._asking: asyncio.WriteTransport | None = None
        self.transports: set[asyncio.WriteTransport] = set()

    async def start(self) -> str:
        """Listen, and return what AWS_LAMBDA_RUNTIME_API says."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _RuntimeSocket(self), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def offer(self, work: Work) -> None:
        """Hand `work` to the process, which is waiting for it or will ask."""
        self._work = work
        self._give()

    def close(self) -> None:
        """Stop, also in the middle of a request, and give the port back."""
        self._server.close()
        for transport in self.transports:
            transport.abort()

    def handle(self, request: HttpRequest, transport: asyncio.WriteTransport) -> None:
        """Do what the process asks for."""
        if request.method == "GET":
            if request.target != f"{_PREFIX}/invocation/next":
                transport.write(_refusal(HTTPStatus.NOT_FOUND, "InvalidPath"))
                return
            self._asking = transport
            self._report(Ready())
            self._give()
        else:
            transport.write(self._take(request))

    def _take(self, request: HttpRequest) -> bytes:
        if request.target == f"{_PREFIX}/init/error":
            self._report(InitFailed(request.body))
            return _ACCEPTED
        current = f"{_PREFIX}/invocation/{self._current.request_id}" if self._current else None
        if current is None or request.target not in {f"{current}/response", f"{current}/error"}:
            return _refusal(HTTPStatus.BAD_REQUEST, "InvalidRequestID")
        self._current = None
        if (size := len(request.body)) > MAX_PAYLOAD_BYTES:
            self._report(Answered(_too_large(size), failed=True))
            return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Function.ResponseSizeTooLarge")
        self._report(Answered(request.body, failed=request.target.endswith("/error")))
        return _ACCEPTED

    def _give(self) -> None:
        if self._work is None or self._asking is None:
            return
        work, self._work = self._work, None
        transport, self._asking = self._asking, None
        self._current = work
        headers = [
            ("Lambda-Runtime-Aws-Request-Id", work.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(work.deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", work.function_arn),
            ("Lambda-Runtime-Trace-Id", work.trace_id),
        ]
        if work.client_context:
            headers.append(("Lambda-Runtime-Client-Context", work.client_context))
        transport.write(respond(HTTPStatus.OK, work.body, headers))


class _RuntimeSocket(asyncio.Protocol):
    """One socket of the runtime client; asyncio turns Nagle's algorithm off."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        # A function that answers too much is to be told so, not to be cut off.
        self._reader = RequestReader(max_body_bytes=4 * MAX_PAYLOAD_BYTES)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._api.transports.add(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            for request in self._reader.feed(data):
                self._api.handle(request, self._transport)
        except BadRequest as error:
            self._transport.write(_refusal(error.status, "InvalidRequest"))
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._api.transports.discard(self._transport)


def _refusal(status: HTTPStatus, error_type: str) -> bytes:
    return respond(status, b'{"errorType":"%s","errorMessage":""}' % error_type.encode())


def _too_large(size: int) -> bytes:
    return (
        b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size (%d '
        b'bytes) exceeded maximum allowed payload size (%d bytes)."}' % (size, MAX_PAYLOAD_BYTES)
    )
