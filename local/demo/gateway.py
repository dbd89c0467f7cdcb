"""The end of API Gateway that functions post to: `POST /@connections/{id}`, on this machine.

What a function has posted by the time it answers is there when its answer is.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Gateway", "Post"]

_PATH = "/@connections/"


@dataclass(frozen=True, slots=True)
class Post:
    """A message on its way to a client."""

    connection_id: str
    body: str


class Gateway:
    """Takes whatever is signed and keeps it; serves from `with` to its end."""

    def __init__(self) -> None:
        self._posts: list[Post] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Requests, self._posts))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def endpoint(self) -> str:
        """What API_GATEWAY_ENDPOINT has to be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self) -> list[Post]:
        """Return what was posted since the last call."""
        taken = self._posts.copy()
        self._posts.clear()
        return taken

    def __enter__(self) -> Gateway:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the socket open
    disable_nagle_algorithm = True

    def __init__(self, posts: list[Post], *connection: Any) -> None:
        self._posts = posts
        super().__init__(*connection)

    def do_POST(self) -> None:
        """Answer 200, 403 to what is not signed, 404 to another path."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(self.path)
        if not path.startswith(_PATH):
            self._answer(404)
        elif not self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 "):
            self._answer(403)
        else:
            self._posts.append(Post(path.removeprefix(_PATH), body.decode()))
            self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: what was posted is in the summary."""
