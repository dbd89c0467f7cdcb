"""Hands a request on to another HTTP address of this machine, as it came, and its answer back."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wslocal.http1 import respond

if TYPE_CHECKING:
    from wslocal.http1 import HttpRequest

__all__ = ["forward"]

# Of one hop, and not of the request; none of them is signed.
_HOP = {"connection", "content-length", "expect", "keep-alive", "transfer-encoding"}


async def forward(endpoint: str, request: HttpRequest) -> bytes:
    """Return the whole answer of `endpoint`, after which it closes the connection; 502 if there is none."""
    parts = urlsplit(endpoint)
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    except OSError:
        return _bad_gateway()
    try:
        writer.write(_on_the_wire(request))
        await writer.drain()
        return await reader.read() or _bad_gateway()
    except OSError:
        return _bad_gateway()
    finally:
        writer.close()


def _on_the_wire(request: HttpRequest) -> bytes:
    head = [f"{request.method} {request.target} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in request.headers if name.lower() not in _HOP]
    head += [f"Content-Length: {len(request.body)}", "Connection: close", "", ""]
    return "\r\n".join(head).encode("latin-1") + request.body


def _bad_gateway() -> bytes:
    body = json.dumps({"Message": "The AWS APIs of this machine do not answer."}).encode()
    return respond(HTTPStatus.BAD_GATEWAY, body, [("Connection", "close")])
