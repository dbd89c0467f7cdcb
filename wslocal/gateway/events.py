"""What a function is given: the events of API Gateway's WebSocket proxy integration.

Shapes as captured from AWS, for example
https://github.com/aws-powertools/powertools-lambda-python/issues/5543. Nothing here reads a clock.
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .api_keys import ApiKey
    from .definition import Api

__all__ = [
    "ClientInfo",
    "EventContext",
    "connect_event",
    "disconnect_event",
    "message_event",
    "new_id",
]

# `Host` is the name that functions get to know; the others are the hop's own.
_REPLACED = {"connection", "upgrade", "host"}

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What stays the same for a connection."""

    connection_id: str
    connected_at_ms: int
    source_ip: str
    user_agent: str
    domain: str
    forwarded_port: str
    is_secure: bool
    authorizer: Mapping[str, str] | None = None  # what it said of the client
    api_key: ApiKey | None = None


@dataclass(frozen=True, slots=True)
class EventContext:
    """One event of a connection."""

    api: Api
    client: ClientInfo
    route_key: str
    request_id: str
    now_ms: int


def new_id() -> str:
    """Return an id as API Gateway makes them, such as `BFHPhFe3IAMF95g=`."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()


def connect_event(context: EventContext, target: str, headers: Pairs) -> dict[str, Any]:
    """Return the event of `$connect`: headers and query string, and no body."""
    event = _headers(_forwarded(context, headers))
    query = tuple(parse_qsl(urlsplit(target).query, keep_blank_values=True))
    if query:
        event["queryStringParameters"] = dict(query)
        event["multiValueQueryStringParameters"] = _multi(query)
    return event | _rest(context, "CONNECT", {})


def _forwarded(context: EventContext, headers: Pairs) -> Pairs:
    """Return a client's headers as they arrive: none of the hop itself, and the address that forwarded them."""
    return (
        ("Host", context.client.domain),
        *((name, value) for name, value in headers if name.lower() not in _REPLACED),
        ("X-Amzn-Trace-Id", f"Root=1-{context.now_ms // 1000:08x}-{secrets.token_hex(12)}"),
        ("X-Forwarded-For", context.client.source_ip),
        ("X-Forwarded-Port", context.client.forwarded_port),
        ("X-Forwarded-Proto", "https" if context.client.is_secure else "http"),
    )


def message_event(context: EventContext, body: str) -> dict[str, Any]:
    """Return the event of a message: no headers and no query string."""
    return _rest(context, "MESSAGE", {"messageId": new_id()}) | {"body": body}


def disconnect_event(context: EventContext, status_code: int, reason: str) -> dict[str, Any]:
    """Return the event of `$disconnect`: headers that say nothing, and why it ended."""
    headers = (
        ("Host", context.client.domain),
        *(("x-api-key", ""), ("X-Forwarded-For", ""), ("x-restapi", "")),
    )
    end = {"disconnectStatusCode": status_code, "disconnectReason": reason}
    return _headers(headers) | _rest(context, "DISCONNECT", end)


def _rest(context: EventContext, event_type: str, more: Mapping[str, Any]) -> dict[str, Any]:
    client, moment = context.client, time.gmtime(context.now_ms / 1000)
    identity = {"sourceIp": client.source_ip}
    if client.user_agent:
        identity["userAgent"] = client.user_agent
    if client.api_key is not None:
        identity |= {"apiKey": client.api_key.value, "apiKeyId": client.api_key.id}
    if client.authorizer is not None:
        more = {"authorizer": dict(client.authorizer), **more}
    event: dict[str, Any] = {
        "requestContext": {
            "routeKey": context.route_key,
            "eventType": event_type,
            "extendedRequestId": context.request_id,
            "requestTime": _clf(moment),
            "messageDirection": "IN",
            "stage": context.api.stage,
            "connectedAt": client.connected_at_ms,
            "requestTimeEpoch": context.now_ms,
            "identity": identity,
            "requestId": context.request_id,
            "domainName": client.domain,
            "connectionId": client.connection_id,
            "apiId": context.api.id,
            **more,
        },
        "isBase64Encoded": False,
    }
    if context.api.stage_variables:
        event["stageVariables"] = dict(context.api.stage_variables)
    return event


def _clf(moment: time.struct_time) -> str:
    """Return a time as `11/Nov/2024:11:35:24 +0000`, whatever the locale."""
    month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[moment.tm_mon - 1]
    return time.strftime(f"%d/{month}/%Y:%H:%M:%S +0000", moment)


def _headers(headers: Pairs) -> dict[str, Any]:
    return {"headers": dict(headers), "multiValueHeaders": _multi(headers)}


def _multi(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists
