"""Posts to WebSocket clients through API Gateway's `@connections` API, without boto3.

What a gateway, a network or a client does is an `Outcome`, never an exception. What raises is an
`ApplicationError`: a message that cannot be sent, or a wrong setting, which it names. No call
outlasts its `timeout_seconds`, apart from the name lookup, which the system bounds, and credentials
that are not in the environment, which botocore's providers bound.
"""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache

from . import _json
from ._aws_endpoint import Endpoint, misconfigured, region_of, split_url
from .error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ._signed_http import Job

__all__ = ["BroadcastResult", "Connections", "Outcome", "endpoint_of"]

# Message payload quota of an API Gateway WebSocket API, 128 KB:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_MESSAGE_BYTES = 128 * 1024
# Ours: real ids have 16 characters, and a URL may have 4,096 (same table).
MAX_CONNECTION_ID_CHARS = 256
_MAX_PAUSE_SECONDS = 1.0
_MAX_REMEMBERED = 1000
_WANTED = (
    "API_GATEWAY_ENDPOINT must look like https://host/stage (http:// for this machine only;"
    " wss:// is for clients)"
)

KINDS = ("sent", "gone", "throttled", "too_large", "forbidden", "failed")
_KIND_OF_STATUS = {401: "forbidden", 403: "forbidden", 410: "gone", 413: "too_large", 429: "throttled"}  # fmt: skip
_CODE_OF_KIND = {
    "gone": ErrorCode.CONNECTION_CLOSED,
    "throttled": ErrorCode.RATE_LIMIT_EXCEEDED,
    "too_large": ErrorCode.VALIDATION_MESSAGE_TOO_LARGE,
    "forbidden": ErrorCode.INTERNAL_CONFIGURATION_ERROR,
    "failed": ErrorCode.INTERNAL_SERVER_ERROR,
}


class Outcome:
    """What came of one request; a value, shared: do not change it.

    `kind` is "sent" (of `close`: closed), "gone" (forget the connection), "throttled" (the account's
    rate, or a client that reads too slowly), "too_large", "forbidden" (IAM, or a wrong endpoint) or
    "failed" (not delivered, or nobody knows). `status` is the HTTP status, 0 without an answer.
    `reason` is for the log: no token, header or text of a message is in it. `timed_out` is a "failed"
    request that was sent, at least in part, and got no answer in its time.
    """

    __slots__ = ("kind", "reason", "status", "timed_out")

    def __init__(
        self, kind: str, status: int = 0, reason: str = "", timed_out: bool = False
    ) -> None:
        self.kind = kind
        self.status = status
        self.reason = reason
        self.timed_out = timed_out

    def raise_unless_sent(self) -> None:
        """Raise the kind's `ApplicationError`, CONNECTION_CLOSED for "gone"; the cause has the reason."""
        if self.kind != "sent":
            raise ApplicationError(_CODE_OF_KIND[self.kind]) from ConnectionError(self.reason)

    def __repr__(self) -> str:
        return f"Outcome({self.kind!r}, {self.status}, {self.reason!r})"


_SENT = Outcome("sent", 200)


def _outcome(job: Job) -> Outcome:
    if 200 <= job.status < 300:
        return _SENT
    kind = _KIND_OF_STATUS.get(job.status, "failed")
    return Outcome(kind, job.status, _reason(job), job.timed_out)


def _reason(job: Job) -> str:
    """Return why a request is not sent; of the answer no more than the error's name."""
    if not job.status:
        return job.reason
    from ._signed_http import error_name

    return f"HTTP {job.status} {error_name(job.head, b'').lower()[:40]}".rstrip()


class BroadcastResult:
    """What came of a broadcast: `outcomes` by connection id, and a list of the ids of each kind."""

    sent: list[str]
    gone: list[str]
    throttled: list[str]
    too_large: list[str]
    forbidden: list[str]
    failed: list[str]

    def __init__(self, outcomes: dict[str, Outcome]) -> None:
        self.outcomes = outcomes
        ids: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for connection_id, outcome in outcomes.items():
            ids[outcome.kind].append(connection_id)
        self.__dict__.update(ids)

    @property
    def counts(self) -> dict[str, int]:
        """How many outcomes there are of each kind, zeros included."""
        return {kind: len(getattr(self, kind)) for kind in KINDS}

    def __repr__(self) -> str:
        return f"BroadcastResult({self.counts})"


# --- where to ----------------------------------------------------------------------------------


def endpoint_of(event: object, environ: Mapping[str, str] | None = None) -> str:
    """Return API_GATEWAY_ENDPOINT, else the event's domain with its stage, which custom domains drop.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
    """
    if endpoint := (os.environ if environ is None else environ).get("API_GATEWAY_ENDPOINT"):
        return endpoint
    context = event.get("requestContext") if isinstance(event, dict) else None
    domain = context.get("domainName") if isinstance(context, dict) else None
    if isinstance(context, dict) and isinstance(domain, str) and domain:
        if ".execute-api." not in domain:
            return f"https://{domain}"
        if isinstance(stage := context.get("stage"), str):
            return f"https://{domain}/{stage}"
    raise misconfigured("API_GATEWAY_ENDPOINT is not set, and no event names domain and stage")


def _region(host: str, environ: Mapping[str, str]) -> str:
    """Return the region the gateway checks signatures for: the one its name tells comes first."""
    named = re.search(r"\.execute-api(?:-fips)?\.([a-z0-9-]+)\.", host)
    region = named[1] if named else region_of(environ)
    if not region:
        raise misconfigured("AWS_REGION is not set, and API_GATEWAY_ENDPOINT names no region")
    return region


# --- the sender --------------------------------------------------------------------------------


class Connections:
    """Sends to, looks up and closes the WebSocket connections of one API.

    Sockets are kept between calls and may be used by several threads; a fork opens its own. Wrong
    settings raise INTERNAL_CONFIGURATION_ERROR here, missing credentials at the first call.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        region: str | None = None,
        timeout_seconds: float = 5.0,
        answer_seconds: float = 2.0,
        max_sockets: int = 64,
        retries: int = 3,
        backoff_seconds: float = 0.05,
        ssl_context: ssl.SSLContext | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check the settings; nothing is opened.

        `endpoint` defaults to API_GATEWAY_ENDPOINT. `timeout_seconds` bounds a whole call,
        `answer_seconds` one attempt at one connection, `max_sockets` what a call opens and what is
        kept between calls. 429 and 5xx are repeated up to `retries`
        times, after `backoff_seconds`, doubled each time, at most 1 s, and up to half less. Whose
        last post ended with 429 may be a client that does not read: 429 is not repeated for it
        until a post gets through.
        """
        environ = os.environ if environ is None else environ
        place = split_url(str(endpoint or endpoint_of(None, environ)), _WANTED)
        tls, host, port, path = place
        # The console shows the address with this ending, so that is what people copy.
        path = path.removesuffix("/@connections") + "/@connections/"
        self._endpoint = Endpoint(
            (tls, host, port, path),
            region or _region(host, environ),
            "execute-api",
            answer_seconds=answer_seconds,
            max_sockets=max_sockets,
            ssl_context=ssl_context,
            environ=environ,
            clock=clock,
            monotonic=monotonic,
        )
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self._backoff_seconds = backoff_seconds
        self._throttled: dict[str, None] = {}  # by their last post

    @staticmethod
    def from_event(event: object) -> Connections:
        """Return this environment's one sender for the API that `event` came from."""
        return _sender(endpoint_of(event))

    def send(
        self,
        connection_id: str,
        data: object,
        *,
        timeout_seconds: float | None = None,
        answer_seconds: float | None = None,
        retries: int | None = None,
    ) -> Outcome:
        """Send `data`, as `broadcast` does, to one connection."""
        name, body = checked_connection_id(connection_id), payload_of(data)
        outcomes, _ = self._request("POST", [name], body, timeout_seconds, answer_seconds, retries)
        return outcomes[name]

    def broadcast(
        self,
        connection_ids: Iterable[str],
        data: object,
        *,
        timeout_seconds: float | None = None,
        answer_seconds: float | None = None,
        retries: int | None = None,
    ) -> BroadcastResult:
        """Send `data` to each connection once, and return what came of each.

        `data` is text, bytes (of UTF-8: the gateway delivers text), a message with `to_json()`, or
        a dict or list of JSON values; more than 128 KB raise VALIDATION_MESSAGE_TOO_LARGE. With no
        time left, nothing is sent and all have failed. Each setting that is given holds for this call
        instead of the sender's; `answer_seconds` does not bound the opening of a socket here. With
        `retries=0` no 429 is repeated: for what is worth nothing later.
        """
        if isinstance(connection_ids, (str, bytes)) or not hasattr(connection_ids, "__iter__"):
            raise invalid_parameter("connectionIds", "several connection ids", connection_ids)
        names = [checked_connection_id(name) for name in connection_ids]
        body = payload_of(data)
        outcomes, _ = self._request("POST", names, body, timeout_seconds, answer_seconds, retries)
        return BroadcastResult(outcomes)

    def close(
        self,
        connection_id: str,
        *,
        timeout_seconds: float | None = None,
        retries: int | None = None,
    ) -> Outcome:
        """Close a connection. The gateway sends no reason: send one as a message before."""
        name = checked_connection_id(connection_id)
        return self._request("DELETE", [name], b"", timeout_seconds, None, retries)[0][name]

    def get(
        self, connection_id: str, *, timeout_seconds: float | None = None
    ) -> dict[str, Any] | None:
        """Return `connectedAt` and `lastActiveAt` (ISO 8601) and `identity`, None if it is gone.

        Any other outcome has nothing to return: its error is raised.
        """
        import json

        name = checked_connection_id(connection_id)
        outcomes, answer = self._request("GET", [name], b"", timeout_seconds)
        if outcomes[name].kind == "gone":
            return None
        outcomes[name].raise_unless_sent()
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        raise ApplicationError(ErrorCode.INTERNAL_SERVER_ERROR) from ValueError("not a JSON object")

    def close_sockets(self) -> None:
        """Close the sockets that are kept; the next call opens new ones."""
        if client := self.__dict__.get("_client"):
            client.close_sockets()

    def _request(
        self,
        method: str,
        names: list[str],
        body: bytes,
        timeout_seconds: float | None,
        answer_seconds: float | None = None,
        retries: int | None = None,
    ) -> tuple[dict[str, Outcome], bytes]:
        """Return each name's outcome and the last one's answer."""
        from ._signed_http import Client, Run, SignedRequest

        if not names:
            return {}, b""
        client = self.__dict__.get("_client")
        if client is None:  # two threads that begin get the same one
            client = self.__dict__.setdefault("_client", Client(self._endpoint))
        timeout = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        answer = self._endpoint.answer_seconds if answer_seconds is None else answer_seconds
        tries = self._retries if retries is None else retries
        for name, value in (("timeout", timeout), ("answer", answer)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise invalid_parameter(f"{name}Seconds", "a number", value)
        if type(tries) is not int:
            raise invalid_parameter("retries", "a whole number", tries)
        request = SignedRequest(method, body)
        run = Run(client, request, names, timeout, self._pause(tries), answer_seconds=answer)
        run.run()
        outcomes = {name: _outcome(job) for name, job in run.jobs.items()}
        if method == "POST":
            self._remember(outcomes)
        return outcomes, run.jobs[names[-1]].body

    def _remember(self, outcomes: dict[str, Outcome]) -> None:
        """Note whose post ended with 429, and whose no longer does."""
        for name, outcome in outcomes.items():
            if outcome.kind == "throttled":
                self._throttled[name] = None
            elif self._throttled:
                self._throttled.pop(name, None)
        if len(self._throttled) > _MAX_REMEMBERED:
            for name in list(self._throttled)[:-_MAX_REMEMBERED]:
                self._throttled.pop(name, None)

    def _pause(self, retries: int) -> Callable[[Job], float | None]:
        """Return what says after how many seconds a request is sent again, None if it is not."""

        def pause(job: Job) -> float | None:
            if (job.status != 429 and job.status < 500) or job.retries >= retries:
                return None
            if job.status == 429 and job.name in self._throttled:
                return None
            seconds = min(self._backoff_seconds * 2.0**job.retries, _MAX_PAUSE_SECONDS)
            return seconds * (0.5 + os.urandom(1)[0] / 512)  # not all at the same moment

        return pause


@lru_cache(maxsize=8)
def _sender(endpoint: str) -> Connections:
    return Connections(endpoint)


def invalid_parameter(field: str, wanted: str, value: object) -> ApplicationError:
    came = ascii(value[:40])[:40] if type(value) is str else type(value).__name__[:40]
    return ApplicationError(
        ErrorCode.VALIDATION_INVALID_PARAMETER,
        f"{field} must be {wanted}, got {came}",
        {"field": field},
    )


def checked_connection_id(connection_id: object) -> str:
    name = str.__str__(connection_id) if isinstance(connection_id, str) else ""
    # A lone surrogate is not printable; "." and ".." would be another path.
    if 0 < len(name) <= MAX_CONNECTION_ID_CHARS and name.isprintable() and name not in (".", ".."):
        return name
    wanted = f"1 to {MAX_CONNECTION_ID_CHARS} printable characters"
    raise invalid_parameter("connectionId", wanted, connection_id)


def payload_of(data: Any) -> bytes:
    try:
        if isinstance(data, (bytes, bytearray, memoryview)):
            body = bytes(data)
        elif isinstance(data, (dict, list)):
            body = _json.encode(data).encode()
        else:
            body = str.encode(data if isinstance(data, str) else data.to_json())
    except Exception as error:  # lone surrogates, what JSON cannot hold, other objects' methods
        raise ApplicationError(
            ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT,
            "data must be text, bytes, a message, or a dict or list of JSON values,"
            f" got {type(data).__name__[:40]}",
            {"field": "data"},
        ) from error
    if len(body) > MAX_MESSAGE_BYTES:
        raise ApplicationError(
            ErrorCode.VALIDATION_MESSAGE_TOO_LARGE,
            f"data must have at most {MAX_MESSAGE_BYTES} bytes, got {len(body)}",
            {"field": "data"},
        )
    return body
