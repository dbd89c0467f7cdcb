"""The host: keeps one environment warm, replaces it when it breaks, tells what happened.

Messages and error types are Lambda's own, as its users meet them.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .environment import Environment
from .runtime_api import (
    MAX_PAYLOAD_BYTES,
    Answered,
    Exited,
    InitFailed,
    Ready,
    TimedOut,
    Work,
)
from .variables import function_arn, lambda_variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from .runtime_api import Message

__all__ = ["MAX_PAYLOAD_BYTES", "FunctionError", "HostError", "InvocationResult", "LambdaHost"]

# An init phase that takes longer is ended:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_TIMEOUT_SECONDS = 10.0

_PROBE = """
import importlib.util, os, sys
client = importlib.util.find_spec("awslambdaric")
print("%d.%d" % sys.version_info[:2], os.path.dirname(os.path.dirname(client.origin)))
"""


class HostError(Exception):
    """The host was asked for something that it cannot do."""


@dataclass(frozen=True, slots=True)
class FunctionError:
    """What a caller of a function that failed gets to see."""

    type: str
    message: str
    stack_trace: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """What came of one invocation.

    `stdout` and `stderr` are the lines written since the previous result, so a cold start's
    first result has those of the import. `init_ms` is None in a warm environment.
    """

    request_id: str
    body: bytes | None
    error: FunctionError | None
    stdout: list[str]
    stderr: list[str]
    duration_ms: float
    init_ms: float | None

    @property
    def payload(self) -> Any:
        """The answer, decoded; None when there is none."""
        return None if self.body is None else json.loads(self.body)


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
        self._timeout_seconds = timeout_seconds
        self._task_root = task_root.resolve(strict=True)
        self._arn = function_arn(name)
        self._command = [python, "-m", "awslambdaric", handler]
        version, runtime_dir = _find_runtime_client(python, sys.platform)
        self._variables = lambda_variables(
            handler=handler,
            name=name,
            task_root=self._task_root,
            layer=None if layer is None else layer.resolve(strict=True),
            python=Path(python).absolute(),
            python_version=version,
            runtime_dir=runtime_dir,
            memory_mb=memory_mb,
            log_format=log_format,
            log_level=log_level,
            own=environ or {},
        )
        self._lock = threading.Lock()
        self._environment: Environment | None = None
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
        with self._lock:
            self._closed = True
            self._drop_environment()

    def invoke(self, event: object) -> InvocationResult:
        """Have the function handle `event`; whatever the function does becomes the result.

        HostError for an event that Lambda would not take: not JSON, or above 6 MB.
        """
        body = _encode(event)
        with self._lock:
            if self._closed:
                raise HostError("the host is closed")
            try:
                return self._invoke(body)
            except BaseException:  # Ctrl-C included: what runs on would answer the next call
                self._drop_environment()
                raise

    def _invoke(self, body: bytes) -> InvocationResult:
        environment, init_ms, outcome = self._ready_environment()
        request_id = str(uuid.uuid4())
        started = time.perf_counter()
        if isinstance(outcome, Ready):
            environment.offer(self._work(request_id, body))
            outcome = environment.next_message(self._timeout_seconds)
        duration_ms = _milliseconds_since(started)
        if not isinstance(outcome, Answered):
            environment.end()
        result = InvocationResult(
            request_id=request_id,
            body=outcome.body if isinstance(outcome, Answered) and not outcome.failed else None,
            error=_error_of(outcome, request_id),
            stdout=environment.stdout.take(),
            stderr=environment.stderr.take(),
            duration_ms=duration_ms,
            init_ms=init_ms,
        )
        if not isinstance(outcome, Answered):
            self._drop_environment()
        return result

    def _ready_environment(self) -> tuple[Environment, float | None, Message]:
        """Return the warm environment, else a new one and how long it took to start."""
        if self._environment is not None:
            outcome = self._environment.next_message(self._timeout_seconds)
            if isinstance(outcome, Ready) and self._environment.is_alive:
                return self._environment, None, outcome
            self._drop_environment()  # it ended between two invocations
        started = time.perf_counter()
        self._environment = Environment(self._command, self._task_root, self._variables)
        outcome = self._environment.next_message(INIT_TIMEOUT_SECONDS)
        return self._environment, _milliseconds_since(started), outcome

    def _work(self, request_id: str, body: bytes) -> Work:
        return Work(
            request_id=request_id,
            body=body,
            deadline_ms=int((time.time() + self._timeout_seconds) * 1000),
            function_arn=self._arn,
            trace_id=f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        )

    def _drop_environment(self) -> None:
        environment, self._environment = self._environment, None
        if environment is not None:
            environment.close()


def _find_runtime_client(python: str, platform: str) -> tuple[str, str]:
    """Return the version of `python` and the folder in which it has the runtime client."""
    if platform != "linux":
        raise HostError(
            "the official runtime client, awslambdaric, has wheels for Linux only: "
            "run this on Linux or in a Linux container"
        )
    try:
        probe = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise HostError(f"{python} does not run, or has no awslambdaric: {error}") from error
    version, runtime_dir = probe.stdout.strip().split(" ", 1)
    return version, runtime_dir


def _encode(event: object) -> bytes:
    try:
        body = json.dumps(event, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise HostError(f"an event must be JSON: {error}") from error
    if len(body) > MAX_PAYLOAD_BYTES:
        raise HostError(f"an event has at most {MAX_PAYLOAD_BYTES} bytes, got {len(body)}")
    return body


def _error_of(outcome: Message, request_id: str) -> FunctionError | None:
    match outcome:
        case Answered(_, failed=False):
            return None
        case Answered(body) | InitFailed(body):
            told = json.loads(body)
            return FunctionError(
                told["errorType"], told["errorMessage"], told.get("stackTrace", [])
            )
        case TimedOut(seconds):
            reason = f"Task timed out after {seconds:.2f} seconds"
            return FunctionError("Sandbox.Timedout", f"RequestId: {request_id} Error: {reason}")
        case Exited(status):
            reason = _exit_reason(status)
            return FunctionError("Runtime.ExitError", f"RequestId: {request_id} Error: {reason}")
        case Ready():
            raise HostError("the runtime client asked for more work without an answer")


def _exit_reason(status: int) -> str:
    if status == 0:
        return "Runtime exited without providing a reason"
    what = f"exit status {status}" if status > 0 else f"signal: {_signal_name(-status)}"
    return f"Runtime exited with error: {what}"


def _signal_name(number: int) -> str:
    return (signal.strsignal(number) or str(number)).lower()


def _milliseconds_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
