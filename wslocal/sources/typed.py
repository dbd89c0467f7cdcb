"""Values that are numbers, or true and false: read as CloudFormation reads them, and checked as AWS checks them.

A parameter's value is a text, and so are quoted ones: CloudFormation makes of it what the property wants, the
emulator leaves it as it is, and code that gets `"false"` takes it for true.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .project import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .resources import Resources

__all__ = ["settle_types"]

Bounds = tuple[float, float]
_FLAG = None  # true or false
_ROUTE_SETTINGS: dict[str, Bounds | None] = {
    "DataTraceEnabled": _FLAG,
    "DetailedMetricsEnabled": _FLAG,
    "ThrottlingBurstLimit": (0, math.inf),
    "ThrottlingRateLimit": (0, math.inf),
}
# By type and path, where `*` is any name: the least and the most, or a flag.
_TYPES: dict[str, dict[str, Bounds | None]] = {
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
    "AWS::Lambda::Function": {
        "EphemeralStorage.Size": (512, 10_240),
        "MemorySize": (128, 10_240),
        "ReservedConcurrentExecutions": (0, math.inf),
        "Timeout": (1, 900),
    },
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
    "AWS::Lambda::EventSourceMapping": {
        "BatchSize": (1, 10_000),
        "BisectBatchOnFunctionError": _FLAG,
        "Enabled": _FLAG,
        "MaximumBatchingWindowInSeconds": (0, 300),
        "MaximumRecordAgeInSeconds": (-1, 604_800),
        "MaximumRetryAttempts": (-1, 10_000),
        "ParallelizationFactor": (1, 10),
        "ScalingConfig.MaximumConcurrency": (2, 1_000),
        "TumblingWindowInSeconds": (0, 900),
    },
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html
    "AWS::Lambda::EventInvokeConfig": {
        "MaximumEventAgeInSeconds": (60, 21_600),
        "MaximumRetryAttempts": (0, 2),
    },
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGatewayV2.html
    "AWS::ApiGatewayV2::Api": {
        "DisableExecuteApiEndpoint": _FLAG,
        "DisableSchemaValidation": _FLAG,
    },
    "AWS::ApiGatewayV2::Integration": {"TimeoutInMillis": (50, 30_000)},
    "AWS::ApiGatewayV2::Route": {"ApiKeyRequired": _FLAG},
    "AWS::ApiGatewayV2::Stage": {
        "AutoDeploy": _FLAG,
        **{f"DefaultRouteSettings.{key}": kind for key, kind in _ROUTE_SETTINGS.items()},
        **{f"RouteSettings.*.{key}": kind for key, kind in _ROUTE_SETTINGS.items()},
    },
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGateway.html
    "AWS::ApiGateway::ApiKey": {"Enabled": _FLAG},
    "AWS::ApiGateway::UsagePlan": {
        "Quota.Limit": (0, math.inf),
        "Throttle.BurstLimit": (0, math.inf),
        "Throttle.RateLimit": (0, math.inf),
    },
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    "AWS::DynamoDB::Table": {
        "StreamSpecification.StreamEnabled": _FLAG,
        "TimeToLiveSpecification.Enabled": _FLAG,
    },
    "AWS::DynamoDB::GlobalTable": {"TimeToLiveSpecification.Enabled": _FLAG},
}
_RATE_KEYS = frozenset({"ThrottlingRateLimit", "RateLimit"})  # all other numbers are whole


def settle_types(name: str, resource: dict[str, Any], resources: Resources) -> None:
    """Put numbers and flags in place of texts that say them; ProjectError for what AWS would refuse.

    What only a deployed resource knows is left as it is.
    """
    for path, kind in _TYPES.get(resource["Type"], {}).items():
        for holder, key in _places(resource.get("Properties", {}), path.split("."), resources):
            value = resources.values.value(holder[key])
            if isinstance(value, bool | int | float | str):
                holder[key] = _settled(value, kind, f"{path.replace('.*', '')} of {name}", key)
            elif isinstance(value, dict | list):
                raise ProjectError(f"{path} of {name} is no single value: {_wanted(kind)}")


def _places(place: Any, path: list[str], resources: Resources) -> Iterator[tuple[Any, str]]:
    """Yield what holds the value at a path, and its key there."""
    place = resources.chosen(place)
    if isinstance(place, dict):
        key, *rest = path
        for one in [*place] if key == "*" else [key] if key in place else []:
            if rest:
                yield from _places(place[one], rest, resources)
            else:
                yield place, one


def _settled(value: bool | float | str, kind: Bounds | None, what: str, key: str) -> Any:
    text = str(value)
    if kind is None and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if kind is not None and (number := _number(text)) is not None:
        least, most = kind
        is_whole = number.is_integer()
        if least <= number <= most and (is_whole or key in _RATE_KEYS):
            return int(number) if is_whole else number
    raise ProjectError(f"{what} is {text[:40]!r}: {_wanted(kind)}")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _wanted(kind: Bounds | None) -> str:
    if kind is None:
        return "AWS takes true or false"
    least, most = kind
    if most == math.inf:
        return f"AWS takes a number of {least:,} or more"
    return f"AWS takes a number from {least:,} to {most:,}"
