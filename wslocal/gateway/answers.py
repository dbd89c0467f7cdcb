"""What API Gateway makes of a message and of what a function answers. Values in, values out."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .definition import Api, ApiRoute

__all__ = [
    "ENDPOINT_TIMEOUT",
    "FORBIDDEN",
    "INTERNAL_ERROR",
    "TOO_MANY_REQUESTS",
    "Failure",
    "Returned",
    "connect_message",
    "connect_status",
    "gateway_message",
    "read_proxy_answer",
    "select_route",
    "subprotocol_of",
]

# Texts of the messages that the gateway itself sends; for the first three see
# https://github.com/aws-samples/simple-websockets-chat-app/issues/42 and /24, and
# https://github.com/Kludex/mangum/issues/128. The last is a guess: no sample was found.
INTERNAL_ERROR = "Internal server error"
FORBIDDEN = "Forbidden"
ENDPOINT_TIMEOUT = "Endpoint request timed out"
TOO_MANY_REQUESTS = "Too Many Requests"

_BODY_KEY = re.compile(r"\$request\.body\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)")
_RESERVED = {"$connect", "$disconnect", "$default"}


@dataclass(frozen=True, slots=True)
class Returned:
    """A proper answer of a Lambda proxy integration."""

    status: int
    headers: dict[str, str]
    body: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """No proper answer: what the client is told, and the status that refuses a `$connect`."""

    message: str
    status: int


def select_route(api: Api, text: str) -> ApiRoute | None:
    """Return the route of a client's message: the key's own, else `$default`, if there is one.

    A client cannot choose `$connect` and `$disconnect`: they are not for messages.
    """
    key = _evaluate(api.selection_expression, text)
    if key is not None and key not in _RESERVED and key in api.routes:
        return api.routes[key]
    return api.routes.get("$default")


def _evaluate(expression: str, text: str) -> str | None:
    if expression.startswith("${") and expression.endswith("}"):
        expression = f"${expression[2:-1]}"
    if not (match := _BODY_KEY.fullmatch(expression)):
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for name in match[1].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def read_proxy_answer(answer: bytes) -> Returned | None:
    """Return what a function answered, or None for a malformed answer."""
    try:
        document = json.loads(answer)
        status = int(document["statusCode"])
        headers = {
            str(name).lower(): str(value) for name, value in (document.get("headers") or {}).items()
        }
        body = document.get("body")
        if body is not None and document.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True).decode()
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    if not (body is None or isinstance(body, str)) or not 100 <= status <= 599:
        return None
    return Returned(status, headers, body)


def connect_status(outcome: Returned | Failure) -> int:
    """Return the status with which `$connect` ends: 101 opens the connection, others refuse it."""
    if isinstance(outcome, Returned) and 200 <= outcome.status < 300:
        return HTTPStatus.SWITCHING_PROTOCOLS
    return outcome.status if outcome.status >= 300 else HTTPStatus.BAD_GATEWAY


def connect_message(outcome: Returned | Failure) -> str:
    """Return what a client is told whose `$connect` has ended with another status than 101."""
    if isinstance(outcome, Failure):
        return outcome.message
    return responses.get(connect_status(outcome), "Refused")


def subprotocol_of(outcome: Returned) -> str | None:
    """Return the sub-protocol that a function chose: the only header that reaches the client."""
    return outcome.headers.get("sec-websocket-protocol")


def gateway_message(message: str, connection_id: str, request_id: str) -> bytes:
    """Return a message of the gateway's own: it has no `type`."""
    ids = {"connectionId": connection_id, "requestId": request_id}
    return json.dumps({"message": message} | ids).encode()
