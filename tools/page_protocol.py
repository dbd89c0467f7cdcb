"""The protocol for the page: its facts as a module of JavaScript, and their types.

`declared.js` holds data only; `web/protocol/messages.js`, written by hand, checks with it.
"""

from __future__ import annotations

import json
from typing import Any

from audio_protocol import LIMITS, NOTE, SUBPROTOCOL, api
from shared_utils.records import json_schema
from shared_utils.websocket_messages import ChangeLanguage
from shared_utils_protocol import GATEWAY, ApiDescription, Message, files

__all__ = ["page_files"]

# What checking does not need: descriptions, and that API Gateway's messages have no `type`, which
# is looked at first.
_ANNOTATIONS = {"$schema", "title", "description", "default", "contentEncoding", "not"}


def page_files() -> dict[str, str]:
    """Return the text of each file of the page, by its name."""
    described = api()
    return {"declared.js": _data(described), "declared.d.ts": _types(described)}


def _data(described: ApiDescription) -> str:
    errors = {
        code.value: {"status": code.status, "sentence": code.sentence, "retryable": code.retryable}
        for code in described.codes
    }
    constants: dict[str, Any] = {
        "SUBPROTOCOL": SUBPROTOCOL,
        "LIMITS": {limit.name: limit.value for limit in LIMITS},
        "ERRORS": errors,
        "REPLIES": {message.name: _reply(message) for message in described.client},
        "CLIENT_SCHEMAS": {message.name: _bare(message.schema) for message in described.client},
        "SERVER_SCHEMAS": {message.name: _bare(message.schema) for message in described.server},
        "GATEWAY_SCHEMA": _bare(GATEWAY.schema),
    }
    language = json.dumps(json_schema(ChangeLanguage)["properties"]["targetLanguage"]["pattern"])
    lines = [
        f"// {NOTE}\n",
        "// By far the longest pattern, and in many messages.",
        f"const LANGUAGE = {language};\n",
    ]
    for name, value in constants.items():
        text = _rows(value) if isinstance(value, dict) else json.dumps(value)
        lines.append(f"export const {name} = {text.replace(language, 'LANGUAGE')};\n")
    return "\n".join(lines)


def _rows(value: dict[str, Any]) -> str:
    inside = "".join(f"  {json.dumps(key)}: {json.dumps(item)},\n" for key, item in value.items())
    return f"{{\n{inside}}}"


def _bare(schema: Any) -> Any:
    """Return what decides whether a value fits: a schema without what only describes."""
    kept = {name: value for name, value in schema.items() if name not in _ANNOTATIONS}
    if "properties" in kept:
        kept["properties"] = {name: _bare(inner) for name, inner in kept["properties"].items()}
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _bare(kept["additionalProperties"])
    return kept


def _types(described: ApiDescription) -> str:
    return "\n".join(
        [
            files(described, note=NOTE)["types.ts"],
            "/** What a JSON Schema of this protocol may hold. */",
            _SCHEMA_TYPE,
            f"export const SUBPROTOCOL: {json.dumps(SUBPROTOCOL)};",
            f"export const LIMITS: {{\n{_limits()}}};",
            "export const ERRORS: Record<ErrorCode, { status: number; sentence: string; retryable: boolean }>;",
            f"export const REPLIES: {{\n{_replies(described)}}};",
            'export const CLIENT_SCHEMAS: Record<ClientMessage["action"], Schema>;',
            'export const SERVER_SCHEMAS: Record<ServerMessage["type"], Schema>;',
            "export const GATEWAY_SCHEMA: Schema;\n",
        ]
    )


_SCHEMA_TYPE = """export interface Schema {
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  const?: string;
  enum?: readonly (string | number)[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  properties?: Record<string, Schema>;
  required?: readonly string[];
  propertyNames?: Schema;
  additionalProperties?: Schema;
  anyOf?: readonly Schema[];
  items?: Schema;
  maxItems?: number;
}
"""


def _limits() -> str:
    return "".join(
        f"  /** In {limit.unit}. Beyond it: {limit.beyond}. */\n  {limit.name}: number;\n"
        for limit in LIMITS
    )


def _replies(described: ApiDescription) -> str:
    return "".join(f"  {one.name}: {json.dumps(_reply(one))};\n" for one in described.client)


def _reply(message: Message) -> str | None:
    return message.replies[0] if message.replies else None
