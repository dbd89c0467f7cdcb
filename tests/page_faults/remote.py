"""Commands to a browser over a WebSocket: numbered, each with one answer, as both browsers' protocols have them."""

from __future__ import annotations

import itertools
import json

from websockets.sync.client import connect

__all__ = ["Remote", "RemoteError"]

ANSWER_SECONDS = 30


class RemoteError(Exception):
    """The browser refused a command."""


class Remote:
    """A connection to a browser, until the end of a `with` statement. One thread uses it."""

    def __init__(self, address, on_event=lambda event: None):
        self._connection = connect(
            address, max_size=None, open_timeout=ANSWER_SECONDS, ping_interval=None
        )
        self._numbers = itertools.count(1)
        self._on_event = on_event

    def __enter__(self):
        self._socket = self._connection.__enter__()
        return self

    def __exit__(self, *error):
        self._connection.__exit__(*error)

    def call(self, method, params=None, **more):
        """Carry out a command and return its result; `on_event` gets what happens meanwhile."""
        number = self.send(method, params, **more)
        while (message := json.loads(self._socket.recv(ANSWER_SECONDS))).get("id") != number:
            self._on_event(message)
        if "error" in message:
            raise RemoteError(f"{method}: {message['error']} {message.get('message', '')}")
        return message["result"]

    def send(self, method, params=None, **more):
        """Ask for a command without waiting for it; return its number."""
        number = next(self._numbers)
        self._socket.send(
            json.dumps({"id": number, "method": method, "params": params or {}, **more})
        )
        return number
