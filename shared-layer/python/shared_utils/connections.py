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
    if not isinstance(domain, str) or not domain:
        raise _misconfigured("API_GATEWAY_ENDPOINT is not set, and the event names no domain")
    return f"https://{domain}/{stage}" if ".execute-api." in domain else f"https://{domain}"


def _misconfigured(message: str) -> ApplicationError:
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)


class _Endpoint:
    """Where to connect and what to ask for: the parts of an endpoint that was checked."""

    def __init__(self, url: object) -> None:
        match = isinstance(url, str) and re.fullmatch(
            r"(https?)://([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
            r"((?:/(?!\.\.?(?:/|\Z))[a-z0-9_.~$@-]+)*)/?",
            url,
            re.ASCII | re.IGNORECASE,
        )
        if not match or not 0 < int(match[3] or 443) < 65536:
            raise _misconfigured(
                "API_GATEWAY_ENDPOINT must look like https://host/stage, without user name or query"
                f" (and not wss://, which is for clients), got {_shown(url)}"
            )
        scheme, host, path = match[1].lower(), match[2].lower(), match[4]
        self.tls = scheme == "https"
        self.host = host.strip("[]")
        self.port = int(match[3] or (443 if self.tls else 80))
        self.header = host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"
        # The console shows the address with this ending, so that is what people copy.
        self.path = path.removesuffix("/@connections") + "/@connections/"
        self.signed_path = "/".join(map(_quote, self.path.split("/")))
        self.loopback = self.host in ("localhost", "::1") or bool(
            re.fullmatch(r"127(\.[0-9]{1,3}){3}", self.host)
        )
        if not self.tls and not self.loopback:
            raise _misconfigured(
                "API_GATEWAY_ENDPOINT must start with https:// (http:// is for this machine only),"
                f" got {_shown(url)}"
            )


def _shown(url: object) -> str:
    """Return what may be told of an endpoint: it ends where a password or a token may start."""
    if not isinstance(url, str):
        return type(url).__name__
    safe = re.split(r"[?#]", url)[0]
    return "one with a user name" if re.match(r"[^/]*//[^/]*@", safe) else ascii(safe[:40])


def _refuse_proxy(host: str, environ: Mapping[str, str]) -> None:
    """Raise if the environment wants a proxy for `host`: this sender speaks to the gateway only."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        if environ.get(name):
            break
    else:
        return
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for entry in exceptions.lower().replace(",", " ").split():
        if entry == "*" or f".{host}".endswith("." + entry.lstrip("*.").partition(":")[0]):
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
        head = data[: end if end >= 0 else 12].lower()
        if end < 0 and b"http/1.".startswith(head[:7]):
            return None
        if head[:9] not in (b"http/1.1 ", b"http/1.0 ") or not head[9:12].isdigit():
            raise ValueError("the answer is not HTTP/1")
        status = int(head[9:12])
        if status >= 200:
            break
        data = data[end + 4 :]  # 100 Continue, 103 Early Hints
    start = end + 4
    keep = head.startswith(b"http/1.1") and b"close" not in _header(head, b"connection")
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


# --- one call ----------------------------------------------------------------------------------


class _Job:
    """One request that waits, runs or rests between two attempts."""

    __slots__ = ("again", "last", "name", "retries")

    def __init__(self, name: str) -> None:
        self.name = name
        self.retries = 0
        self.again = False  # whether the one repetition after a reused socket's failure is used up
        self.last: Outcome | None = None  # what made it rest


class _Lane:
    """One socket of a run, and the request on it."""

    __slots__ = (
        "answer", "events", "expires", "fd", "job", "opening", "others", "out", "reused", "sock",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, events: int, job: _Job | None, expires: float) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.events = events
        self.job = job
        self.expires = expires
        self.opening = self.reused = False
        self.others: list[Any] = []  # addresses to try if this one does not open
        self.out: bytes | memoryview = b""  # what is still to be written
        self.answer = b""


_NO_ADDRESSES: tuple[float, list[Any]] = (float("-inf"), [])
_NOT_SENT = Outcome(FAILED, 0, "not sent: no time left")


class _Run:
    """One call: names in, an outcome for each out, over non-blocking sockets in one loop.

    `room` is how many more sockets may open. One that fails to open takes its place with it, so a
    gateway that cannot be reached ends the run instead of being dialled for ever.
    """

    def __init__(
        self, owner: Connections, method: str, names: Iterable[str], body: bytes, timeout: float
    ) -> None:
        from collections import deque
        from selectors import DefaultSelector

        self.owner = owner
        self.method = method
        self.body = body
        self.answer = b""  # the last answer's body
        self.now = owner._monotonic()
        self.deadline = self.now + timeout
        self.next_check = self.now + owner._answer_seconds
        self.outcomes = dict.fromkeys(names, _NOT_SENT)
        self.queue = deque(map(_Job, self.outcomes))
        self.left = len(self.queue)
        self.room = min(owner._max_sockets, self.left)
        self.resting: list[tuple[float, int, _Job]] = []  # a heap by the time to try again
        self.lanes: set[_Lane] = set()
        self.idle: list[_Lane] = []
        self.opening = 0
        self.dialled = 0
        self.trouble = ""
        self._sign()
        self.selector = DefaultSelector()

    def _sign(self) -> None:
        """Prepare what all requests of the next minute have in common."""
        owner, place = self.owner, self.owner._endpoint
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(owner._clock()))
        self.signer = Signer(
            owner._credentials(), owner._region, "execute-api", place.header, moment
        )
        self.sign_again = self.now + _SIGNATURE_SECONDS
        self.before_name = f"{self.method}\n{place.signed_path}".encode()
        self.after_name = self.signer.after_path(self.body)
        self.start = f"{self.method} {place.path}".encode()
        self.headers = f" HTTP/1.1\r\nuser-agent: shared-utils\r\n{self.signer.headers}".encode()
        length = b"\r\ncontent-length: %d" % len(self.body) if self.method == "POST" else b""
        self.end = length + b"\r\n\r\n" + self.body

    def run(self) -> dict[str, Outcome]:
        """Return each name's outcome, at the deadline at the latest."""
        try:
            while self.room and self.now < self.deadline and (sock := self.owner._take()):
                lane = self._add(sock, _READ, None)
                lane.reused = True
                self.idle.append(lane)
            while self.left and self.now < self.deadline:
                self._feed()
                events = self.selector.select(self._patience()) if self.left else ()
                self.now = self.owner._monotonic()
                for key, _ in events:
                    self._advance(key.data)
                if self.now >= self.next_check:
                    self._expire()
        finally:
            self._wind_up()
        return self.outcomes

    def _add(self, sock: socket.socket, events: int, job: _Job | None) -> _Lane:
        lane = _Lane(sock, events, job, self.now + self.owner._answer_seconds)
        self.selector.register(lane.fd, events, lane)
        self.lanes.add(lane)
        self.room -= 1
        return lane

    def _feed(self) -> None:
        """Give what waits to idle sockets, and open what is missing."""
        if self.resting and self.resting[0][0] <= self.now:
            from heapq import heappop

            while self.resting and self.resting[0][0] <= self.now:
                self.queue.append(heappop(self.resting)[2])
        while self.queue and self.idle:
            self._begin(self.idle.pop(), self.queue.popleft())
        while self.room and self.opening < len(self.queue):
            self._open(None)
        if not self.lanes:
            while self.queue:
                self._settle(self.queue.popleft(), Outcome(FAILED, 0, self.trouble))

    def _patience(self) -> float:
        until = min(self.deadline, self.next_check)
        if self.resting:
            until = min(until, self.resting[0][0])
        return max(until - self.now, 0.0)

    def _open(self, job: _Job | None, others: list[Any] | None = None) -> None:
        """Dial the first address that does not refuse at once, for `job` if it needs a fresh socket."""
        try:
            if others is None:
                others = self.owner._addresses(self.now, self.dialled)
                self.dialled += 1
            sock = self.owner._dial(others)
        except OSError as error:
            self.room = 0  # no address at all, or none that can be reached from here
            self._unopened(job, error)
        else:
            lane = self._add(sock, _WRITE, job)
            lane.others = others
            lane.opening = True
            self.opening += 1

    def _unopened(self, job: _Job | None, error: Exception) -> None:
        self.trouble = _reason(error)
        self.owner._known_addresses = _NO_ADDRESSES
        if job is not None:
            self._settle(job, Outcome(FAILED, 0, self.trouble))

    def _advance(self, lane: _Lane) -> None:
        try:
            if lane.opening:
                self._go_on_opening(lane)
            else:
                if lane.out:
                    self._write(lane)
                self._read(lane)
        except (OSError, ValueError) as error:
            self._lose(lane, error)

    def _go_on_opening(self, lane: _Lane) -> None:
        owner = self.owner
        if lane.events == _WRITE and not hasattr(lane.sock, "do_handshake"):
            _check_connected(lane.sock)
            if owner._endpoint.tls:
                lane.sock = owner._secure(lane.sock)
        if owner._endpoint.tls:
            try:
                lane.sock.do_handshake()  # type: ignore[attr-defined]
            except owner._wants_read:
                return self._watch(lane, _READ)
            except owner._wants_write:
                return self._watch(lane, _WRITE)
        self._watch(lane, _READ)
        lane.opening = False
        self.opening -= 1
        job, lane.job = lane.job, None
        return self._begin(lane, job) if job else self._next(lane)

    def _next(self, lane: _Lane) -> None:
        if self.queue:
            self._begin(lane, self.queue.popleft())
        else:
            self.idle.append(lane)

    def _begin(self, lane: _Lane, job: _Job) -> None:
        """Sign `job`'s request and write what the socket takes of it."""
        if self.now >= self.sign_again:
            self._sign()
        name = _quote(job.name)
        # The path is encoded once on the wire and once more in what is signed, as for all but S3.
        twice = name.replace("%", "%25").encode()
        signature = self.signer.signature(self.before_name + twice + self.after_name)
        lane.job = job
        lane.expires = self.now + self.owner._answer_seconds
        lane.out = b"".join((self.start, name.encode(), self.headers, signature, self.end))
        self._write(lane)

    def _write(self, lane: _Lane) -> None:
        try:
            sent = lane.sock.send(lane.out)
        except self.owner._would_block:
            sent = 0
        except OSError:  # what it answered before it closed may wait to be read
            return self._watch(lane, _READ)
        if sent == len(lane.out):
            lane.out = b""
            return self._watch(lane, _READ)
        lane.out = memoryview(lane.out)[sent:]
        return self._watch(lane, _READ | _WRITE)

    def _watch(self, lane: _Lane, events: int) -> None:
        if lane.events != events:
            lane.events = events
            self.selector.modify(lane.fd, events, lane)

    def _read(self, lane: _Lane) -> None:
        while True:
            try:
                data = lane.sock.recv(16384)
            except self.owner._would_block:
                return
            if lane.job is None:  # closed while it was idle, or an answer to nothing
                raise ConnectionError("closed while idle")
            lane.answer = lane.answer + data if lane.answer else data
            answer = _parse(lane.answer, not data)
            if answer is not None:
                return self._answered(lane, lane.job, answer)
            if not data:
                raise ConnectionError("closed before the answer was complete")
            if len(lane.answer) > MAX_ANSWER_BYTES:
                raise ConnectionError("the answer is too large")

    def _answered(self, lane: _Lane, job: _Job, answer: Answer) -> None:
        status, head, self.answer, keep = answer
        lane.job = None
        lane.answer = b""
        if 200 <= status < 300:
            self._settle(job, _SENT)
        else:
            self._judge(job, status, head)
        if keep and not lane.out:
            lane.reused = True
            self._next(lane)
        else:
            self._drop(lane)

    def _judge(self, job: _Job, status: int, head: bytes) -> None:
        """Settle a refusal, or let its request rest if the gateway may take it later."""
        named = _header(head, b"x-amzn-errortype").partition(b":")[0].decode("ascii", "replace")
        reason = f"HTTP {status} {named[:40] if named.isalnum() else ''}".rstrip()
        outcome = Outcome(_KIND_OF_STATUS.get(status, FAILED), status, reason)
        if (status == 429 or status >= 500) and job.retries < self.owner._retries:
            pause = min(self.owner._backoff_seconds * 2**job.retries, _MAX_PAUSE_SECONDS)
            due = self.now + pause * (0.5 + os.urandom(1)[0] / 512)  # not all at the same moment
            if due < self.deadline:
                from heapq import heappush

                job.retries += 1
                job.last = outcome
                return heappush(self.resting, (due, id(job), job))
        return self._settle(job, outcome)

    def _settle(self, job: _Job, outcome: Outcome) -> None:
        self.outcomes[job.name] = outcome
        self.left -= 1

    def _lose(self, lane: _Lane, error: Exception) -> None:
        """Close a socket that failed, and decide about the request on it."""
        self._drop(lane)
        job = lane.job
        if lane.opening:
            self.opening -= 1
            if lane.others:
                return self._open(job, lane.others)
            self.room -= 1
            return self._unopened(job, error)
        if job is None:
            return None
        if lane.reused and not lane.answer and not job.again:
            # The server closed it while it was idle: the only case in which a message may go twice.
            job.again = True
            return self._open(job)
        return self._settle(job, Outcome(FAILED, 0, _reason(error)))

    def _drop(self, lane: _Lane) -> None:
        self.selector.unregister(lane.fd)
        lane.sock.close()
        self.lanes.discard(lane)
        if lane in self.idle:
            self.idle.remove(lane)
        self.room += 1

    def _expire(self) -> None:
        """Give up what did not answer in time. It may have been delivered: it is not repeated."""
        late = TimeoutError(f"no answer in {self.owner._answer_seconds:g} s")
        self.next_check = self.now + self.owner._answer_seconds
        for lane in [lane for lane in self.lanes if lane.job or lane.opening]:
            if lane.expires <= self.now:
                lane.reused = False
                self._lose(lane, late)
            else:
                self.next_check = min(self.next_check, lane.expires)

    def _wind_up(self) -> None:
        for lane in self.lanes:
            if lane.job is None and not lane.opening:
                self.owner._keep(lane.sock)
                continue
            lane.sock.close()
            if lane.job is not None and not lane.opening:
                self.outcomes[lane.job.name] = Outcome(FAILED, 0, "no answer before the deadline")
        self.selector.close()
        for job in (*self.queue, *(entry[2] for entry in self.resting)):
            if job.last is not None:
                self.outcomes[job.name] = job.last


def _reason(error: Exception) -> str:
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {text}"[:120]


# --- the sender --------------------------------------------------------------------------------


class Connections:
    """Sends to, looks up and closes the WebSocket connections of one API.

    Sockets are kept between calls and shared by threads; a fork does not inherit them. Settings
    that are wrong raise INTERNAL_CONFIGURATION_ERROR here; missing credentials, at the first call.
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
        """Read the settings; nothing is opened.

        `endpoint` defaults to API_GATEWAY_ENDPOINT. `timeout_seconds` bounds a whole call,
        `answer_seconds` one attempt at one connection. A refusal by 429 or 5xx is repeated up to
        `retries` times, after half to all of `backoff_seconds`, doubled each time, at most 1 s.
        """
        self._endpoint = _Endpoint(endpoint or endpoint_of(None, environ))
        self._region = region or _region(self._endpoint.host, environ)
        if self._endpoint.tls and not self._endpoint.loopback:
            _refuse_proxy(self._endpoint.host, environ)
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
        self._known_addresses: tuple[float, list[Any]] = _NO_ADDRESSES
        self._pool: list[tuple[socket.socket, float, float]] = []
        self._pid = os.getpid()
        self._would_block: tuple[type[Exception], ...] = (BlockingIOError,)
        self._wants_read: tuple[type[Exception], ...] = ()
        self._wants_write: tuple[type[Exception], ...] = ()

    @classmethod
    def from_event(cls, event: object) -> Connections:
        """Return this environment's one sender for the API that `event` came from."""
        return _sender(cls, endpoint_of(event))

    def send(
        self, connection_id: str, data: object, *, timeout_seconds: float | None = None
    ) -> Outcome:
        """Send `data` to one connection, as `broadcast` does."""
        name = _checked(connection_id)
        return self._run("POST", (name,), _payload(data), timeout_seconds).outcomes[name]

    def broadcast(
        self,
        connection_ids: Iterable[str],
        data: object,
        *,
        timeout_seconds: float | None = None,
    ) -> BroadcastResult:
        """Send `data` to each connection once, and return what came of each.

        `data` is text, bytes (of UTF-8: the gateway delivers text), a message with `to_json()`, or
        a dict or list of JSON values; more than 128 KB raise VALIDATION_MESSAGE_TOO_LARGE. Without
        time, nothing is sent and all have failed.
        """
        if isinstance(connection_ids, (str, bytes)) or not hasattr(connection_ids, "__iter__"):
            raise _invalid("connectionIds", "an iterable of connection ids", connection_ids)
        names = [_checked(name) for name in connection_ids]
        body = _payload(data)
        if not names:
            return BroadcastResult({})
        return BroadcastResult(self._run("POST", names, body, timeout_seconds).outcomes)

    def close(self, connection_id: str, *, timeout_seconds: float | None = None) -> Outcome:
        """Close a connection. The gateway sends no reason: send it as a message before."""
        name = _checked(connection_id)
        return self._run("DELETE", (name,), b"", timeout_seconds).outcomes[name]

    def get(
        self, connection_id: str, *, timeout_seconds: float | None = None
    ) -> dict[str, Any] | None:
        """Return `connectedAt` and `lastActiveAt` (ISO 8601) and `identity`, None if it is gone.

        There is nothing to return for any other outcome than "sent" and "gone": its error is raised.
        """
        import json

        name = _checked(connection_id)
        run = self._run("GET", (name,), b"", timeout_seconds)
        outcome = run.outcomes[name]
        if outcome.kind == GONE:
            return None
        outcome.raise_for_kind()
        try:
            found = json.loads(run.answer)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            Outcome(FAILED, outcome.status, "the answer is not a JSON object").raise_for_kind()
        return found

    def close_sockets(self) -> None:
        """Close the sockets that are kept. The next call opens new ones."""
        while entry := self._pop():
            entry[0].close()

    def _pop(self) -> tuple[socket.socket, float, float] | None:
        try:
            return self._pool.pop()
        except IndexError:  # another thread may have taken the last one
            return None

    def _run(self, method: str, names: Iterable[str], body: bytes, timeout: float | None) -> _Run:
        run = _Run(self, method, names, body, self._timeout_seconds if timeout is None else timeout)
        run.run()
        return run

    def _credentials(self) -> Credentials:
        """Return the environment's credentials, which rotate, else botocore's."""
        get = self._environ.get
        access_key, secret_key = get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")
        token = get("AWS_SESSION_TOKEN")
        if not access_key or not secret_key:
            access_key, secret_key, token = self._foreign_credentials()
        if not f"{access_key}{secret_key}{token}".isprintable():
            raise _misconfigured("The AWS credentials hold white space or control characters")
        return access_key, secret_key, token

    def _foreign_credentials(self) -> Credentials:
        """Return what botocore finds: a container's (SnapStart), a profile's; refreshed when due."""
        from importlib import import_module

        try:
            if self._provider is None:
                self._provider = import_module("botocore.session").get_session().get_credentials()
            found = self._provider.get_frozen_credentials()
            return found.access_key, found.secret_key, found.token
        except Exception as error:  # botocore's many kinds, botocore missing, None for "not found"
            raise _misconfigured("No AWS credentials: set AWS_ACCESS_KEY_ID or a role") from error

    def _take(self) -> socket.socket | None:
        """Return a kept socket that is quiet and rested for a short time; close those that do not."""
        if self._pid != os.getpid():  # after a fork they are the parent's
            self._pid = os.getpid()
            self.close_sockets()
        while entry := self._pop():
            sock, since, wall = entry
            # By both clocks: one of them may stand still while the environment is frozen.
            rested = max(self._monotonic() - since, self._clock() - wall)
            if rested <= MAX_IDLE_SECONDS and _is_quiet(sock):
                return sock
            sock.close()
        return None

    def _keep(self, sock: socket.socket) -> None:
        if len(self._pool) < self._max_sockets:
            self._pool.append((sock, self._monotonic(), self._clock()))
        else:  # two threads had a pool each
            sock.close()

    def _addresses(self, now: float, turn: int) -> list[Any]:
        """Return the gateway's addresses, a different one first for each `turn`."""
        import socket

        until, found = self._known_addresses
        if until <= now:
            host = self._endpoint.host.encode()  # as text it would import the IDNA codec
            found = socket.getaddrinfo(host, self._endpoint.port, type=socket.SOCK_STREAM)
            self._known_addresses = (now + _ADDRESS_SECONDS, found)
        first = turn % len(found)
        return found[first:] + found[:first]

    def _dial(self, addresses: list[Any]) -> socket.socket:
        """Start to connect to the first address that does not refuse at once; take it from the list."""
        import socket

        while True:
            family, kind, protocol, _, address = addresses.pop(0)
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
            except BlockingIOError:
                return sock
            except OSError:
                sock.close()
                if not addresses:
                    raise
            else:
                return sock

    def _secure(self, sock: socket.socket) -> socket.socket:
        import ssl

        if self._ssl_context is None:
            bundle = self._environ.get("AWS_CA_BUNDLE") or None
            try:
                self._ssl_context = ssl.create_default_context(cafile=bundle)
            except OSError as error:
                raise _misconfigured(
                    "AWS_CA_BUNDLE names no readable file of certificates"
                ) from error
        self._would_block = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self._wants_read = (ssl.SSLWantReadError,)
        self._wants_write = (ssl.SSLWantWriteError,)
        return self._ssl_context.wrap_socket(
            sock, server_hostname=self._endpoint.host.encode(), do_handshake_on_connect=False
        )


@lru_cache(maxsize=8)
def _sender(kind: type[Connections], endpoint: str) -> Connections:
    return kind(endpoint)


def _region(host: str, environ: Mapping[str, str]) -> str:
    """Return the region that the gateway checks signatures for: its own, if its name tells it."""
    named = re.search(r"\.execute-api(?:-fips)?\.([a-z0-9-]+)\.", host)
    region = named[1] if named else environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise _misconfigured("AWS_REGION is not set, and API_GATEWAY_ENDPOINT names no region")
    return region


def _checked(connection_id: object) -> str:
    if (
        isinstance(connection_id, str)
        and 0 < len(connection_id) <= MAX_CONNECTION_ID_CHARS
        and str.isprintable(connection_id)  # nor lone surrogates
        and connection_id not in (".", "..")  # they would be another path
    ):
        return str.__str__(connection_id)
    raise _invalid("connectionId", f"1 to {MAX_CONNECTION_ID_CHARS} characters", connection_id)


def _invalid(field: str, wanted: str, value: object) -> ApplicationError:
    came = ascii(str.__str__(value)[:40]) if isinstance(value, str) else type(value).__name__
    return ApplicationError(
        ErrorCode.VALIDATION_INVALID_PARAMETER,
        f"{field} must be {wanted}, got {came[:40]}",
        {"field": field},
    )


def _payload(data: Any) -> bytes:
    try:
        if isinstance(data, str):
            body = str.encode(data)
        elif isinstance(data, (bytes, bytearray, memoryview)):
            body = bytes(data)
        elif isinstance(data, (dict, list)):
            body = _wire.encode(data).encode()
        else:
            body = str.encode(data.to_json())
    except Exception as error:  # lone surrogates, what JSON cannot hold, other objects' methods
        raise ApplicationError(
            ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT,
            f"data must be text, bytes, a message or JSON values, got {type(data).__name__[:40]}",
            {"field": "data"},
        ) from error
    if len(body) > MAX_MESSAGE_BYTES:
        raise ApplicationError(
            ErrorCode.VALIDATION_MESSAGE_TOO_LARGE,
            f"data must have at most {MAX_MESSAGE_BYTES} bytes, got {len(body)}",
            {"field": "data"},
        )
    return body


def _is_quiet(sock: socket.socket) -> bool:
    """Return whether there is nothing to read: neither the end of the connection nor a stray answer."""
    import socket

    try:
        socket.socket.recv(sock, 1, socket.MSG_PEEK)  # beneath TLS
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _check_connected(sock: socket.socket) -> None:
    import socket

    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
