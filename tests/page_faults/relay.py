"""The network between a page and the gateway: TCP that is passed on, unless it is held up or cut."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["Relay"]


class Relay:
    """Pass on what comes to `port` until the end of a `with` statement."""

    def __init__(self, target_port):
        self._target = ("127.0.0.1", target_port)
        self._flows = threading.Event()
        self._flows.set()
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flows.set()
        for one in list(self._open):
            _close(one)

    @contextlib.contextmanager
    def held_up(self):
        """Let nothing through, as when a network is gone: connections stay open, and new ones get no answer."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(here,), daemon=True).start()

    def _connect(self, here):
        self._open.add(here)
        self._flows.wait()
        try:
            there = socket.create_connection(self._target)
        except OSError:
            _close(here)
            return
        self._open.add(there)
        for one in (here, there):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._pass, args=(there, here), daemon=True).start()
        self._pass(here, there)

    def _pass(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
        _close(source)
        _close(target)
        self._open -= {source, target}


def _close(one):
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
