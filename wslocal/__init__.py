"""Runs anybody's API Gateway WebSocket API on this machine, unchanged.

    with wslocal.run("template.yaml") as api, api.connect() as ann:  # a whole project
        ...

    with Emulator() as emulator:  # or its parts: the AWS APIs; deploy to them as to AWS
        async with LocalApi(emulator.client, api_id, "dev") as api:
            print(api.url)

What stands here is what other code may use; the modules below are free to change. Each is imported when one
of its names is used: the command's help and pytest's plugin need none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Client, ClosedError, RefusedError
    from .emulator import ACCOUNT, REGION, Emulator, EmulatorError
    from .events import (
        DeployedSchedule,
        ScheduleError,
        read_schedules,
        run_schedules,
        scheduled_event,
        seconds_between,
    )
    from .fault_kinds import POST_ANSWERS, TABLE_ERRORS, Fault, FaultError
    from .faults import Faults
    from .gateway import ApiError, Connection, GatewayLimits, LocalApi, Post
    from .lambda_host import (
        MAX_PAYLOAD_BYTES,
        FunctionError,
        HostError,
        InvocationResult,
        LambdaHost,
        unpack_layer,
    )
    from .loop import LoopThread
    from .processes import guarded_folder
    from .testing import LocalProject, run

__all__ = [
    "ACCOUNT",
    "MAX_PAYLOAD_BYTES",
    "POST_ANSWERS",
    "REGION",
    "TABLE_ERRORS",
    "ApiError",
    "Client",
    "ClosedError",
    "Connection",
    "DeployedSchedule",
    "Emulator",
    "EmulatorError",
    "Fault",
    "FaultError",
    "Faults",
    "FunctionError",
    "GatewayLimits",
    "HostError",
    "InvocationResult",
    "LambdaHost",
    "LocalApi",
    "LocalProject",
    "LoopThread",
    "Post",
    "RefusedError",
    "ScheduleError",
    "guarded_folder",
    "read_schedules",
    "run",
    "run_schedules",
    "scheduled_event",
    "seconds_between",
    "unpack_layer",
]

_NAMES = {
    "client": ("Client", "ClosedError", "RefusedError"),
    "emulator": ("ACCOUNT", "REGION", "Emulator", "EmulatorError"),
    "events": (
        *("DeployedSchedule", "ScheduleError", "read_schedules", "run_schedules"),
        *("scheduled_event", "seconds_between"),
    ),
    "fault_kinds": ("POST_ANSWERS", "TABLE_ERRORS", "Fault", "FaultError"),
    "faults": ("Faults",),
    "gateway": ("ApiError", "Connection", "GatewayLimits", "LocalApi", "Post"),
    "lambda_host": (
        *("MAX_PAYLOAD_BYTES", "FunctionError", "HostError", "InvocationResult"),
        *("LambdaHost", "unpack_layer"),
    ),
    "loop": ("LoopThread",),
    "processes": ("guarded_folder",),
    "testing": ("LocalProject", "run"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Return one of the names above, once its module is imported."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
