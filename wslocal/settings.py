"""Variables of functions that a person sets for a run, beside those that the template has."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["FunctionVariables", "SettingError", "function_names", "read_variables"]

# What Lambda sets itself, and refuses in a function's configuration:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
_EVERY = "Parameters"  # SAM's name, in such a file, for what is of every function


class SettingError(ValueError):
    """A setting that cannot be: one sentence."""


@dataclass(frozen=True, slots=True)
class FunctionVariables:
    """`everywhere` is for each function, `by_function` (a logical id or a name) for one, and wins."""

    everywhere: Mapping[str, str] = field(default_factory=dict)
    by_function: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def check(self, names: Iterable[str]) -> None:
        """Raise SettingError for a function that is none of these."""
        known = sorted(set(names))
        for name in self.by_function:
            if name not in known:
                there = ", ".join(known) or "none"
                raise SettingError(f"--env names a function {name}: the project has {there}")

    def put_into(self, template: Mapping[str, Any]) -> None:
        """Add the variables to the functions of a CloudFormation template."""
        for logical_id, properties in _functions(template):
            own = self.by_function.get(str(properties.get("FunctionName")), {})
            own = {**self.everywhere, **own, **self.by_function.get(logical_id, {})}
            if own:
                variables = properties.setdefault("Environment", {}).setdefault("Variables", {})
                variables.update(own)


def function_names(template: Mapping[str, Any]) -> list[str]:
    """Return how a person may name the functions of a template: by logical id, or by a name it has."""
    names = []
    for logical_id, properties in _functions(template):
        names.append(logical_id)
        if isinstance(properties.get("FunctionName"), str):
            names.append(properties["FunctionName"])
    return names


def _functions(template: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for logical_id, resource in template.get("Resources", {}).items():
        if resource["Type"] == "AWS::Lambda::Function":
            yield logical_id, resource.setdefault("Properties", {})


def read_variables(given: Iterable[str], file: Path | None = None) -> FunctionVariables:
    """Return what `NAME=VALUE`, `FUNCTION:NAME=VALUE` and a file of SAM's `--env-vars` say; the file gives way.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-invoke.html
    """
    by_function = _read_file(file) if file is not None else {}
    everywhere = by_function.pop(_EVERY, {})
    for text in given:
        left, is_pair, value = text.partition("=")
        function, _, name = left.rpartition(":")
        if not is_pair or not name.isidentifier():
            raise SettingError(  # without the value, which may be a secret
                f"--env must be NAME=VALUE or FUNCTION:NAME=VALUE, got {left[:40]!r}"
            )
        if name in _RESERVED:
            raise SettingError(f"--env cannot set {name}: Lambda sets it itself")
        (by_function.setdefault(function, {}) if function else everywhere)[name] = value
    return FunctionVariables(everywhere, by_function)


def _read_file(file: Path) -> dict[str, dict[str, str]]:
    wanted = 'an object such as {"MyFunction": {"NAME": "value"}}'
    try:
        document = json.loads(file.read_text())
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingError(f"{file} is no JSON: it must hold {wanted}") from error
    groups = document.values() if isinstance(document, dict) else [None]
    if not all(isinstance(group, dict) for group in groups):
        raise SettingError(f"{file} must hold {wanted}")
    return {
        function: {name: _text(value) for name, value in group.items()}
        for function, group in document.items()
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
