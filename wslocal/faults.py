"""Faults on purpose in a running gateway: for tests, and for a person who watches what follows.

    with api.faults.posts(429, every=3) as fault:
        ...
    print(fault.hits)

A fault is undone at the end of its block. All calls are made on the gateway's own loop. Nothing is
touched but the gateway's sockets, its relay to DynamoDB and the environments that it starts.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, TypeVar

from .fault_kinds import Fault, FaultError, PostFault, TableFault, checked_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from wslocal.gateway.local_api import Connection

__all__ = ["Faults"]

# Ours: a clock that is off by more than ten years shows nothing that one off by ten does not.
_MAX_SHIFT_SECONDS = 10 * 366 * 86_400.0
_SHOWN_IDS = 10

T = TypeVar("T")
F = TypeVar("F", bound=Fault)


class Faults:
    """The faults of the gateways of one project. Of several that are on, a call meets the oldest that is about it."""

    def __init__(self, connections: Mapping[str, Connection] | None = None) -> None:
        self._watched: list[Mapping[str, Connection]] = [] if connections is None else [connections]
        self._posts: list[PostFault] = []
        self._tables: list[TableFault] = []
        self._no_space: list[Fault] = []
        self._request_times: list[float] = []
        self._clocks: list[float] = []
        self._not_reading: list[str] = []
        self.has_relay = False  # whether functions reach DynamoDB through us

    # --- for tests and commands ------------------------------------------------------------------

    @contextlib.contextmanager
    def posts(
        self, answer: int | None, *, every: int = 1, to: Collection[str] | None = None
    ) -> Iterator[Fault]:
        """Answer every n-th post with 410, 429 or 500; nothing is delivered.

        None: it is taken and never answered; the caller's socket is cut when the fault ends. `to`
        are the ids of the connections that it is about; None is all.
        """
        for connection_id in to or ():
            self._connection(connection_id)
        with _on(self._posts, PostFault(answer, every, to)) as fault:
            yield fault

    @contextlib.contextmanager
    def stop_reading(self, connection_id: str) -> Iterator[None]:
        """Write nothing to a client's socket, as if it had stopped reading and no buffer had room.

        What the gateway keeps for the client is written at the end.
        """
        socket = self._connection(connection_id).socket
        if connection_id in self._not_reading:
            raise FaultError(f"connection {connection_id!r} has stopped reading already")
        with _listed(self._not_reading, connection_id):
            socket.hold()
            try:
                yield
            finally:
                socket.release()

    def cut(self, connection_id: str) -> None:
        """Cut a client's TCP connection, without a close frame."""
        self._connection(connection_id).socket.abort()

    @contextlib.contextmanager
    def table(
        self,
        name: str | None,
        *,
        delay_seconds: float = 0,
        error: str | None = None,
        every: int = 1,
    ) -> Iterator[Fault]:
        """Delay every n-th call of a function to DynamoDB, or answer it with an error, or both.

        `name` is the table that it is about; None is any. `error` is one of `TABLE_ERRORS`, or
        "refuse": the socket is reset. A call that is delayed is carried out when the fault ends at
        the latest, or not at all if its caller has given up.
        """
        if not self.has_relay:
            raise FaultError("functions do not reach DynamoDB through this gateway")
        with _on(self._tables, TableFault(name, delay_seconds, error, every)) as fault:
            yield fault

    @contextlib.contextmanager
    def request_time(self, seconds: float) -> Iterator[None]:
        """Shift the time of each event: `requestTimeEpoch` and `requestTime`."""
        shift = checked_number("seconds", seconds, -_MAX_SHIFT_SECONDS, _MAX_SHIFT_SECONDS)
        with _listed(self._request_times, shift):
            yield

    @contextlib.contextmanager
    def function_clock(self, seconds: float) -> Iterator[None]:
        """Shift the clock, as Python shows it, of the environments that start meanwhile.

        After the fault they take no more events.
        """
        shift = checked_number("seconds", seconds, -_MAX_SHIFT_SECONDS, _MAX_SHIFT_SECONDS)
        with _listed(self._clocks, shift):
            yield

    @contextlib.contextmanager
    def no_space(self) -> Iterator[Fault]:
        """Have unpacking a function's code, or its layers, fail half-way with ENOSPC."""
        with _on(self._no_space, Fault()) as fault:
            yield fault

    # --- for the gateways ------------------------------------------------------------------------

    def watch(self, connections: Mapping[str, Connection]) -> None:
        """Let faults be about these connections of a gateway, by id, too."""
        self._watched.append(connections)

    def forget(self, connections: Mapping[str, Connection]) -> None:
        """Let no fault be about them any more: their gateway has ended."""
        self._watched = [known for known in self._watched if known is not connections]

    def of_post(self, connection_id: str) -> PostFault | None:
        """Return the fault that a post to this connection meets."""
        for fault in self._posts:
            if (fault.to is None or connection_id in fault.to) and fault.meets():
                return fault
        return None

    def of_call(self, body: bytes) -> TableFault | None:
        """Return the fault that a call to DynamoDB with this body meets."""
        for fault in self._tables:
            if fault.is_about(body) and fault.meets():
                return fault
        return None

    @property
    def request_time_shift(self) -> float:
        """By how many seconds the times of events are off."""
        return sum(self._request_times)

    @property
    def clock_shift(self) -> float:
        """By how many seconds the clock of an environment that starts now is off."""
        return sum(self._clocks)

    def write_code(self) -> None:
        """Raise what a full disk raises, if it is to be full."""
        for fault in self._no_space:
            fault.meets()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _connection(self, connection_id: str) -> Connection:
        for connections in self._watched:
            if connection_id in connections:
                return connections[connection_id]
        ids = [known for connections in self._watched for known in connections]
        more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
        are_open = f"open are {', '.join(ids[:_SHOWN_IDS])}{more}" if ids else "none is open"
        raise FaultError(f"no connection {connection_id!r} is open: {are_open}")


@contextlib.contextmanager
def _on(faults: list[F], fault: F) -> Iterator[F]:
    try:
        with _listed(faults, fault):
            yield fault
    finally:
        fault.ended.set()


@contextlib.contextmanager
def _listed(items: list[T], item: T) -> Iterator[None]:
    items.append(item)
    try:
        yield
    finally:
        items.remove(item)
