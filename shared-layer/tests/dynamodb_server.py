"""Answers of DynamoDB for the scripted server, and tables that call it."""

from __future__ import annotations

import json
import ssl
import zlib

from connections_server import ENVIRON, Script, Server, answer

from shared_utils.dynamodb import Table


def ok(content: object = None, *headers: str) -> bytes:
    """Return an answer with its checksum and a request id, as DynamoDB sends it."""
    body = json.dumps({} if content is None else content).encode()
    return whole(200, body, *headers)


def error(code: str, status: int = 400, **content: object) -> bytes:
    """Return a refusal; its message quotes the item, as some of DynamoDB's do."""
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    message = "One or more parameter values were invalid: the value secret"
    return whole(status, json.dumps({"__type": kind, "message": message, **content}).encode())


def whole(status: int, body: bytes, *headers: str) -> bytes:
    return answer(
        status, body, f"x-amz-crc32: {zlib.crc32(body)}", "x-amzn-RequestId: REQUEST1", *headers
    )


def serve(*script: list, tls: ssl.SSLContext | None = None) -> Server:
    """Return a server that answers any request; the last entry counts for all that follow."""
    scripts: dict[str, Script] = {"": list(script) or [[ok()]]}
    return Server(scripts, tls=tls)


def table_of(server: Server, name: str = "Things", **options: object) -> Table:
    settings = {"environ": ENVIRON, "backoff_seconds": 0.001, "answer_seconds": 0.3, **options}
    return Table(name, endpoint=f"http://localhost:{server.port}", **settings)  # type: ignore[arg-type]


def bodies(server: Server) -> list[dict]:
    return [json.loads(request.body) for request in server.requests]


def operations(server: Server) -> list[str]:
    return [r.headers["x-amz-target"].partition(".")[2] for r in server.requests]
