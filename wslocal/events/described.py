"""What is deployed of a function that matters to those who invoke it: its ARN, role and destinations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from wslocal.lambda_host.results import FunctionNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Described", "Descriptions"]

# What holds for a function without a configuration of its own:
# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
_MAX_RETRIES = 2
_MAX_AGE_SECONDS = 6 * 3600


@dataclass(frozen=True, slots=True)
class Described:
    """A function, version or alias, which `name` has behind a colon."""

    name: str
    arn: str
    version: str
    role_arn: str
    dead_letter_arn: str = ""
    on_success_arn: str = ""
    on_failure_arn: str = ""
    max_retries: int = _MAX_RETRIES
    max_age_seconds: float = _MAX_AGE_SECONDS
    stops_loops: bool = True

    @property
    def qualified_arn(self) -> str:
        """The ARN with the alias or version, which may be `$LATEST`."""
        return self.arn if ":" in self.name else f"{self.arn}:{self.version}"


class Descriptions:
    """Asks Lambda's API once for each function, until `forget`."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._known: dict[str, Described] = {}

    @cached_property
    def _lambda(self) -> Any:
        return self._client("lambda")

    def forget(self) -> None:
        """Ask again: functions may have changed."""
        self._known.clear()

    async def get(self, name: str) -> Described:
        """Return what is known of `name` or `name:qualifier`; FunctionNotFoundError if it is not there."""
        if name not in self._known:
            self._known[name] = await asyncio.to_thread(self.ask, name)
        return self._known[name]

    def ask(self, name: str) -> Described:
        """Ask now, in the caller's thread."""
        plain, _, qualifier = name.partition(":")
        asked = {"FunctionName": plain} | ({"Qualifier": qualifier} if qualifier else {})
        try:
            found = self._lambda.get_function_configuration(**asked)
        except self._lambda.exceptions.ResourceNotFoundException as error:
            raise FunctionNotFoundError(f"there is no function {name}") from error
        invoked = self._event_invoke_config(asked)
        dead_letters = found.get("DeadLetterConfig") or (
            # A template's version is published before what the emulator forgets of it is made.
            self._lambda.get_function_configuration(FunctionName=plain).get("DeadLetterConfig", {})
            if qualifier
            else {}
        )
        looping = self._lambda.get_function_recursion_config(FunctionName=plain)
        destinations = invoked.get("DestinationConfig", {})
        return Described(
            name=name.removesuffix(":$LATEST"),
            arn=found["FunctionArn"].removesuffix(":$LATEST"),
            version=found.get("Version", "$LATEST"),
            role_arn=found["Role"],
            dead_letter_arn=dead_letters.get("TargetArn", ""),
            on_success_arn=destinations.get("OnSuccess", {}).get("Destination", ""),
            on_failure_arn=destinations.get("OnFailure", {}).get("Destination", ""),
            max_retries=invoked.get("MaximumRetryAttempts", _MAX_RETRIES),
            max_age_seconds=invoked.get("MaximumEventAgeInSeconds", _MAX_AGE_SECONDS),
            stops_loops=looping.get("RecursiveLoop") != "Allow",
        )

    def _event_invoke_config(self, asked: dict[str, str]) -> dict[str, Any]:
        """Return what holds for asynchronous invocations; for a plain name, also what `$LATEST` has.

        SAM writes that one, and to the emulator they are two.
        """
        if "Qualifier" not in asked:
            return self._configured(asked) or self._configured({**asked, "Qualifier": "$LATEST"})
        return self._configured(asked)

    def _configured(self, asked: dict[str, str]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._lambda.get_function_event_invoke_config(**asked)
        except self._lambda.exceptions.ResourceNotFoundException:
            return {}
        return found
