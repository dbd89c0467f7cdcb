"""Signed requests to an AWS API over non-blocking sockets, in one loop for each call.

Whatever a server does, `Run.run` ends by its deadline with something said of each request; no
socket of it stays open but those that the client keeps. Outside the deadline are the name lookup,
and credentials that botocore's providers look for. Who calls decides what is repeated.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from functools import lru_cache

from ._aws_endpoint import misconfigured
from ._http1 import AnswerReader, date_of, header
from ._sigv4 import Signer, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator, Iterable, Mapping
    from socket import socket
    from typing import Any

    from ._aws_endpoint import Endpoint
    from ._http1 import Answer
    from ._sigv4 import Credentials

__all__ = ["MAX_IDLE_SECONDS", "Client", "Job", "Run", "SignedRequest", "error_name", "jitter"]

# A socket that rested longer may have been closed while the environment was frozen.
MAX_IDLE_SECONDS = 5.0
# A signature is good for 5 minutes; a long call signs anew after one.
_SIGNATURE_SECONDS = 60.0
# What a clock may be off before a refused signature is taken for its fault.
_MAX_SKEW_SECONDS = 120.0
_CLOCK_ERRORS = {"RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException"}
_CREDENTIAL_ERRORS = {"ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException"}
_READ, _WRITE = 1, 2  # selectors.EVENT_READ, EVENT_WRITE


def error_name(head: bytes, body: bytes) -> str:
    """Return what AWS calls the error of an answer, empty if it does not say."""
    named = header(head, b"x-amzn-errortype").partition(b":")[0].rpartition(b"#")[2]
    if not named and (found := re.search(rb'"__type"\s*:\s*"(?:[^"#]*#)?([A-Za-z]+)"', body)):
        named = found[1]
    return named[:80].decode("latin-1") if named.isalpha() else ""


def jitter() -> float:
    """Return a number from 0 to 1 that no other process of a fleet has at this moment."""
    return int.from_bytes(os.urandom(3)) / 2**24


@lru_cache(maxsize=8)
def _default_tls_context(bundle: str | None) -> ssl.SSLContext:
    """Return the context with the system's certificates, or a bundle's, that all clients share.

    To read the system's takes 20 ms and more of a cold start.
    """
    import ssl

    return ssl.create_default_context(cafile=bundle)


# --- what is kept between calls ------------------------------------------------------------------


class Client:
    """One endpoint's sockets, credentials and clock.

    Sockets are kept between calls and may be used by several threads; a fork opens its own.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.clock_offset = 0.0  # seconds by which AWS's clock is ahead of ours
        self.pool: list[tuple[socket, float, float]] = []
        self.pid = os.getpid()
        self.would_block: tuple[type[Exception], ...] = (BlockingIOError,)
        self._ssl_context = endpoint.ssl_context
        self._provider: Any = None
        if endpoint.tls:
            import ssl

            self.would_block = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def prepare(self) -> None:
        """Load what the first call needs, certificates included; nothing is opened or sent."""
        import hashlib  # noqa: F401 - to have it loaded
        import selectors  # noqa: F401
        import socket  # noqa: F401

        self.tls_context()

    def now(self) -> float:
        """Return AWS's time in seconds since the epoch, as far as it is known."""
        return self.endpoint.clock() + self.clock_offset

    def credentials(self) -> Credentials:
        """Return the environment's credentials, which rotate, else botocore's."""
        get = self.endpoint.environ.get
        key, secret = get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")
        token = get("AWS_SESSION_TOKEN")
        if not key or not secret:
            key, secret, token = self._foreign_credentials()
        if not f"{key}{secret}{token}".isprintable():
            raise misconfigured("The AWS credentials hold line breaks or control characters")
        return key, secret, token

    def _foreign_credentials(self) -> Credentials:
        """Return what botocore finds and keeps fresh: a container's (SnapStart), a profile's.

        Its providers take their own time, which no deadline of a call bounds.
        """
        from importlib import import_module

        wanted = "set AWS_ACCESS_KEY_ID or a role"
        try:
            if self._provider is None:
                self._provider = import_module("botocore.session").get_session().get_credentials()
            found = self._provider and self._provider.get_frozen_credentials()
        except ImportError as error:
            why = "botocore, which would look elsewhere, is not installed"
            raise misconfigured(f"No AWS credentials, and {why}: {wanted}") from error
        except Exception as error:  # botocore's many kinds
            why = f"their provider failed with {type(error).__name__[:60]}"
            raise misconfigured(f"No AWS credentials, {why}: {wanted}") from error
        if not found:
            raise misconfigured(f"No AWS credentials: {wanted}")
        return found.access_key, found.secret_key, found.token

    def other_credentials(self, refused: Credentials) -> bool:
        """Look for credentials again, and return whether they are others than the refused ones."""
        self._provider = None
        return self.credentials() != refused

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the context for new sockets, None for plain HTTP."""
        if not self.endpoint.tls:
            return None
        if self._ssl_context is None:
            bundle = self.endpoint.environ.get("AWS_CA_BUNDLE") or None
            try:
                self._ssl_context = _default_tls_context(bundle)
            except OSError as error:
                raise misconfigured("AWS_CA_BUNDLE is not a file of certificates") from error
        return self._ssl_context

    def addresses(self) -> list[Any]:
        """Look the host's name up; the system bounds how long that takes."""
        from socket import SOCK_STREAM, getaddrinfo

        # As bytes: text would import the IDNA codec.
        return getaddrinfo(self.endpoint.host.encode(), self.endpoint.port, type=SOCK_STREAM)

    def take(self) -> socket | None:
        """Return a kept socket that rested for a short time and is quiet; close those that do not."""
        if self.pid != os.getpid():  # after a fork, the kept ones are the parent's
            self.pid = os.getpid()
            self.close_sockets()
        while entry := self._pop():
            sock, since, wall = entry
            # By both clocks: one of them may stand still while the environment is frozen.
            rested = max(self.endpoint.monotonic() - since, self.endpoint.clock() - wall)
            if rested <= MAX_IDLE_SECONDS and is_quiet(sock, self.would_block):
                return sock
            sock.close()
        return None

    def keep(self, sock: socket, since: float) -> None:
        """Keep a socket that rests since a moment of the monotonic clock."""
        if len(self.pool) < self.endpoint.max_sockets:
            wall = self.endpoint.clock() - (self.endpoint.monotonic() - since)
            self.pool.append((sock, since, wall))
        else:  # another thread's call had its own
            sock.close()

    def __del__(self) -> None:
        """Close what is kept: nobody else knows these sockets."""
        try:
            self.close_sockets()
        except Exception:  # made in part, or at the interpreter's end, where modules are empty
            pass

    def close_sockets(self) -> None:
        """Close the sockets that are kept; the next call opens new ones."""
        while entry := self._pop():
            entry[0].close()

    def _pop(self) -> tuple[socket, float, float] | None:
        try:
            return self.pool.pop()
        except IndexError:  # empty, or another thread took the last one
            return None


def is_quiet(sock: socket, would_block: tuple[type[Exception], ...]) -> bool:
    """Return whether a socket has neither ended nor got an answer to nothing (TLS has its own)."""
    try:
        sock.recv(1)
    except would_block:
        return True
    except OSError:
        pass
    return False


# --- the call ----------------------------------------------------------------------------------


class SignedRequest:
    """What a call sends to the path of each name.

    `headers` are signed, too; names in lower case. A `repeatable` request may reach the server
    twice. It is sent again at once, on a new socket, if a kept one fails before a byte came back.
    `max_answer_bytes` bounds an answer's body; heads have `_http1.MAX_HEAD_BYTES`.
    """

    def __init__(
        self,
        method: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        max_answer_bytes: int = 64 * 1024,
    ) -> None:
        self.method = method
        self.body = body
        self.headers = headers
        self.repeatable = repeatable
        self.max_answer_bytes = max_answer_bytes


class Job:
    """One request that waits, runs, or rests between two attempts; at last, what came of it.

    `status` is the HTTP status of the last attempt, 0 without an answer, and `reason` says why there
    was none. `lost` is whether any attempt may have reached the server and got no answer,
    `timed_out` whether the last one did and the server said nothing in its time.
    """

    status = 0
    reason = "not sent: no time left"
    head = b""
    body = b""
    lost = False
    timed_out = False
    retries = 0
    again = False  # whether its one repetition after a reused socket's failure is used up
    signed_again = False
    signer: Signer | None = None

    def __init__(self, name: str) -> None:
        self.name = name

    def fail(self, reason: str, lost: bool = False, late: bool = False) -> None:
        """Note an attempt that got no answer; `late` if only its time was over."""
        self.status, self.reason, self.head, self.body = 0, reason, b"", b""
        self.lost = self.lost or lost
        self.timed_out = lost and late


class _Lane:
    """One socket, the request on it, and the generator that speaks."""

    sock: Any = None
    talk: Generator[int, None, None]
    fd = -1
    events = 0  # what the selector waits for
    ready = False  # connected, hands shaken
    reused = False  # has answered before
    sent = False  # a byte of this request may have left
    heard = False  # a byte of this request's answer has come
    expires = 0.0

    def __init__(self, job: Job | None) -> None:
        self.job = job


class Run:
    """One call: names in, a finished `Job` for each in `jobs`, over non-blocking sockets in one loop.

    `retry` is asked after each attempt, and returns the pause in seconds before the next one, or None
    if there is to be none. `answer_seconds` bounds an attempt, the endpoint's own the opening of a
    socket. `room` is how many more sockets may open. One that cannot open takes its
    place with it, so an API out of reach ends the call instead of being dialled again and again.
    """

    def __init__(
        self,
        client: Client,
        request: SignedRequest,
        names: Iterable[str],
        timeout_seconds: float,
        retry: Callable[[Job], float | None],
        *,
        answer_seconds: float | None = None,
    ) -> None:
        from collections import deque
        from selectors import DefaultSelector

        self.client = client
        self.endpoint = client.endpoint
        self.request = request
        self.retry = retry
        self.now = self.endpoint.monotonic()
        self.deadline = self.now + timeout_seconds
        longest = self.endpoint.answer_seconds
        self.answer_seconds = longest if answer_seconds is None else answer_seconds
        self.pace = min(longest, self.answer_seconds, MAX_IDLE_SECONDS)
        self.next_check = self.now + self.pace
        self.jobs = {name: Job(name) for name in names}
        self.queue = deque(self.jobs.values())
        self.left = len(self.queue)
        self.resting: list[tuple[float, int, Job]] = []  # a heap by the time to try again
        self.room = min(self.endpoint.max_sockets, self.left)
        self.lanes: set[_Lane] = set()
        self.idle: list[_Lane] = []
        self.addresses: list[Any] = []
        self.trouble = ""
        self._sign()
        self.selector = DefaultSelector()

    def _sign(self) -> None:
        """Prepare what the requests of the next minute have in common."""
        endpoint, request = self.endpoint, self.request
        self.signed_at = self.client.now()
        self.credentials = self.client.credentials()
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.signed_at))
        where = (endpoint.region, endpoint.service, endpoint.host_header, moment)
        self.signer = Signer(self.credentials, *where, request.headers)
        self.sign_again = self.now + _SIGNATURE_SECONDS
        path = "/".join(map(quote, endpoint.path.split("/")))
        self.before_name = f"{request.method}\n{path}".encode()
        self.after_name = self.signer.after_path(request.body)
        self.start = f"{request.method} {endpoint.path}".encode()
        self.headers = f" HTTP/1.1\r\nuser-agent: shared-utils\r\n{self.signer.headers}".encode()
        length = b"\r\ncontent-length: %d" % len(request.body) if request.method == "POST" else b""
        self.end = length + b"\r\n\r\n" + request.body

    def run(self) -> None:
        """Finish all jobs, by the deadline at the latest."""
        try:
            while self.left and self.now < self.deadline:
                self._feed()
                until = min(self.deadline, self.next_check, *(rest[0] for rest in self.resting[:1]))
                wait = max(until - self.now, 0) if self.left else 0
                events = self.selector.select(wait)
                self.now = self.endpoint.monotonic()
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
        while self.queue and self.room and (sock := self.client.take()):
            self._add(self.queue.popleft(), sock)
        opening = sum(not lane.ready for lane in self.lanes) if self.queue and self.room else 0
        while self.room and opening < len(self.queue):
            self._add(None)
            opening += 1
        while self.queue and not self.lanes:
            job = self.queue.popleft()
            job.fail(self.trouble)
            self._decide(job)

    def _add(self, job: Job | None, kept: socket | None = None) -> None:
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
                if not (lane.job or is_quiet(lane.sock, self.client.would_block)):
                    raise ConnectionError("closed while idle")
            keep = yield from self._attempt(lane, lane.job)
            lane.job = None
            if not keep:
                return
            lane.reused = True

    def _open(self, lane: _Lane) -> Generator[int, None, None]:
        """Connect to the first address that works."""
        self.addresses = self.addresses or self.client.addresses()
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
        lane.expires = self.now + self.endpoint.answer_seconds
        lane.sock = sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(BlockingIOError):
            sock.connect(place)
        yield _WRITE
        if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        if not (context := self.client.tls_context()):
            return
        import ssl

        # As bytes: text would import the IDNA codec.
        host = self.endpoint.host.encode()
        lane.sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        while True:
            try:
                lane.sock.do_handshake()
                return
            except self.client.would_block as blocked:
                yield _WRITE if isinstance(blocked, ssl.SSLWantWriteError) else _READ

    def _attempt(self, lane: _Lane, job: Job) -> Generator[int, None, bool]:
        """Send `job`'s request, judge the answer, and return whether the socket may be kept."""
        out = memoryview(self._bytes_of(job))
        lane.expires = self.now + self.answer_seconds
        lane.heard = lane.sent = False
        reader = AnswerReader(self.request.max_answer_bytes)
        writable = True
        while True:
            try:
                while out and writable:
                    out = out[lane.sock.send(out) :]
                    lane.sent = True
            except self.client.would_block:
                lane.sent = True  # of a record of TLS, a part may have left
            except OSError:  # what it answered before it closed may wait to be read
                writable = False
            yield _READ | _WRITE if out and writable else _READ
            if answer := self._receive(lane, reader):
                self._judge(job, answer)
                return answer[3] and not out

    def _receive(self, lane: _Lane, reader: AnswerReader) -> Answer | None:
        """Read what is there; return the answer if that completes it.

        A server that never stops would keep the loop here, so the clock is read after each piece.
        """
        try:
            while True:
                more = lane.sock.recv(65536)
                lane.heard = lane.heard or more != b""
                if answer := reader.feed(more):
                    return answer
                self.now = self.endpoint.monotonic()
                if self.now >= self.deadline:
                    return None
                if self.now >= lane.expires:
                    raise self._late(lane)
        except self.client.would_block:
            pass
        return None

    def _late(self, lane: _Lane) -> TimeoutError:
        seconds = self.answer_seconds if lane.ready else self.endpoint.answer_seconds
        return TimeoutError(f"no answer in {seconds:g} s")

    def _bytes_of(self, job: Job) -> bytes:
        if self.now >= self.sign_again:
            self._sign()
        job.signer = self.signer
        name = quote(job.name)
        # What is signed is encoded twice: the rule for every service but S3.
        twice = name.replace("%", "%25").encode()
        signature = self.signer.signature(self.before_name + twice + self.after_name)
        return b"".join((self.start, name.encode(), self.headers, signature, self.end))

    def _judge(self, job: Job, answer: Answer) -> None:
        """Sign once more what was refused for its signature; decide about all else."""
        job.status, job.head, job.body, _ = answer
        job.reason, job.timed_out = "", False
        if job.status in (400, 401, 403) and not job.signed_again and self._may_sign_again(job):
            job.signed_again = True
            self.queue.append(job)  # nothing was done: it cannot be done twice
        else:
            self._decide(job)

    def _may_sign_again(self, job: Job) -> bool:
        """Return whether clock or credentials are better now than when the request was signed."""
        if job.signer is not self.signer:  # another job's answer came before
            return True
        name = error_name(job.head, job.body)
        if name in _CLOCK_ERRORS:
            theirs = date_of(job.head)
            if theirs is None or abs(theirs - self.signed_at) < _MAX_SKEW_SECONDS:
                return False
            self.client.clock_offset = theirs - self.endpoint.clock()
        elif name not in _CREDENTIAL_ERRORS or not self.client.other_credentials(self.credentials):
            return False
        self._sign()
        return True

    def _decide(self, job: Job) -> None:
        """Let a request rest until its next attempt, or be done with it."""
        pause = self.retry(job)
        if pause is not None and (due := self.now + pause) < self.deadline:
            from heapq import heappush

            job.retries += 1
            heappush(self.resting, (due, id(job), job))
            if not self.lanes:  # it is to be dialled again, maybe under another address
                self.room = max(self.room, 1)
                self.addresses = []
        else:
            self.left -= 1

    def _lose(self, lane: _Lane, error: Exception) -> None:
        """Close a socket that failed, and decide about the request on it."""
        self._drop(lane)
        reason = _reason(error)
        job = lane.job
        if not lane.ready:
            self.trouble = reason
            self.room = self.room - 1 if self.addresses else 0
        if not job:
            return
        job.fail(reason, lane.sent, isinstance(error, TimeoutError))
        if (
            lane.reused
            and not (lane.heard or job.again or isinstance(error, TimeoutError))
            and (self.request.repeatable or not lane.sent)
        ):
            # The server closed it while it was idle. Without asking: its answer would be no other one.
            job.again = True
            self._add(job)
        else:
            self._decide(job)

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
        """Give up what did not answer in time. It may have been delivered."""
        self.next_check = self.now + self.pace
        for lane in list(self.lanes):
            if lane.expires <= self.now:
                self._resume(lane, self._late(lane))
            else:
                self.next_check = min(self.next_check, lane.expires)

    def _wind_up(self) -> None:
        self.selector.close()
        for lane in self.lanes:
            lane.talk.close()  # it refers to its lane, and may hold a message
            if lane.ready and not lane.job:
                self.client.keep(lane.sock, lane.expires - MAX_IDLE_SECONDS)
            elif lane.sock:
                lane.sock.close()
            if lane.job and lane.ready:
                lane.job.fail("no answer before the deadline", lane.sent, late=True)


def _reason(error: Exception) -> str:
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {text}"[:120]
