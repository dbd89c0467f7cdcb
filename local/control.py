"""What a running system does for other processes of its user: it says its state, and has faults.

A client sends `{"command": "status"}` or `{"command": "fault", "name": ..., "options": {...}}`. A fault
that lasts ends with its client's connection.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wslocal import EmulatorError, FaultError, HostError

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Mapping

    from wslocal import Command, Fault, Reply

    from .system import System

__all__ = ["commands_of"]


def commands_of(system: System) -> dict[str, Command]:
    """Return the commands of a running system, for `wslocal.control.answering`."""

    async def status(request: Mapping[str, Any], reply: Reply, gone: asyncio.Event) -> None:
        await reply(system.describe())

    async def fault(request: Mapping[str, Any], reply: Reply, gone: asyncio.Event) -> None:
        await _have_fault(system, request, reply, gone)

    return {"status": status, "fault": fault}


async def _have_fault(
    system: System, request: Mapping[str, Any], reply: Reply, gone: asyncio.Event
) -> None:
    """Have a fault until the client goes; reply that it is on, and how often it was met."""
    try:
        name, options = request["name"], request["options"]
        if name in _AT_ONCE:
            await reply({"count": _AT_ONCE[name](system, **options)})
            return
        with _LASTING[name](system, **options) as fault:
            await reply({"on": True})
            await gone.wait()
        await reply({"hits": None if fault is None else fault.hits})
    except (EmulatorError, FaultError, HostError) as error:
        await reply({"error": str(error)})
    except (KeyError, TypeError):  # of another version
        await reply({"error": "this system does not know the fault: is it of another version?"})


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
