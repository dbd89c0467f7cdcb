"""Runs a handler as Lambda does: the official runtime client over a Runtime API of ours.

    with LambdaHost(handler="handlers.audio.handler", task_root=folder, layer=unpacked) as host:
        result = host.invoke({"hello": "world"})

Whatever a function does (raises, hangs, dies, prints without end), `invoke` returns a result, and
the next call finds a usable environment.
"""

from .host import LambdaHost
from .layer import unpack_layer
from .results import FunctionError, HostError, InvocationResult
from .runtime_api import MAX_PAYLOAD_BYTES

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "FunctionError",
    "HostError",
    "InvocationResult",
    "LambdaHost",
    "unpack_layer",
]
