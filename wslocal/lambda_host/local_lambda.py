"""Lambda on this machine: the deployed functions, what they write, and their way to DynamoDB.

One serves all of a project's gateways, event sources and functions that call functions.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from wslocal.failures import FailureLog
from wslocal.faults import Faults
from wslocal.opened import OpenedParts
from wslocal.permissions import Permissions
from wslocal.relay import Relay
from wslocal.tasks import Tasks

from .deployed import DeployedFunctions
from .results import HostError
from .shipping import Shipper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wslocal.credentials import Issued

    from .function import FunctionState
    from .lines import LogLine
    from .results import InvocationContext, InvocationResult
    from .runtimes import Runtimes

__all__ = ["LocalLambda", "call_each"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


class LocalLambda(OpenedParts):
    """Runs deployed functions in an `async with` block.

    `client` gives boto3 clients by service. `overrides` replace variables that a function has, and may
    be added to until the first event. `endpoints` are variables for all functions; see
    `DeployedFunctions`. `runtimes` finds the interpreter of each function. Who has the credentials
    `root` may call functions and connections, too, as the account's root may on AWS.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        *,
        overrides: Mapping[str, str] | None = None,
        endpoints: Mapping[str, str] | None = None,
        max_environments: int = 4,
        clock: Callable[[], float] = time.time,
        runtimes: Runtimes | None = None,
        root: Issued | None = None,
    ) -> None:
        self.client = client
        self._root = root
        self._runtimes = runtimes
        self.clock = clock
        self.overrides = dict(overrides or {})
        self.endpoints = dict(endpoints or {})
        self.faults = Faults()
        self._max_environments = max_environments
        self._subscribers: set[Callable[[LogLine], None]] = set()
        self._failures = FailureLog(_log, (HostError, OSError, BotoCoreError, ClientError))

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="functions-"))
            self.endpoints |= await self._relay(stack)
            self.functions = DeployedFunctions(
                self.client,
                Path(folder),
                overrides=self.overrides,
                endpoints=self.endpoints,
                faults=self.faults,
                max_environments=self._max_environments,
                on_line=self._on_line,
                clock=self.clock,
                runtimes=self._runtimes,
            )
            self.permissions = Permissions(self.client("iam"), self.clock)
            stack.callback(self.permissions.close)
            self._shipper = Shipper(self.client)
            stack.callback(self._failures.flush)
            stack.push_async_callback(self._shipper.close)
            tasks = Tasks(self._failures)
            stack.push_async_callback(tasks.end)
            stack.push_async_callback(self.functions.close)
            tasks.spawn(self._shipper.run(), "shipping lines to CloudWatch")
            self._stack = stack.pop_all()
        return self

    async def invoke(
        self,
        function: str,
        event: object,
        *,
        source_arn: str | None = None,
        context: InvocationContext | None = None,
    ) -> InvocationResult:
        """Have a function, by name or ARN, handle `event`; see `DeployedFunctions.invoke`."""
        return await self.functions.invoke(function, event, source_arn=source_arn, context=context)

    async def prepare(self, function: str) -> None:
        """Start an environment of a function; see `DeployedFunctions.prepare`."""
        await self.functions.prepare(function)

    async def find(self, function: str) -> None:
        """Fetch a function, and find what runs it; see `DeployedFunctions.find`."""
        await self.functions.find(function)

    async def reload(self, *, if_they_start: bool = False) -> list[str]:
        """Take over what was deployed since; see `DeployedFunctions.reload`. Return the functions that changed."""
        self.permissions.forget()
        return await self.functions.reload(if_it_starts=if_they_start)

    def issued(self, access_key: str) -> Issued | None:
        """Return the credentials with that key, if root has them, or a function has or had."""
        if self._root is not None and self._root.access_key == access_key:
            return self._root
        return self.functions.issued(access_key)

    def kill_environments(self, function: str, count: int | None = None) -> int:
        """Kill the processes of a function's environments, at most `count`; return how many there were.

        HostError for a function, by name or ARN, that was not invoked yet.
        """
        return self.functions.kill(function, count)

    def states(self) -> list[FunctionState]:
        """What each function has running and has done."""
        return self.functions.states()

    def subscribe(self, callback: Callable[[LogLine], None]) -> Callable[[], None]:
        """Call `callback` with each line of a function, on the loop; return what ends that."""
        self._subscribers.add(callback)
        return lambda: self._subscribers.discard(callback)

    async def flush(self) -> None:
        """Have all lines so far in CloudWatch, as logs and as metrics."""
        await self._shipper.flush()

    def problems(self) -> dict[str, int]:
        """Return what CloudWatch did not take, and how often."""
        return dict(self._shipper.problems)

    async def _relay(self, stack: contextlib.AsyncExitStack) -> dict[str, str]:
        """Stand in front of DynamoDB, and return the variable that leads functions to us.

        Not where there is TLS: that is no emulator, and has no faults on purpose.
        """
        endpoint = self.client("dynamodb").meta.endpoint_url
        if not endpoint.startswith("http://"):
            return {}
        relay = Relay(endpoint, self.faults.of_call)
        await relay.start()
        stack.push_async_callback(relay.close)
        self.faults.has_relay = True
        return {"AWS_ENDPOINT_URL_DYNAMODB": relay.endpoint}

    def _on_line(self, line: LogLine) -> None:
        self._shipper.take(line)
        call_each(self._subscribers, line)


def call_each(subscribers: set[Callable[[T], None]], item: T) -> None:
    """Call all subscribers; one that fails is dropped, and nothing else suffers from it."""
    for callback in list(subscribers):
        try:
            callback(item)
        except Exception:  # who only looks on must not stop a function
            subscribers.discard(callback)
            _log.exception("a subscriber failed, and gets no more")
