"""Runs anybody's API Gateway WebSocket API on this machine, unchanged: a whole project, or parts of AWS::

    with wslocal.run("template.yaml") as api, api.connect() as ann:
        ...

    with Emulator() as emulator:  # deploy to it as to AWS
        async with LocalApi(emulator.client, api_id, "dev") as api:
            print(api.url)

What stands here is what other code may use; the modules below are free to change. Each is imported when one
of its names is used: the command's help and pytest's plugin need none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import ClosedError, HandshakeRefusedError, WebSocketClient
    from .control import Command, Reply, answering
    from .deploy import Deployer, DeployError
    from .emulator import ACCOUNT, REGION, Emulator, EmulatorError
    from .events import (
        DeployedSchedule,
        scheduled_event,
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
    from .processes import guarded_folder, guarded_temporary_files
    from .reloading import reload_now_and_then
    from .run_options import RunOptions
    from .running import RUN_ERRORS, RunningProject
    from .settings import FunctionVariables
    from .signals import restored, run_cancelled_by_signals
    from .sources import Project, ProjectOptions, Stack, Template, fit, read_project, with_code
    from .state import RunFolder, RunNotFoundError
    from .streams import keep_streams
    from .tasks import end_task
    from .testing import LocalProject, run
    from .words import PORT, Number, OneSentenceGroup, printable, shown

__all__ = [
    "ACCOUNT",
    "MAX_PAYLOAD_BYTES",
    "PORT",
    "POST_ANSWERS",
    "REGION",
    "RUN_ERRORS",
    "TABLE_ERRORS",
    "ApiError",
    "ClosedError",
    "Command",
    "Connection",
    "DeployError",
    "DeployedSchedule",
    "Deployer",
    "Emulator",
    "EmulatorError",
    "Fault",
    "FaultError",
    "Faults",
    "FunctionError",
    "FunctionVariables",
    "GatewayLimits",
    "HandshakeRefusedError",
    "HostError",
    "InvocationResult",
    "LambdaHost",
    "LocalApi",
    "LocalProject",
    "LoopThread",
    "Number",
    "OneSentenceGroup",
    "Post",
    "Project",
    "ProjectOptions",
    "Reply",
    "RunFolder",
    "RunNotFoundError",
    "RunOptions",
    "RunningProject",
    "Stack",
    "Template",
    "WebSocketClient",
    "answering",
    "end_task",
    "fit",
    "guarded_folder",
    "guarded_temporary_files",
    "keep_streams",
    "printable",
    "read_project",
    "reload_now_and_then",
    "restored",
    "run",
    "run_cancelled_by_signals",
    "scheduled_event",
    "shown",
    "unpack_layer",
    "with_code",
]

_NAMES = {
    "client": ("WebSocketClient", "ClosedError", "HandshakeRefusedError"),
    "control": ("Command", "Reply", "answering"),
    "deploy": ("DeployError", "Deployer"),
    "emulator": ("ACCOUNT", "REGION", "Emulator", "EmulatorError"),
    "events": ("DeployedSchedule", "scheduled_event"),
    "fault_kinds": ("POST_ANSWERS", "TABLE_ERRORS", "Fault", "FaultError"),
    "faults": ("Faults",),
    "gateway": ("ApiError", "Connection", "GatewayLimits", "LocalApi", "Post"),
    "lambda_host": (
        *("MAX_PAYLOAD_BYTES", "FunctionError", "HostError", "InvocationResult"),
        *("LambdaHost", "unpack_layer"),
    ),
    "loop": ("LoopThread",),
    "processes": ("guarded_folder", "guarded_temporary_files"),
    "reloading": ("reload_now_and_then",),
    "run_options": ("RunOptions",),
    "running": ("RUN_ERRORS", "RunningProject"),
    "settings": ("FunctionVariables",),
    "signals": ("restored", "run_cancelled_by_signals"),
    "sources": (
        "Project",
        "ProjectOptions",
        "Stack",
        "Template",
        "fit",
        "read_project",
        "with_code",
    ),
    "state": ("RunFolder", "RunNotFoundError"),
    "streams": ("keep_streams",),
    "tasks": ("end_task",),
    "testing": ("LocalProject", "run"),
    "words": ("PORT", "Number", "OneSentenceGroup", "printable", "shown"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Return one of the names above, once its module is imported."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
