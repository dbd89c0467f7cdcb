"""Every message as the published documents need it: its schema, an example, who sends it.

All of it comes from `shared_utils`; nothing here can disagree with what the functions take.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shared_utils import records as r
from shared_utils import websocket_messages as m
from shared_utils.error_codes import ErrorCode

__all__ = [
    "CLIENT",
    "CODE_PATTERN",
    "GATEWAY",
    "RECEIVED",
    "SERVER",
    "UNASKED",
    "Message",
    "shapes_of",
]

# Better reading than `example`'s own values, which have to suit every message with such a field.
_EXAMPLES: dict[str, dict[str, Any]] = {
    "audioQualityWarning": {
        "message": "The audio is clipping",
        "recommendation": "Move away from the microphone or lower its gain",
    },
    "connectionWarning": {"remainingMinutes": 10},
    "error": {
        "code": ErrorCode.SESSION_INVALID_ID_FORMAT.value,
        "message": "sessionId must look like golden-eagle-427, got 'x'",
        "retryable": ErrorCode.SESSION_INVALID_ID_FORMAT.retryable,
        "details": {"field": "sessionId"},
        "correlationId": "request-1",
    },
    "sessionEnded": {"reason": "speakerEnded"},
}
_GATEWAY_EXAMPLE = {
    "message": "Internal server error",
    "connectionId": "VNRUSeldSwMCIRQ=",
    "requestId": "VNRXVFJOywMF3-Q=",
}


class Message(NamedTuple):
    """One message, by its name on the wire."""

    name: str
    cls: type[r.Record]
    schema: dict[str, Any]
    example: dict[str, Any]

    @property
    def type_name(self) -> str:
        """The name of its class, and of its type in TypeScript."""
        return self.cls.__name__

    @property
    def summary(self) -> str:
        """What it is for, in words."""
        return (self.cls.__doc__ or "").strip()

    @property
    def reply(self) -> str | None:
        """The `type` of what its sender receives, if it is a client's and has an answer."""
        return getattr(self.cls, "reply", None)

    @property
    def sender(self) -> str:
        """The role that may send it, if it is a client's: speaker, listener or any."""
        return getattr(self.cls, "sender", m.ANY)


def _declared(name: str, cls: type[r.Record]) -> Message:
    wire = {**r.example(cls).to_dict(), **_EXAMPLES.get(name, {})}
    return Message(name, cls, r.json_schema(cls), wire)


def _gateway_message() -> Message:
    # What has a `type` is one of ours, whatever else it holds.
    schema = {**r.json_schema(m.GatewayMessage), "not": {"required": ["type"]}}
    return Message("gatewayMessage", m.GatewayMessage, schema, _GATEWAY_EXAMPLE)


CLIENT = [_declared(name, cls) for name, cls in m.CLIENT_MESSAGES.items()]
SERVER = [_declared(name, cls) for name, cls in m.SERVER_MESSAGES.items()]
GATEWAY = _gateway_message()
RECEIVED = [*SERVER, GATEWAY]
# Of an `error`: a text, so that a system may have codes of its own.
CODE_PATTERN = r.json_schema(m.ErrorMessage)["properties"]["code"]["pattern"]

# What a speaker's action is answered with, the listeners get too; any other answer is for one alone.
_FOR_ONE_ALONE = {message.reply for message in CLIENT if message.sender != m.SPEAKER}
UNASKED = [message for message in RECEIVED if message.name not in _FOR_ONE_ALONE]


def shapes_of(messages: list[Message]) -> dict[str, dict[str, Any]]:
    """Return the schemas of the objects inside of messages, by their title."""
    shapes = {}
    for message in messages:
        for schema in message.schema["properties"].values():
            if "properties" in schema:
                shapes[schema["title"]] = schema
    return shapes
