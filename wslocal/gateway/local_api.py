"""Serves a deployed WebSocket API on a port of this machine, and runs its functions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote
from weakref import WeakSet

from botocore.exceptions import BotoCoreError, ClientError
from websockets.frames import CloseCode

from wslocal.failures import FailureLog
from wslocal.fault_kinds import POST_ANSWERS
from wslocal.http1 import HttpRequest, respond, status_of
from wslocal.lambda_host.local_lambda import LocalLambda, call_each
from wslocal.lambda_host.results import HostError
from wslocal.opened import OpenedParts
from wslocal.sigv4 import Refused, verify
from wslocal.tasks import Tasks

from .answers import (
    ENDPOINT_TIMEOUT,
    FORBIDDEN,
    INTERNAL_ERROR,
    TOO_MANY_REQUESTS,
    Failure,
    Returned,
    connect_message,
    connect_status,
    gateway_message,
    read_proxy_answer,
    select_route,
    subprotocol_of,
)
from .api_keys import UsageMeter, key_value
from .authorizers import (
    BROKEN,
    UNAUTHORIZED,
    AuthorizerError,
    authorizer_event,
    has_identity,
    read_result,
)
from .definition import Api, ApiRoute, Authorizer, read_api
from .events import ClientInfo, EventContext, connect_event, disconnect_event, message_event, new_id
from .limits import GatewayLimits, TokenBucket
from .server import Socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from wslocal.aws_front import AwsFront
    from wslocal.certificates import Certificates
    from wslocal.credentials import Issued
    from wslocal.fault_kinds import PostFault
    from wslocal.faults import Faults
    from wslocal.lambda_host.function import FunctionState
    from wslocal.lambda_host.lines import LogLine
    from wslocal.lambda_host.results import InvocationResult

    from .domains import StageNames

__all__ = ["Connection", "LocalApi", "Post"]

_SWEEP_SECONDS = 1.0
_UNUSABLE = Failure(INTERNAL_ERROR, HTTPStatus.BAD_GATEWAY)  # a function's answer
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Connection:
    """An open connection."""

    client: ClientInfo
    socket: Socket
    connected_at: float
    last_active_at: float  # a message in either direction


@dataclass(frozen=True, slots=True)
class Post:
    """What a function posted to a connection; `status` is that of the answer, 0 if there was none."""

    connection_id: str
    body: bytes
    status: int


class LocalApi(OpenedParts):
    """Serves one API and stage in an `async with` block.

    `client` makes a boto3 client by the name of a service. `functions` are given if several APIs share functions that
    run already; else the API starts its own, and each that has the variable `endpoint_variable` gets this address in it.
    With `certificates` there is TLS on a port of its own. With a `front`, which has some, AWS's names lead
    functions to this machine, and events have them. `pages` serves plain GETs that belong to no stage.
    `listener` is a socket that listens already, for callers that need the port before.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        api_id: str,
        stage: str,
        *,
        functions: LocalLambda | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        listener: socket.socket | None = None,
        certificates: Certificates | None = None,
        secure_port: int = 0,
        front: AwsFront | None = None,
        limits: GatewayLimits | None = None,
        clock: Callable[[], float] = time.time,
        pages: Callable[[str], tuple[str, bytes] | None] | None = None,
        endpoint_variable: str = "API_GATEWAY_ENDPOINT",
        max_environments: int = 4,
    ) -> None:
        self._client = client
        self._api_id = api_id
        self._stage = stage
        self._address = (host, port)
        self._listener = listener
        self._certificates = certificates or (front.certificates if front else None)
        self._secure_port = secure_port
        self._front = front
        self._hosts: set[str] = set()  # the names that requests may have as their host
        self._secure_domain = ""
        self._limits = limits or GatewayLimits()
        self._clock = clock
        self._pages = pages
        self._endpoint_variable = endpoint_variable
        self._is_owner = functions is None
        self.functions = functions or LocalLambda(
            client, max_environments=max_environments, clock=clock
        )
        self.sockets: WeakSet[Socket] = WeakSet()  # those of functions as well
        self._connections: dict[str, Connection] = {}
        self._ids: dict[Socket, str] = {}
        self._post_subscribers: set[Callable[[Post], None]] = set()
        self._account = TokenBucket(self._limits.requests_per_second, self._limits.burst)
        rate = self._limits.new_connections_per_second
        self._new_connections = TokenBucket(rate, rate)
        self._throttles: dict[str, TokenBucket] = {}
        self._usage = UsageMeter()
        expected = (HostError, AuthorizerError, OSError, BotoCoreError, ClientError)
        self._failures = FailureLog(_log, expected)
        self._tasks = Tasks(self._failures)
        self._stopping = False

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._apigateway = self._client("apigatewayv2")
            self._region = self._apigateway.meta.region_name
            await self.read_again()
            server = await self._listen()
            stack.callback(server.close)
            self.domain = _address_of(server)
            if self._certificates is not None:
                secure = await self._listen_securely(self._certificates)
                stack.callback(secure.close)
                self._secure_domain = _address_of(secure)
            if self._is_owner:
                self.functions.overrides[self._endpoint_variable] = self.callback_url
                await stack.enter_async_context(self.functions)
            if self._front is not None:
                self._front.add(self)
                stack.callback(self._front.remove, self)
            self.faults.watch(self._connections)
            stack.callback(self.faults.forget, self._connections)
            stack.callback(self._failures.flush)
            stack.push_async_callback(self._stop)
            self.spawn(self._sweep_now_and_then())
            self._stack = stack.pop_all()
        return self

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"ws://{self.domain}/{self._stage}"

    @property
    def secure_url(self) -> str:
        """Where clients connect to with TLS; empty without certificates."""
        return f"wss://{self._secure_domain}/{self._stage}" if self._secure_domain else ""

    @property
    def names(self) -> StageNames:
        """Under which names this stage is reached."""
        return self._api.names

    @property
    def callback_url(self) -> str:
        """Where functions find `/@connections`."""
        return f"http://{self.domain}/{self._stage}"

    @property
    def faults(self) -> Faults:
        """Faults on purpose, of all gateways that share the functions."""
        return self.functions.faults

    def handlers(self) -> list[str]:
        """Return the ARNs of the functions that clients lead to: those of the routes, and authorizers."""
        routes = self._api.routes.values()
        arns = {route.function_arn for route in routes if route.function_arn}
        return sorted(
            arns | {route.authorizer.function_arn for route in routes if route.authorizer}
        )

    async def invoke(self, function: str, event: object) -> InvocationResult:
        """Have a function, by name or ARN, handle `event`."""
        return await self.functions.invoke(function, event)

    async def reload(self) -> list[str]:
        """Take over what was deployed since; connections stay. Return the functions that changed."""
        await self.read_again()
        return await self.functions.reload()

    async def read_again(self) -> None:
        """Take over the API, with its routes, as it is deployed now."""
        self._api = await self._read()
        self._throttles.clear()
        self._hosts.clear()
        self._hosts |= self._api.names.hosts | {self._address[0]}

    def kill_environments(self, function: str, count: int | None = None) -> int:
        """Kill the processes of a function's environments, at most `count`; return how many there were.

        HostError for a function, by name or ARN, that was not invoked yet.
        """
        return self.functions.kill_environments(function, count)

    def states(self) -> list[FunctionState]:
        """What each function has running and has done."""
        return self.functions.states()

    def connections(self) -> list[Connection]:
        """Return the open connections."""
        return list(self._connections.values())

    def subscribe(self, callback: Callable[[LogLine], None]) -> Callable[[], None]:
        """Call `callback` with each line of a function, on the loop; return what ends that."""
        return self.functions.subscribe(callback)

    def subscribe_to_posts(self, callback: Callable[[Post], None]) -> Callable[[], None]:
        """Call `callback` with each post of a function, once it is answered; return what ends that."""
        self._post_subscribers.add(callback)
        return lambda: self._post_subscribers.discard(callback)

    async def flush(self) -> None:
        """Have all lines so far in CloudWatch, as logs and as metrics."""
        await self.functions.flush()

    def problems(self) -> dict[str, int]:
        """Return what CloudWatch did not take, and how often."""
        return self.functions.problems()

    def close_connections(self) -> None:
        """Close all connections with 1001, and open none: what we cannot do without has ended.

        No `$disconnect` runs any more.
        """
        self._stopping = True
        for connection in self.connections():
            connection.socket.close(CloseCode.GOING_AWAY, "Going away")

    def sweep(self) -> None:
        """Close the connections that are idle for too long or too old."""
        now = self._clock()
        for connection in self.connections():
            old = now - connection.connected_at >= self._limits.connection_seconds
            if old or now - connection.last_active_at >= self._limits.idle_seconds:
                connection.socket.close(CloseCode.GOING_AWAY, "Going away")

    # --- what sockets call -----------------------------------------------------------------------

    def spawn(
        self, work: Coroutine[Any, Any, Any], name: str = "a request to the gateway"
    ) -> asyncio.Task[Any]:
        """Have `work` done; it ends with us at the latest. `name` is for the log if it fails."""
        return self._tasks.spawn(work, name)

    async def connect(self, socket: Socket, request: HttpRequest) -> None:
        """Open a connection, or refuse it, as `$connect` says."""
        now = self._clock()
        domain = self._domain_of(socket, request)
        client = ClientInfo(
            connection_id=new_id(),
            connected_at_ms=int(now * 1000),
            source_ip=socket.source_ip,
            user_agent=request.header("User-Agent"),
            domain=domain,
            forwarded_port=domain.rpartition(":")[2] if self._front is None else "443",
            is_secure=socket.is_secure or self._front is not None,
        )
        request_id = new_id()
        client, outcome = await self._admit(client, request_id, request)
        if self._stopping:
            outcome = Failure("Service Unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
        status = connect_status(outcome)
        if isinstance(outcome, Failure) or status != HTTPStatus.SWITCHING_PROTOCOLS:
            ids = client.connection_id, request_id
            socket.refuse(status, gateway_message(connect_message(outcome), *ids))
            return
        self._connections[client.connection_id] = Connection(client, socket, now, self._clock())
        self._ids[socket] = client.connection_id
        socket.open(subprotocol_of(outcome))

    async def _admit(
        self, client: ClientInfo, request_id: str, request: HttpRequest
    ) -> tuple[ClientInfo, Returned | Failure]:
        """Ask the authorizer and `$connect`; return the client as it is known then, and the outcome."""
        route = self._api.routes.get("$connect")
        refusal = self._refusal(request, route)
        if refusal is not None or route is None:
            return client, refusal or Returned(HTTPStatus.OK, {}, None)
        context = self._context(client, "$connect", request_id)
        event = connect_event(context, request.target, request.headers)
        if route.authorizer is not None:
            begun = time.perf_counter()
            allowed = await self._authorize(route.authorizer, event)
            if isinstance(allowed, Failure):
                return client, allowed
            client = replace(client, authorizer=allowed)
            latency_ms = int((time.perf_counter() - begun) * 1000)
            event["requestContext"]["authorizer"] = {**allowed, "integrationLatency": latency_ms}
        if route.requires_key:
            key = self._api.keys.get(key_value(self._api.key_expression, event))
            if refused := self._usage.take(key, self._clock()):
                return client, refused
            if key is not None:
                client = replace(client, api_key=key)
                event["requestContext"]["identity"] |= {"apiKey": key.value, "apiKeyId": key.id}
        ended: asyncio.Future[Returned | Failure] = asyncio.get_running_loop().create_future()
        self._call(route, event, ended.set_result)
        return client, await ended

    def _refusal(self, request: HttpRequest, route: ApiRoute | None) -> Failure | None:
        """Return why a handshake is refused before a function is asked."""
        now = self._clock()
        if len(request.target) > self._limits.url_bytes:
            return Failure("Request-URI Too Long", HTTPStatus.REQUEST_URI_TOO_LONG)
        if not self._api.names.leads_here(request.host, request.path.strip("/")):
            return Failure(FORBIDDEN, HTTPStatus.FORBIDDEN)
        throttled = not self._new_connections.take(now) or not self._account.take(now)
        if throttled or (route and not self._passes(route, now)):
            return Failure(TOO_MANY_REQUESTS, HTTPStatus.TOO_MANY_REQUESTS)
        return None

    async def _authorize(
        self, authorizer: Authorizer, connect: dict[str, Any]
    ) -> dict[str, str] | Failure:
        """Return what the authorizer says of a client, or how the client is refused."""
        arn = self._arn(authorizer.function_arn)
        method_arn = f"{arn}/{self._stage}/$connect"
        event = authorizer_event(connect, method_arn)
        if not has_identity(authorizer.identity_sources, event):
            return UNAUTHORIZED
        source = f"{arn}/authorizers/{authorizer.id}"
        work = self._invoke(authorizer.function_arn, event, source, authorizer.role_arn)
        name, seconds = f"authorizer {authorizer.name}", self._limits.integration_seconds
        asked = self.spawn(work, name)
        await asyncio.wait([asked], timeout=seconds)  # the function is not ended by that
        if asked.done() and asked.exception() is not None:
            return BROKEN
        try:
            if not asked.done():
                raise AuthorizerError(f"no answer within {seconds:g} s")
            return read_result(asked.result(), method_arn, self._limits.authorizer_bytes)
        except AuthorizerError as error:
            self._failures.report(name, error)
            return BROKEN

    def message(self, socket: Socket, text: str) -> None:
        """Have a message handled; others of the same connection do not wait for it."""
        connection = self._connections[self._ids[socket]]
        connection.last_active_at = now = self._clock()
        client, request_id = connection.client, new_id()
        route = select_route(self._api, text)
        if not self._account.take(now) or (route and not self._passes(route, now)):
            socket.send(gateway_message(TOO_MANY_REQUESTS, client.connection_id, request_id))
        elif route is None:
            socket.send(gateway_message(FORBIDDEN, client.connection_id, request_id))
        else:
            context = self._context(client, route.key, request_id)
            socket.begin_work()
            answer = partial(self._answer, connection, route, context)
            self._call(route, message_event(context, text), answer)

    def _answer(
        self,
        connection: Connection,
        route: ApiRoute,
        context: EventContext,
        outcome: Returned | Failure,
    ) -> None:
        connection.socket.end_work()
        if isinstance(outcome, Failure):
            ids = context.client.connection_id, context.request_id
            self._send(connection, gateway_message(outcome.message, *ids))
        elif route.responds and outcome.body:
            self._send(connection, outcome.body.encode())

    def lost(self, socket: Socket, code: int, reason: str) -> None:
        """Forget a connection, and tell `$disconnect`."""
        client = self._connections.pop(self._ids.pop(socket)).client
        route = self._api.routes.get("$disconnect")
        if route and not self._stopping:
            context = self._context(client, "$disconnect", new_id())
            self._call(route, disconnect_event(context, code, reason), lambda outcome: None)

    async def http(self, request: HttpRequest) -> bytes | None:
        """Answer what is no WebSocket."""
        base, is_call, connection_id = request.path.partition("/@connections/")
        if is_call and self._api.names.leads_here(request.host, base.strip("/")):
            return await self._manage(request, unquote(connection_id))
        page = (
            self._pages(request.path) if self._pages and request.method in {"GET", "HEAD"} else None
        )
        if page is None:
            return _error(HTTPStatus.FORBIDDEN, "ForbiddenException", FORBIDDEN)
        return respond(HTTPStatus.OK, page[1], content_type=page[0])

    # --- @connections ----------------------------------------------------------------------------

    async def _manage(self, request: HttpRequest, connection_id: str) -> bytes | None:
        try:
            signer = verify(request, self.functions.issued, self._clock())
            resource = self._connections_arn(signer, request.method)
            await self.functions.permissions.check(
                signer, "execute-api:ManageConnections", resource
            )
        except Refused as refused:
            # Who signs by a wrong clock, signs again by ours: every answer of AWS says its time.
            date = "Date", formatdate(self._clock(), usegmt=True)
            return _error(HTTPStatus.FORBIDDEN, refused.kind, str(refused), date)
        answer = await self._managed(request, connection_id)
        if request.method == "POST" and self._post_subscribers:
            post = Post(connection_id, request.body, status_of(answer) if answer else 0)
            call_each(self._post_subscribers, post)
        return answer

    async def _managed(self, request: HttpRequest, connection_id: str) -> bytes | None:
        """Answer a request by who may make it."""
        if not self._account.take(self._clock()):
            return _error(HTTPStatus.TOO_MANY_REQUESTS, "LimitExceededException", "Limit Exceeded")
        if request.method == "POST" and (fault := self.faults.of_post(connection_id)):
            return await _answer_of(fault)
        connection = self._connections.get(connection_id)
        if connection is None or not connection.socket.is_open:
            return _error(HTTPStatus.GONE, "GoneException", "Gone")
        match request.method:
            case "POST":
                return self._post(connection, request.body)
            case "GET":
                return respond(HTTPStatus.OK, _describe(connection))
            case "DELETE":
                connection.socket.close(CloseCode.NORMAL_CLOSURE, "")
                return respond(HTTPStatus.NO_CONTENT)
        return _error(HTTPStatus.FORBIDDEN, "ForbiddenException", FORBIDDEN)

    def _post(self, connection: Connection, body: bytes) -> bytes:
        if len(body) > self._limits.message_bytes:
            text = "Message too long"
            return _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "PayloadTooLargeException", text)
        try:
            body.decode()
        except UnicodeDecodeError:
            return _error(HTTPStatus.BAD_REQUEST, "BadRequestException", "Data is not UTF-8 text")
        if not self._send(connection, body):
            text = "The client's buffer is full"
            return _error(HTTPStatus.TOO_MANY_REQUESTS, "LimitExceededException", text)
        return respond(HTTPStatus.OK)

    def _send(self, connection: Connection, data: bytes) -> bool:
        connection.last_active_at = self._clock()
        return connection.socket.send(data)

    # --- inside ----------------------------------------------------------------------------------

    async def _read(self) -> Api:
        keys = partial(self._client, "apigateway")
        asked = self._apigateway, self._api_id, self._stage
        return await asyncio.to_thread(read_api, *asked, keys=keys)

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if self._listener is not None:
            return await loop.create_server(self._socket, sock=self._listener)
        return await loop.create_server(self._socket, *self._address)

    async def _listen_securely(self, certificates: Certificates) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            self._socket,
            self._address[0],
            self._secure_port,
            ssl=certificates.context(lambda name: name in self._hosts),
            ssl_shutdown_timeout=self._limits.close_seconds,
        )

    def _socket(self) -> Socket:
        return Socket(self, self._limits, self._hosts)

    def _domain_of(self, socket: Socket, request: HttpRequest) -> str:
        """Return the name under which the functions of a client's events get to know us."""
        if self._front is not None:
            return self._api.names.public_name(request.host)
        return self._secure_domain if socket.is_secure else self.domain

    def _arn(self, function_arn: str) -> str:
        """Return the API's ARN, to those who call it; it is where its functions are."""
        region, account = function_arn.split(":")[3:5]
        return f"arn:aws:execute-api:{region}:{account}:{self._api.id}"

    def _connections_arn(self, signer: Issued, method: str) -> str:
        """Return the ARN of what a call does; without a connection's id: AWS names the method, as its refusals show."""
        account = signer.role_arn.split(":")[4]
        api = f"arn:aws:execute-api:{self._region}:{account}:{self._api.id}/{self._stage}"
        return f"{api}/{method}/@connections/{{connectionId}}"

    def _context(self, client: ClientInfo, route_key: str, request_id: str) -> EventContext:
        now = self._clock() + self.faults.request_time_shift
        return EventContext(self._api, client, route_key, request_id, int(now * 1000))

    def _passes(self, route: ApiRoute, now: float) -> bool:
        if route.throttle is None:
            return True
        if route.key not in self._throttles:
            self._throttles[route.key] = TokenBucket(route.throttle.rate, route.throttle.burst)
        return self._throttles[route.key].take(now)

    def _call(
        self, route: ApiRoute, event: dict[str, Any], report: Callable[[Returned | Failure], None]
    ) -> None:
        """Have the route's function handle `event`, and tell what comes of it, in time.

        A function that takes longer than the integration may is not ended by that, as on AWS.
        """
        reported = False

        def end(outcome: Returned | Failure) -> None:
            nonlocal reported
            timer.cancel()
            if not reported:
                reported = True
                report(outcome)

        def done(invocation: asyncio.Task[InvocationResult]) -> None:
            if not invocation.cancelled():
                outcome = _outcome_of(invocation)
                if outcome is _UNUSABLE and route.key != "$disconnect":  # nobody waits for that one
                    self._failures.report(f"an event for {route.key}", _unusable(route))
                end(outcome)

        longest = self._limits.integration_seconds
        timer = asyncio.get_running_loop().call_later(
            min(route.timeout_seconds or longest, longest),
            end,
            Failure(ENDPOINT_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT),
        )
        source = f"{self._arn(route.function_arn)}/{self._stage}/{route.key}"
        work = self._invoke(route.function_arn, event, source, route.role_arn)
        self.spawn(work, f"an event for {route.key}").add_done_callback(done)

    async def _invoke(
        self, function_arn: str, event: dict[str, Any], source_arn: str, role_arn: str | None
    ) -> InvocationResult:
        """Invoke a function that lets API Gateway in, or with a role that may."""
        if role_arn is None:
            return await self.functions.invoke(function_arn, event, source_arn=source_arn)
        action = "lambda:InvokeFunction"
        if not await self.functions.permissions.allows(role_arn, action, function_arn):
            raise HostError(f"{role_arn} is not authorized to perform {action} on {function_arn}")
        return await self.functions.invoke(function_arn, event)

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep()

    async def _stop(self) -> None:
        """Close connections, and end functions."""
        self.close_connections()
        await self._tasks.end()
        for socket in list(self.sockets):
            socket.abort()
        await asyncio.sleep(0)  # the loop has to go round once for them


def _address_of(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"{host}:{port}"


def _outcome_of(invocation: asyncio.Task[InvocationResult]) -> Returned | Failure:
    if invocation.exception() is not None:
        return Failure(INTERNAL_ERROR, HTTPStatus.INTERNAL_SERVER_ERROR)
    result = invocation.result()
    if result.body is None:
        return Failure(INTERNAL_ERROR, HTTPStatus.BAD_GATEWAY)
    return read_proxy_answer(result.body) or _UNUSABLE


def _unusable(route: ApiRoute) -> HostError:
    name = route.function_arn.rpartition(":function:")[2]
    return HostError(
        f"{name} has returned what API Gateway cannot use: it has to be an object with a statusCode "
        "from 100 to 599 and, if it has one, a body that is a string"
    )


async def _answer_of(fault: PostFault) -> bytes | None:
    """Return what a post gets that meets the fault; None, once the fault has ended, for nothing."""
    if fault.answer is None:
        await fault.ended.wait()
        return None
    return _error(HTTPStatus(fault.answer), *POST_ANSWERS[fault.answer])


def _error(status: HTTPStatus, kind: str, message: str, *headers: tuple[str, str]) -> bytes:
    body = json.dumps({"message": message}).encode()
    return respond(status, body, [("x-amzn-ErrorType", kind), *headers])


def _describe(connection: Connection) -> bytes:
    client = connection.client
    description = {
        "connectedAt": _iso(connection.connected_at),
        "identity": {"sourceIp": client.source_ip, "userAgent": client.user_agent},
        "lastActiveAt": _iso(connection.last_active_at),
    }
    return json.dumps(description).encode()


def _iso(seconds: float) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{moment}.{int(seconds % 1 * 1000):03}Z"
