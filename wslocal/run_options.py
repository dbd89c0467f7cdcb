"""What a person chooses of how a project runs: which APIs, at which ports, and what becomes of the choice."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .lambda_host.runtimes import Runtimes
from .settings import FunctionVariables, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .deployment import DeployedApi

__all__ = ["ALL", "RunOptions", "chosen_apis", "following", "listening"]

ALL = "all"  # of the WebSocket APIs


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a person chooses of how a project runs.

    `apis` are names of WebSocket APIs, or ALL; they can be left open if there is one. `stage` can be if
    each has one. Port 0 is a free one; several APIs have ports that follow each other. `retry_scale`
    multiplies the waits between the attempts at an asynchronous invocation. With `endpoint_variable`,
    functions that have it find there where the one API takes posts, without TLS: AWS's names then do not
    lead here, and there is no wss. Without `prepare` a function starts, and fails, at its first event.
    """

    apis: tuple[str, ...] = ()
    stage: str | None = None
    port: int = 0
    tls_port: int = 0
    variables: FunctionVariables = field(default_factory=FunctionVariables)
    leave_out: frozenset[str] = frozenset()
    runtimes: Runtimes = field(default_factory=Runtimes)
    retry_scale: float = 1.0
    endpoint_variable: str | None = None
    prepare: bool = True


def chosen_apis(apis: Sequence[DeployedApi], options: RunOptions) -> list[tuple[DeployedApi, str]]:
    """Return the APIs that are to run, each with its stage; SettingError if that is left open."""
    names = ", ".join(api.name for api in apis)
    if not options.apis and len(apis) > 1:
        raise SettingError(
            f"the project has {len(apis)} WebSocket APIs: choose with --api one of {names}, or {ALL}"
        )
    for name in options.apis:
        if name not in (ALL, *(api.name for api in apis)):
            raise SettingError(f"there is no WebSocket API {name}: the project has {names}")
    wanted = [
        api for api in apis if not options.apis or ALL in options.apis or api.name in options.apis
    ]
    return [(api, _stage(api, options.stage)) for api in wanted]


def _stage(api: DeployedApi, wanted: str | None) -> str:
    stages = ", ".join(sorted(api.stages))
    if not api.stages:
        raise SettingError(
            f"{api.name} has no stage, and clients connect to one: add an AWS::ApiGatewayV2::Stage to the template"
        )
    if wanted is not None and wanted not in api.stages:
        raise SettingError(f"{api.name} has no stage {wanted}: it has {stages}")
    if wanted is None and len(api.stages) != 1:
        raise SettingError(
            f"{api.name} has {len(api.stages)} stages ({stages}): choose one with --stage"
        )
    return wanted or api.stages[0]


@contextlib.contextmanager
def listening(port: int, option: str = "--port") -> Iterator[socket.socket]:
    """Give a socket that listens on a port of this machine; SettingError, at once, if it is taken."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError as error:
            raise SettingError(
                f"port {port} cannot be had ({error.strerror}): choose another with {option}"
            ) from error
        yield listener


def following(port: int, number: int) -> int:
    """Return the port of one of several APIs: a free one, or one after the other."""
    return port + number if port else 0
