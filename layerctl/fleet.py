"""Lambda functions: read them, give one other layers, wait until it has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from layerctl.archive import Archive
from layerctl.aws import code_of, download
from layerctl.errors import WrongInputError
from layerctl.ownership import STACK_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from layerctl.aws import Aws

__all__ = [
    "FunctionConfiguration",
    "functions_of_stage",
    "read_code",
    "read_function",
    "update_layers",
    "users",
]

# Often a second, at most minutes; GetFunction bears 100 calls a second.
_WAIT = {"Delay": 0.25, "MaxAttempts": 1200}


@dataclass(frozen=True, slots=True)
class FunctionConfiguration:
    """A function's `$LATEST`, as far as layers are concerned."""

    name: str
    runtime: str
    handler: str
    architecture: str
    package_type: str  # Zip or Image
    layers: tuple[str, ...]  # ARNs, in their order
    revision: str
    state: str
    update_status: str
    update_reason: str
    code_sha256: str
    owner: str  # the CloudFormation stack, or ''
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    code_location: str = field(default="", repr=False)

    @property
    def python(self) -> str:
        """Return 3.13 for `python3.13`, else ''."""
        return self.runtime.removeprefix("python") if self.runtime.startswith("python3.") else ""


def read_function(aws: Aws, name: str) -> FunctionConfiguration:
    """Return the function with its tags; WrongInputError if there is none of that name."""
    try:
        return _function(aws.functions.get_function(FunctionName=name))
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            raise WrongInputError(
                f"there is no function {name} here: check the name, --region and --profile"
            ) from error
        raise


def functions_of_stage(aws: Aws, prefix: str) -> list[FunctionConfiguration]:
    """Return all functions whose names begin so, by name; WrongInputError if there are none."""
    names = sorted(
        row["FunctionName"] for row in _list(aws) if row["FunctionName"].startswith(prefix)
    )
    if not names:
        raise WrongInputError(
            f"no function here is called {prefix}*: check --stage, --region and --profile"
        )
    return [read_function(aws, name) for name in names]


def users(aws: Aws, layer_arn: str) -> Mapping[str, list[str]]:
    """Return who uses each version of a layer, by the version's ARN; `name:3` is a version."""
    found: dict[str, list[str]] = {}
    for row in _list(aws, FunctionVersion="ALL"):
        latest = row.get("Version", "$LATEST") == "$LATEST"
        name = row["FunctionName"] if latest else f"{row['FunctionName']}:{row['Version']}"
        for layer in row.get("Layers", ()):
            if layer["Arn"].rpartition(":")[0] == layer_arn:
                found.setdefault(layer["Arn"], []).append(name)
    return found


def read_code(function: FunctionConfiguration) -> Archive:
    """Return the function's own package."""
    what = f"the package of {function.name}"
    return Archive(download(function.code_location, what), what)


def update_layers(aws: Aws, name: str, layers: Sequence[str], revision: str) -> None:
    """Give the function these layers, unless someone changed it since; wait until it has them."""
    aws.functions.update_function_configuration(
        FunctionName=name, Layers=list(layers), RevisionId=revision
    )
    aws.functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=_WAIT)


def _list(aws: Aws, **choice: str) -> Iterable[dict[str, Any]]:
    for page in aws.functions.get_paginator("list_functions").paginate(**choice):
        yield from page["Functions"]


def _function(row: dict[str, Any]) -> FunctionConfiguration:
    configuration = row["Configuration"]
    return FunctionConfiguration(
        name=configuration["FunctionName"],
        runtime=configuration.get("Runtime", ""),
        handler=configuration.get("Handler", ""),
        architecture=configuration.get("Architectures", ["x86_64"])[0],
        package_type=configuration.get("PackageType", "Zip"),
        layers=tuple(layer["Arn"] for layer in configuration.get("Layers", ())),
        revision=configuration.get("RevisionId", ""),
        state=configuration.get("State", "Active"),
        update_status=configuration.get("LastUpdateStatus", "Successful"),
        update_reason=configuration.get("LastUpdateStatusReason", ""),
        code_sha256=configuration.get("CodeSha256", ""),
        owner=row.get("Tags", {}).get(STACK_TAG, ""),
        variables=configuration.get("Environment", {}).get("Variables", {}),
        code_location=row.get("Code", {}).get("Location", ""),
    )
