"""The references for people: what an API is, every message with an example, every error code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared_utils.records import MAX_DEPTH, MAX_VALUES
from shared_utils.validators import MAX_MESSAGE_BYTES

from .catalogue import CODE_SCHEMA, GATEWAY

if TYPE_CHECKING:
    from .catalogue import ApiDescription, Message

__all__ = ["errors", "general_description", "messages"]


def general_description(api: ApiDescription) -> str:
    """Return the text of an API that has none of its own, as Markdown."""
    tag = api.selection
    subprotocols = ", ".join(f"`{name}`" for name in api.subprotocols)
    parts = [
        "The application is the server: it *receives* what clients send and *sends* what they get.",
        f"Messages are JSON text, one object a frame. A client's is named by `{tag}`, a server's by `type`."
        " Times are milliseconds since the epoch. Fields that are not declared are ignored."
        " `requestId` is the client's own and comes back in the reply.",
        "Any message may be answered by `error`, or, when a function failed, by a message of API"
        f" Gateway's own (`{GATEWAY.name}`), which has no `type`. Replies need not come in the order"
        " of the requests. Retry only what says `retryable: true`.",
        f"Ask for a sub-protocol in `Sec-WebSocket-Protocol`: {subprotocols}."
        if subprotocols
        else "",
        "## Error codes",
        "\n".join(_code_table(api)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _code_table(api: ApiDescription) -> list[str]:
    rows = [
        f"| `{code.value}` | {code.status} | {code.sentence} | {'yes' if code.retryable else 'no'} |"
        for code in api.codes
    ]
    head = ["| code | status | sentence | may be retried |", "| --- | --- | --- | --- |"]
    return [*head, *rows]


def errors(api: ApiDescription, note: str) -> str:
    """Return `errors.md`; `note` says in its first line what made it."""
    return "\n".join(
        [
            f"<!-- {note} -->\n",
            "# Errors",
            "",
            "An `error` message carries one of these codes. `message` is the sentence below, or one that says",
            "which field was wrong, what was wanted and what came; it may change, the code does not. `status` is",
            "what `$connect` answers the handshake with (any 5xx as 500). Retry only what may be retried, and later:",
            "with backoff.",
            "",
            *_code_table(api),
            "",
        ]
    )


def messages(api: ApiDescription, note: str) -> str:
    """Return `messages.md`; `note` says in its first line what made it."""
    parts = [
        f"<!-- {note} -->\n",
        "# Messages",
        "",
        "JSON text, one object a frame. Times are milliseconds since the epoch. Fields that are not declared are",
        "ignored; a field that is absent is left out, and null stands for it only where the schema says so. Functions",
        "may refuse more than is written here, by checks of their own, and do refuse a message that is larger than is",
        f"said, has more than {MAX_DEPTH} levels or {MAX_VALUES:,} values, or has a name twice in an object.",
        "",
        f"## From clients, named by `{api.selection}`",
        "",
    ]
    for message in api.client:
        who = f"`{message.role}`" if message.role else "anyone"
        replies = " or ".join(f"`{name}`" for name in message.replies)
        size = message.cls.max_bytes if message.cls else MAX_MESSAGE_BYTES
        parts += [
            *_section(message, api),
            f"From {who}, at most {size:,} bytes; {f'answered with {replies}' if replies else 'no answer'}.",
            "",
            *_example(message),
        ]
    parts += ["## To clients, named by `type`", ""]
    for message in api.server:
        parts += [*_section(message, api), *_example(message)]
    parts += ["## From API Gateway itself, without a `type`", ""]
    return "\n".join([*parts, *_section(GATEWAY, api), *_example(GATEWAY)])


def _section(message: Message, api: ApiDescription) -> list[str]:
    required = message.schema["required"]
    rows = [
        f"| `{name}` | {'yes' if name in required else 'no'} | {_wanted(schema, api)} |"
        for name, schema in message.schema["properties"].items()
    ]
    summary = [message.summary, ""] if message.summary else []
    table = ["| field | required | holds |", "| --- | --- | --- |", *rows]
    return [f"### {message.name}", "", *summary, *table, ""]


def _example(message: Message) -> list[str]:
    return ["```json", json.dumps(message.example, indent=2), "```", ""]


def _wanted(schema: dict[str, Any], api: ApiDescription) -> str:
    """Return in words what a field holds, for a cell of a table."""
    known = {**api.words, CODE_SCHEMA["pattern"]: "a code of [errors.md](errors.md)"}
    if "const" in schema:
        return f"`{schema['const']}`"
    if "propertyNames" in schema:
        text = f"an object, its names: {known.get(schema['propertyNames'].get('pattern'), 'texts')}"
    elif "properties" in schema:
        text = f"an object: {', '.join(f'`{name}`' for name in schema['properties'])}"
    elif schema == CODE_SCHEMA or schema.get("pattern") in api.words:
        text = known[schema["pattern"]]
    else:
        text = _in_words(schema)
    default = schema.get("default")
    return text if default is None else f"{text}; default `{_cell(json.dumps(default))}`"


def _in_words(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"an object: {schema['$ref'].rpartition('/')[2]}"
    if "anyOf" in schema and "description" not in schema:
        return " or ".join(_in_words(one) for one in schema["anyOf"])
    inner = schema.get("items", schema.get("additionalProperties"))
    of = f", each {_each(inner)}" if isinstance(inner, dict) else ""
    usual = schema.get("type", "a value")
    return _cell(str(schema.get("description", "an object" if usual == "object" else usual))) + of


def _each(schema: dict[str, Any]) -> str:
    if "properties" in schema:
        return f"an object: {', '.join(f'`{name}`' for name in schema['properties'])}"
    return _in_words(schema)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
