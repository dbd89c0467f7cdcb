"""Which file of the published protocol holds what."""

from __future__ import annotations

import json
from pathlib import Path

from . import asyncapi, reference, typescript
from .catalogue import CLIENT, RECEIVED, Message

__all__ = ["files"]

_ROOT = Path(__file__).resolve().parents[2]
_DOCUMENTS = _ROOT / "docs/protocol"
_MODULE = _ROOT / "web/protocol"


def files() -> dict[Path, str]:
    """Return the text of every generated file, by its path."""
    schemas = _DOCUMENTS / "schemas"
    everything = [*CLIENT, *RECEIVED]
    return {
        _DOCUMENTS / "asyncapi.json": _json(asyncapi.document()),
        _DOCUMENTS / "examples.json": _json({one.name: one.example for one in everything}),
        _DOCUMENTS / "errors.md": reference.errors(),
        _DOCUMENTS / "messages.md": reference.messages(),
        **{schemas / f"{one.name}.json": _json(one.schema) for one in everything},
        schemas / "fromClient.json": _union("What a client sends", CLIENT),
        schemas / "toClient.json": _union("What a client receives", RECEIVED),
        _MODULE / "declared.js": typescript.data(),
        _MODULE / "declared.d.ts": typescript.types(),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _union(title: str, messages: list[Message]) -> str:
    return _json(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": title,
            "oneOf": [{"$ref": f"{message.name}.json"} for message in messages],
        }
    )
