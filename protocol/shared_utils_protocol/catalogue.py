"""An API as its documents need it: messages with schemas and examples, codes, servers, texts.

Schemas and examples come from `shared_utils.records`, so that no document can disagree with what
the functions take.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_utils.error_codes import ErrorCode
from shared_utils.records import example as example_of
from shared_utils.records import json_schema
from shared_utils.websocket_messages import ErrorMessage, GatewayMessage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from shared_utils.error_codes import ErrorCodeBase
    from shared_utils.records import ClientMessage, Record, ServerMessage

__all__ = [
    "CODE_SCHEMA",
    "GATEWAY",
    "LAYER_CODES",
    "ApiDescription",
    "Message",
    "SourceError",
    "client_message",
    "definitions_of",
    "is_same_shape",
    "keyed_message",
    "server_message",
    "shapes_of",
    "with_ids",
]


class SourceError(Exception):
    """Something of which no documents can be made; its text names it and says why."""


class Message(NamedTuple):
    """One message. `name` is its `action` or `type`; `id` stands for it in files and references.

    `role` is who may send it, None for everyone; `replies` are the types that answer it.
    """

    name: str
    type_name: str
    schema: dict[str, Any]
    example: dict[str, Any]
    cls: type[Record] | None = None
    role: str | None = None
    replies: tuple[str, ...] = ()
    id: str = ""

    @property
    def summary(self) -> str:
        """What it is for, in words; empty without a docstring."""
        return str(self.schema.get("description", ""))


# --- one message


def client_message(
    cls: type[ClientMessage],
    selection: str = "action",
    role: str | None = None,
    replies: Iterable[str] = (),
) -> Message:
    """Return a client's message; `selection` is the member of its body that names it."""
    schema, wire = _schema_of(cls), _example_of(cls)
    if selection != "action":
        # The route of a handler looks at no other member, so that `action` need not be there.
        properties = {selection: schema["properties"].pop("action"), **schema["properties"]}
        properties[selection] = {"const": cls.action}
        rest = [name for name in schema["required"] if name not in ("action", selection)]
        schema = {**schema, "properties": properties, "required": [selection, *rest]}
        wire = {selection: cls.action, **{k: v for k, v in wire.items() if k != "action"}}
        wire[selection] = cls.action
    return Message(cls.action, cls.__name__, schema, wire, cls, role, tuple(replies))


def server_message(cls: type[ServerMessage]) -> Message:
    """Return a message that clients receive."""
    return Message(cls.type, cls.__name__, _schema_of(cls), _example_of(cls), cls)


def keyed_message(key: str, selection: str, role: str | None, summary: str) -> Message:
    """Return the message of a route that has only a key: its other fields are not declared."""
    type_name = "".join(word[0].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", key))
    if not type_name or type_name[0].isdigit():
        type_name = "Key" + type_name
    schema: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "title": type_name,
        **({"description": summary} if summary else {}),
        "properties": {selection: {"const": key}},
        "required": [selection],
        "additionalProperties": True,
    }
    return Message(key, type_name, schema, {selection: key}, None, role)


def _schema_of(cls: type[Record]) -> dict[str, Any]:
    return json_schema(cls)


def _example_of(cls: type[Record]) -> dict[str, Any]:
    try:
        return example_of(cls).to_dict()
    except TypeError as error:  # its checks refuse what would otherwise fit
        raise SourceError(str(error)) from None


def _gateway_message() -> Message:
    # What has a `type` is one of ours, whatever else it holds.
    schema = {**_schema_of(GatewayMessage), "not": {"required": ["type"]}}
    wire = {
        "message": "Internal server error",
        "connectionId": "VNRUSeldSwMCIRQ=",
        "requestId": "VNRXVFJOywMF3-Q=",
    }
    return Message(
        "gatewayMessage", "GatewayMessage", schema, wire, GatewayMessage, id="gatewayMessage"
    )


#: What API Gateway sends when a function has failed: part of every API.
GATEWAY = _gateway_message()
#: How the schema of an `error` describes its `code`: a text, which the documents then list.
CODE_SCHEMA = _schema_of(ErrorMessage)["properties"]["code"]
#: With these the layer itself answers, whatever the functions of an API do.
LAYER_CODES = (
    ErrorCode.AUTH_INVALID_ROLE,
    ErrorCode.VALIDATION_INVALID_ACTION,
    ErrorCode.VALIDATION_MISSING_PARAMETER,
    ErrorCode.VALIDATION_INVALID_PARAMETER,
    ErrorCode.VALIDATION_MESSAGE_TOO_LARGE,
    ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT,
    ErrorCode.RATE_LIMIT_EXCEEDED,
    ErrorCode.CONNECTION_CLOSED,
    ErrorCode.INTERNAL_SERVER_ERROR,
    ErrorCode.INTERNAL_DATABASE_ERROR,
    ErrorCode.INTERNAL_CONFIGURATION_ERROR,
)


# --- all of them


@dataclass(frozen=True, kw_only=True)
class ApiDescription:
    """What the documents say of one API.

    `description` is Markdown; empty, it is made from the rest. `servers`, `info` and `extensions`
    (names from `x-`) go into the AsyncAPI document as they are. `unasked` are the types that may
    come without a request, all if it is None. `words` says by pattern what a text holds.
    """

    title: str
    version: str = "0.1.0"
    description: str = ""
    client: list[Message]
    server: list[Message]
    codes: list[ErrorCodeBase]
    selection: str = "action"
    subprotocols: tuple[str, ...] = ()
    servers: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)
    unasked: Collection[str] | None = None
    unasked_summary: str = "What the server sends by itself."
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def received(self) -> list[Message]:
        """What a client may receive: the server's messages, and API Gateway's own."""
        return [*self.server, GATEWAY]

    @property
    def messages(self) -> list[Message]:
        """Every message, the clients' first."""
        return [*self.client, *self.received]

    def id_of(self, type_: str) -> str:
        """Return the id of the server's message with this `type`."""
        return next(one.id for one in self.server if one.name == type_)


# What stands for something else in the documents: an operation, the two unions of schemas.
_TAKEN_IDS = ("notify", "fromclient", "toclient", GATEWAY.id.casefold())


def with_ids(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield each message with an id of its own: its name, or its type's where that is taken.

    Ids are of ASCII letters, digits, `_`, `.` and `-`, as AsyncAPI wants them, and differ in more
    than case, because some file systems do not see it.
    """
    taken = {*_TAKEN_IDS}
    for message in messages:
        name, type_name = (
            re.sub(r"[^A-Za-z0-9_.-]", "_", text) for text in (message.name, message.type_name)
        )
        numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
        chosen = next(one for one in (name, type_name, *numbered) if one.casefold() not in taken)
        taken.add(chosen.casefold())
        yield message._replace(id=chosen)


# --- the objects inside of messages


def shapes_of(messages: Iterable[Message]) -> dict[str, dict[str, Any]]:
    """Return the schemas of the objects inside of messages, by the names of their classes."""
    shapes: dict[str, dict[str, Any]] = {}
    for message in messages:
        for found in _inside(message.schema):
            name = found["title"]
            if not is_same_shape(shapes.setdefault(name, found), found):
                raise SourceError(
                    f"two records are called {name} and hold different fields, one of them in"
                    f" {message.type_name}: give one another name"
                )
    return shapes


def definitions_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas that a message's schema refers to, by name."""
    definitions: dict[str, Any] = schema.get("definitions", {})
    return definitions


def is_same_shape(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two schemas say the same of an object; a default is the field's that holds it."""
    return [one["properties"], one["required"]] == [other["properties"], other["required"]]


def _inside(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects of declared fields below a schema, each before those inside of it."""
    below = [*schema.get("properties", {}).values(), *definitions_of(schema).values()]
    below += [schema[name] for name in ("items", "additionalProperties") if name in schema]
    for inner in below:
        if isinstance(inner, dict):
            if "properties" in inner:
                yield inner
            yield from _inside(inner)
