"""A real `@connections` server on 127.0.0.1 that misbehaves by script, plain or with TLS.

A script belongs to a connection id: a list with one entry a request, the last one for all that
follow; an entry is a list of steps. Bytes are sent as they are, a function is called, `RESET`, `CLOSE`
and `SILENCE` end the connection. An id without a script is answered 200. Everything that comes is
kept in `requests`.
"""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from shared_utils.connections import Outcome


class Reset:
    """Close the connection with RST."""


class Close:
    """Close the connection with FIN."""


class Silence:
    """Say nothing more until the client gives up."""


class Read:
    """Receive once, whatever comes."""


class Slowly(NamedTuple):
    """Send `data` byte by byte."""

    data: bytes


RESET, CLOSE, SILENCE, READ = Reset(), Close(), Silence(), Read()
Step = bytes | Reset | Close | Silence | Read | Slowly | Callable[[], object]
Script = list[list[Step]]


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Return a whole answer as API Gateway would send it."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


OK = answer(200)

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "eu-west-1",
}


class Clock:
    """A clock that somebody else moves; it starts at 2015-08-30 12:36:00 UTC."""

    def __init__(self, start: float = 1440938160.0) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now


def parts(outcome: Outcome) -> tuple[str, int, str]:
    """Return all there is to an outcome."""
    return outcome.kind, outcome.status, outcome.reason


class Request(NamedTuple):
    """A request as it came; `connection` numbers the accepted sockets from 1."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def connection_id(self) -> str:
        return unquote(self.path.rpartition("/")[2])


class Server:
    """Serve until `close`; usable in a `with` statement."""

    def __init__(
        self,
        scripts: dict[str, Script] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        on_accept: list[Step] | None = None,
        receive_buffer: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.scripts = scripts or {}
        self.requests: list[Request] = []
        self.accepted = 0
        self._tls = tls
        self.on_accept = on_accept
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family)
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((host, 0))
        self._listener.listen(128)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}/stage"

    def bodies(self, connection_id: str) -> list[bytes]:
        return [r.body for r in self.requests if r.connection_id == connection_id]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        _quietly(self._listener.shutdown, socket.SHUT_RDWR)
        self._threads[0].join(5)  # nobody else is let in
        self._listener.close()
        self.hang_up()
        self.wait_until_hung_up()

    def hang_up(self) -> None:
        """End every open connection, as a gateway does with those that were idle."""
        with self._lock:
            for sock in self._open:
                _quietly(socket.socket.shutdown, sock, socket.SHUT_RDWR)  # beneath TLS

    def wait_until_hung_up(self) -> None:
        """Return when the threads of all connections have ended, and their sockets are closed."""
        for thread in self._threads[1:]:
            thread.join(5)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            with self._lock:
                self._open.add(sock)
            self._start(self._serve, sock, self.accepted)

    def _serve(self, raw: socket.socket, number: int) -> None:
        sock = raw
        try:
            if self.on_accept is not None and not _perform(raw, self.on_accept):
                return
            if self._tls:
                sock = self._tls.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._open.add(sock)
                sock.do_handshake()
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    data += (more := sock.recv(65536))
                    if not more:
                        return
                head, _, data = data.partition(b"\r\n\r\n")
                start, *lines = head.decode().split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines)}
                length = int(headers.get("content-length", 0))
                while len(data) < length:
                    data += (more := sock.recv(65536))
                    if not more:
                        return
                method, path, _ = start.split(" ")
                request = Request(number, method, path, headers, data[:length])
                data = data[length:]
                if not _perform(sock, self._next_steps(request)):
                    return
        except OSError:  # the client ended it
            pass
        finally:
            with self._lock:
                self._open -= {raw, sock}
            sock.close()
            raw.close()

    def _next_steps(self, request: Request) -> list[Step]:
        with self._lock:
            self.requests.append(request)
            script = self.scripts.get(request.connection_id, [[OK]])
            turn = self._seen[request.connection_id]
            self._seen[request.connection_id] += 1
        return script[min(turn, len(script) - 1)]


def _perform(sock: socket.socket, steps: list[Step]) -> bool:
    """Do what a script says; return whether the connection lives on."""
    for step in steps:
        if isinstance(step, bytes):
            sock.sendall(step)
        elif isinstance(step, Slowly):
            for byte in step.data:
                sock.sendall(bytes([byte]))
                threading.Event().wait(0.0005)
        elif isinstance(step, Read):
            sock.recv(65536)
        elif callable(step):
            step()
        elif isinstance(step, Silence):
            while sock.recv(65536):
                pass
            return False
        else:
            if isinstance(step, Reset):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
    return True


def _quietly(call: object, *args: object) -> None:
    try:
        call(*args)  # type: ignore[operator]
    except OSError:
        pass


def make_certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context with a self-signed certificate for `names`, and the file to trust.

    The key lives as long as the test's folder.
    """
    key, certificate = folder / f"{names[0]}.key", folder / f"{names[0]}.pem"
    alternatives = ",".join(f"{'IP' if n[0].isdigit() else 'DNS'}:{n}" for n in names)
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subprocess.run(
        [
            *command.split(),
            *("-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={names[0]}"),
            *("-addext", f"subjectAltName={alternatives}"),
            *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context, certificate
