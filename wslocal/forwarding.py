"""One HTTP request to another server of this machine, and its answer for who has asked."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from .http1 import HttpRequest

__all__ = ["MAX_ANSWER_BYTES", "forward"]

# Ours: what one answer may have, since it is held here until it is complete.
MAX_ANSWER_BYTES = 256 * 1024 * 1024
_CONNECTION = {"connection", "keep-alive"}


async def forward(request: HttpRequest, address: str) -> bytes:
    """Return the answer of the server at `http://HOST:PORT`, as it came but for what concerns its socket.

    All that a signature covers goes on as it came. OSError if there is no whole answer.
    """
    kept = [pair for pair in request.headers if pair[0].lower() not in _CONNECTION]
    request = replace(request, headers=(*kept, ("Connection", "close")))
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request.forwarded())
        head = await reader.readuntil(b"\r\n\r\n")
        body = await _read_to_end(reader)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise OSError("the answer has no whole head") from error
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return _kept_open(head, body, has_body=request.method != "HEAD")


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while piece := await reader.read(1 << 16):
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise OSError(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _kept_open(head: bytes, body: bytes, *, has_body: bool) -> bytes:
    """Return an answer that leaves the connection open, and says where it ends."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    names = {line: line.partition(b":")[0].strip().lower().decode("latin-1") for line in lines}
    kept = [line for line in lines if names[line] not in _CONNECTION]
    has_end = {"content-length", "transfer-encoding"} & set(names.values())
    if has_body and not has_end and first.split(b" ")[1] not in {b"204", b"304"}:
        kept.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([first, *kept, b"", body])
