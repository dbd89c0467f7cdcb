"""What a running system does for other processes of its user: it tells its state, and has faults.

A client of the socket sends one line of JSON, `{"command": "status"}` or `{"command": "fault", "name":
..., "options": {...}}`, and gets lines of JSON. A fault that lasts ends with its client's connection, so
also when the client is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from wslocal import EmulatorError, FaultError, HostError

from .system import describe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from wslocal import Fault

    from .system import System

__all__ = ["answering"]


@contextlib.asynccontextmanager
async def answering(system: System, path: Path) -> AsyncIterator[None]:
    """Serve the socket at `path`, which is for this user only; at the end no fault is left."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(system, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_unix_server(accept, path)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(
    system: System, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        request = json.loads(await reader.readline())
        if request["command"] == "fault":
            await _have_fault(system, request["name"], request["options"], reader, writer)
        else:
            writer.write(describe(system).encode())
    except (ValueError, KeyError, TypeError):  # of another version, or nobody of ours
        _write(writer, error="this system does not know the command: is it of another version?")
    finally:
        writer.close()


async def _have_fault(
    system: System,
    name: str,
    options: dict[str, Any],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Have a fault until the client goes; tell it that the fault is on, and how often it was met."""
    try:
        if name in _AT_ONCE:
            _write(writer, count=_AT_ONCE[name](system, **options))
            return
        with _LASTING[name](system, **options) as fault:
            _write(writer, on=True)
            while await reader.read(1024):
                pass
        _write(writer, hits=None if fault is None else fault.hits)
    except (EmulatorError, FaultError, HostError) as error:
        _write(writer, error=str(error))


def _cut(system: System, connection_id: str) -> int:
    system.api.faults.cut(connection_id)
    return 1


def _kill_emulator(system: System) -> int:
    system.emulator.kill()
    return 1


def _kill_environments(system: System, function: str, count: int | None) -> int:
    name = _full_name("function", function.rpartition(":function:")[2], system.functions)
    return system.api.kill_environments(name, count)


def _table(
    system: System, name: str | None, **options: Any
) -> contextlib.AbstractContextManager[Fault]:
    if name is not None:
        name = _full_name("table", name, system.tables)
    return system.api.faults.table(name, **options)


def _full_name(kind: str, name: str, known: list[str]) -> str:
    """Return the only name that is this one, or ends with it, as `status` and `logs` show it."""
    found = [one for one in known if one == name or one.endswith(f"-{name}")]
    if len(found) != 1:
        raise FaultError(f"there is no {kind} {name!r}: {kind}s are {', '.join(known)}")
    return found[0]


# Each gets the system and the command's options, and says to how many it was done.
_AT_ONCE: dict[str, Callable[..., int]] = {
    "cut": _cut,
    "kill-emulator": _kill_emulator,
    "kill-environments": _kill_environments,
}
# The same, for a block.
_LASTING: dict[str, Callable[..., contextlib.AbstractContextManager[Fault | None]]] = {
    "posts": lambda system, **options: system.api.faults.posts(**options),
    "stop-reading": lambda system, **options: system.api.faults.stop_reading(**options),
    "table": _table,
    "request-time": lambda system, **options: system.api.faults.request_time(**options),
    "function-clock": lambda system, **options: system.api.faults.function_clock(**options),
    "no-space": lambda system: system.api.faults.no_space(),
    "freeze-emulator": lambda system: system.emulator.freeze(),
}


def _write(writer: asyncio.StreamWriter, **reply: Any) -> None:
    writer.write(json.dumps(reply).encode() + b"\n")
