"""What a WebSocket API may be made of to be played: said with the names of the template, before it is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wslocal.gateway.definition import KEPT_ROLE

from .project import ProjectError
from .references import target_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from .resources import Resources

__all__ = ["check_api_part", "fit_api_part", "with_endpoints"]

_ENDPOINT = "wss://${%s}.execute-api.${AWS::Region}.${AWS::URLSuffix}"

_INTEGRATION = "AWS::ApiGatewayV2::Integration"
_ROUTE = "AWS::ApiGatewayV2::Route"
_AUTHORIZER = "AWS::ApiGatewayV2::Authorizer"
_STAGE = "AWS::ApiGatewayV2::Stage"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-apigatewayv2-stage-routesettings.html
_SETTINGS = {
    *("DataTraceEnabled", "DetailedMetricsEnabled", "LoggingLevel"),
    *("ThrottlingBurstLimit", "ThrottlingRateLimit"),
}


def check_api_part(name: str, resource: dict[str, Any], resources: Resources) -> None:
    """Raise ProjectError for a part of a WebSocket API that the gateway does not play."""
    if not resources.is_websocket(resource):
        return
    properties = resource.get("Properties", {})
    if resource["Type"] == _INTEGRATION:
        _check_integration(name, properties, resources)
    elif resource["Type"] == _ROUTE:
        _check_route(name, properties, resources)
    elif resource["Type"] == _AUTHORIZER:
        kind = resources.values.value(properties.get("AuthorizerType"))
        if kind not in (None, "REQUEST"):
            raise ProjectError(
                f"authorizer {name} is {kind}: a WebSocket API has only those of the type REQUEST"
            )


def _check_integration(name: str, properties: dict[str, Any], resources: Resources) -> None:
    kind = resources.values.value(properties.get("IntegrationType"))
    to_function = resources.leads_to_function(properties.get("IntegrationUri"))
    if kind in (None, "AWS_PROXY") and to_function:
        return
    routes = [
        route
        for route, one in resources.active().items()
        if one["Type"] == _ROUTE and target_of(one.get("Properties", {}).get("Target")) == name
    ]
    named = f"integration {name}, of {', '.join(routes)}," if routes else f"integration {name}"
    what = f"is {kind}" if kind != "AWS_PROXY" else "does not lead to a function"
    raise ProjectError(
        f"{named} {what}: only AWS_PROXY to a Lambda function is played; "
        f"--leave-out {name} leaves out its routes too"
    )


def _check_route(name: str, properties: dict[str, Any], resources: Resources) -> None:
    if resources.values.value(properties.get("AuthorizationType")) == "AWS_IAM":
        raise ProjectError(
            f"route {name} asks for a signature (AWS_IAM), which is not played: --leave-out {name}.AuthorizationType"
        )
    for key in ("RequestModels", "ModelSelectionExpression"):
        if properties.get(key):
            raise ProjectError(
                f"route {name} has messages checked by a model, which is not played: --leave-out {name}.{key}"
            )


def fit_api_part(resource: dict[str, Any]) -> None:
    """Change what the emulator would take otherwise than AWS."""
    properties = resource.get("Properties", {})
    if resource["Type"] == _STAGE:
        properties.pop("DeploymentId", None)  # it has none here, and needs none
        for key in ("DefaultRouteSettings", "RouteSettings"):
            if key in properties:
                properties[key] = _as_the_api_has_them(properties[key])
    elif resource["Type"] == _AUTHORIZER and properties.get("AuthorizerType") == "REQUEST":
        # Left out, the emulator puts `Authorization` there, as an HTTP API has it.
        properties.setdefault("IdentitySource", [])
    elif resource["Type"] == _INTEGRATION and (role := properties.pop("CredentialsArn", None)):
        # The emulator forgets it, and keeps what stands among these.
        properties.setdefault("RequestParameters", {})[KEPT_ROLE] = role


def _as_the_api_has_them(settings: Any) -> Any:
    """Return settings of routes with the names that API Gateway's API has: the emulator looks for those."""
    if isinstance(settings, list):
        return [_as_the_api_has_them(one) for one in settings]
    if isinstance(settings, dict):
        return {
            key[0].lower() + key[1:] if key in _SETTINGS else key: _as_the_api_has_them(one)
            for key, one in settings.items()
        }
    return settings


def with_endpoints(value: Any, apis: Collection[str]) -> Any:
    """Return a value with the endpoints of WebSocket APIs as AWS names them.

    The emulator's attribute `ApiEndpoint` is an address of its own, where nothing answers.
    """
    if isinstance(value, list):
        return [with_endpoints(one, apis) for one in value]
    if isinstance(value, dict):
        match value.get("Fn::GetAtt"):
            case [str(name), "ApiEndpoint"] if name in apis:
                return {"Fn::Sub": _ENDPOINT % name}
            case str(text) if text.partition(".")[0] in apis and text.endswith(".ApiEndpoint"):
                return {"Fn::Sub": _ENDPOINT % text.partition(".")[0]}
        return {key: with_endpoints(one, apis) for key, one in value.items()}
    if isinstance(value, str) and ".ApiEndpoint}" in value:
        for name in apis:
            value = value.replace(f"${{{name}.ApiEndpoint}}", _ENDPOINT % name)
    return value
