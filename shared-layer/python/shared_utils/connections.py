"""Posts to WebSocket clients through API Gateway's `@connections` API, without boto3.

What a gateway, a network or a client does is an `Outcome`, never an exception. What raises is an
`ApplicationError`: a message that cannot be sent, or a wrong setting, which it names. No call
outlasts its `timeout_seconds`, apart from the name lookup, which the system bounds.
"""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache

from . import _json
from .error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from socket import socket
    from typing import Any

    from ._signed_http import Credentials

__all__ = ["BroadcastResult", "Connections", "Outcome", "endpoint_of"]

# Message payload quota of an API Gateway WebSocket API, 128 KB:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_MESSAGE_BYTES = 128 * 1024
# Ours: real ids have 16 characters, and a URL may have 4,096 (same table).
MAX_CONNECTION_ID_CHARS = 256

_KINDS = ("sent", "gone", "throttled", "too_large", "forbidden", "failed")
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
    `reason` is for the log: no token, header or text of a message is in it.
    """

    __slots__ = ("kind", "reason", "status")

    def __init__(self, kind: str, status: int = 0, reason: str = "") -> None:
        self.kind = kind
        self.status = status
        self.reason = reason

    def raise_unless_sent(self) -> None:
        """Raise the kind's `ApplicationError`, CONNECTION_CLOSED for "gone"; the cause has the reason."""
        if self.kind != "sent":
            raise ApplicationError(_CODE_OF_KIND[self.kind]) from ConnectionError(self.reason)

    def __repr__(self) -> str:
        return f"Outcome({self.kind!r}, {self.status}, {self.reason!r})"


_SENT = Outcome("sent", 200)


def _outcome(status: int, reason: str) -> Outcome:
    if 200 <= status < 300:
        return _SENT
    return Outcome(_KIND_OF_STATUS.get(status, "failed"), status, reason)


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
        ids: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        for connection_id, outcome in outcomes.items():
            ids[outcome.kind].append(connection_id)
        self.__dict__.update(ids)

    @property
    def counts(self) -> dict[str, int]:
        """How many outcomes there are of each kind, zeros included."""
        return {kind: len(getattr(self, kind)) for kind in _KINDS}

    def __repr__(self) -> str:
        return f"BroadcastResult({self.counts})"


def _misconfigured(message: str) -> ApplicationError:
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)


# --- where to ----------------------------------------------------------------------------------


def endpoint_of(event: object, environ: Mapping[str, str] = os.environ) -> str:
    """Return API_GATEWAY_ENDPOINT, else the event's domain with its stage, which custom domains drop.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
    """
    if endpoint := environ.get("API_GATEWAY_ENDPOINT"):
        return endpoint
    context = event.get("requestContext") if isinstance(event, dict) else None
    domain = context.get("domainName") if isinstance(context, dict) else None
    if isinstance(context, dict) and isinstance(domain, str) and domain:
        if ".execute-api." not in domain:
            return f"https://{domain}"
        if isinstance(stage := context.get("stage"), str):
            return f"https://{domain}/{stage}"
    raise _misconfigured("API_GATEWAY_ENDPOINT is not set, and no event names domain and stage")


def _split(url: str) -> tuple[bool, str, int, str]:
    """Return whether an endpoint speaks TLS, its host, its port and its path."""
    match = re.fullmatch(
        r"(https?)://([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
        r"((?:/(?!\.\.?(?:/|\Z))[a-z0-9_.~$@-]+)*)/?",
        url,
        re.ASCII | re.IGNORECASE,
    )
    if match:
        tls, host = match[1].lower() == "https", match[2].lower().strip("[]")
        port = int(match[3] or (443 if tls else 80))
        if 0 < port < 65536 and (tls or _is_here(host)):
            return tls, host, port, match[4]
    # What came, up to where a token may start, and nothing if it may have a password.
    came = re.match(r"(?![^/]*/*[^/]*@)[^?#]{0,40}", url)
    raise _misconfigured(
        "API_GATEWAY_ENDPOINT must look like https://host/stage (http:// for this machine only;"
        f" wss:// is for clients), got {ascii(came[0]) if came else 'a user name'}"
    )


def _is_here(host: str) -> bool:
    return re.fullmatch(r"localhost|::1|127(\.[0-9]{1,3}){3}", host) is not None


def _region(host: str, environ: Mapping[str, str]) -> str:
    """Return the region the gateway checks signatures for: the one its name tells comes first."""
    named = re.search(r"\.execute-api(?:-fips)?\.([a-z0-9-]+)\.", host)
    region = named[1] if named else environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise _misconfigured("AWS_REGION is not set, and API_GATEWAY_ENDPOINT names no region")
    return region


def _refuse_proxy(host: str, environ: Mapping[str, str]) -> None:
    names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    name = next((name for name in names if environ.get(name)), None)
    direct = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").lower()
    suffixes = [entry.strip().lstrip("*.").partition(":")[0] for entry in direct.split(",")]
    if (
        name
        and direct.strip() != "*"
        and not any(s and f".{host}".endswith(f".{s}") for s in suffixes)
    ):
        raise _misconfigured(f"{name} is set, but no proxy is spoken here: add {host} to NO_PROXY")


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
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check the settings; nothing is opened.

        `endpoint` defaults to API_GATEWAY_ENDPOINT. `timeout_seconds` bounds a whole call,
        `answer_seconds` one attempt at one connection. 429 and 5xx are repeated up to `retries`
        times, after `backoff_seconds`, doubled each time, at most 1 s, and up to half less.
        """
        tls, self._host, self._port, path = _split(str(endpoint or endpoint_of(None, environ)))
        self._region = region or _region(self._host, environ)
        if not _is_here(self._host):
            _refuse_proxy(self._host, environ)
        self._tls = tls
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._host_header = host if self._port == (443 if tls else 80) else f"{host}:{self._port}"
        # The console shows the address with this ending, so that is what people copy.
        self._path = path.removesuffix("/@connections") + "/@connections/"
        self._timeout_seconds = timeout_seconds
        self._answer_seconds = answer_seconds
        self._max_sockets = max(max_sockets, 1)
        self._retries = retries
        self._backoff_seconds = backoff_seconds
        self._ssl_context = ssl_context
        self._environ = environ
        self._clock = clock
        self._monotonic = monotonic
        self._provider: Any = None
        self._pool: list[tuple[socket, float, float]] = []
        self._pid = os.getpid()
        self._would_block: tuple[type[Exception], ...] = (BlockingIOError,)

    @staticmethod
    def from_event(event: object) -> Connections:
        """Return this environment's one sender for the API that `event` came from."""
        return _sender(endpoint_of(event))

    def send(
        self, connection_id: str, data: object, *, timeout_seconds: float | None = None
    ) -> Outcome:
        """Send `data`, as `broadcast` does, to one connection."""
        name = _checked(connection_id)
        return self._request("POST", [name], _payload(data), timeout_seconds)[0][name]

    def broadcast(
        self, connection_ids: Iterable[str], data: object, *, timeout_seconds: float | None = None
    ) -> BroadcastResult:
        """Send `data` to each connection once, and return what came of each.

        `data` is text, bytes (of UTF-8: the gateway delivers text), a message with `to_json()`, or
        a dict or list of JSON values; more than 128 KB raise VALIDATION_MESSAGE_TOO_LARGE. With no
        time left, nothing is sent and all have failed.
        """
        if isinstance(connection_ids, (str, bytes)) or not hasattr(connection_ids, "__iter__"):
            raise _invalid("connectionIds", "several connection ids", connection_ids)
        names = [_checked(name) for name in connection_ids]
        body = _payload(data)
        return BroadcastResult(self._request("POST", names, body, timeout_seconds)[0])

    def close(self, connection_id: str, *, timeout_seconds: float | None = None) -> Outcome:
        """Close a connection. The gateway sends no reason: send one as a message before."""
        name = _checked(connection_id)
        return self._request("DELETE", [name], b"", timeout_seconds)[0][name]

    def get(
        self, connection_id: str, *, timeout_seconds: float | None = None
    ) -> dict[str, Any] | None:
        """Return `connectedAt` and `lastActiveAt` (ISO 8601) and `identity`, None if it is gone.

        Any other outcome has nothing to return: its error is raised.
        """
        import json

        name = _checked(connection_id)
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
        while entry := self._pop():
            entry[0].close()

    def _request(
        self, method: str, names: list[str], body: bytes, timeout_seconds: float | None
    ) -> tuple[dict[str, Outcome], bytes]:
        """Return each name's outcome and the last answer's body."""
        from ._signed_http import Run

        if not names:
            return {}, b""
        timeout = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        run = Run(self, method, names, body, timeout)
        run.run()
        return {name: _outcome(*result) for name, result in run.results.items()}, run.answer

    def _credentials(self) -> Credentials:
        """Return the environment's credentials, which rotate, else botocore's."""
        get = self._environ.get
        key, secret = get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")
        token = get("AWS_SESSION_TOKEN")
        if not key or not secret:
            key, secret, token = self._foreign_credentials()
        if not f"{key}{secret}{token}".isprintable():
            raise _misconfigured("The AWS credentials hold line breaks or control characters")
        return key, secret, token

    def _foreign_credentials(self) -> Credentials:
        """Return what botocore finds and keeps fresh: a container's (SnapStart), a profile's."""
        from importlib import import_module

        try:
            if self._provider is None:
                self._provider = import_module("botocore.session").get_session().get_credentials()
            found = self._provider.get_frozen_credentials()
            return found.access_key, found.secret_key, found.token
        except Exception as error:  # botocore's many kinds; no botocore; None for "not found"
            raise _misconfigured("No AWS credentials: set AWS_ACCESS_KEY_ID or a role") from error

    def _tls_context(self) -> ssl.SSLContext | None:
        if not self._tls:
            return None
        import ssl

        self._would_block = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
        if self._ssl_context is None:
            bundle = self._environ.get("AWS_CA_BUNDLE") or None
            try:
                self._ssl_context = ssl.create_default_context(cafile=bundle)
            except OSError as error:
                raise _misconfigured("AWS_CA_BUNDLE is not a file of certificates") from error
        return self._ssl_context

    def _addresses(self) -> list[Any]:
        from socket import SOCK_STREAM, getaddrinfo

        return getaddrinfo(self._host.encode(), self._port, type=SOCK_STREAM)

    def _pop(self) -> tuple[socket, float, float] | None:
        try:
            return self._pool.pop()
        except IndexError:  # empty, or another thread took the last one
            return None

    def _take(self) -> socket | None:
        """Return a kept socket that rested for a short time and is quiet; close those that do not."""
        from ._signed_http import MAX_IDLE_SECONDS, is_quiet

        if self._pid != os.getpid():  # after a fork, the kept ones are the parent's
            self._pid = os.getpid()
            self.close_sockets()
        while entry := self._pop():
            sock, since, wall = entry
            # By both clocks: one of them may stand still while the environment is frozen.
            rested = max(self._monotonic() - since, self._clock() - wall)
            if rested <= MAX_IDLE_SECONDS and is_quiet(sock, self._would_block):
                return sock
            sock.close()
        return None

    def _keep(self, sock: socket, since: float) -> None:
        if len(self._pool) < self._max_sockets:
            self._pool.append((sock, since, self._clock() - (self._monotonic() - since)))
        else:  # another thread's call had its own
            sock.close()


@lru_cache(maxsize=8)
def _sender(endpoint: str) -> Connections:
    return Connections(endpoint)


def _invalid(field: str, wanted: str, value: object) -> ApplicationError:
    came = ascii(value[:40])[:40] if type(value) is str else type(value).__name__[:40]
    return ApplicationError(
        ErrorCode.VALIDATION_INVALID_PARAMETER,
        f"{field} must be {wanted}, got {came}",
        {"field": field},
    )


def _checked(connection_id: object) -> str:
    name = str.__str__(connection_id) if isinstance(connection_id, str) else ""
    # A lone surrogate is not printable; "." and ".." would be another path.
    if 0 < len(name) <= MAX_CONNECTION_ID_CHARS and name.isprintable() and name not in (".", ".."):
        return name
    wanted = f"1 to {MAX_CONNECTION_ID_CHARS} printable characters"
    raise _invalid("connectionId", wanted, connection_id)


def _payload(data: Any) -> bytes:
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
