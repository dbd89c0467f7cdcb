"""Lambda's API for functions that invoke functions; all but Invoke is the emulator's.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from wslocal.failures import FailureLog
from wslocal.forwarding import forward
from wslocal.http1 import BadRequest, HttpRequest, RequestReader, respond
from wslocal.lambda_host.results import (
    FunctionNotFoundError,
    HostError,
    InvocationContext,
    ThrottledError,
)
from wslocal.sigv4 import Refused, verify
from wslocal.tasks import Tasks

from .destinations import payload_of
from .invoke_requests import InvokeError, failed, read_invoke, tail
from .invoke_rights import InvokeRights
from .lineage import MAX_ROUNDS, passed_on

if TYPE_CHECKING:
    from wslocal.credentials import Issued
    from wslocal.lambda_host.lines import LogLine
    from wslocal.lambda_host.local_lambda import LocalLambda

    from .asynchronous import AsynchronousInvocations
    from .described import Described
    from .invoke_requests import Invoke

__all__ = ["LambdaApi"]

# Ours: a payload beyond Lambda's limits is to be answered in its words; code is uploaded here, too, 50 MB.
_MAX_BODY_BYTES = 80 << 20

_log = logging.getLogger(__name__)


class LambdaApi:
    """Answers by itself from `listen` to `close`, or through `answer` for who has a socket of its own.

    `endpoint` is the address of the emulator. Functions are led here by `variables`.
    """

    def __init__(
        self, functions: LocalLambda, asynchronous: AsynchronousInvocations, endpoint: str
    ) -> None:
        self._functions = functions
        self._asynchronous = asynchronous
        self._emulator = endpoint
        self._region = functions.client("lambda").meta.region_name
        self._rights = InvokeRights(functions)
        self._failures = FailureLog(_log, (HostError, OSError, BotoCoreError, ClientError))
        self._tasks = Tasks(self._failures)
        self._callers: set[_Caller] = set()
        self.url = ""

    @property
    def variables(self) -> dict[str, str]:
        """The variable that leads a function's SDK here, while this listens."""
        return {"AWS_ENDPOINT_URL_LAMBDA": self.url}

    async def listen(self) -> None:
        """Take requests on a free port of 127.0.0.1; `url` is the address from then on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Caller(self, self._callers, self._tasks), "127.0.0.1", 0
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop, also in the middle of calls."""
        if self.url:
            self._server.close()
        for caller in list(self._callers):
            caller.transport.abort()
        await self._tasks.end()
        self._failures.flush()

    async def respond(self, request: HttpRequest) -> bytes:
        """Return the answer to any request of Lambda's API, the emulator's if it is no Invoke."""
        try:
            return await self.answer(request) or await forward(request, self._emulator)
        except OSError as error:
            self._failures.report("Lambda's API", error)
            refused = InvokeError("ServiceException", 502, "The AWS APIs do not answer.")
            return failed(refused, str(uuid.uuid4()))

    async def answer(self, request: HttpRequest) -> bytes | None:
        """Return the answer to an Invoke; None for any other request."""
        request_id = str(uuid.uuid4())
        try:
            if (invoke := read_invoke(request)) is None:
                return None
            signer = verify(request, self._functions.issued, self._functions.clock(), "lambda")
            return await self._invoke(invoke, signer, request_id)
        except InvokeError as error:
            return failed(error, request_id)
        except Refused as refused:
            return failed(InvokeError(refused.kind, 403, str(refused)), request_id)
        except ThrottledError:
            return failed(_throttled(), request_id)
        except (HostError, OSError, BotoCoreError, ClientError) as error:
            self._failures.report("Lambda's Invoke", error)
            return failed(InvokeError("ServiceException", 500, str(error)), request_id)

    async def _invoke(self, invoke: Invoke, signer: Issued, request_id: str) -> bytes:
        account = _account(signer)
        arn = self._arn(account, invoke.function)
        await self._rights.check(signer, invoke.function, arn)
        try:
            if not invoke.is_in(self._region, account):
                raise FunctionNotFoundError("it is of another account or region")
            described = await self._asynchronous.descriptions.get(invoke.function)
        except FunctionNotFoundError as error:
            text = f"Function not found: {arn}"
            raise InvokeError("ResourceNotFoundException", 404, text) from error
        trace_id, rounds = passed_on(invoke.trace_header, described.arn)
        if rounds > MAX_ROUNDS and described.stops_loops:
            text = (
                "Lambda has detected your function being invoked in a recursive loop with other AWS"
                " resources and stopped your function's invocation."
            )
            raise InvokeError("RecursiveInvocationException", 400, text)
        context = InvocationContext(request_id, trace_id, invoke.client_context)
        headers = [("x-amzn-RequestId", request_id)]
        if invoke.kind == "DryRun":
            return respond(HTTPStatus.NO_CONTENT, headers=headers)
        if invoke.kind == "Event":
            self._asynchronous.accept(described, invoke.body, context)
            return respond(HTTPStatus.ACCEPTED, headers=headers)
        return await self._run(invoke, described, context)

    async def _run(self, invoke: Invoke, described: Described, context: InvocationContext) -> bytes:
        """Wait for the function, however long it may take, and return what it says."""
        lines: list[str] = []

        def take(line: LogLine) -> None:
            if line.request_id == context.request_id:
                lines.append(line.text)

        unsubscribe = self._functions.subscribe(take) if invoke.with_log else None
        try:
            result = await self._functions.invoke(described.name, invoke.body, context=context)
        finally:
            if unsubscribe is not None:
                unsubscribe()
        headers = [
            ("x-amzn-RequestId", context.request_id),
            ("X-Amz-Executed-Version", described.version),
        ]
        if result.error is not None:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        if invoke.with_log:
            headers.append(("X-Amz-Log-Result", tail(lines)))
        body = result.body if result.error is None else None
        if body is None:
            body = result.error_body or json.dumps(payload_of(result)).encode()
        return respond(HTTPStatus.OK, body, headers)

    def _arn(self, account: str, function: str) -> str:
        return f"arn:aws:lambda:{self._region}:{account}:function:{function}"


def _throttled() -> InvokeError:
    reason = "ConcurrentInvocationLimitExceeded"
    return InvokeError("TooManyRequestsException", 429, "Rate Exceeded.", reason)


def _account(signer: Issued) -> str:
    return signer.session_arn.split(":")[4]


class _Caller(asyncio.Protocol):
    """One socket of a function; its requests are answered one after the other."""

    def __init__(self, api: LambdaApi, callers: set[_Caller], tasks: Tasks) -> None:
        self._api = api
        self._callers = callers
        self._tasks = tasks
        self._reader = RequestReader(_MAX_BODY_BYTES)
        self._requests: deque[HttpRequest] = deque()
        self._is_at_work = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._callers.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._requests += self._reader.feed(data)
        except BadRequest as error:
            self.transport.write(respond(error.status, headers=[("Connection", "close")]))
            self.transport.close()
            return
        if self._requests and not self._is_at_work:
            self._is_at_work = True
            self._tasks.spawn(self._work(), "a call of Lambda's API")

    def connection_lost(self, exc: Exception | None) -> None:
        self._callers.discard(self)

    async def _work(self) -> None:
        """Answer what has come; as on AWS, a function runs on when its caller has gone."""
        while self._requests:
            answer = await self._api.respond(self._requests.popleft())
            self.transport.write(answer)
            if b"\r\nconnection: close" in answer.partition(b"\r\n\r\n")[0].lower():
                self.transport.close()
        self._is_at_work = False
