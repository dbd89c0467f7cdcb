"""A proxy before DynamoDB that loses what a test says: requests, answers, or all sense of time."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit


class LossyProxy(http.server.ThreadingHTTPServer):
    """Stands before DynamoDB: passes requests on, and loses some of them, or their answers."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), PassingOn)
        self.target = urlsplit(endpoint).netloc
        self._lose: Callable[[str, int], str] = lambda operation, count: ""
        self.lost: Counter[str] = Counter()
        self.transactions: dict[bytes, tuple] = {}
        self.is_over = threading.Event()
        self._counts: Counter[bytes] = Counter()
        self._lock = threading.Lock()

    def lose(self, rule: Callable[[str, int], str]) -> None:
        """Lose by a rule: of an operation, and how often the very same request came: what is lost."""
        with self._lock:
            self._lose = rule
            self._counts.clear()
            self.lost.clear()

    def loses(self, operation: str, body: bytes) -> str:
        """Return what of this request is lost."""
        with self._lock:
            self._counts[body] += 1
            what = self._lose(operation, self._counts[body])
            if what:
                self.lost[operation] += 1
            return what


class PassingOn(http.server.BaseHTTPRequestHandler):
    """Serves one connection, and closes it where something is lost."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one write
    server: LossyProxy

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        lost = self.server.loses(operation, body)
        answer = self.answer(operation, body) if lost in ("", "answer") else None
        if lost == "time":
            self.server.is_over.wait()
        if lost or answer is None:
            self.close_connection = True
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in headers:
            if name.lower().startswith(("x-amz", "content-type")):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def answer(self, operation: str, body: bytes) -> tuple:
        """Return DynamoDB's answer: status, headers, content.

        The same transaction with the same token is answered as it was. The emulator plays that too, but
        takes a 5.0, which it has stored as 5, for another request.
        """
        if body in self.server.transactions:
            return self.server.transactions[body]
        upstream = http.client.HTTPConnection(self.server.target)
        upstream.request("POST", self.path, body, dict(self.headers))
        response = upstream.getresponse()
        answer = response.status, response.getheaders(), response.read()
        upstream.close()
        if operation.startswith("Transact") and response.status == 200:
            self.server.transactions[body] = answer
        return answer

    def log_message(self, *_):
        """Say nothing."""
