"""Posts to WebSocket clients through API Gateway's `@connections` API, without boto3.

What a gateway, a network or a client does never raises from `send`, `broadcast` or `close`: it is
an `Outcome`. What raises is an `ApplicationError`, before anything is sent: a message that cannot
be sent, or a wrong setting, which it names. No call outlasts its `timeout_seconds`, apart from a
name lookup, which the system bounds.
"""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache

from . import _wire
from .error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    import socket
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    Credentials = tuple[str, str, str | None]  # access key id, secret key, session token
    Address = tuple[Any, ...]  # as socket.getaddrinfo gives it
    Answer = tuple[int, bytes, bytes, bool]  # status, head, body, whether the socket may be kept

__all__ = ["BroadcastResult", "Connections", "Outcome", "Signer", "endpoint_of"]

# Message payload quota of an API Gateway WebSocket API, 128 KB:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_MESSAGE_BYTES = 128 * 1024
# Ours; the ids seen have 16 characters, and a URL may have 4,096 (same table).
MAX_CONNECTION_ID_CHARS = 256
# An answer of the `@connections` API has less than 1 KB.
MAX_ANSWER_BYTES = 64 * 1024
# A socket that rested longer may have been closed while the environment was frozen.
MAX_IDLE_SECONDS = 5.0
# A signature is good for 5 minutes; a long broadcast signs with a new time after one.
_SIGNATURE_SECONDS = 60.0
_ADDRESS_SECONDS = 30.0
_MAX_PAUSE_SECONDS = 1.0
_READ, _WRITE = 1, 2  # selectors.EVENT_READ, EVENT_WRITE


# --- what came of it ---------------------------------------------------------------------------

SENT, GONE, THROTTLED, TOO_LARGE, FORBIDDEN, FAILED = KINDS = (
    "sent",
    "gone",
    "throttled",
    "too_large",
    "forbidden",
    "failed",
)
_KIND_OF_STATUS = {401: FORBIDDEN, 403: FORBIDDEN, 410: GONE, 413: TOO_LARGE, 429: THROTTLED}
_CODE_OF_KIND = {
    GONE: ErrorCode.CONNECTION_CLOSED,
    THROTTLED: ErrorCode.RATE_LIMIT_EXCEEDED,
    TOO_LARGE: ErrorCode.VALIDATION_MESSAGE_TOO_LARGE,
    FORBIDDEN: ErrorCode.INTERNAL_CONFIGURATION_ERROR,
    FAILED: ErrorCode.INTERNAL_SERVER_ERROR,
}


class Outcome:
    """What came of one request. A value: it is shared, so do not change it.

    `kind` is "sent" (for `close`: closed), "gone" (forget the connection), "throttled" (the account's
    rate, or this client reads too slowly), "too_large", "forbidden" (IAM, or a wrong endpoint) or
    "failed" (not delivered, or nobody knows). `status` is the HTTP status, 0 without an answer;
    `reason` is a sentence for the log: it holds no token, no header sent and no text of a message.
    """

    __slots__ = ("kind", "reason", "status")

    def __init__(self, kind: str, status: int = 0, reason: str = "") -> None:
        self.kind = kind
        self.status = status
        self.reason = reason

    @property
    def ok(self) -> bool:
        """Whether the gateway took the request."""
        return self.kind == SENT

    def raise_for_kind(self) -> None:
        """Raise the `ApplicationError` of this outcome, CONNECTION_CLOSED for "gone"; none if sent."""
        if self.kind != SENT:
            raise ApplicationError(_CODE_OF_KIND[self.kind]) from ConnectionError(self.reason)

    def __repr__(self) -> str:
        return f"Outcome({self.kind!r}, {self.status}, {self.reason!r})"


_SENT = Outcome(SENT, 200)


class BroadcastResult:
    """The outcome of each connection of a broadcast, in `outcomes`; the lists are in its order."""

    __slots__ = ("outcomes",)

    def __init__(self, outcomes: dict[str, Outcome]) -> None:
        self.outcomes = outcomes

    def ids(self, kind: str) -> list[str]:
        """Return the ids of the connections whose outcome is of `kind`."""
        return [name for name, outcome in self.outcomes.items() if outcome.kind == kind]

    @property
    def sent(self) -> list[str]:
        """The connections that the gateway took the message for."""
        return self.ids(SENT)

    @property
    def gone(self) -> list[str]:
        """The connections that do not exist any more: remove them."""
        return self.ids(GONE)

    @property
    def throttled(self) -> list[str]:
        """The connections refused for their rate, after the retries."""
        return self.ids(THROTTLED)

    @property
    def too_large(self) -> list[str]:
        """The connections whose gateway found the message too large."""
        return self.ids(TOO_LARGE)

    @property
    def forbidden(self) -> list[str]:
        """The connections that this function may not post to."""
        return self.ids(FORBIDDEN)

    @property
    def failed(self) -> list[str]:
        """The connections that did not get the message, or nobody knows."""
        return self.ids(FAILED)

    @property
    def counts(self) -> dict[str, int]:
        """How many connections had each kind of outcome; all six kinds, zeros included."""
        counts = dict.fromkeys(KINDS, 0)
        for outcome in self.outcomes.values():
            counts[outcome.kind] += 1
        return counts

    def __repr__(self) -> str:
        return f"BroadcastResult({self.counts})"


# --- where to ----------------------------------------------------------------------------------


def endpoint_of(event: object, environ: Mapping[str, str] = os.environ) -> str:
    """Return API_GATEWAY_ENDPOINT, else the endpoint of the event's domain and stage.

    A custom domain maps to one stage and leaves it out of the path:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
    """
    endpoint = environ.get("API_GATEWAY_ENDPOINT")
    if endpoint:
        return endpoint
    context = event.get("requestContext") if isinstance(event, dict) else None
    names = context if isinstance(context, dict) else {}
    domain, stage = names.get("domainName"), names.get("stage")
    if not isinstance(domain, str) or not isinstance(stage, str) or not domain:
        raise _misconfigured("API_GATEWAY_ENDPOINT is not set, and the event names no domain")
    return f"https://{domain}/{stage}" if ".execute-api." in domain else f"https://{domain}"


def _misconfigured(message: str) -> ApplicationError:
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)


class _Endpoint:
    """Where to connect and what to say: the parts of an endpoint that was checked."""

    def __init__(self, url: object) -> None:
        match = isinstance(url, str) and re.fullmatch(
            r"((?i:https?))://([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
            r"((?:/(?!\.\.?(?:/|\Z))[a-z0-9_.~$@-]+)*)/?",
            url,
            re.ASCII | re.IGNORECASE,
        )
        if not match:
            raise _misconfigured(
                "API_GATEWAY_ENDPOINT must look like https://host/stage (not wss://), without query"
                f" or user name, got {_shown(url)}"
            )
        scheme, host, port, path = match.groups()
        self.tls = scheme.lower() == "https"
        host = host.lower()
        default_port = 443 if self.tls else 80
        self.host = host.strip("[]")
        self.port = int(port or default_port)
        self.header = host if self.port == default_port else f"{host}:{self.port}"
        # The console shows the address with this ending, so that is what people copy.
        self.path = path.removesuffix("/@connections") + "/@connections/"
        self.signed_path = "/".join(map(_quote, self.path.split("/")))
        self.loopback = self.host in ("localhost", "::1") or self.host.startswith("127.")
        if not 0 < self.port < 65536:
            raise _misconfigured(f"API_GATEWAY_ENDPOINT has no valid port, got {_shown(url)}")
        if not self.tls and not self.loopback:
            raise _misconfigured(
                f"API_GATEWAY_ENDPOINT must start with https:// (http:// is for this machine only), got {_shown(url)}"
            )


def _shown(url: object) -> str:
    """Return what may be said of an endpoint: what may hold a password or a token may not."""
    if not isinstance(url, str):
        return type(url).__name__
    return ascii(re.split(r"[@?#]", url)[0][:40] if url.count("@") != 1 or "/@" in url else "a user name")


def _refuse_proxy(host: str, environ: Mapping[str, str]) -> None:
    """Raise if the environment wants a proxy for `host`: this sender speaks to the gateway only."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        if environ.get(name):
            break
    else:
        return
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for entry in exceptions.lower().replace(",", " ").split():
        if entry == "*" or f".{host}".endswith("." + entry.lstrip("*.")):
            return
    raise _misconfigured(f"{name} is set: add {host} to NO_PROXY, connections uses no proxy")


@lru_cache(maxsize=4096)  # a broadcast's connections are those of the one before
def _quote(text: str) -> str:
    """Percent-encode all but RFC 3986's unreserved characters."""
    if text.isalnum() and text.isascii():
        return text
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 or byte in b"-._~" else f"%{byte:02X}"
        for byte in text.encode()
    )


# --- Signature Version 4 -----------------------------------------------------------------------


class Signer:
    """AWS Signature Version 4 for one moment, host and set of credentials. A pure value.

    `amz_date` looks like 20150830T123600Z. What is the same for every request is computed once.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    __slots__ = ("_after_path", "_inner", "_outer", "headers")

    def __init__(
        self, credentials: Credentials, region: str, service: str, host: str, amz_date: str
    ) -> None:
        access_key, secret_key, token = credentials
        signed = {"host": host, "x-amz-date": amz_date}
        if token:
            signed["x-amz-security-token"] = token
        names = ";".join(signed)
        scope = f"{amz_date[:8]}/{region}/{service}/aws4_request"
        fields = "".join(f"{name}:{value}\n" for name, value in signed.items())
        self._after_path = f"\n\n{fields}\n{names}\n"
        inner, self._outer = _signing_key(secret_key, *scope.split("/"))
        self._inner = inner.copy()
        self._inner.update(f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n".encode())
        # All that goes before the signature in a request.
        self.headers = (
            "".join(f"{name}: {value}\r\n" for name, value in signed.items())
            + f"authorization: AWS4-HMAC-SHA256 Credential={access_key}/{scope}, "
            + f"SignedHeaders={names}, Signature="
        )

    def after_path(self, body: bytes) -> bytes:
        """Return the canonical request's part after the path; there is no query."""
        from hashlib import sha256

        return (self._after_path + sha256(body).hexdigest()).encode()

    def signature(self, canonical_request: bytes) -> bytes:
        """Return the signature of `METHOD \\n path` and `after_path`, as hexadecimal text."""
        from hashlib import sha256

        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(sha256(canonical_request).hexdigest().encode())
        outer.update(inner.digest())
        return outer.hexdigest().encode()


@lru_cache(maxsize=2)
def _signing_key(secret_key: str, *scope: str) -> tuple[Any, Any]:
    """Return the day's key as HMAC's two hashes, ready to be copied: half the cost of `hmac`."""
    inner, outer = _hmac(b"AWS4" + secret_key.encode())
    for part in scope:
        inner.update(part.encode())
        outer.update(inner.digest())
        inner, outer = _hmac(outer.digest())
    return inner, outer


def _hmac(key: bytes) -> tuple[Any, Any]:
    from hashlib import sha256

    block = (key if len(key) <= 64 else sha256(key).digest()).ljust(64, b"\0")
    return sha256(bytes(b ^ 0x36 for b in block)), sha256(bytes(b ^ 0x5C for b in block))


# --- HTTP --------------------------------------------------------------------------------------


def _parse(data: bytes, ended: bool) -> Answer | None:
    """Return the answer that `data` holds, None while it is incomplete; ValueError if it is not HTTP."""
    while True:
        end = data.find(b"\r\n\r\n")
        head = data[: max(end, 0)].lower() if end >= 0 else data[:12].lower()
        if not b"http/1.".startswith(head[:7]) or (end >= 0 and not head[9:12].isdigit()):
            raise ValueError("the answer is not HTTP/1")
        if end < 0:
            return None
        status = int(head[9:12])
        if status >= 200:
            break
        data = data[end + 4 :]  # 100 Continue, 103 Early Hints
    start = end + 4
    keep = head.startswith(b"http/1.1") and _header(head, b"connection") != b"close"
    if _header(head, b"transfer-encoding"):
        found = _unchunk(data, start)
        if found is None:
            return None
        return status, head, found[0], keep and found[1] == len(data)
    length = b"0" if status in (204, 304) else _header(head, b"content-length")
    if not length:  # the end of the connection is the end of the answer
        return (status, head, data[start:], False) if ended else None
    if not length.isdigit() or len(length) > 9:
        raise ValueError("the answer has no valid length")
    end = start + int(length)
    return (status, head, data[start:end], keep and end == len(data)) if end <= len(data) else None


def _header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n%b:" % name)[2].partition(b"\r\n")[0].strip()


def _unchunk(data: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the body and where it ends; None while it is incomplete."""
    chunks = []
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size = data[at:line_end].partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,7}", size):
            raise ValueError("the answer has a chunk without a valid size")
        at = line_end + 2
        end = at + int(size, 16)
        if end == at:
            end = data.find(b"\r\n\r\n", line_end)
            return (b"".join(chunks), end + 4) if end >= 0 else None
        if data[end : end + 2] not in (b"", b"\r", b"\r\n"):
            raise ValueError("the answer has a chunk longer than its size")
        chunks.append(data[at:end])
        at = end + 2
    return None


# --- sockets -----------------------------------------------------------------------------------


class _Job:
    """One request that waits, runs or rests between two attempts."""

    __slots__ = ("again", "name", "retries", "throttled")

    def __init__(self, name: str) -> None:
        self.name = name
        self.retries = 0
        self.again = False  # the one repetition after a reused socket's failure was used
        self.throttled: Outcome | None = None  # what the last attempt came to


class _Lane:
    """One socket of a run and what it does. `steps` are the addresses left to try, while it opens."""

    __slots__ = (
        "answer", "events", "expires", "job", "opening", "others", "out", "reused", "sock",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, reused: bool, expires: float) -> None:
        self.sock = sock
        self.reused = reused
        self.expires = expires
        self.events = _READ
        self.opening = not reused
        self.others: list[Address] = []
        self.job: _Job | None = None
        self.out: bytes | memoryview = b""
        self.answer = b""
