"""Serves the page on loopback: the files of `web/`, its settings, and a stream for the operator's view.

Nothing here knows the system: who starts it hands in the settings, calls `publish` for every line that a
function writes, and `publish_sessions` now and then while `is_watched`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Page", "sign_in_config"]

_ROOT = Path(__file__).resolve().parent.parent
_WEB = _ROOT / "web"
_SAMPLE = _ROOT / "local" / "recordings" / "speech.wav"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wav": "audio/wav",
}
# What checks the page, and what it is checked with, is no part of it.
_NOT_SERVED = {"node_modules", "tests"}
_LOOPBACK = ("127.0.0.1", "localhost")
# As in index.html, which says it for hosts of one's own; there, `frame-ancestors` would be ignored.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' wss: https: ws://127.0.0.1:* ws://localhost:* "
        "http://127.0.0.1:* http://localhost:*; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# So much is told to a page that comes later, or reads slowly.
_KEPT_LINES, _KEPT_CHARACTERS = 2000, 8 << 20
# Each costs a thread.
_MAX_STREAMS = 50
# A stream on which nothing is written never notices that its reader has gone.
_COMMENT_SECONDS = 15.0


class _Line(NamedTuple):
    id: int
    text: str


class _Lines:
    """What functions wrote lately, and the last report of the sessions; readers wait for more."""

    def __init__(self) -> None:
        self._kept: deque[_Line] = deque()
        self._num_characters = 0
        self._changed = threading.Condition()
        self._last_id = 0
        self._sessions = _Line(0, "")
        self.num_watching = 0
        self.closed = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Count a reader during the block."""
        with self._changed:
            self.num_watching += 1
        try:
            yield
        finally:
            with self._changed:
                self.num_watching -= 1

    def add(self, function: str, line: str, invocation: str, now_ms: int) -> None:
        with self._changed:
            self._last_id += 1
            event = {
                "id": self._last_id,
                "function": function,
                "invocation": invocation,
                "line": line,
                "time": now_ms,
            }
            self._kept.append(_Line(self._last_id, json.dumps(event)))
            self._num_characters += len(self._kept[-1].text)
            while len(self._kept) > _KEPT_LINES or (
                len(self._kept) > 1 and self._num_characters > _KEPT_CHARACTERS
            ):
                self._num_characters -= len(self._kept.popleft().text)
            self._changed.notify_all()

    def set_sessions(self, report: str) -> None:
        with self._changed:
            self._sessions = _Line(self._sessions.id + 1, report)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def known(self, last_id: int) -> int:
        """Return the id as it is; 0 for one that an earlier run gave out."""
        with self._changed:
            return last_id if last_id <= self._last_id else 0

    def after(self, last_id: int, last_report: int, seconds: float) -> tuple[list[_Line], _Line]:
        """Return the lines after one, and the report of the sessions, as soon as any is new or time is up."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.closed or self._last_id > last_id or self._sessions.id > last_report,
                seconds,
            )
            missing = min(self._last_id - last_id, len(self._kept))
            return list(islice(reversed(self._kept), missing))[::-1], self._sessions


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - the only one that makes us
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("Host") not in self.server.hosts:
            self._answer(403, "text/plain", b"This is served to this machine only.\n")
        elif path == "/operator" and "operator" in self.server.config:
            if not self.server.streams.acquire(blocking=False):
                self._answer(503, "text/plain", b"Too many pages are open.\n")
                return
            try:
                with self.server.lines.watched():
                    self._stream()
            finally:
                self.server.streams.release()
        elif path == "/config.json":
            self._answer(200, "application/json", json.dumps(self.server.config).encode())
        else:
            self._file(path)

    do_HEAD = do_GET

    def _file(self, path: str) -> None:
        file = _file_of(path)
        if file is None:
            self._answer(404, "text/plain", b"There is no such file.\n")
        else:
            self._answer(200, _TYPES[file.suffix], file.read_bytes())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self._head(status, kind, {"Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **_HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self) -> None:
        """Write lines, and reports of the sessions, as server-sent events until the reader goes or the page ends."""
        self.close_connection = True
        self._head(200, "text/event-stream", {"Connection": "close"})
        lines = self.server.lines
        last_id = lines.known(_number(self.headers.get("Last-Event-ID")))
        last_report = 0
        try:
            while not lines.closed and self.command != "HEAD":
                new, report = lines.after(last_id, last_report, _COMMENT_SECONDS)
                text = "".join(f"id: {line.id}\ndata: {line.text}\n\n" for line in new)
                if report.id > last_report:
                    text += f"event: sessions\ndata: {report.text}\n\n"
                self.wfile.write((text or ": nothing new\n\n").encode())
                last_id, last_report = new[-1].id if new else last_id, report.id
        except OSError:
            pass  # the reader has gone

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the terminal belongs to the system's own output."""


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 16 else 0


def _file_of(path: str) -> Path | None:
    """Return the file that a path means, if it is one of the page's."""
    if path == "/sample.wav":
        return _SAMPLE
    try:
        file = (_WEB / (path.lstrip("/") or "index.html")).resolve()
        is_file = file.is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return None
    is_ours = file.is_relative_to(_WEB) and _NOT_SERVED.isdisjoint(file.relative_to(_WEB).parts)
    return file if is_file and is_ours and file.suffix in _TYPES else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, config: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.config = dict(config)
        self.lines = _Lines()
        self.streams = threading.BoundedSemaphore(_MAX_STREAMS)
        # Another name that resolves to this machine would let another site's page read the logs.
        self.hosts = {f"{name}:{self.server_port}" for name in _LOOPBACK}

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that closed its connection early."""


class Page:
    """The page's server. `config` is what the page reads first: `url`, the WebSocket API's address, and
    what `sign_in_config` returns.

    Without `operator` there is no view of what functions write.
    """

    def __init__(self, config: Mapping[str, Any], port: int = 0, *, operator: bool = True) -> None:
        offered = {"sample": "sample.wav", **({"operator": "operator"} if operator else {})}
        self._server = _Server(port, {**offered, **config})
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def start(self) -> None:
        """Serve from now on, in a thread of its own."""
        self._thread.start()

    @property
    def is_watched(self) -> bool:
        """Whether a page has the operator's stream open."""
        return self._server.lines.num_watching > 0

    def publish(self, function: str, line: str, invocation: str = "") -> None:
        """Tell every open page what a function wrote, in an invocation or outside of one.

        Any thread may call this and the next one; nothing waits.
        """
        self._server.lines.add(function, line, invocation, time.time_ns() // 1_000_000)

    def publish_sessions(self, report: Mapping[str, Any]) -> None:
        """Tell every open page how the sessions are."""
        self._server.lines.set_sessions(json.dumps(report))

    def close(self) -> None:
        """Stop serving; open streams end."""
        self._server.lines.close()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def sign_in_config(
    issuer: str | None, client_id: str | None, scope: str | None, *, listeners: bool = False
) -> dict[str, Any]:
    """Return what `config.json` says of the issuer; ValueError unless all three are there, or none.

    `listeners` sign in, too.
    """
    if not issuer and not client_id and not scope and not listeners:
        return {}
    if not issuer or not client_id or not scope:
        raise ValueError("an issuer, a client id and a scope go together")
    _check_address(issuer, "issuer", "https", "http")
    config = {"issuer": issuer, "clientId": client_id, "scope": scope}
    return {**config, "listenersNeedToken": True} if listeners else config


def _check_address(url: str, name: str, safe: str, plain: str) -> None:
    """ValueError for what the page's policy would not let it ask: without TLS, other machines."""
    parts = urlsplit(url)
    if parts.scheme == safe and parts.hostname:
        return
    if parts.scheme != plain or parts.hostname not in _LOOPBACK:
        raise ValueError(f"{name} must begin with {safe}://, or {plain}:// on this machine")


def main() -> None:
    """Serve the page for an API that runs elsewhere, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m local.page", description=main.__doc__)
    parser.add_argument("url", help="the API's address, as the stack's output WebSocketUrl says it")
    parser.add_argument("--port", type=int, default=0, help="0, the default, is a free one")
    parser.add_argument("--issuer", help="the OpenID Connect issuer at which speakers sign in")
    parser.add_argument("--client-id", help="the page's name there")
    parser.add_argument("--scope", help="what the page asks for there, such as 'openid speak'")
    parser.add_argument(
        "--listeners-need-token", action="store_true", help="listeners sign in, too"
    )
    given = parser.parse_args()
    try:
        _check_address(given.url, "the API's address", "wss", "ws")
        sign_in = sign_in_config(
            given.issuer, given.client_id, given.scope, listeners=given.listeners_need_token
        )
    except ValueError as error:
        parser.error(str(error))
    page = Page({"url": given.url, **sign_in}, given.port, operator=False)
    page.start()
    sys.stdout.write(f"{page.url}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    page.close()


if __name__ == "__main__":
    main()
