"""An API as it is deployed: routes, integrations and stage, read with apigatewayv2's own calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Api", "ApiError", "ApiRoute", "Throttle", "read_api"]

_FUNCTION = re.compile(r"arn:[^/]+:lambda:path/[0-9-]+/functions/(.+)/invocations")


class ApiError(Exception):
    """The API is not there, or has something that this gateway does not play."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """A route's own limit, in requests a second."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """Where a route leads. With `responds`, what the function returns goes to the client."""

    key: str
    function_arn: str
    timeout_seconds: float | None
    responds: bool
    throttle: Throttle | None


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
    settings = deployed.get("RouteSettings", {})
    default = deployed.get("DefaultRouteSettings", {})
    routes = {}
    for item in _items(client, "get_routes", ApiId=api_id):
        key = item["RouteKey"]
        asked = {"ApiId": api_id, "RouteId": item["RouteId"]}
        responds = bool(_items(client, "get_route_responses", **asked))
        integration = integrations.get(item.get("Target", "").removeprefix("integrations/"))
        throttle = _throttle(default | settings.get(key, {}))
        routes[key] = _route(item, integration, responds, throttle)
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
) -> ApiRoute:
    """Return a route; whatever would work otherwise on AWS than here is refused by name."""
    key = item["RouteKey"]
    if item.get("AuthorizationType", "NONE") != "NONE":
        raise ApiError(f"route {key} has an authorizer: these are not played")
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
    )


def _throttle(settings: Mapping[str, Any]) -> Throttle | None:
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if rate is None or burst is None:
        return None
    return Throttle(float(rate), float(burst))
