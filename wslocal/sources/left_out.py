"""What of a template is left out: what the emulator does not know, or would do in a way of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .known import known_types
from .project import ProjectError

if TYPE_CHECKING:
    from .resources import Resources

__all__ = ["NOT_MISSED", "not_played", "why_left_out"]

# Nothing is lost with these: the gateway reads what is there, and `complete` makes route responses.
NOT_MISSED = {
    "AWS::ApiGatewayV2::Deployment",
    "AWS::ApiGatewayV2::RouteResponse",
    "AWS::CDK::Metadata",
}

# Custom resources of the CDK and of the Serverless Framework that do what this machine does not need.
_CUSTOM = {
    "Custom::ApiGatewayAccountRole": "API Gateway needs no role to log here",
    "Custom::CDKBucketDeployment": "files for a bucket are not deployed",
    "Custom::CDKECRDeployment": "container images are not deployed",
    "Custom::CloudwatchLogRole": "API Gateway needs no role to log here",
    "Custom::ECRAutoDeleteImages": "all of the emulator is deleted at its end",
    "Custom::LogRetention": "logs are kept until the end",
    "Custom::S3AutoDeleteObjects": "all of the emulator is deleted at its end",
    "Custom::VpcRestrictDefaultSG": "functions here are in the network of this machine",
}
# The emulator would start containers for these.
_CONTAINERS = (
    *("AWS::DocDB::", "AWS::ECS::", "AWS::EKS::", "AWS::ElastiCache::", "AWS::OpenSearchService::"),
    *("AWS::RDS::", "AWS::CodeBuild::", "AWS::AutoScaling::", "AWS::Glue::"),
)
_LONG = 5  # letters; ours
_NOT_PLAYED = {
    "AWS::ApiGateway::RestApi": "it is deployed, but REST APIs are not played",
    "AWS::Lambda::Url": "it is deployed, but URLs of functions are not played",
    "AWS::AppSync::GraphQLApi": "it is deployed, but GraphQL APIs are not played",
}


def why_left_out(name: str, resource: dict[str, Any]) -> str | None:
    """Return why a resource is left out, None if it is not; ProjectError for an unknown custom resource."""
    kind = resource["Type"]
    if kind in _CUSTOM:
        return _CUSTOM[kind]
    if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource":
        raise ProjectError(
            f"{name} ({kind}) is made by a function while the stack is deployed, which is not played; "
            f"--leave-out {name} to do without"
        )
    if kind.startswith(_CONTAINERS):
        return "it would need containers"
    if kind == "AWS::CloudWatch::Alarm" and "Metrics" in resource.get("Properties", {}):
        return "the emulator has no alarms on metric math"
    if kind not in known_types():
        if (meant := _meant(kind)) is not None:
            raise ProjectError(
                f"{name} is of the type {kind}, which AWS does not have: write {meant}, "
                f"or --leave-out {name} if it is one"
            )
        return "the emulator does not know its type"
    return None


def _meant(kind: str) -> str | None:
    """Return the type that is meant by one with a slip of the pen in a word of some length."""
    for known in sorted(known_types()):
        pairs = [*zip(kind.split("::"), known.split("::"), strict=False)]
        others = [(one, other) for one, other in pairs if one != other]
        if kind.count("::") == known.count("::") and len(others) == 1:
            [(one, other)] = others
            # Shorter words are close to each other by chance, such as EKS and ECS.
            if len(other) >= _LONG and _is_slip(one, other):
                return known
    return None


def _is_slip(one: str, other: str) -> bool:
    """Return whether a word is another but for the case, or for one letter more, less, or exchanged."""
    if one.lower() == other.lower():
        return True
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    at = min(len(one), len(other)) if start is None else start
    a, b = one[at:], other[at:]
    swapped = a[:2] == b[1::-1] and a[2:] == b[2:]
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]


def not_played(resource: dict[str, Any], resources: Resources) -> str | None:
    """Return what to say of a resource that is deployed, but does nothing here; None for all others."""
    if resource["Type"] == "AWS::ApiGatewayV2::Api" and not resources.is_websocket_api(resource):
        return "it is deployed, but HTTP APIs are not played"
    return _NOT_PLAYED.get(resource["Type"])
