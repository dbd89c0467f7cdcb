"""An API as it is deployed: routes, integrations, authorizer and stage, read with apigatewayv2's own calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Api",
    "ApiError",
    "ApiRoute",
    "Authorizer",
    "IdentitySource",
    "Throttle",
    "authorizer_of",
    "read_api",
]

_FUNCTION = re.compile(r"arn:[^/]+:lambda:path/[0-9-]+/functions/(.+)/invocations")
# https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_apigatewayv2_authorizers.WebSocketLambdaAuthorizerProps.html
_IDENTITY_SOURCE = re.compile(
    r"(route\.request\.header|route\.request\.querystring|stageVariables|context)\.([A-Za-z0-9._-]+)"
)
# What the emulator gives to an authorizer that has none. It is that of HTTP APIs, and AWS refuses it for a
# WebSocket API: https://github.com/aws/aws-cdk/issues/18307
_NO_IDENTITY_SOURCE = "$request.header.Authorization"

IdentitySource = tuple[str, str]  # what it is in, such as `stageVariables`, and its name there


class ApiError(Exception):
    """The API is not there, or has something that this gateway does not play."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """A route's own limit, in requests a second."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A function that is asked before `$connect`, if the client has all identity sources."""

    id: str
    name: str
    function_arn: str
    identity_sources: tuple[IdentitySource, ...]


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """Where a route leads. With `responds`, what the function returns goes to the client."""

    key: str
    function_arn: str
    timeout_seconds: float | None
    responds: bool
    throttle: Throttle | None
    authorizer: Authorizer | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """A deployed WebSocket API with one of its stages."""

    id: str
    stage: str
    selection_expression: str
    routes: Mapping[str, ApiRoute]
    stage_variables: Mapping[str, str]


def read_api(client: Any, api_id: str, stage: str) -> Api:
    """Return what `client`, of apigatewayv2, says; ApiError for what cannot be played."""
    try:
        api = client.get_api(ApiId=api_id)
        deployed = client.get_stage(ApiId=api_id, StageName=stage)
    except client.exceptions.NotFoundException as error:
        raise ApiError(f"there is no API {api_id} with a stage {stage}") from error
    if api["ProtocolType"] != "WEBSOCKET":
        raise ApiError(f"API {api_id} is not a WebSocket API")
    integrations = {
        item["IntegrationId"]: item for item in _items(client, "get_integrations", ApiId=api_id)
    }
    authorizers = _items(client, "get_authorizers", ApiId=api_id)
    settings = deployed.get("RouteSettings", {})
    default = deployed.get("DefaultRouteSettings", {})
    routes = {}
    for item in _items(client, "get_routes", ApiId=api_id):
        key = item["RouteKey"]
        asked = {"ApiId": api_id, "RouteId": item["RouteId"]}
        responds = bool(_items(client, "get_route_responses", **asked))
        integration = integrations.get(item.get("Target", "").removeprefix("integrations/"))
        throttle = _throttle(default | settings.get(key, {}))
        authorizer = authorizer_of(item, authorizers)
        routes[key] = _route(item, integration, responds, throttle, authorizer)
    return Api(
        id=api_id,
        stage=stage,
        selection_expression=api["RouteSelectionExpression"],
        routes=routes,
        stage_variables=deployed.get("StageVariables", {}),
    )


def _items(client: Any, call: str, **asked: str) -> list[dict[str, Any]]:
    """Return all items of a call that answers in pages."""
    pages = client.get_paginator(call).paginate(**asked)
    return [item for page in pages for item in page["Items"]]


def _route(
    item: Mapping[str, Any],
    integration: Mapping[str, Any] | None,
    responds: bool,
    throttle: Throttle | None,
    authorizer: Authorizer | None,
) -> ApiRoute:
    """Return a route; whatever would work otherwise on AWS than here is refused by name."""
    key = item["RouteKey"]
    if item.get("ApiKeyRequired"):
        raise ApiError(f"route {key} asks for an API key: these are not played")
    if item.get("RequestModels") or item.get("ModelSelectionExpression"):
        raise ApiError(f"route {key} has a model: request validation is not played")
    if integration is None:
        raise ApiError(f"route {key} has no integration")
    target = _FUNCTION.fullmatch(integration.get("IntegrationUri", ""))
    if integration["IntegrationType"] != "AWS_PROXY" or target is None:
        raise ApiError(f"route {key} does not lead to a Lambda function as AWS_PROXY")
    milliseconds = integration.get("TimeoutInMillis")
    return ApiRoute(
        key=key,
        function_arn=target[1],
        timeout_seconds=None if milliseconds is None else milliseconds / 1000,
        responds=responds,
        throttle=throttle,
        authorizer=authorizer,
    )


def authorizer_of(
    route: Mapping[str, Any], authorizers: Iterable[Mapping[str, Any]]
) -> Authorizer | None:
    """Return the authorizer of a route, None if it has none; ApiError for one that is not played."""
    key, kind = route["RouteKey"], route.get("AuthorizationType", "NONE")
    if kind == "NONE":
        return None
    if kind != "CUSTOM":
        raise ApiError(f"route {key} has the authorization {kind}: only CUSTOM is played")
    if key != "$connect":
        raise ApiError(f"route {key} has an authorizer: AWS asks one for $connect only")
    wanted = route.get("AuthorizerId")
    found = next((one for one in authorizers if one["AuthorizerId"] == wanted), None)
    if found is None:
        raise ApiError(f"route {key} has an authorizer that is not there: {wanted}")
    target = _FUNCTION.fullmatch(found.get("AuthorizerUri", ""))
    if found["AuthorizerType"] != "REQUEST" or target is None:
        raise ApiError(f"authorizer {found['Name']} is not a Lambda function as REQUEST")
    if found.get("AuthorizerCredentialsArn"):
        raise ApiError(f"authorizer {found['Name']} is invoked with a role: these are not played")
    given = [source for source in found.get("IdentitySource", []) if source != _NO_IDENTITY_SOURCE]
    return Authorizer(
        id=found["AuthorizerId"],
        name=found["Name"],
        function_arn=target[1],
        identity_sources=tuple(_identity_source(source, found["Name"]) for source in given),
    )


def _identity_source(source: str, authorizer: str) -> IdentitySource:
    if not (match := _IDENTITY_SOURCE.fullmatch(source)):
        raise ApiError(
            f"authorizer {authorizer} has an identity source that no WebSocket API has: {source}"
        )
    return match[1], match[2]


def _throttle(settings: Mapping[str, Any]) -> Throttle | None:
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if rate is None or burst is None:
        return None
    return Throttle(float(rate), float(burst))
