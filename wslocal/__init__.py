"""Runs the functions of an API Gateway WebSocket API on this machine, unchanged.

    with Emulator() as emulator:  # the AWS APIs; deploy to it as to AWS
        ...
        async with LocalApi(emulator.client, api_id, "dev") as api:
            print(api.url)

What stands here is what other code may use; the modules below are free to change.
"""

from .emulator import ACCOUNT, REGION, Emulator, EmulatorError
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

__all__ = [
    "ACCOUNT",
    "MAX_PAYLOAD_BYTES",
    "POST_ANSWERS",
    "REGION",
    "TABLE_ERRORS",
    "ApiError",
    "Connection",
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
    "LoopThread",
    "Post",
    "guarded_folder",
    "unpack_layer",
]
