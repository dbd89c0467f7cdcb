"""A client of a WebSocket API for synchronous tests: it sends and receives JSON, and waits with a limit.

Its connection is on a loop in a thread of its own. With `websockets.sync` two threads use one `SSLSocket`, which
before Python 3.13 may hang or end the process: https://github.com/python-websockets/websockets/issues/1596.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from websockets.asyncio.client import connect as open_connection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .loop import LoopThread

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from websockets.asyncio.client import ClientConnection

__all__ = ["ClosedError", "HandshakeRefusedError", "WebSocketClient"]

_OPEN_SECONDS = 30.0  # longer than a `$connect` route may take
# Ours, above what API Gateway sends in one message, 128 KB.
_MAX_MESSAGE_BYTES = 1 << 20


class HandshakeRefusedError(ConnectionRefusedError):
    """The API has refused a client: `status` is that of HTTP, `body` what came with it."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"the handshake was refused with status {status}: {body[:200]}")
        self.status = status
        self.body = body


class ClosedError(ConnectionError):
    """The connection is closed; `code` and `reason` are those of the other side, else 1006 and empty."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection is closed with code {code}")
        self.code = code
        self.reason = reason


class WebSocketClient:
    """A connection, open in a `with` block or until `close`."""

    def __init__(self, opening: AbstractAsyncContextManager[ClientConnection]) -> None:
        self._is_closed = False
        self._loop = LoopThread()
        self._loop.__enter__()
        try:
            self._connection = self._loop.enter(opening)
        except InvalidStatus as error:
            self._loop.close()
            response = error.response
            body = (response.body or b"").decode(errors="replace")
            raise HandshakeRefusedError(response.status_code, body) from error
        except BaseException:
            self._loop.close()
            raise

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> WebSocketClient:
        """Open a connection; HandshakeRefusedError, with the status, if the API does not let the client in."""
        if query:
            url += f"?{urlencode(query)}"
        return cls(
            open_connection(
                url,
                additional_headers=dict(headers or {}),
                subprotocols=list(subprotocols) or None,  # type: ignore[arg-type]
                ssl=tls,
                compression=None,  # API Gateway has none
                open_timeout=_OPEN_SECONDS,
                max_size=_MAX_MESSAGE_BYTES,
                proxy=None,
            )
        )

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that `$connect` chose, if it did."""
        return self._connection.subprotocol

    def send(self, message: object) -> None:
        """Send a text as it is, bytes as a binary frame, any other value as JSON; ClosedError if the connection is."""
        frame = message if isinstance(message, str | bytes | bytearray) else json.dumps(message)
        self._check_is_open()
        try:
            self._loop.run(self._connection.send(frame))
        except ConnectionClosed as error:
            raise _closed(error) from error

    def receive(self, timeout: float = 5.0) -> Any:
        """Return the next message: the value if it is JSON, else the text.

        TimeoutError if none comes within so many seconds; ClosedError if the connection is closed.
        """
        text = self.receive_text(timeout)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def receive_text(self, timeout: float = 5.0) -> str:
        """Return the next message as it came; see `receive`."""
        self._check_is_open()
        try:
            return self._loop.run(self._next_text(timeout))
        except TimeoutError as error:
            raise TimeoutError(f"no message came within {timeout:g} s") from error
        except ConnectionClosed as error:
            raise _closed(error) from error

    def wait_for_close(self, timeout: float = 5.0) -> int:
        """Return the code with which the other side closes; messages before it are passed over."""
        try:
            while True:
                self.receive_text(timeout)
        except ClosedError as closed:
            return closed.code

    def close(self) -> None:
        """Close the connection, with 1000. A second call does nothing."""
        self._is_closed = True
        self._loop.close()

    def _check_is_open(self) -> None:
        if self._is_closed:  # and the loop with it
            raise _closed(self._connection.protocol.close_exc)

    async def _next_text(self, timeout: float) -> str:
        async with asyncio.timeout(timeout):
            return str(await self._connection.recv(decode=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _closed(error: ConnectionClosed) -> ClosedError:
    if error.rcvd is None:
        return ClosedError(1006, "")
    return ClosedError(error.rcvd.code, error.rcvd.reason)
