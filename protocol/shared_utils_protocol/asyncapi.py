"""The AsyncAPI document: one channel, which is the connection, seen from the server.

https://www.asyncapi.com/docs/reference/specification/v3.1.0
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .catalogue import GATEWAY, definitions_of
from .reference import general_description

if TYPE_CHECKING:
    from .catalogue import ApiDescription, Message

__all__ = ["document"]


def document(api: ApiDescription) -> dict[str, Any]:
    """Return the whole document, ready for JSON."""
    about = {
        "title": api.title,
        "version": api.version,
        "description": api.description or general_description(api),
        **api.info,
    }
    return {
        "asyncapi": "3.1.0",
        "info": about,
        "defaultContentType": "application/json",
        **({"servers": dict(api.servers)} if api.servers else {}),
        "channels": {"connection": _channel(api)},
        "operations": _operations(api),
        "components": _components(api),
        "x-error-codes": {
            code.value: {
                "status": code.status,
                "sentence": code.sentence,
                "retryable": code.retryable,
            }
            for code in api.codes
        },
        **api.extensions,
    }


def _components(api: ApiDescription) -> dict[str, Any]:
    schemas = {
        name: _with_references(schema)
        for message in api.messages
        for name, schema in definitions_of(message.schema).items()
    }
    return {
        "messages": {message.id: _message(message, api) for message in api.messages},
        **({"schemas": schemas} if schemas else {}),
        "correlationIds": {
            "request": {
                "description": "The client's own id of its request, up to 128 characters.",
                "location": "$message.payload#/requestId",
            }
        },
    }


def _with_references(schema: Any) -> Any:
    """Return a schema whose references lead to the document's components."""
    text = json.dumps(schema).replace('"#/definitions/', '"#/components/schemas/')
    return json.loads(text)


def _channel(api: ApiDescription) -> dict[str, Any]:
    return {
        "address": "/",
        "title": "The connection",
        "description": "Everything goes over one WebSocket connection.",
        "messages": {
            message.id: {"$ref": f"#/components/messages/{message.id}"} for message in api.messages
        },
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": {
                        **_subprotocol_header(api.subprotocols),
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


def _subprotocol_header(names: tuple[str, ...]) -> dict[str, Any]:
    if not names:
        return {}
    one_of = {"const": names[0]} if len(names) == 1 else {"enum": [*names]}
    return {"Sec-WebSocket-Protocol": {"type": "string", **one_of}}


def _operations(api: ApiDescription) -> dict[str, Any]:
    unasked = [one for one in api.received if api.unasked is None or one.name in api.unasked]
    return {
        **{message.id: _received(message, api) for message in api.client},
        "notify": {
            "action": "send",
            "channel": _CHANNEL,
            "title": "What comes unasked",
            "summary": api.unasked_summary,
            "messages": [_in_channel(message.id) for message in unasked],
        },
    }


_CHANNEL = {"$ref": "#/channels/connection"}


def _in_channel(id_: str) -> dict[str, str]:
    return {"$ref": f"#/channels/connection/messages/{id_}"}


def _received(message: Message, api: ApiDescription) -> dict[str, Any]:
    answers = [api.id_of(type_) for type_ in dict.fromkeys((*message.replies, "error"))]
    return {
        "action": "receive",
        "channel": _CHANNEL,
        "title": message.name,
        **_summary(message),
        "description": f"Sent by: {message.role or 'any'}.",
        "messages": [_in_channel(message.id)],
        "reply": {
            "channel": _CHANNEL,
            "messages": [_in_channel(id_) for id_ in [*answers, GATEWAY.id]],
        },
    }


def _summary(message: Message) -> dict[str, str]:
    return {"summary": message.summary} if message.summary else {}


def _message(message: Message, api: ApiDescription) -> dict[str, Any]:
    described = {
        "name": message.name,
        "title": message.type_name,
        **_summary(message),
        "contentType": "application/json",
        "payload": _payload(message, api),
        "examples": [{"name": message.id, "payload": message.example}],
    }
    if message is not GATEWAY:
        described["correlationId"] = {"$ref": "#/components/correlationIds/request"}
    return described


def _payload(message: Message, api: ApiDescription) -> dict[str, Any]:
    """Return the schema, closed so that what is on the channel fits exactly one message."""
    left_out = ("$schema", "definitions")
    schema = {name: value for name, value in message.schema.items() if name not in left_out}
    if api.selection not in schema["properties"]:
        no_action = {"required": [api.selection]}
        others = schema.get("not")
        schema["not"] = {"anyOf": [no_action, others]} if others else no_action
    return _with_references(schema)  # type: ignore[no-any-return]
