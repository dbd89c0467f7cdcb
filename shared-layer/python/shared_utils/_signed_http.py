"""One call to the `@connections` API: signed requests over non-blocking sockets in one loop.

`connections` loads this with the first message. Whatever a server does, `Run.run` ends by its
deadline with a status and a reason for each name; no socket of it stays open but those it keeps.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from socket import socket
    from typing import Any

    from .connections import Connections

    Credentials = tuple[str, str, str | None]  # access key id, secret key, session token
    Answer = tuple[int, bytes, bytes, bool]  # status, head, body, whether the socket may be kept
    Result = tuple[int, str]  # HTTP status, 0 without an answer; the reason if it is not 2xx

__all__ = ["MAX_IDLE_SECONDS", "Run", "Signer", "is_quiet"]

# A socket that rested longer may have been closed while the environment was frozen.
MAX_IDLE_SECONDS = 5.0
# Ours: real answers have less than 1 KB.
MAX_ANSWER_BYTES = 64 * 1024
# A signature is good for 5 minutes; a long broadcast signs anew after one.
_SIGNATURE_SECONDS = 60.0
_MAX_PAUSE_SECONDS = 1.0
_READ, _WRITE = 1, 2  # selectors.EVENT_READ, EVENT_WRITE
_SENT: Result = (200, "")
_NOT_SENT: Result = (0, "not sent: no time left")


@lru_cache(maxsize=4096)  # a broadcast goes to the connections of the one before
def _quote(text: str) -> str:
    """Percent-encode all but RFC 3986's unreserved characters."""
    return re.sub(rb"[^A-Za-z0-9_.~-]", lambda m: b"%%%02X" % m[0][0], text.encode()).decode()


# --- Signature Version 4 -----------------------------------------------------------------------


class Signer:
    """AWS Signature Version 4 for one moment, host and set of credentials.

    `amz_date` looks like 20150830T123600Z. What all requests share is computed once.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    def __init__(
        self, credentials: Credentials, region: str, service: str, host: str, amz_date: str
    ) -> None:
        from hashlib import sha256

        access_key, secret_key, token = credentials
        signed = {"host": host, "x-amz-date": amz_date}
        if token:
            signed["x-amz-security-token"] = token
        names = ";".join(signed)
        scope = f"{amz_date[:8]}/{region}/{service}/aws4_request"
        inner, self._outer = _signing_key(secret_key, scope)
        self._inner = inner.copy()
        self._inner.update(f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n".encode())
        self._sha256 = sha256
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        self._after_path = f"\n\n{lines}\n{names}\n"
        # The request's header lines, up to where the signature goes.
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature="
        )
        self.headers = "\r\n".join(f"{name}: {value}" for name, value in signed.items())

    def after_path(self, body: bytes) -> bytes:
        """Return what follows the path in a canonical request, which begins with method, newline, path."""
        return f"{self._after_path}{self._sha256(body).hexdigest()}".encode()

    def signature(self, canonical_request: bytes) -> bytes:
        """Return the signature as hexadecimal text."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(self._sha256(canonical_request).hexdigest().encode())
        outer.update(inner.digest())
        return bytes(outer.hexdigest(), "ascii")


@lru_cache(maxsize=2)
def _signing_key(secret_key: str, scope: str) -> tuple[Any, Any]:
    """Return the day's key as HMAC's two hashes, to be copied: a third of the cost of `hmac`."""
    inner, outer = _hmac(b"AWS4" + secret_key.encode())
    for part in scope.split("/"):
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
    """Return the answer in `data`, None while it is incomplete; raise ValueError if it is none."""
    status, start = 0, 0
    while status < 200:  # 100 Continue and 103 Early Hints come before the answer
        end = data.find(b"\r\n\r\n", start)
        if end < 0 and b"HTTP/1.".startswith(data[start : start + 7]):
            return None
        head = data[start : end if end >= 0 else start + 9].lower()
        if not re.match(rb"http/1\.[01] [1-9][0-9][0-9]", head):
            raise ValueError("the answer is not HTTP/1")
        status, start = int(head[9:12]), end + 4
    keep = head[:8] == b"http/1.1" and b"close" not in _header(head, b"connection")
    if _header(head, b"transfer-encoding"):
        body, end = _unchunk(data, start)
    elif status in (204, 304):
        body, end = b"", start
    elif length := _header(head, b"content-length"):
        if not length.isdigit() or len(length) > 9:
            raise ValueError("the answer has no valid length")
        end = start + int(length)
        body = data[start:end]
    else:  # the end of the connection is the end of the answer
        body, end, keep = data[start:], len(data) if ended else len(data) + 1, False
    return (status, head, body, keep and end == len(data)) if end <= len(data) else None


def _header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n%b:" % name)[2].partition(b"\r\n")[0].strip()


def _unchunk(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the body and where it ends: beyond `data` while it is incomplete."""
    body = b""
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size = data[at:line_end].partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,7}", size):
            raise ValueError("the answer has a chunk without a valid size")
        at, end = line_end + 2, line_end + 2 + int(size, 16)
        if end == at:  # the last chunk, then trailers, then an empty line
            end = data.find(b"\r\n\r\n", line_end)
            return body, end + 4 if end >= 0 else len(data) + 1
        if not b"\r\n".startswith(data[end : end + 2]):
            raise ValueError("the answer has a chunk longer than its size")
        body += data[at:end]
        at = end + 2
    return body, len(data) + 1


# --- the call ----------------------------------------------------------------------------------


class _Job:
    """One request that waits, runs, or rests between two attempts."""

    last = _NOT_SENT  # what made it rest
    retries = 0
    again = False  # whether its one repetition after a reused socket's failure is used up

    def __init__(self, name: str) -> None:
        self.name = name


class _Lane:
    """One socket, the request on it, and the generator that speaks."""

    sock: Any = None
    talk: Generator[int, None, None]
    fd = -1
    events = 0  # what the selector waits for
    ready = False  # connected, hands shaken
    reused = False  # has answered before
    heard = False  # a byte of this request's answer has come
    expires = 0.0

    def __init__(self, job: _Job | None) -> None:
        self.job = job


class Run:
    """One call: names in, a result for each out, over non-blocking sockets in one loop.

    `room` is how many more sockets may open. One that cannot open takes its place with it, so a
    gateway out of reach ends the call instead of being dialled again and again.
    """

    def __init__(
        self, owner: Connections, method: str, names: Iterable[str], body: bytes, timeout: float
    ) -> None:
        from collections import deque
        from selectors import DefaultSelector

        self.owner = owner
        self.method = method
        self.body = body
        self.answer = b""  # the body of the last answer
        self.now = owner._monotonic()
        self.deadline = self.now + timeout
        self.pace = min(owner._answer_seconds, MAX_IDLE_SECONDS)
        self.next_check = self.now + self.pace
        self.results = dict.fromkeys(names, _NOT_SENT)
        self.queue = deque(map(_Job, self.results))
        self.left = len(self.queue)
        self.resting: list[tuple[float, int, _Job]] = []  # a heap by the time to try again
        self.room = min(owner._max_sockets, self.left)
        self.lanes: set[_Lane] = set()
        self.idle: list[_Lane] = []
        self.addresses: list[Any] = []
        self.trouble = ""
        self._sign()
        self.selector = DefaultSelector()

    def _sign(self) -> None:
        """Prepare what the requests of the next minute have in common."""
        owner = self.owner
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(owner._clock()))
        self.signer = Signer(
            owner._credentials(), owner._region, "execute-api", owner._host_header, moment
        )
        self.sign_again = self.now + _SIGNATURE_SECONDS
        path = "/".join(map(_quote, owner._path.split("/")))
        self.before_name = f"{self.method}\n{path}".encode()
        self.after_name = self.signer.after_path(self.body)
        self.start = f"{self.method} {owner._path}".encode()
        self.headers = f" HTTP/1.1\r\nuser-agent: shared-utils\r\n{self.signer.headers}".encode()
        length = b"\r\ncontent-length: %d" % len(self.body) if self.method == "POST" else b""
        self.end = length + b"\r\n\r\n" + self.body

    def run(self) -> None:
        """Fill `results`, by the deadline at the latest."""
        try:
            while self.left and self.now < self.deadline:
                self._feed()
                until = min(self.deadline, self.next_check, *(rest[0] for rest in self.resting[:1]))
                wait = max(until - self.now, 0) if self.left else 0
                events = self.selector.select(wait)
                self.now = self.owner._monotonic()
                for key, _ in events:
                    self._resume(key.data)
                if self.now >= self.next_check:
                    self._expire()
        finally:
            self._wind_up()

    def _feed(self) -> None:
        """Give what waits to a socket: an idle one, a kept one, a new one."""
        while self.resting and self.resting[0][0] <= self.now:
            from heapq import heappop

            self.queue.append(heappop(self.resting)[2])
        while self.queue and self.idle:
            lane = self.idle.pop()
            lane.job = self.queue.popleft()
            self._resume(lane)
        while self.queue and self.room and (sock := self.owner._take()):
            self._add(self.queue.popleft(), sock)
        opening = sum(not lane.ready for lane in self.lanes) if self.queue and self.room else 0
        while self.room and opening < len(self.queue):
            self._add(None)
            opening += 1
        while self.queue and not self.lanes:
            self._settle(self.queue.popleft(), (0, self.trouble))

    def _add(self, job: _Job | None, kept: socket | None = None) -> None:
        """Let one more socket speak, about `job` if it is not to take what waits."""
        lane = _Lane(job)
        if kept:
            lane.sock = kept
            lane.ready = lane.reused = True
        lane.talk = self._talk(lane)
        self.lanes.add(lane)
        self.room -= 1
        self._resume(lane)

    def _resume(self, lane: _Lane, error: Exception | None = None) -> None:
        """Let `lane` go on until it waits again."""
        try:
            events = lane.talk.throw(error) if error else next(lane.talk)
            if lane.events == events:
                return
            if lane.events:
                self.selector.modify(lane.fd, events, lane)
            else:
                lane.fd = lane.sock.fileno()
                self.selector.register(lane.fd, events, lane)
            lane.events = events
        except StopIteration:
            self._drop(lane)
        except (OSError, ValueError) as failure:
            self._lose(lane, failure)

    def _talk(self, lane: _Lane) -> Generator[int, None, None]:
        """Speak on one socket; yield the events to wait for, end when it is of no more use."""
        if not lane.ready:
            yield from self._open(lane)
        while True:
            if not lane.job and self.queue:
                lane.job = self.queue.popleft()
            if not lane.job:
                self.idle.append(lane)
                lane.expires = self.now + MAX_IDLE_SECONDS
            while not lane.job:
                yield _READ
                if not (lane.job or is_quiet(lane.sock, self.owner._would_block)):
                    raise ConnectionError("closed while idle")
            keep = yield from self._attempt(lane, lane.job)
            lane.job = None
            if not keep:
                return
            lane.reused = True

    def _open(self, lane: _Lane) -> Generator[int, None, None]:
        """Connect to the first address that works."""
        self.addresses = self.addresses or self.owner._addresses()
        others = list(self.addresses)
        while not lane.ready:
            try:
                yield from self._connect(lane, others.pop(0))
                lane.ready = True
            except OSError:
                if not others:
                    raise
                self._release(lane)

    def _connect(self, lane: _Lane, address: Any) -> Generator[int, None, None]:
        import socket

        family, kind, protocol, _, place = address
        lane.expires = self.now + self.owner._answer_seconds
        lane.sock = sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(BlockingIOError):
            sock.connect(place)
        yield _WRITE
        if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        if not (context := self.owner._tls_context()):
            return
        import ssl

        # As bytes: text would import the IDNA codec.
        host = self.owner._host.encode()
        lane.sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        while True:
            try:
                lane.sock.do_handshake()
                return
            except self.owner._would_block as blocked:
                yield _WRITE if isinstance(blocked, ssl.SSLWantWriteError) else _READ

    def _attempt(self, lane: _Lane, job: _Job) -> Generator[int, None, bool]:
        """Send `job`'s request, judge the answer, and return whether the socket may be kept."""
        out = memoryview(self._request(job))
        lane.expires = self.now + self.owner._answer_seconds
        lane.heard = False
        data = b""
        writable = True
        while True:
            try:
                while out and writable:
                    out = out[lane.sock.send(out) :]
            except self.owner._would_block:
                pass
            except OSError:  # what it answered before it closed may wait to be read
                writable = False
            yield _READ | _WRITE if out and writable else _READ
            try:
                more = lane.sock.recv(16384)
            except self.owner._would_block:
                continue
            lane.heard = lane.heard or more != b""
            data += more
            answer = _parse(data, not more)
            if answer:
                self._judge(job, answer)
                return answer[3] and not out
            if not more:
                raise ConnectionError("closed before the answer was complete")
            if len(data) > MAX_ANSWER_BYTES:
                raise ConnectionError("the answer is too long")

    def _request(self, job: _Job) -> bytes:
        if self.now >= self.sign_again:
            self._sign()
        name = _quote(job.name)
        # What is signed is encoded twice: the rule for every service but S3.
        twice = name.replace("%", "%25").encode()
        signature = self.signer.signature(self.before_name + twice + self.after_name)
        return b"".join((self.start, name.encode(), self.headers, signature, self.end))

    def _judge(self, job: _Job, answer: Answer) -> None:
        """Settle a request, or let it rest if the gateway may take it later."""
        status, head, self.answer, _ = answer
        if 200 <= status < 300:
            return self._settle(job, _SENT)
        named = _header(head, b"x-amzn-errortype").partition(b":")[0][:40].decode("latin-1")
        reason = f"HTTP {status} {named if named.isalpha() else ''}".rstrip()
        job.last = (status, reason)
        if (status == 429 or status >= 500) and job.retries < self.owner._retries:
            pause = min(self.owner._backoff_seconds * 2**job.retries, _MAX_PAUSE_SECONDS)
            due = self.now + pause * (0.5 + os.urandom(1)[0] / 512)  # not all at the same moment
            if due < self.deadline:
                from heapq import heappush

                job.retries += 1
                return heappush(self.resting, (due, id(job), job))
        return self._settle(job, job.last)

    def _settle(self, job: _Job, result: Result) -> None:
        self.results[job.name] = result
        self.left -= 1

    def _lose(self, lane: _Lane, error: Exception) -> None:
        """Close a socket that failed, and decide about the request on it."""
        self._drop(lane)
        reason = _reason(error)
        job = lane.job
        if not lane.ready:
            self.trouble = reason
            self.room = self.room - 1 if self.addresses else 0
        elif (
            job and lane.reused and not (lane.heard or job.again or isinstance(error, TimeoutError))
        ):
            # The server closed it while it was idle: the only case in which a message may go twice.
            job.again = True
            job.last = (0, reason)
            return self._add(job)
        if job:
            self._settle(job, (0, reason))
        return None

    def _drop(self, lane: _Lane) -> None:
        self._release(lane)
        self.lanes.discard(lane)
        if lane in self.idle:
            self.idle.remove(lane)
        self.room += 1

    def _release(self, lane: _Lane) -> None:
        if lane.events:
            self.selector.unregister(lane.fd)
            lane.events = 0
        if lane.sock:
            lane.sock.close()

    def _expire(self) -> None:
        """Give up what did not answer in time. It may have been delivered: it is not repeated."""
        self.next_check = self.now + self.pace
        for lane in list(self.lanes):
            if lane.expires <= self.now:
                late = TimeoutError(f"no answer in {self.owner._answer_seconds:g} s")
                self._resume(lane, late)
            else:
                self.next_check = min(self.next_check, lane.expires)

    def _wind_up(self) -> None:
        self.selector.close()
        for job in (*self.queue, *(rest[2] for rest in self.resting)):
            self.results[job.name] = job.last
        for lane in self.lanes:
            lane.talk.close()  # it refers to its lane, and may hold a message
            if lane.ready and not lane.job:
                self.owner._keep(lane.sock, lane.expires - MAX_IDLE_SECONDS)
            elif lane.sock:
                lane.sock.close()
            if lane.job:
                late = (0, "no answer before the deadline")
                self.results[lane.job.name] = late if lane.ready else lane.job.last


def _reason(error: Exception) -> str:
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {text}"[:120]


def is_quiet(sock: socket, would_block: tuple[type[Exception], ...]) -> bool:
    """Return whether a socket has neither ended nor got an answer to nothing (TLS has its own)."""
    try:
        sock.recv(1)
    except would_block:
        return True
    except OSError:
        pass
    return False
