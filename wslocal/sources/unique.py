"""Names that only one resource can have: AWS refuses the second, the emulator puts it in place of the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .project import ProjectError
from .references import target_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .resources import Resources

__all__ = ["check_unique"]

# By type: what the name is within, and the name.
_NAMES: dict[str, tuple[str, ...]] = {
    "AWS::ApiGatewayV2::ApiMapping": ("DomainName", "ApiMappingKey"),
    "AWS::ApiGatewayV2::DomainName": ("DomainName",),
    "AWS::ApiGatewayV2::Route": ("ApiId", "RouteKey"),
    "AWS::ApiGatewayV2::Stage": ("ApiId", "StageName"),
    "AWS::DynamoDB::GlobalTable": ("TableName",),
    "AWS::DynamoDB::Table": ("TableName",),
    "AWS::Events::Rule": ("EventBusName", "Name"),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::Lambda::Alias": ("FunctionName", "Name"),
    "AWS::Lambda::EventInvokeConfig": ("FunctionName", "Qualifier"),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::SSM::Parameter": ("Name",),
    "AWS::SecretsManager::Secret": ("Name",),
}
_TABLES = "AWS::DynamoDB::"  # of either type they have the same names


def check_unique(stacks: Iterable[Resources]) -> None:
    """Raise ProjectError for the first two resources of a project that have one name."""
    taken: dict[tuple[str, ...], tuple[str, str]] = {}
    for number, resources in enumerate(stacks):
        stack = str(resources.values.value({"Ref": "AWS::StackName"}))
        for name, resource in resources.active().items():
            *within, key = _NAMES.get(resource["Type"], ("",))
            value = resources.value(resource, key)
            if not isinstance(value, str):
                continue
            places = [_place(resource, one, resources, number) for one in within]
            kind = _TABLES if resource["Type"].startswith(_TABLES) else resource["Type"]
            if (place := (kind, *places, value)) in taken:
                other, first = taken[place]
                where = "" if other == stack else f" of the stacks {other} and {stack}"
                raise ProjectError(
                    f"{first} and {name}{where} have the same {key}, {value}: AWS takes one of each, "
                    "so give one of them another or take it out"
                )
            taken[place] = stack, name


def _place(resource: dict[str, Any], key: str, resources: Resources, number: int) -> str:
    """Return what stands for the API or function that a name is within."""
    given = resource.get("Properties", {}).get(key)
    value, target = resources.values.value(given), target_of(given)
    return str(value) if value is not None or target is None else f"{number} {target}"
