"""The AsyncAPI document: one channel, which is the connection, seen from the server.

https://www.asyncapi.com/docs/reference/specification/v3.1.0
"""

from __future__ import annotations

from typing import Any

from .catalogue import CLIENT, GATEWAY, RECEIVED, UNASKED, Message
from .facts import CLOSE_CODES, LIMITS, SUBPROTOCOL, VERSION

__all__ = ["document"]

_DESCRIPTION = f"""Live audio from one speaker to many listeners, over an Amazon API Gateway WebSocket API.

**Whose side.** The application is the server: it *receives* what clients send and *sends* what they get.

**Messages** are JSON text, one object a frame. A client's is told by `action`, a server's by `type`. Times are milliseconds since the epoch.
Fields that are not declared are ignored; a field that is absent is left out, never null. `requestId` is the client's own and comes back in the reply.
`reply` names what answers an action; any of them may be answered by `error` instead, or, when a function failed, by a message of API Gateway's own (`{GATEWAY.name}`), which has no `type`.
Replies need not come in the order of the requests, and chunks of audio not in the order of their `sequenceNumber`: sort them, and drop what comes twice.

**Sub-protocol.** Ask for `{SUBPROTOCOL}` in `Sec-WebSocket-Protocol`; the server answers with it.

**Audio** is raw PCM in the format that the session was created with, base64 (standard alphabet, padded). 50 to 200 ms a chunk work best. The language a listener chooses does not change the audio yet.

**Staying connected.** Send `heartbeat` every 30 seconds. Keep the `refreshToken`: after a broken connection, or when `connectionRefreshRequired` comes, open another and send `refreshConnection`. A speaker has 60 seconds for it before the session ends.
Retry only what says `retryable: true`.

## Limits

| limit | value | beyond it |
| --- | --- | --- |
{{limits}}

## Close codes

A function behind API Gateway cannot choose a close code: why a connection ends is told by a message before it.

| code | meaning |
| --- | --- |
{{close_codes}}
"""


def _description() -> str:
    limits = (
        f"| {limit.name} | {limit.value:,} {limit.unit} | {limit.beyond} |" for limit in LIMITS
    )
    codes = (f"| {code} | {meaning} |" for code, meaning in CLOSE_CODES.items())
    return _DESCRIPTION.format(limits="\n".join(limits), close_codes="\n".join(codes))


def document() -> dict[str, Any]:
    """Return the whole document, ready for JSON."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "WebSocket Audio",
            "version": VERSION,
            "description": _description(),
            "license": {"name": "MIT"},
            "tags": [{"name": "audio"}, {"name": "session"}],
        },
        "defaultContentType": "application/json",
        "servers": {"aws": _AWS, "local": _LOCAL},
        "channels": {"connection": _channel()},
        "operations": _operations(),
        "components": {
            "messages": {message.name: _message(message) for message in [*CLIENT, *RECEIVED]},
            "correlationIds": {
                "request": {
                    "description": "The client's own id of its request, up to 128 characters.",
                    "location": "$message.payload#/requestId",
                }
            },
        },
        "x-limits": {limit.name: limit.value for limit in LIMITS},
        "x-close-codes": {str(code): meaning for code, meaning in CLOSE_CODES.items()},
        "x-subprotocol": SUBPROTOCOL,
    }


_AWS = {
    "host": "{apiId}.execute-api.{region}.amazonaws.com",
    "pathname": "/{stage}",
    "protocol": "wss",
    "description": "An API Gateway WebSocket API. The stack's output WebSocketUrl is the address.",
    "variables": {
        "apiId": {"description": "The API's id.", "examples": ["a1b2c3d4e5"]},
        "region": {"description": "An AWS region.", "default": "us-east-1"},
        "stage": {"description": "The deployment's stage.", "default": "dev"},
    },
}
_LOCAL = {
    "host": "127.0.0.1:{port}",
    "pathname": "/{stage}",
    "protocol": "ws",
    "description": "The same system on one machine.",
    "variables": {
        "port": {"description": "As printed when it starts.", "examples": ["8000"]},
        "stage": {"description": "The deployment's stage.", "default": "dev"},
    },
}


def _channel() -> dict[str, Any]:
    return {
        "address": "/",
        "title": "The connection",
        "description": "Everything goes over one WebSocket connection.",
        "messages": {
            message.name: {"$ref": f"#/components/messages/{message.name}"}
            for message in [*CLIENT, *RECEIVED]
        },
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": {
                        "Sec-WebSocket-Protocol": {"type": "string", "const": SUBPROTOCOL},
                        "Origin": {
                            "type": "string",
                            "description": "Sent by browsers; a deployment may list those it takes.",
                        },
                    },
                },
                "bindingVersion": "0.1.0",
            }
        },
    }


def _operations() -> dict[str, Any]:
    operations = {message.name: _received(message) for message in CLIENT}
    return {
        **operations,
        "notify": {
            "action": "send",
            "channel": _CHANNEL,
            "title": "What comes unasked",
            "summary": "Audio, changes of the broadcast, news of the session and of the connection.",
            "messages": [_in_channel(message.name) for message in UNASKED],
        },
    }


_CHANNEL = {"$ref": "#/channels/connection"}


def _in_channel(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/connection/messages/{name}"}


def _received(message: Message) -> dict[str, Any]:
    answers = [message.reply] if message.reply else []
    return {
        "action": "receive",
        "channel": _CHANNEL,
        "title": message.name,
        "summary": message.summary,
        "description": f"Sent by: {message.sender}.",
        "messages": [_in_channel(message.name)],
        "reply": {
            "channel": _CHANNEL,
            "messages": [_in_channel(name) for name in [*answers, "error", GATEWAY.name]],
        },
    }


def _message(message: Message) -> dict[str, Any]:
    described = {
        "name": message.name,
        "title": message.type_name,
        "summary": message.summary,
        "contentType": "application/json",
        "payload": _payload(message),
        "examples": [{"name": message.name, "payload": message.example}],
    }
    if message is not GATEWAY:
        described["correlationId"] = {"$ref": "#/components/correlationIds/request"}
    return described


def _payload(message: Message) -> dict[str, Any]:
    """Return the schema, closed so that what is on the channel fits exactly one message."""
    schema = {name: value for name, value in message.schema.items() if name != "$schema"}
    if message not in CLIENT:
        no_action = {"required": ["action"]}
        others = schema.get("not")
        schema["not"] = {"anyOf": [no_action, others]} if others else no_action
    return schema
