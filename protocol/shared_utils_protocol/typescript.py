"""The types of an API's messages for TypeScript."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .catalogue import CODE_SCHEMA, shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .catalogue import ApiDescription, Message

__all__ = ["property_name", "types", "union"]


def types(api: ApiDescription, note: str) -> str:
    """Return the types of all messages; `note` says in the first line what made them."""
    shapes = shapes_of([*api.client, *api.server])
    parts = [f"// {note}\n", union("ErrorCode", [json.dumps(code.value) for code in api.codes])]
    parts += [_interface(name, schema) for name, schema in shapes.items()]
    parts += [_interface(one.type_name, one.schema) for one in api.messages]
    parts += [
        union("ClientMessage", [message.type_name for message in api.client]),
        union("ServerMessage", [message.type_name for message in api.server]),
        "/** What a client may receive. */",
        "export type ReceivedMessage = ServerMessage | GatewayMessage;\n",
        f"/** A client's message, by its {api.selection}. */",
        _map("ClientMessages", api.client),
        "/** A server's message, by its type. */",
        _map("ServerMessages", api.server),
    ]
    return "\n".join(parts)


def union(name: str, members: list[str]) -> str:
    """Return the type that is one of the members; of none it is `never`."""
    if not members:
        return f"export type {name} = never;\n"
    return f"export type {name} =\n" + "".join(f"  | {member}\n" for member in members)[:-1] + ";\n"


def property_name(name: str) -> str:
    """Return the name of a property, quoted if it must be."""
    return name if re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", name) else json.dumps(name)


def _map(name: str, messages: Iterable[Message]) -> str:
    rows = "".join(f"  {property_name(one.name)}: {one.type_name};\n" for one in messages)
    return f"export interface {name} {{\n{rows}}}\n"


def _interface(name: str, schema: dict[str, Any]) -> str:
    rows = []
    for field, inner in schema["properties"].items():
        if inner.get("description") and "properties" not in inner:
            text = inner["description"]
            rows.append(f"  {_comment(text[0].upper() + text[1:] + '.')}")
        optional = "" if field in schema["required"] else "?"
        rows.append(f"  readonly {property_name(field)}{optional}: {_type(inner)};")
    if schema.get("additionalProperties") is True:
        rows.append("  readonly [name: string]: unknown;")
    body = "".join(f"{row}\n" for row in rows)
    about = schema.get("description", "").strip()
    head = f"{_comment(about)}\n" if about else ""
    return f"{head}export interface {name} {{\n{body}}}\n"


def _comment(text: str) -> str:
    return (
        f"/** {' '.join(text.split())} */"
        if "*/" not in text
        else _comment(text.replace("*/", "*\\/"))
    )


_PLAIN = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean"}


def _type(schema: dict[str, Any]) -> str:
    """Return the type of what fits a schema; of JSON Schema, what `json_schema` writes."""
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema == CODE_SCHEMA:
        return "ErrorCode"  # an API sends its own codes only
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not kinds and "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    return " | ".join(_type_of_kind(kind, schema) for kind in kinds) or "unknown"


def _type_of_kind(kind: str, schema: dict[str, Any]) -> str:
    if kind == "array":
        return f"ReadonlyArray<{_type(schema['items'])}>"
    if kind == "object" and "properties" in schema:
        return str(schema["title"])
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"Readonly<Record<string, {_type(inner) if isinstance(inner, dict) else 'unknown'}>>"
    return _PLAIN.get(kind, kind)
