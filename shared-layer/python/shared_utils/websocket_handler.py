"""From an API Gateway WebSocket event to your function and back: routes, and one ladder of errors.

Whatever comes in and whatever your function raises, a handler returns a well-formed result,
answers the client with a message it understands, and writes one line with the invocation's
metrics in it. Nothing of an unexpected exception reaches the client.
"""

from __future__ import annotations

import time

from . import _wire
from . import error_codes as _errors
from . import metrics_emitter as _metrics
from . import records as _records
from . import structured_logger as _logs
from . import websocket_messages as _messages
from .error_codes import ApplicationError, ErrorCode
from .validators import ValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar
    from typing import Generic as _OfMessage

    from .connections import BroadcastResult, Connections, Outcome

    M_co = TypeVar("M_co", bound=_records.ClientMessage, covariant=True)
    R = TypeVar("R")
    F = TypeVar("F", bound=Callable[["Request[Any]"], object])
else:
    M_co = None

    class _OfMessage:
        """Stands for `typing.Generic`, which costs 2 ms to import."""

        __class_getitem__ = classmethod(lambda cls, _: cls)


__all__ = ["Request", "Routes", "WebSocketHandler"]

# API Gateway gives up on an integration after 29 s:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
_MAX_SECONDS = 29.0
# Ours: what a function leaves of its time, and what the reply may use of that.
_RESERVE_SECONDS, _REPLY_SECONDS = 0.5, 0.4

_ACTION_OF = {"CONNECT": "$connect", "DISCONNECT": "$disconnect", "MESSAGE": "$default"}
_UNKNOWN = "unknown"


class Request(_OfMessage[M_co]):
    """One event; its `message` is checked, `gateway` is its `requestContext`.

    `request_id` is the client's own, `correlation_id` that or API Gateway's. `logger`'s lines carry
    the ids; on a sampled action it writes info and below only when the summary is written. `caller`
    is for what `role_of` learns about the sender: nothing here looks at it.
    """

    message: M_co
    action = _UNKNOWN
    request_id: str | None = None
    caller: Any = None

    def __init__(self, handler: WebSocketHandler, event: object, context: object) -> None:
        self._started = time.perf_counter_ns()
        self._handler = handler
        self.event = event = _plain(event)
        self.gateway = gateway = _plain(event.get("requestContext"))
        self.lambda_context: Any = context
        self.connection_id = _text(gateway.get("connectionId"))
        self.correlation_id = _text(gateway.get("requestId"))
        self.logger = handler.logger
        self.metrics = handler.metrics

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
        given = _plain(self.event.get(name)) if self.action == "$connect" else {}
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
        """Send a message, or a dict with a `type`, to the sender, with the `requestId` it sent."""
        text = _reply_text(message, self.request_id)
        return self._post(self.connections.send, self.connection_id, text, _REPLY_SECONDS)

    def send(self, connection_id: str, message: object) -> Outcome:
        """Send a message to one connection, in `remaining_seconds`; see `Connections.send`."""
        return self._post(self.connections.send, connection_id, message)

    def broadcast(self, connection_ids: Iterable[str], message: object) -> BroadcastResult:
        """Send to many connections, in `remaining_seconds`; see `Connections.broadcast`."""
        return self._post(self.connections.broadcast, [*connection_ids], message)

    def _post(self, post: Callable[..., R], to: Any, data: object, more: float = 0) -> R:
        if self.action == "$connect" and self.connection_id in (to if type(to) is list else [to]):
            raise _misused("A connection cannot be posted to before its $connect has answered")
        try:
            return post(to, data, timeout_seconds=self.remaining_seconds + more)
        except ApplicationError as error:
            if error.code.status >= 500:
                raise
            # Too large to be sent, say: the function made it, not the client.
            raise ApplicationError(ErrorCode.INTERNAL_SERVER_ERROR) from error


def _plain(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _reply_text(message: Any, request_id: str | None) -> str:
    if isinstance(message, _records.ServerMessage):
        message = message.to_dict()
    elif type(message) is not dict or type(message.get("type")) is not str:
        raise TypeError(f"a reply must be a message or have a type, got {type(message).__name__}")
    return _wire.encode(message if request_id is None else {**message, "requestId": request_id})


def _misused(message: str) -> ApplicationError:
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)


class _Route:
    def __init__(self, function: Callable[[Any], object], role: str | None) -> None:
        self.function = function
        self.role = role


class Routes:
    """Functions by action, for a handler to include."""

    def __init__(self) -> None:
        self._routes: dict[str, _Route] = {}

    def route(
        self, action: type[_records.ClientMessage] | str, *, role: str | None = None
    ) -> Callable[[F], F]:
        """Send messages of this class to the function, or of this action.

        `$connect` is refused by what its function raises; `$default` takes valid messages without
        a route; then there is `$disconnect`. `role` is who may send it, "speaker", "listener" or
        "any": the message's `sender` unless given. What the function returns is the reply.
        """
        name = action if isinstance(action, str) else action.action
        if name not in _messages.CLIENT_MESSAGES and name not in _ACTION_OF.values():
            raise _misused(f"{name!r} is not an action of websocket_messages")
        if role not in (None, _messages.ANY, _messages.SPEAKER, _messages.LISTENER):
            raise _misused(f"{role!r} is not a role")

        def register(function: F) -> F:
            if name in self._routes:
                raise _misused(f"{name!r} has a route already")
            self._routes[name] = _Route(function, role)
            return function

        return register

    def include(self, routes: Routes) -> None:
        """Take over the routes that another module has declared."""
        for name, route in routes._routes.items():
            self.route(name, role=route.role)(route.function)


class WebSocketHandler(Routes):
    """A Lambda handler: `handler = WebSocketHandler("audio")`, then its routes.

    `role_of(request)` tells the sender's role (or raises); without it a route is open, or closed if
    it names a role. `subprotocols` are those that `$connect` may echo, the preferred first.
    `sampled` holds, by action, how many messages one summary line stands for; the metrics of such
    an action share a document for `window_seconds`.
    """

    def __init__(
        self,
        name: str,
        *,
        role_of: Callable[[Request[Any]], str | None] | None = None,
        subprotocols: Iterable[str] = (),
        sampled: Mapping[str, int] | None = None,
        window_seconds: float = 10,
        connections: Connections | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.logger = _logs.get_structured_logger(name)
        self.metrics = _metrics.MetricsEmitter()
        self.windowed_metrics = _metrics.MetricsEmitter(window_seconds=window_seconds)
        self.connections = connections
        self._role_of = role_of
        self._subprotocols = tuple(subprotocols)
        self._sampled = {"sendAudio": 100} if sampled is None else dict(sampled)

    def __call__(self, event: object, context: object = None) -> dict[str, Any]:
        """Handle one event; the result is what API Gateway's Lambda proxy integration takes."""
        request: Request[Any] = Request(self, event, context)
        ids: dict[str, object] = {
            "requestId": getattr(context, "aws_request_id", None),
            "connectionId": request.connection_id,
            "correlationId": request.correlation_id,
        }
        before = _logs.begin_invocation(ids)
        result: dict[str, Any] = {"statusCode": 500}
        try:
            result = self._handle(request)
        except BaseException as error:  # one that cannot even be looked at
            self.logger.fatal("A failure could not be handled", errorType=type(error).__name__)
            self.metrics.flush()
        _logs.end_invocation(before, failed=result["statusCode"] >= 500)
        return result

    def _handle(self, request: Request[Any]) -> dict[str, Any]:
        try:
            if request.connection_id and request.gateway.get("eventType") == "MESSAGE":
                self._receive(request)
                result: dict[str, Any] = {"statusCode": 200}
            else:
                result = self._come_or_go(request)
        except BaseException as error:  # the ladder; the runtime's own text would reach the client
            code = _errors.to_error_code(_errors.error_code_of(error))
            # A refusal is meant for the client. All else, a botocore error too, is our fault.
            refusal = issubclass(type(error), ApplicationError) and code.status < 500
            if request.connection_id and request.gateway.get("eventType") == "MESSAGE":
                self._answer(request, error, code, refusal)
            self._summarise(request, error, code, refusal)
            return {"statusCode": code.status}
        self._summarise(request)
        return result

    def _come_or_go(self, request: Request[Any]) -> dict[str, Any]:
        kind = _text(request.gateway.get("eventType"))
        if not request.connection_id or kind not in _ACTION_OF:
            raise ValidationError("event must be an API Gateway WebSocket event", "event")
        request.action = _ACTION_OF[kind]
        route = self._routes.get(request.action)
        if route is not None and route.function(request) is not None:
            raise TypeError(f"what {request.action} returns reaches nobody: raise to refuse")
        return self._accepted(request)

    def _accepted(self, request: Request[Any]) -> dict[str, Any]:
        asked = [p.strip() for p in request.headers.get("sec-websocket-protocol", "").split(",")]
        chosen = [{"Sec-WebSocket-Protocol": p} for p in self._subprotocols if p in asked]
        return {"statusCode": 200, "headers": chosen[0]} if chosen else {"statusCode": 200}

    def _receive(self, request: Request[Any]) -> None:
        message = _messages.parse_body(_records.event_body(request.event))
        request.message = message
        action = request.action = message.action
        _identify(request, message.requestId)
        route = self._routes.get(action) or self._routes.get("$default")
        if route is None:
            code = ErrorCode.VALIDATION_INVALID_ACTION
            raise ValidationError("action has no route here", "action", code)
        every = self._sampled.get(action)
        if every is not None:
            request.metrics = self.windowed_metrics
            request.logger = self.logger.sampled(route, every)
        sender = getattr(type(message), "sender", "any")
        role = route.role or (sender if self._role_of else "any")
        if role != "any" and (self._role_of is None or self._role_of(request) != role):
            raise ApplicationError(ErrorCode.AUTH_INVALID_ROLE)
        reply = route.function(request)
        if reply is not None:
            self._deliver(request, reply)

    def _deliver(self, request: Request[Any], reply: object) -> None:
        outcome = request.reply(reply)
        if outcome.kind != "sent":
            self.logger.warning("The reply was not delivered", outcome=repr(outcome))

    def _answer(
        self, request: Request[Any], error: Any, code: _errors.ErrorCodeBase, refusal: bool
    ) -> None:
        """Tell the sender of a message what was refused or failed."""
        if request.action is _UNKNOWN:  # unreadable to us; the gateway's routing has read it
            route = _text(request.gateway.get("routeKey"))
            request.action = route if route in _messages.CLIENT_MESSAGES else _UNKNOWN
            _identify(request, _records.request_id_of(request.event))
        try:
            if refusal:
                reply = _errors.format_error_response(code, error.details, message=error.message)
            else:
                reply = _errors.format_error_response(code, None, request.correlation_id)
            self._deliver(request, reply)
        except BaseException as failed:  # the client goes without; both are in the log
            self.logger.warning("The error reply could not be sent", error=failed)

    def _summarise(
        self, request: Request[Any], error: Any = None, code: Any = None, refusal: bool = False
    ) -> None:
        """Write the invocation's one line, with its metrics in it unless they share a window."""
        metrics, action = request.metrics, request.action
        elapsed_ms = (time.perf_counter_ns() - request._started) // 1000 / 1000
        if _metrics._cold:
            metrics.emit_cold_start(self.name)
        metrics._emit("MessageLatency", elapsed_ms, action)
        fields: dict[str, Any] = {"operation": action, "durationMs": elapsed_ms}
        if code is not None:  # never sampled, and waits for no window
            self.metrics.emit_message_failure(action, code)
            fields["errorCode"] = code
            if refusal:  # a sentence; a stack only where there is a cause to find
                fields["reason"] = error
                self._write("WARN", "Message refused", fields, error.__cause__)
            else:
                self._write("ERROR", "Message failed", fields, error)
                if metrics is not self.metrics:
                    metrics.flush()
        elif metrics is self.metrics:
            self._write("INFO", "Message handled", fields)
            return
        else:
            request.logger.info("Message handled", **fields)
            if self.metrics._waiting:
                self.metrics.flush()
        if metrics is not self.metrics:
            metrics.flush_due()

    def _write(self, level: str, text: str, fields: dict[str, Any], error: Any = None) -> None:
        """Write a line with the metrics in it, or these alone if we or Lambda would drop it."""
        if level == "ERROR":
            _logs._flush_buffer()
        written = _logs._LEVELS[level] >= _logs._LEVELS[_logs._level]
        if not written or _metrics._level != "INFO":
            self.metrics.flush()
        for document in self.metrics.take() or [""] * written:
            _wire.write(self.logger._line(level, text, None, (), fields, error, document))
            level, text, fields, error = "INFO", "Metrics", {}, None


def _identify(request: Request[Any], request_id: str | None) -> None:
    if request_id is not None:
        request.request_id = request.correlation_id = request_id
        _logs.bind_context(correlationId=request_id)
