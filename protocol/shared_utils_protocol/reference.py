"""The references for people: what an API is, every message with an example, every error code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared_utils.records import MAX_DEPTH, MAX_VALUES, MIN_MAGNITUDE
from shared_utils.validators import MAX_MESSAGE_BYTES

from .catalogue import CODE_SCHEMA, GATEWAY, shapes_of

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
        f"| `{code.value}` | {code.status} | {_cell(code.sentence)} | {'yes' if code.retryable else 'no'} |"
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
        f"said, has more than {MAX_DEPTH} levels or {MAX_VALUES:,} values, or has a name twice in an object. Text is",
        "Unicode: half of a surrogate pair is refused in every field. A number that is not whole is a double, and one",
        f"closer to 0 than {MIN_MAGNITUDE} is 0.",
        "",
        f"## From clients, named by `{api.selection}`",
        "",
    ]
    for message in api.client:
        who = f"`{message.role}`" if message.role else "anyone"
        replies = " or ".join(f"`{name}`" for name in message.replies)
        size = message.cls.max_bytes if message.cls else MAX_MESSAGE_BYTES
        parts += [
            *_section(message.name, message.schema, api),
            f"From {who}, at most {size:,} bytes; {f'answered with {replies}' if replies else 'no answer is declared'}.",
            "",
            *_example(message),
        ]
    parts += ["## To clients, named by `type`", ""]
    for message in api.server:
        parts += [*_section(message.name, message.schema, api), *_example(message)]
    parts += ["## From API Gateway itself, without a `type`", ""]
    parts += [*_section(GATEWAY.name, GATEWAY.schema, api), *_example(GATEWAY)]
    shapes = shapes_of(api.messages)
    parts += ["## Objects in them", ""] if shapes else []
    return "\n".join(parts + [part for item in shapes.items() for part in _section(*item, api)])


def _section(name: str, schema: dict[str, Any], api: ApiDescription) -> list[str]:
    rows = [
        f"| `{field}` | {'yes' if field in schema['required'] else 'no'} | {_wanted(inner, api)} |"
        for field, inner in schema["properties"].items()
    ]
    summary = [schema["description"], ""] if schema.get("description") else []
    table = ["| field | required | holds |", "| --- | --- | --- |", *rows]
    return [f"### {name}", "", *summary, *table, ""]


def _example(message: Message) -> list[str]:
    return ["```json", json.dumps(message.example, indent=2), "```", ""]


def _wanted(schema: dict[str, Any], api: ApiDescription) -> str:
    """Return in words what a field holds, for a cell of a table."""
    if "const" in schema:
        return f"`{schema['const']}`"
    default = schema.get("default")
    text = _in_words(schema, api)
    return text if default is None else f"{text}; default `{_cell(json.dumps(default))}`"


def _in_words(schema: dict[str, Any], api: ApiDescription) -> str:
    known = api.words.get(schema.get("pattern", ""))
    if schema == CODE_SCHEMA or known:
        return known or "a code of [errors.md](errors.md)"
    if "properties" in schema or "$ref" in schema:
        name = schema.get("title") or schema["$ref"].rpartition("/")[2]
        return f"an object: [{name}](#{name.lower()})"
    if "anyOf" in schema and "description" not in schema:
        return " or ".join(_in_words(one, api) for one in schema["anyOf"])
    kind = schema.get("type", "a value")
    text = _cell(schema.get("description", "an object" if kind == "object" else kind))
    for part, of in {
        "propertyNames": ", by name ",
        "items": ", each ",
        "additionalProperties": ", each ",
    }.items():
        if isinstance(schema.get(part), dict):
            text += of + _in_words(schema[part], api)
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
