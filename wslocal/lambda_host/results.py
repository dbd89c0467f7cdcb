"""What came of an invocation, in Lambda's own words and error types."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .runtime_api import MAX_PAYLOAD_BYTES, Answered, Exited, InitFailed, Ready, TimedOut

if TYPE_CHECKING:
    from .runtime_api import Message

__all__ = [
    "FunctionError",
    "FunctionNotFoundError",
    "HostError",
    "InvocationContext",
    "InvocationResult",
    "ThrottledError",
    "encode",
    "error_of",
]


class HostError(Exception):
    """The host was asked for something that it cannot do."""


class FunctionNotFoundError(HostError):
    """There is no such function: Lambda's ResourceNotFoundException."""


class ThrottledError(HostError):
    """More invocations of a function wait than may: Lambda's TooManyRequestsException."""


@dataclass(frozen=True, slots=True)
class FunctionError:
    """What a caller of a function that failed gets to see."""

    type: str
    message: str
    stack_trace: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class InvocationContext:
    """What a caller has determined of an invocation's context; what is empty is made anew.

    `client_context` is JSON: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """

    request_id: str = ""
    trace_id: str = ""
    client_context: str = ""


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """What came of one invocation.

    `stdout` and `stderr` are the lines written since the previous result, so a cold start's
    first result has those of the import. `init_ms` is None in a warm environment, `max_memory_mb`
    where memory is not looked at. `error_body` is the error as the runtime reported it, if it did.
    """

    request_id: str
    body: bytes | None
    error: FunctionError | None
    stdout: list[str]
    stderr: list[str]
    duration_ms: float
    init_ms: float | None
    error_body: bytes | None = None
    max_memory_mb: int | None = None

    @property
    def payload(self) -> Any:
        """The answer, decoded; None when there is none."""
        return None if self.body is None else json.loads(self.body)


def encode(event: object) -> bytes:
    """Return `event` as it is handed to a function; HostError for what Lambda would not take."""
    try:
        body = json.dumps(event, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise HostError(f"an event must be JSON: {error}") from error
    if len(body) > MAX_PAYLOAD_BYTES:
        raise HostError(f"an event has at most {MAX_PAYLOAD_BYTES} bytes, got {len(body)}")
    return body


def error_of(outcome: Message, request_id: str) -> FunctionError | None:
    """Return the error that a caller is told of; None for an answer."""
    match outcome:
        case Answered(_, failed=False):
            return None
        case Answered(body) | InitFailed(body):
            return _function_error(body)
        case TimedOut(seconds):
            reason = f"Task timed out after {seconds:.2f} seconds"
            return FunctionError("Sandbox.Timedout", f"RequestId: {request_id} Error: {reason}")
        case Exited(status):
            reason = _exit_reason(status)
            return FunctionError("Runtime.ExitError", f"RequestId: {request_id} Error: {reason}")
        case Ready():
            raise HostError("the runtime client asked for more work without an answer")


def _function_error(body: bytes) -> FunctionError:
    try:
        document = json.loads(body)
        trace = document.get("stackTrace") or document.get("trace") or []  # of Python, of Node
        return FunctionError(document["errorType"], document["errorMessage"], trace)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError(f"the runtime reported an error that is none: {error!r}") from error


def _exit_reason(status: int) -> str:
    if status == 0:
        return "Runtime exited without providing a reason"
    what = f"exit status {status}" if status > 0 else f"signal: {_signal_name(-status)}"
    return f"Runtime exited with error: {what}"


def _signal_name(number: int) -> str:
    return (signal.strsignal(number) or str(number)).lower()
