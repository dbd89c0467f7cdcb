"""The SSM parameters under which others find the layer: their names, reading and writing them.

`PREFIX/arn` and `PREFIX/version` say which version functions should use, as the CDK construct
writes them too; `PREFIX/latest` is the ARN of the newest one that was published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerctl.errors import AwsError
from layerctl.versions import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerctl.aws import Aws

__all__ = ["Parameter", "in_use", "latest", "read", "write"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter and the value that it should have."""

    name: str
    value: str


def in_use(prefix: str, arn: str) -> list[Parameter]:
    """Return the parameters that say which version functions should use."""
    return [
        Parameter(f"{prefix}/arn", arn),
        Parameter(f"{prefix}/version", str(number_of(arn))),
    ]


def latest(prefix: str, arn: str) -> Parameter:
    """Return the parameter that names the newest published version."""
    return Parameter(f"{prefix}/latest", arn)


def read(aws: Aws, prefix: str) -> Mapping[str, str]:
    """Return the values that there are, by the parameter's full name."""
    names = [f"{prefix}/{name}" for name in ("arn", "version", "latest")]
    rows = aws.parameters.get_parameters(Names=names)["Parameters"]
    return {row["Name"]: row["Value"] for row in rows}


def write(aws: Aws, parameter: Parameter) -> None:
    """Set a parameter and read it back."""
    aws.parameters.put_parameter(
        Name=parameter.name, Value=parameter.value, Type="String", Overwrite=True
    )
    found = aws.parameters.get_parameter(Name=parameter.name)["Parameter"]["Value"]
    if found != parameter.value:
        raise AwsError(
            f"{parameter.name} is {found}, not {parameter.value}: someone else writes it too"
        )
