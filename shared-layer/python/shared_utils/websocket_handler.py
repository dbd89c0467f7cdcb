"""From an API Gateway WebSocket event to your function and back: routes, middleware, error mapping.

Whatever comes in and whatever your function raises, a handler returns a well-formed result,
answers the client with a message it understands, and writes one line with the invocation's
metrics in it. Nothing of an unexpected exception reaches the client.
"""

from __future__ import annotations

import json
import time
from _contextvars import copy_context  # `contextvars` only re-exports it, at twice the cost

from . import _cleaning, _exceptions, _functions, _invocation, _json, _values
from ._routes import (
    CONNECT,
    DEFAULT,
    DISCONNECT,
    OWN_KEYS,
    Route,
    Routes,
    kind_of,
    metrics_of,
    misused,
    must_be_plain,
    rates_of,
    subprotocols_of,
)
from .error_codes import (
    ApplicationError,
    ErrorCode,
    SilentRefusal,
    ValidationError,
    error_code_of,
    format_error_response,
    to_error_code,
)
from .records import ServerMessage, check_size, event_body, read_fields, read_object
from .structured_logger import bind_context, flush_debug_lines, get_structured_logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar
    from typing import Generic as _OfMessage

    from .connections import BroadcastResult, Connections, Outcome
    from .error_codes import ErrorCodeBase
    from .metrics_emitter import MetricsEmitter
    from .records import ClientMessage

    M_co = TypeVar("M_co", bound=ClientMessage, covariant=True)
    R = TypeVar("R")
    Route_F = TypeVar("Route_F", bound=Callable[["Request[Any]"], object])
    Middleware = Callable[["Request[Any]", Callable[["Request[Any]"], Any]], object]
    Middleware_F = TypeVar("Middleware_F", bound=Middleware)
    OnError_F = TypeVar("OnError_F", bound=Callable[[Any, "Request[Any]"], object])
else:
    M_co = None

    class _OfMessage:
        """Stands for `typing.Generic`, which costs 2 ms to import."""

        __class_getitem__ = classmethod(lambda cls, _: cls)


__all__ = ["Request", "Route", "Routes", "WebSocketHandler"]

# API Gateway gives up on an integration after 29 s:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
_MAX_SECONDS = 29.0
# Ours: what a function leaves of its time, and what the reply may use of that.
_RESERVE_SECONDS, _REPLY_SECONDS = 0.5, 0.4
# Ours: who has not taken a reply by then does not read, and others wait for the function.
_MAX_REPLY_SECONDS = 1.0
# Ours: how long cancelled tasks may take to end.
_CANCEL_SECONDS = 1.0
# Of a client's `requestId`, as in every message.
_MAX_REQUEST_ID_CHARS = 128

_ACTION_OF_EVENT = {"CONNECT": CONNECT, "DISCONNECT": DISCONNECT}
_UNKNOWN = "unknown"
# The role that everybody has.
_ANY = "any"


class Request(_OfMessage[M_co]):
    """One event: what came, who sent it, and how to answer.

    `gateway` is the event's `requestContext`. `message` is what a route of a class has parsed; any
    other route has `body` and `text`. `action` is the key of the route, `request_id` the client's
    own, `correlation_id` that or API Gateway's. `logger`'s lines carry the ids; on a sampled action
    it writes info and below only when the summary is written. `caller` is for what `role_of` or a
    middleware learns about the sender: nothing here looks at it.
    """

    message: M_co
    action = _UNKNOWN
    request_id: str | None = None
    caller: Any = None

    _route: Route | None = None
    _object: dict[str, Any] | None = None
    _failure: tuple[Any, ErrorCodeBase, bool] | None = None  # with whether it is a refusal
    _mapped: str | None = None  # the class of an error that an exception handler has replied to
    _is_logged = True
    _scope: Any

    def __init__(self, handler: WebSocketHandler, event: object, context: object) -> None:
        self._started = time.perf_counter_ns()
        self._handler = handler
        self.event = event = _plain(event)
        self.gateway = gateway = _plain(event.get("requestContext"))
        self.lambda_context: Any = context
        self.connection_id = _text(gateway.get("connectionId"))
        self.correlation_id = _text(gateway.get("requestId"))
        self._is_message = self.connection_id != "" and gateway.get("eventType") == "MESSAGE"
        self.logger = handler.logger
        self.metrics = handler.metrics

    @property
    def text(self) -> str:
        """The message's text, base64 decoded; ValidationError if it is none."""
        body = self.event.get("body")
        if type(body) is str and self.event.get("isBase64Encoded") is not True:
            return body
        return _decoded(event_body(self.event))

    @property
    def body(self) -> Any:
        """The JSON object in the message's text; None, which only `$default` sees, without one."""
        try:
            return self._read()
        except ValidationError:
            return None

    def _read(self) -> dict[str, Any]:
        """Return the JSON object in the text, and bind the client's `requestId`."""
        if self._object is None:
            self._object = read_object(self.text)
            self._identify(self._object.get("requestId"))
        return self._object

    def _identify(self, request_id: object) -> None:
        if type(request_id) is not str or len(request_id) > _MAX_REQUEST_ID_CHARS:
            return
        if _values.is_unicode(request_id):
            self.request_id = self.correlation_id = request_id
            bind_context(correlationId=request_id)

    @property
    def remaining_seconds(self) -> float:
        """Seconds until the function must be done, with a reserve for the reply; not below 0."""
        left = _MAX_SECONDS - (time.perf_counter_ns() - self._started) / 1e9
        try:
            left = min(left, self.lambda_context.get_remaining_time_in_millis() / 1000)
        except Exception:  # no context, or one without a clock, in a test
            pass
        return max(left - _RESERVE_SECONDS, 0.0)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of `$connect` by lower-case name; no other event has any."""
        return {name.lower(): value for name, value in self._of_connect("headers").items()}

    @property
    def query(self) -> dict[str, str]:
        """The query string of `$connect`; no other event has one."""
        return self._of_connect("queryStringParameters")

    def _of_connect(self, name: str) -> dict[str, str]:
        given = _plain(self.event.get(name)) if self.action == CONNECT else {}
        return {k: v for k, v in given.items() if type(k) is type(v) is str}

    @property
    def authorizer(self) -> dict[str, Any]:
        """What the authorizer of `$connect` put on the connection; its values are strings."""
        return _plain(self.gateway.get("authorizer"))

    @property
    def source_ip(self) -> str:
        """The client's address."""
        return _text(_plain(self.gateway.get("identity")).get("sourceIp"))

    @property
    def connections(self) -> Connections:
        """The sender for the API that the event came from."""
        if self._handler.connections is None:
            from .connections import Connections

            return Connections.from_event(self.event)
        return self._handler.connections

    def reply(self, message: object) -> Outcome:
        """Send to the sender, in a second, what a route may return, with the `requestId` that it sent."""
        text = _reply_text(message, self.request_id)
        seconds = min(self.remaining_seconds + _REPLY_SECONDS, _MAX_REPLY_SECONDS)
        return self._post(self.connections.send, self.connection_id, text, seconds)

    def send(self, connection_id: str, message: object) -> Outcome:
        """Send a message to one connection, in `remaining_seconds`; see `Connections.send`."""
        return self._post(self.connections.send, connection_id, message)

    def broadcast(self, connection_ids: Iterable[str], message: object) -> BroadcastResult:
        """Send to many connections, in `remaining_seconds`; see `Connections.broadcast`."""
        return self._post(self.connections.broadcast, [*connection_ids], message)

    def _post(self, post: Callable[..., R], to: Any, data: object, seconds: float = -1) -> R:
        if self.action == CONNECT and self.connection_id in (to if type(to) is list else [to]):
            raise misused("A connection cannot be posted to before its $connect has answered")
        try:
            left = self.remaining_seconds if seconds < 0 else seconds
            return post(to, data, timeout_seconds=left)
        except ApplicationError as error:
            if error.code.status >= 500:
                raise
            # Too large to be sent, say: the function made it, not the client.
            raise ApplicationError(ErrorCode.INTERNAL_SERVER_ERROR) from error


def _plain(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        code = ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT
        raise ValidationError("body must be UTF-8", "body", code) from None  # it shows the bytes


# --- replies -------------------------------------------------------------------------------------


def _reply_text(message: Any, request_id: str | None) -> str:
    """Return a reply as JSON text, with the client's `requestId` unless it has one."""
    found = _object_of(message)
    if not isinstance(found, dict):
        raise TypeError(f"a reply must give a JSON object, got {_described(message)}")
    if request_id is not None and found.get("requestId") is None:
        found = {**found, "requestId": request_id}
    return _json.encode(found)


def _object_of(message: Any) -> object:
    if isinstance(message, dict):
        return message
    if isinstance(message, ServerMessage):
        return message.to_dict()
    if (to_json := getattr(message, "to_json", None)) is not None:
        text = to_json()
        return json.loads(text) if isinstance(text, (str, bytes)) else text
    if (to_dict := getattr(message, "to_dict", None)) is not None:
        return to_dict()
    if (model_dump := getattr(message, "model_dump", None)) is not None:
        return model_dump(mode="json")
    return None


def _described(message: Any) -> str:
    name = _cleaning.name_of(type(message))
    if name == "coroutine":
        message.close()  # or Python warns that nobody awaited it
        name += ": await it, or declare its function with async def"
    return name


# --- the handler ---------------------------------------------------------------------------------


class WebSocketHandler(Routes):
    """A Lambda handler: `handler = WebSocketHandler("chat")`, then its routes.

    A message's key is the event's `routeKey` if it has a route, else the body's member named by
    `selection`, else `$default`. `role_of(request)` returns the sender's role (or raises); without
    it a route is open, or closed if it names a role. `subprotocols` are those that `$connect` may
    echo, the preferred first. `sampled` says, by key, how many messages share one summary
    line; the metrics of such a key share a document for `window_seconds`. Without `connections`,
    replies go to the API that the event came from. `metrics` has the namespace and the default
    dimensions of all that the handler writes, of a window too; `MetricsEmitter()` without it.
    """

    def __init__(
        self,
        name: str,
        *,
        selection: str = "action",
        role_of: Callable[[Request[Any]], str | None] | None = None,
        subprotocols: Iterable[str] = (),
        sampled: Mapping[str, int] | None = None,
        window_seconds: float = 10,
        connections: Connections | None = None,
        metrics: MetricsEmitter | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(name, str) or not name.strip():
            raise misused(f"name must be a text that is not empty, got {name!r}")
        if type(selection) is not str or not selection or selection[0] == "$":
            raise misused(f"selection is a name in the body, such as 'action', got {selection!r}")
        if role_of is not None:
            must_be_plain(role_of, "role_of", "request")
        self.name = name
        self.logger = get_structured_logger(name)
        self.metrics, self.windowed_metrics = metrics_of(metrics, window_seconds)
        self.connections = connections
        self.selection = selection
        self._role_of = role_of
        self.subprotocols = subprotocols_of(subprotocols)
        self._sampled = rates_of(sampled)
        self._by_key: dict[str, Route] = {}  # of messages, without `$default`
        self._checks: list[Callable[[Request[Any]], object]] = []
        self._middlewares: list[Callable[..., Any]] = []
        self._exception_handlers: dict[type, Callable[[Any, Any], object]] = {}
        self._failure_hooks: list[Callable[[Any, Any], object]] = []
        self._call: Callable[[Request[Any]], Any] = _call_route
        self._event_loop: Any = None  # the module, once something is async

    # --- declarations

    def before_parsing(self, function: Route_F) -> Route_F:
        """Call `f(request)` for each message before any of it is read; what it raises refuses it.

        It sees the connection's id and `request.text`. A message that is
        refused here is not read for its `requestId`, either. A `SilentRefusal` drops it without
        a reply and without a line.
        """
        must_be_plain(function, "a check before parsing", "request")
        self._checks.append(function)
        return function

    def middleware(self, function: Middleware_F) -> Middleware_F:
        """Call `m(request, call_next)` around every event's function; the first one is outermost.

        It runs after parsing and the check of the role, and returns what `call_next(request)` does
        or a reply of its own. With async routes it must be `async def` and await `call_next`.
        """
        kind = kind_of(function, "a middleware", "request", "call_next")
        if kind == "async def":
            self._become_async(f"the middleware {_functions.name_of(function)!r}")
        elif self._event_loop is not None:
            name = _functions.name_of(function)
            raise misused(f"the middleware {name!r} must be async def, as others here are")
        self._middlewares.append(function)
        self._compose()
        return function

    def exception_handler(self, kind: type[BaseException]) -> Callable[[OnError_F], OnError_F]:
        """Call `f(error, request)` for errors of this class, unless a nearer class has its own.

        It returns the reply, or raises an `ApplicationError`; on `$connect` it may only raise.
        """
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise misused(f"exception_handler() takes a class of exceptions, got {kind!r}")

        def register(function: OnError_F) -> OnError_F:
            must_be_plain(function, "an exception handler", "error", "request")
            if kind in self._exception_handlers:
                raise misused(f"{kind.__name__} has an exception handler already")
            self._exception_handlers[kind] = function
            return function

        return register

    def on_failure(self, function: OnError_F) -> OnError_F:
        """Call `f(error, request)` for each unexpected error, after its line; for Sentry and such.

        What it raises is logged and changes nothing.
        """
        must_be_plain(function, "a failure hook", "error", "request")
        self._failure_hooks.append(function)
        return function

    def _add(self, route: Route) -> None:
        if route.is_async:
            self._become_async(f"the route {route.key!r}")
        super()._add(route)
        if route.key not in OWN_KEYS:
            self._by_key[route.key] = route

    def _become_async(self, what: str) -> None:
        for middleware in self._middlewares:
            if _functions.kind_of(middleware) != "async def":
                name = _functions.name_of(middleware)
                raise misused(f"{what} is async, so the middleware {name!r} must be async def, too")
        from . import _event_loop

        self._event_loop = _event_loop
        self._compose()

    def _compose(self) -> None:
        """Put the middlewares around the call of a route, the first one outermost."""
        call: Callable[[Request[Any]], Any]
        call = _call_route if self._event_loop is None else _await_route
        for middleware in reversed(self._middlewares):
            call = _around(middleware, call)
        self._call = call

    # --- an event

    def __call__(self, event: object, context: object = None) -> dict[str, Any]:
        """Handle one event; the result is what API Gateway's Lambda proxy integration takes."""
        request: Request[Any] = Request(self, event, context)
        own = copy_context()  # nothing of one event is seen by the next
        if self._event_loop is None or self._event_loop.is_running():
            return own.run(self._handle, request)
        return self._event_loop.run(self._handle_in_loop(request), own)  # type: ignore[no-any-return]

    def _handle(self, request: Request[Any]) -> dict[str, Any]:
        self._begin(request)
        try:
            if self._event_loop is not None:
                raise misused(_LOOP_IS_RUNNING)
            self._receive(request)
            self._take(request, self._call(request))
        except BaseException as error:  # the runtime's own text would reach the client
            self._refuse(request, error)
        return self._finish(request)

    async def _handle_in_loop(self, request: Request[Any]) -> dict[str, Any]:
        self._begin(request)
        try:
            self._receive(request)
            self._take(request, await self._call(request))
        except BaseException as error:  # as above
            self._refuse(request, error)
        seconds = min(request.remaining_seconds, _CANCEL_SECONDS)
        tasks, failed = await self._event_loop.cancel_tasks(seconds)
        if tasks:
            self._warn("Tasks were left behind and cancelled", failed, tasks=tasks)
        failures = self._event_loop.failed_tasks()
        for failure in failures:
            self._warn("A task failed and nobody awaited it", failure, tasks=len(failures))
        return self._finish(request)

    def _begin(self, request: Request[Any]) -> None:
        request._scope = _invocation.begin(
            {
                "requestId": getattr(request.lambda_context, "aws_request_id", None),
                "connectionId": request.connection_id,
                "correlationId": request.correlation_id,
            }
        )

    def _receive(self, request: Request[Any]) -> None:
        """Find the route of an event; of a message, parse it and check its sender's role."""
        if not request._is_message:
            request.action = _action_of(request)
            request._route = self._routes.get(request.action)
            return
        route = self._parse(request)
        if route.key in self._sampled:
            request.metrics = self.windowed_metrics
            request.logger = self.logger.sampled(route, self._sampled[route.key])
        self._check_role(request, route)

    def _parse(self, request: Request[Any]) -> Route:
        for check in self._checks:
            check(request)
        route = self._by_key.get(_text(request.gateway.get("routeKey"))) or self._select(request)
        request._route = route
        request.action = route.key
        if route.message_class is not None:
            request.message = _message_of(request, route, route.message_class)
        elif route.key != DEFAULT:
            request._read()
        return route

    def _select(self, request: Request[Any]) -> Route:
        """Return the route that the body names, else `$default`."""
        default = self._routes.get(DEFAULT)
        try:
            name = request._read().get(self.selection)
        except ValidationError:
            if default is None:
                raise
            return default
        route = (self._by_key.get(name) if type(name) is str else None) or default
        if route is not None:
            return route
        if name is None:
            code = ErrorCode.VALIDATION_MISSING_PARAMETER
            raise ValidationError(f"{self.selection} is required", self.selection, code)
        text = f"{self.selection} has no route here, got {_values.shown_json(name)}"
        raise ValidationError(text, self.selection, ErrorCode.VALIDATION_INVALID_ACTION)

    def _check_role(self, request: Request[Any], route: Route) -> None:
        role = route.role
        if role in (None, _ANY):
            return
        if self._role_of is None or self._role_of(request) != role:
            raise ApplicationError(ErrorCode.AUTH_INVALID_ROLE)

    def _take(self, request: Request[Any], reply: object) -> None:
        """Deliver what a function returned."""
        if reply is None:
            return
        if not request._is_message:
            raise TypeError(f"what {request.action} returns reaches nobody: raise to refuse")
        self._deliver(request, reply)

    def _deliver(self, request: Request[Any], reply: object) -> None:
        outcome = request.reply(reply)
        if outcome.kind == "gone" and request._failure is not None and request._failure[2]:
            # Nobody is left to send it right; and a flood's rest would cost two lines a message.
            request._is_logged = False
            self.windowed_metrics.emit_message_failure(request.action, request._failure[1])
        elif outcome.kind != "sent":
            self.logger.warning("The reply was not delivered", outcome=repr(outcome))

    # --- errors

    def _refuse(self, request: Request[Any], error: BaseException) -> None:
        """Map an error to a reply: an exception handler's, else that of its code."""
        try:
            if self._handle_exception(request, error):
                return
        except BaseException as raised:
            error = raised
        try:
            code = to_error_code(error_code_of(error))
            # A refusal is meant for the client. All else, a botocore error too, is our fault.
            refusal = issubclass(type(error), ApplicationError) and code.status < 500
        except BaseException as raised:  # one that cannot even be looked at
            error, code, refusal = raised, ErrorCode.INTERNAL_SERVER_ERROR, False
        request._failure = error, code, refusal
        if refusal and issubclass(type(error), SilentRefusal):
            request._is_logged = error.logged  # type: ignore[attr-defined]
        elif request._is_message:
            self._answer(request, error, code, refusal)

    def _handle_exception(self, request: Request[Any], error: BaseException) -> bool:
        handlers = self._exception_handlers
        kind = next((kind for kind in type(error).__mro__ if kind in handlers), None)
        if kind is None or issubclass(type(error), SilentRefusal):
            return False
        reply = handlers[kind](error, request)
        if not request._is_message and request.action != DISCONNECT:
            raise misused("On $connect an exception handler may only raise")
        self._take(request, reply)
        request._mapped = _cleaning.name_of(type(error))
        return True

    def _answer(
        self, request: Request[Any], error: Any, code: ErrorCodeBase, refusal: bool
    ) -> None:
        """Send the sender of a message what was refused or failed."""
        try:
            if refusal:
                reply = format_error_response(code, error.details, message=error.message)
            else:
                reply = format_error_response(code, None, request.correlation_id)
            self._deliver(request, reply)
        except BaseException as failed:  # the client goes without; both are in the log
            self._warn("The error reply could not be sent", failed)

    def _warn(self, text: str, error: BaseException | None, **fields: object) -> None:
        try:
            self.logger.warning(text, error=error, **fields)
        except BaseException:  # one that cannot even be looked at
            self.logger.warning(text, errorType=type(error).__name__, **fields)

    # --- the end of an event

    def _finish(self, request: Request[Any]) -> dict[str, Any]:
        result: dict[str, Any] = {"statusCode": 500}
        try:
            if request._is_logged:
                self._summarise(request)
            self.windowed_metrics.flush_due()
            result = self._result(request)
        except BaseException as error:  # one that cannot even be looked at
            self.logger.fatal("A failure could not be handled", errorType=type(error).__name__)
            self.metrics.flush()
        if result["statusCode"] >= 500:
            flush_debug_lines()
        _invocation.end(request._scope)
        return result

    def _result(self, request: Request[Any]) -> dict[str, Any]:
        if request._failure is not None:
            error, code, refusal = request._failure
            if not refusal:
                self._report(request, error)
            return {"statusCode": min(code.status, 500)}
        if request.action != CONNECT:
            return {"statusCode": 200}
        asked = [p.strip() for p in request.headers.get("sec-websocket-protocol", "").split(",")]
        chosen = [{"Sec-WebSocket-Protocol": p} for p in self.subprotocols if p in asked]
        return {"statusCode": 200, "headers": chosen[0]} if chosen else {"statusCode": 200}

    def _report(self, request: Request[Any], error: Any) -> None:
        for hook in self._failure_hooks:
            try:
                hook(error, request)
            except BaseException as raised:  # watching must not hurt
                self._warn("A failure hook failed", raised)
        self.metrics.flush()

    def _summarise(self, request: Request[Any]) -> None:
        """Write the invocation's one line, with its metrics in it unless they share a window."""
        metrics, action = request.metrics, request.action
        elapsed_ms = (time.perf_counter_ns() - request._started) // 1000 / 1000
        metrics.emit_cold_start(self.name)
        # Beside MessageFailures, which has other dimensions, it would be a second line.
        is_refused = request._failure is not None and request._failure[2]
        latencies = self.windowed_metrics if is_refused else metrics
        latencies.emit_message_latency(action, elapsed_ms)
        fields: dict[str, Any] = {"operation": action, "durationMs": elapsed_ms}
        if request._mapped is not None:
            fields["mappedError"] = request._mapped
        if request._failure is not None:
            self._summarise_failure(request, fields, *request._failure)
        elif metrics is self.metrics:
            self._write("INFO", "Message handled", fields)
        else:
            request.logger.info("Message handled", **fields)
            self.metrics.flush()

    def _summarise_failure(
        self,
        request: Request[Any],
        fields: dict[str, Any],
        error: Any,
        code: ErrorCodeBase,
        refusal: bool,
    ) -> None:
        """Write what is never sampled, and waits for no window."""
        self.metrics.emit_message_failure(request.action, code)
        fields["errorCode"] = code
        if refusal:  # a sentence; a stack only where there is a cause to find
            fields["reason"] = _exceptions.message_of(error)
            self._write("WARN", "Message refused", fields, error.__cause__)
        else:
            self._write("ERROR", "Message failed", fields, error)
            if request.metrics is not self.metrics:
                request.metrics.flush()

    def _write(self, level: str, text: str, fields: dict[str, Any], error: Any = None) -> None:
        """Write a line with the metrics in it, or these alone if we or Lambda would drop it."""
        written = self.logger.is_enabled_for(level)
        if not written or self.metrics.line_level != "INFO":
            self.metrics.flush()
        for document in self.metrics.take() or [""] * written:
            self.logger.write_line(level, text, fields, error, document)
            level, text, fields, error = "INFO", "Metrics", {}, None


_LOOP_IS_RUNNING = (
    "This handler has async routes and was called where an event loop runs already:"
    " call it from a thread without one"
)


def _action_of(request: Request[Any]) -> str:
    """Return the action of an event that is no message."""
    action = _ACTION_OF_EVENT.get(_text(request.gateway.get("eventType")))
    if action is None or not request.connection_id:
        raise ValidationError("event must be an API Gateway WebSocket event", "event")
    return action


def _call_route(request: Request[Any]) -> Any:
    return None if request._route is None else request._route.function(request)


async def _await_route(request: Request[Any]) -> Any:
    reply = _call_route(request)
    return await reply if hasattr(reply, "__await__") else reply


def _around(
    middleware: Callable[..., Any], call_next: Callable[[Request[Any]], Any]
) -> Callable[[Request[Any]], Any]:
    return lambda request: middleware(request, call_next)


def _message_of(
    request: Request[Any], route: Route, message_class: type[ClientMessage]
) -> ClientMessage:
    if not route.reads_text or request._object is not None:
        body, text = request._read(), request.text
        if len(text) * 4 > message_class.max_bytes:  # a character is 4 bytes at most
            check_size(text, message_class.max_bytes)
        return read_fields(message_class, body)
    try:
        message = message_class.from_json(request.text)
    except ValidationError:
        request._read()  # for the client's `requestId`, which the error reply echoes
        raise
    request._identify(message.requestId)
    return message
