"""One function with one environment, for those who are not asynchronous."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wslocal.loop import LoopThread

from .function import FunctionPool, FunctionSettings
from .interpreters import require_linux
from .results import HostError, InvocationResult, encode
from .variables import function_arn, lambda_variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["LambdaHost", "find_runtime_client"]

_PROBE = """
import importlib.util, os, sys
client = importlib.util.find_spec("awslambdaric")
print("%d.%d" % sys.version_info[:2], os.path.dirname(os.path.dirname(client.origin)))
"""


class LambdaHost:
    """A function with one execution environment; calls from several threads take turns.

    `layer` is an unpacked layer (with `python/` in it), where `/opt` would be. `environ` are the
    function's own variables. The environment starts with the first invocation.
    """

    def __init__(
        self,
        *,
        handler: str,
        task_root: Path,
        layer: Path | None = None,
        environ: Mapping[str, str] | None = None,
        python: str = sys.executable,
        name: str = "local-function",
        timeout_seconds: float = 3.0,
        memory_mb: int = 128,
        log_format: Literal["Text", "JSON"] = "Text",
        log_level: str | None = None,
    ) -> None:
        task_root = task_root.resolve(strict=True)
        version, runtime_dir = find_runtime_client(python, sys.platform)
        variables = lambda_variables(
            handler=handler,
            name=name,
            task_root=task_root,
            layer=None if layer is None else layer.resolve(strict=True),
            python=Path(python).absolute(),
            python_version=version,
            runtime_dir=runtime_dir,
            memory_mb=memory_mb,
            log_format=log_format,
            log_level=log_level,
        )
        settings = FunctionSettings(
            name=name,
            arn=function_arn(name),
            command=(python, "-m", "awslambdaric", handler),
            task_root=task_root,
            variables=variables | dict(environ or {}),
            timeout_seconds=timeout_seconds,
            memory_mb=memory_mb,
            log_format=log_format,
            log_level=log_level,
            system_log_level="INFO",
            log_group=variables["AWS_LAMBDA_LOG_GROUP_NAME"],
        )
        self._loop = LoopThread()
        self._loop.__enter__()
        self._function = FunctionPool(settings)
        self._closed = False

    def __enter__(self) -> LambdaHost:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the environment. A second call does nothing; an invocation after it is refused."""
        if not self._closed:
            self._closed = True
            self._loop.run(self._function.close())
            self._loop.close()

    def invoke(self, event: object) -> InvocationResult:
        """Have the function handle `event`; whatever the function does becomes the result.

        HostError for an event that Lambda would not take: not JSON, or above 6 MB.
        """
        body = encode(event)
        if self._closed:
            raise HostError("the host is closed")
        return self._loop.run(self._function.invoke(body))


@lru_cache
def find_runtime_client(python: str, platform: str) -> tuple[str, str]:
    """Return the version of `python` and the folder in which it has the runtime client."""
    require_linux(platform)
    try:
        probe = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise HostError(f"{python} does not run, or has no awslambdaric: {error}") from error
    version, runtime_dir = probe.stdout.strip().split(" ", 1)
    return version, runtime_dir
