"""What AWS wants a resource to say, and the emulator fills in by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .project import ProjectError

if TYPE_CHECKING:
    from .resources import Resources

__all__ = ["check_required"]

# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGatewayV2.html
_REQUIRED = {
    "AWS::ApiGatewayV2::Route": ("RouteKey",),
    "AWS::ApiGatewayV2::Stage": ("StageName",),
    # A zip needs all of them.
    "AWS::Lambda::Function": ("Code", "Handler", "Role", "Runtime"),
}


def check_required(name: str, resource: dict[str, Any], resources: Resources) -> None:
    """Raise ProjectError for a property that is not there."""
    properties = resource.get("Properties", {})
    for key in _REQUIRED.get(resource["Type"], ()):
        if resources.chosen(properties.get(key)) in (None, "", {"Ref": "AWS::NoValue"}):
            raise ProjectError(f"{name} ({resource['Type']}) has no {key}, which AWS wants: add it")
