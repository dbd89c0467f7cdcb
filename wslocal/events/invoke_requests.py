"""Lambda's Invoke as HTTP: what a request asks for, and the answers in AWS's words.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
Nothing here touches a socket.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from wslocal.http1 import respond

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from wslocal.http1 import HttpRequest

__all__ = ["Invoke", "InvokeError", "failed", "read_invoke", "tail"]

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_EVENT_BYTES = {"RequestResponse": 6 << 20, "DryRun": 6 << 20, "Event": 1 << 20}

_PATH = re.compile(r"/2015-03-31/functions/([^/?]+)/invocations(?:\?(.*))?")
_OLD_PATH = re.compile(r"/2014-11-13/functions/([^/?]+)/invoke-async/?")
_NAME = re.compile(
    r"(?:(arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:[0-9]{12}):function:|([0-9]{12}):function:)?"
    r"([a-zA-Z0-9-_]{1,64})(?::(\$LATEST|[a-zA-Z0-9-_]+))?"
)
# The last 4 KB of the lines of an invocation.
_TAIL_BYTES = 4096


class InvokeError(Exception):
    """A request that is not followed, as AWS says it: the error's name, status and message."""

    def __init__(self, kind: str, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Invoke:
    """What a request asks for; `function` is its name, with a qualifier behind a colon.

    `scope` is what the request said of region and account: the head of an ARN, an account, or nothing.
    """

    function: str
    scope: str
    kind: str  # RequestResponse, Event or DryRun
    with_log: bool
    client_context: str
    trace_header: str
    body: bytes

    def is_in(self, region: str, account: str) -> bool:
        """Return whether the function may be one of this region and account."""
        wanted = {"", account, f"arn:aws:lambda:{region}:{account}"}
        return self.scope in wanted


def read_invoke(request: HttpRequest) -> Invoke | None:
    """Return what a request asks for, None if it is no Invoke; InvokeError for a wrong one."""
    is_old = _OLD_PATH.fullmatch(request.target)
    found = is_old or _PATH.fullmatch(request.target)
    if request.method != "POST" or found is None:
        return None
    name = _NAME.fullmatch(unquote(found[1]))
    if name is None:
        _invalid("functionName", "it must be a function's name, ARN or partial ARN")
    query = parse_qs("" if is_old else found[2] or "")
    qualifier = query.get("Qualifier", [""])[0] or name[4] or ""
    if name[4] and qualifier != name[4]:
        text = (
            "The derived qualifier from the function name does not match the specified qualifier."
        )
        raise InvokeError("InvalidParameterValueException", 400, text)
    kind = "Event" if is_old else request.header("X-Amz-Invocation-Type") or "RequestResponse"
    if kind not in MAX_EVENT_BYTES:
        _invalid(
            "invocationType", "Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
        )
    return Invoke(
        function=name[3] + (f":{qualifier}" if qualifier else ""),
        scope=name[1] or name[2] or "",
        kind=kind,
        with_log=request.header("X-Amz-Log-Type") == "Tail",
        client_context=_client_context(request.header("X-Amz-Client-Context")),
        trace_header=request.header("X-Amzn-Trace-Id"),
        body=_event(request.body, kind),
    )


def _event(body: bytes, kind: str) -> bytes:
    """Return the event, `{}` for none; InvokeError if it is too large or no JSON."""
    if len(body) > (limit := MAX_EVENT_BYTES[kind]):
        text = f"{len(body)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        raise InvokeError("RequestEntityTooLargeException", 413, text)
    if not body:
        return b"{}"
    try:
        json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        place = (
            f" at line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        text = f"Could not parse request body into json: it is no JSON text{place}"
        raise InvokeError("InvalidRequestContentException", 400, text) from error
    return body


def _no_number(_: str) -> NoReturn:
    raise ValueError("not a number of JSON")


def _client_context(header: str) -> str:
    """Return the JSON text of a client context; InvokeError if it is none."""
    try:
        text = base64.b64decode(header, validate=True).decode()
        json.loads(text or "{}")
    except ValueError as error:
        text = "Client context must be a valid Base64-encoded JSON object."
        raise InvokeError("InvalidRequestContentException", 400, text) from error
    return text


def _invalid(field: str, wanted: str) -> NoReturn:
    text = f"1 validation error detected: Value at '{field}' failed to satisfy constraint: {wanted}"
    raise InvokeError("ValidationException", 400, text)


def failed(error: InvokeError, request_id: str) -> bytes:
    """Return the answer for a request that is not followed."""
    document = {"Type": "User" if error.status < 500 else "Service", "Message": str(error)}
    if error.reason:
        document["Reason"] = error.reason
    headers = [("x-amzn-ErrorType", error.kind), ("x-amzn-RequestId", request_id)]
    return respond(error.status, json.dumps(document).encode(), headers)


def tail(lines: Iterable[str]) -> str:
    """Return the end of an invocation's log as `X-Amz-Log-Result` has it."""
    text = "".join(f"{line}\n" for line in lines).encode()
    return base64.b64encode(text[-_TAIL_BYTES:]).decode()
