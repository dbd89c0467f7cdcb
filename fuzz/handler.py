"""A handler and any event: it never raises, answers with a status, writes one summary, hides secrets.

What is in an event is JSON, as Lambda reads it; what a route returns or raises is anything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fuzz.draws import PLANTED, Draws
from fuzz.judging import captured, lines_of, strictly_read
from shared_utils._cleaning import MAX_LINE_BYTES
from shared_utils._json import encode
from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.records import example
from shared_utils.testing import (
    FakeConnections,
    FakeContext,
    connect_event,
    disconnect_event,
    message_event,
)
from shared_utils.websocket_handler import WebSocketHandler
from shared_utils.websocket_messages import CLIENT_MESSAGES, SendAudio, SetVolume

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_utils.websocket_handler import Request

__all__ = ["try_input"]

_STATUSES = {200, 500, *(code.status for code in ErrorCode if code.status < 500)}
_SUMMARIES = {
    "Message handled",
    "Message refused",
    "Message failed",
    "A failure could not be handled",
}
_KINDS = ("sent", "gone", "throttled", "forbidden", "failed")


class _Functions:
    """What the routes do with the next event; each may return or raise anything."""

    def __init__(self) -> None:
        self.act: Callable[[Request[Any]], object] = lambda request: None

    def route(self, request: Request[Any]) -> object:
        return self.act(request)

    def role_of(self, request: Request[Any]) -> str:
        return request.query.get("role", "speaker")


def _make(functions: _Functions) -> WebSocketHandler:
    """Return a handler with routes of each kind."""
    handler = WebSocketHandler(
        "fuzzed",
        role_of=functions.role_of,
        subprotocols=["websocket-audio.v1"],
        sampled={"sendAudio": 1},  # each one's line is written, in the way of the sampled ones
    )

    def add(key: Any, role: str | None = None) -> None:
        @handler.route(key, role=role)
        def route(request: Request[Any]) -> object:
            return functions.route(request)

    for key in ("$connect", "$disconnect", "plain"):
        add(key)
    add(SendAudio, "speaker")
    add(SetVolume, "listener")
    for cls in CLIENT_MESSAGES.values():
        if cls not in (SendAudio, SetVolume):
            add(cls)
    return handler


_functions = _Functions()
_handler = _make(_functions)


def try_input(data: bytes) -> None:
    """Hand the handler an event."""
    draws = Draws(data)
    connections = FakeConnections()
    _handler.connections = connections
    event = draws.pick(_EVENTS)(draws)
    identity = event.get("requestContext") if type(event) is dict else None
    name = identity.get("connectionId") if type(identity) is dict else None
    kind = draws.pick(_KINDS)
    if type(name) is str:
        connections.outcomes[name] = kind
    _functions.act = draws.pick(_ACTS)(draws)
    context = draws.pick((FakeContext(), None, FakeContext(remaining_ms=0)))
    with captured() as stream:
        result = _handler(event, context)
        _handler.windowed_metrics.flush()
        _handler.metrics.flush()

    assert type(result) is dict, "the result is no dict"
    assert result["statusCode"] in _STATUSES, "the status is none of ours"
    strictly_read(encode(result))
    summaries = [
        line for line in lines_of(stream, 2 * MAX_LINE_BYTES) if line.get("message") in _SUMMARIES
    ]
    # A refusal that reaches nobody any more costs a count only.
    is_silent = kind == "gone" and 400 <= result["statusCode"] < 500
    assert len(summaries) == 1 or (is_silent and not summaries), f"{len(summaries)} summaries"
    for _, message in connections.sent:
        assert PLANTED not in json.dumps(message), "a secret is sent"


def _body(draws: Draws) -> str:
    """Return the text of a message, a changed one or none."""
    if draws.flag():
        return draws.rest().decode("utf-8", "replace")
    tag = draws.pick(list(CLIENT_MESSAGES))
    message = dict(_EXAMPLES[tag])
    for _ in range(draws.up_to(3)):
        name = draws.pick([*message, "requestId"])
        if name == "refreshToken":
            message[name] = PLANTED
        else:
            message[name] = draws.json()
    try:
        return json.dumps(message)
    except (TypeError, ValueError, RecursionError):
        return "{}"


_EXAMPLES = {tag: example(cls).to_dict() for tag, cls in CLIENT_MESSAGES.items()}


def _message(draws: Draws) -> Any:
    route = draws.pick(("$default", "plain", "sendAudio", "setVolume", "none"))
    return message_event(_body(draws), routeKey=route)


def _changed(draws: Draws) -> Any:
    """Return an event of which some member is another value."""
    event: Any = draws.pick((connect_event(), disconnect_event(), message_event("{}")))
    for _ in range(draws.up_to(3)):
        inner = draws.pick((event, event["requestContext"]))
        if isinstance(inner, dict):
            inner[draws.pick([*inner, "body", "isBase64Encoded"])] = draws.json()
    return event


def _other(draws: Draws) -> Any:
    headers = {draws.text(): draws.text(), "Authorization": f"Bearer {PLANTED}"}
    query = {draws.text(): draws.text(), "token": PLANTED}
    return connect_event(headers=headers, query=query)


_EVENTS: tuple[Callable[[Draws], Any], ...] = (
    *(_message, _message, _changed, _other),
    Draws.value,
)


def _raise(error: BaseException) -> Any:
    raise error


def _returning(draws: Draws) -> Callable[[Request[Any]], object]:
    reply = draws.value()
    return lambda request: reply


def _raising(draws: Draws) -> Callable[[Request[Any]], object]:
    error = draws.error()
    return lambda request: _raise(error)


def _refusing(draws: Draws) -> Callable[[Request[Any]], object]:
    code, message = draws.pick(list(ErrorCode)), draws.text()
    details = draws.value()
    return lambda request: _raise(ApplicationError(code, message, details))


def _sending(draws: Draws) -> Callable[[Request[Any]], object]:
    names, message = [draws.text() for _ in range(3)], draws.json()
    return lambda request: request.broadcast(names, message)


_ACTS = (_returning, _raising, _refusing, _sending)
