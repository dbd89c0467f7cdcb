"""For the tests of functions that use the layer: events, a context, and what was written and sent.

Imported by tests only. Events have the keys that API Gateway sends, and lack those it does not.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections import UserDict

from . import _json
from .connections import (
    KINDS,
    BroadcastResult,
    Connections,
    Outcome,
    checked_connection_id,
    payload_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, MutableMapping
    from typing import Any, TextIO

# fmt: off
__all__ = [
    "CapturedLines", "FakeConnections", "FakeContext",
    "capture_lines", "connect_event", "disconnect_event", "message_event",
]
# fmt: on

_ID, _REQUEST = "BFHPhfCWIAMCKlQ=", "BFHPhFe3IAMF95g="
_DOMAIN = "example.execute-api.eu-west-1.amazonaws.com"


def connect_event(
    connection_id: str = _ID,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    **request_context: object,
) -> dict[str, Any]:
    """Return a `$connect` event; further keywords go into its `requestContext`."""
    sent = _headers({"Host": _DOMAIN, **(headers or {})})
    if query:
        lists = {name: [value] for name, value in query.items()}
        sent |= {"queryStringParameters": dict(query), "multiValueQueryStringParameters": lists}
    return _event(connection_id, "CONNECT", "$connect", request_context, sent)


def message_event(body: Any, connection_id: str = _ID, **request_context: object) -> dict[str, Any]:
    """Return a MESSAGE event with `body`: a message, a dict or any text."""
    route = "$default"
    if not isinstance(body, str):
        message = body if isinstance(body, dict) else body.to_dict()
        route, body = str(message.get("action", route)), _json.encode(message)
    extra = {"messageId": "BFaVtfGSIAMCKug=", **request_context}
    return _event(connection_id, "MESSAGE", route, extra, {"body": body})


def disconnect_event(
    connection_id: str = _ID, *, code: int = 1005, reason: str = "", **request_context: object
) -> dict[str, Any]:
    """Return a `$disconnect` event with a close code."""
    extra = {"disconnectStatusCode": code, "disconnectReason": reason, **request_context}
    sent = _headers({"Host": _DOMAIN, "x-api-key": ""})
    return _event(connection_id, "DISCONNECT", "$disconnect", extra, sent)


def _headers(headers: dict[str, str]) -> dict[str, Any]:
    lists = {name: [value] for name, value in headers.items()}
    return {"headers": headers, "multiValueHeaders": lists}


def _event(
    connection_id: str, kind: str, route: str, extra: dict[str, Any], members: dict[str, Any]
) -> dict[str, Any]:
    now = time.time_ns() // 1_000_000
    context = {
        "routeKey": route,
        "eventType": kind,
        "extendedRequestId": _REQUEST,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now // 1000)),
        "messageDirection": "IN",
        "stage": "prod",
        "connectedAt": now,
        "requestTimeEpoch": now,
        "identity": {"sourceIp": "192.0.2.1"},
        "requestId": _REQUEST,
        "domainName": _DOMAIN,
        "connectionId": connection_id,
        "apiId": "example",
    }
    return {**members, "requestContext": {**context, **extra}, "isBase64Encoded": False}


class FakeContext:
    """Lambda's context for a function with `remaining_ms` left."""

    function_name, function_version, memory_limit_in_mb = "function", "$LATEST", "256"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    log_group_name, log_stream_name = "/aws/lambda/function", "2026/01/01/[$LATEST]0"

    def __init__(
        self, aws_request_id: str = "lambda-request-1", remaining_ms: int = 10_000
    ) -> None:
        self.aws_request_id = aws_request_id
        self.remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return self.remaining_ms


class _Outcomes(UserDict["str", "str"]):
    """The kinds of outcome by connection id: one that there is not is refused when it is set."""

    def __setitem__(self, connection_id: str, kind: str) -> None:
        if kind not in KINDS:
            wanted = ", ".join(KINDS)
            raise ValueError(f"outcomes[{connection_id!r}] must be one of {wanted}, got {kind!r}")
        super().__setitem__(connection_id, kind)


class FakeConnections(Connections):
    """Keeps what was sent, as (connection id, decoded message), and refuses what the real one does.

    `sent` and `closed`, the ids, are lists in the order of the calls. Nothing is opened, so there
    are no settings: no endpoint, no times.
    """

    def __init__(self, outcomes: Mapping[str, str] | None = None) -> None:
        """Take the kind of outcome that a connection id has instead of "sent".

        Kinds are those of `Outcome`; another one is a ValueError. They may be set later, too:
        `connections.outcomes["ann"] = "gone"`.
        """
        self.sent: list[tuple[str, Any]] = []
        self.closed: list[str] = []
        self.outcomes: MutableMapping[str, str] = _Outcomes(outcomes or {})

    def send(self, connection_id: str, data: object, **_: object) -> Outcome:
        """Keep the message if its outcome is "sent"."""
        return self.broadcast([connection_id], data).outcomes[connection_id]

    def broadcast(
        self, connection_ids: Iterable[str], data: object, **_: object
    ) -> BroadcastResult:
        """Send to each connection once."""
        message = json.loads(payload_of(data))
        result = BroadcastResult(
            {checked_connection_id(name): self._outcome(name) for name in connection_ids}
        )
        self.sent += [(name, message) for name in result.sent]
        return result

    def close(self, connection_id: str, **_: object) -> Outcome:
        """Keep the id."""
        self.closed.append(checked_connection_id(connection_id))
        return self._outcome(connection_id)

    def get(self, connection_id: str, **_: object) -> dict[str, Any] | None:
        """Return what the real one does of a connection that is there, None if it is "gone"."""
        outcome = self._outcome(checked_connection_id(connection_id))
        if outcome.kind == "gone":
            return None
        outcome.raise_unless_sent()
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        identity = {"sourceIp": "192.0.2.1", "userAgent": "test"}
        return {"connectedAt": now, "identity": identity, "lastActiveAt": now}

    def _outcome(self, connection_id: str) -> Outcome:
        return Outcome(self.outcomes.get(connection_id, "sent"))


class CapturedLines(list["dict[str, Any]"]):
    """The layer's lines that were written, decoded."""

    def metrics(self) -> dict[str, list[float]]:
        """Return every metric's values, over all lines."""
        found: dict[str, list[float]] = {}
        for line in self:
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
                for name in (metric["Name"] for metric in directive["Metrics"]):
                    value = line[name]
                    found.setdefault(name, []).extend(value if type(value) is list else [value])
        return found

    def level(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of one level."""
        return [line for line in self if line["level"] == name]


class _Stdout(io.TextIOWrapper):
    """Keeps the layer's lines, each of which comes in one piece, and passes on what else is printed."""

    def __init__(self, lines: CapturedLines, outer: TextIO) -> None:
        super().__init__(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
        self._lines = lines
        self._outer = outer

    def write(self, text: str, /) -> int:
        """Keep or pass on, and take the same texts as a real stdout."""
        ours = [line for line in map(_decoded, text.split("\n")) if line]
        self._lines.extend(ours)
        if not ours:
            with contextlib.suppress(OSError, ValueError):  # it is closed, or cannot show the text
                self._outer.write(text)
        return super().write(text)


def _decoded(line: str) -> dict[str, Any] | None:
    """Return a line of the layer's, of anything else None."""
    if not line.startswith('{"timestamp":"'):
        return None
    try:
        decoded: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return decoded if "level" in decoded else None


@contextlib.contextmanager
def capture_lines(lines: CapturedLines | None = None) -> Iterator[CapturedLines]:
    """Capture what the layer writes in a block; whatever else is printed goes where it would go.

    `lines` are those of an earlier block, to go on with.
    """
    lines = CapturedLines() if lines is None else lines
    with contextlib.redirect_stdout(_Stdout(lines, sys.stdout)):
        yield lines
