"""An API as it is deployed: routes, integrations, authorizer and stage, read with apigatewayv2's own calls."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .api_keys import AUTHORIZER, HEADER, read_api_keys
from .domains import names_of, read_custom_domains
from .limits import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .api_keys import ApiKey
    from .domains import StageNames

__all__ = [
    "KEPT_ROLE",
    "Api",
    "ApiError",
    "ApiRoute",
    "Authorizer",
    "IdentitySource",
    "Throttle",
    "authorizer_of",
    "read_api",
]

# The function's ARN may end with a version or an alias.
_FUNCTION = re.compile(r"arn:[^/]+:lambda:path/[0-9-]+/functions/(arn:.+)/invocations")
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")
# What to do about each other type of integration.
_NOT_PLAYED = {
    "AWS": "a Lambda function can be integrated as AWS_PROXY, without mapping templates",
    "HTTP": "a Lambda function can make the request",
    "HTTP_PROXY": "a Lambda function can make the request",
    "MOCK": "leave the route out if it only lets clients connect, or have a Lambda function that "
    "returns the status as AWS_PROXY",
}
# https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_apigatewayv2_authorizers.WebSocketLambdaAuthorizerProps.html
_IDENTITY_SOURCE = re.compile(
    r"(route\.request\.header|route\.request\.querystring|stageVariables|context)\.([A-Za-z0-9._-]+)"
)
# What the emulator gives to an authorizer that has none. It is that of HTTP APIs, and AWS refuses it for a
# WebSocket API: https://github.com/aws/aws-cdk/issues/18307
_NO_IDENTITY_SOURCE = "$request.header.Authorization"

# Among an integration's request parameters: where its `CredentialsArn` is if the API forgets that one.
KEPT_ROLE = "wslocal.CredentialsArn"
_ROLE = re.compile(r"arn:[^:]+:iam::[0-9]+:role/.+")

IdentitySource = tuple[str, str]  # what it is in, such as `stageVariables`, and its name there


class ApiError(Exception):
    """The API is not there, or has something that this gateway does not play."""


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A function that is asked before `$connect`, if the client has all identity sources.

    With `role_arn` API Gateway needs that role's right to invoke it, else the function's policy.
    """

    id: str
    name: str
    function_arn: str
    identity_sources: tuple[IdentitySource, ...]
    role_arn: str | None = None


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """Where a route leads. With `responds`, what the function returns goes to the client.

    With `role_arn` API Gateway needs that role's right to invoke the function, else the function's policy.
    """

    key: str
    function_arn: str
    timeout_seconds: float | None
    responds: bool
    throttle: Throttle | None
    authorizer: Authorizer | None = None
    requires_key: bool = False
    role_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """A deployed WebSocket API with one of its stages."""

    id: str
    stage: str
    selection_expression: str
    routes: Mapping[str, ApiRoute]
    stage_variables: Mapping[str, str]
    names: StageNames
    key_expression: str = HEADER
    keys: Mapping[str, ApiKey] = field(default_factory=dict, repr=False)


def read_api(client: Any, api_id: str, stage: str, *, keys: Callable[[], Any] | None = None) -> Api:
    """Return what `client`, of apigatewayv2, says; ApiError for what cannot be played.

    `keys` gives a client of apigateway, which is asked if the API requires a key.
    """
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
    variables = deployed.get("StageVariables", {})
    settings = deployed.get("RouteSettings", {})
    default = deployed.get("DefaultRouteSettings", {})
    routes = {}
    for item in _items(client, "get_routes", ApiId=api_id):
        key = item["RouteKey"]
        asked = {"ApiId": api_id, "RouteId": item["RouteId"]}
        responses = _items(client, "get_route_responses", **asked)
        responds = any(response["RouteResponseKey"] == "$default" for response in responses)
        integration = integrations.get(item.get("Target", "").removeprefix("integrations/"))
        throttle = _throttle(default | settings.get(key, {}))
        authorizer = authorizer_of(item, authorizers, variables)
        function_arn = _integrated(key, integration, variables)
        routes[key] = _route(item, integration or {}, function_arn, responds, throttle, authorizer)
    expression = api.get("ApiKeySelectionExpression", HEADER)
    needs_keys = any(route.requires_key for route in routes.values())
    if needs_keys and expression not in (HEADER, AUTHORIZER):
        raise ApiError(
            f"API {api_id} finds API keys by {expression}: it must be {HEADER} or {AUTHORIZER}"
        )
    return Api(
        id=api_id,
        stage=stage,
        selection_expression=api["RouteSelectionExpression"],
        routes=routes,
        stage_variables=variables,
        names=names_of(
            api_id,
            stage,
            client.meta.region_name,
            is_endpoint_disabled=api.get("DisableExecuteApiEndpoint", False),
            domains=read_custom_domains(client),
        ),
        key_expression=expression,
        keys=read_api_keys(keys(), api_id, stage) if needs_keys and keys else {},
    )


def _items(client: Any, call: str, **asked: str) -> list[dict[str, Any]]:
    """Return all items of a call that answers in pages."""
    pages = client.get_paginator(call).paginate(**asked)
    return [item for page in pages for item in page["Items"]]


def _route(
    item: Mapping[str, Any],
    integration: Mapping[str, Any],
    function_arn: str,
    responds: bool,
    throttle: Throttle | None,
    authorizer: Authorizer | None,
) -> ApiRoute:
    """Return a route; whatever would work otherwise on AWS than here is refused by name."""
    key = item["RouteKey"]
    if item.get("ApiKeyRequired") and key != "$connect":
        raise ApiError(
            f"route {key} asks for an API key: AWS documents that for $connect only, "
            "so set ApiKeyRequired there"
        )
    if item.get("RequestModels") or item.get("ModelSelectionExpression"):
        raise ApiError(
            f"route {key} has a model, by which nothing is checked here: "
            "leave RequestModels and ModelSelectionExpression out"
        )
    milliseconds = integration.get("TimeoutInMillis")
    return ApiRoute(
        key=key,
        function_arn=function_arn,
        timeout_seconds=None if milliseconds is None else milliseconds / 1000,
        responds=responds,
        throttle=throttle,
        authorizer=authorizer,
        requires_key=bool(item.get("ApiKeyRequired")),
        role_arn=_role(_credentials(integration), f"route {key}"),
    )


def _credentials(integration: Mapping[str, Any]) -> str | None:
    kept: str | None = integration.get("RequestParameters", {}).get(KEPT_ROLE)
    return integration.get("CredentialsArn") or kept


def _role(arn: str | None, owner: str) -> str | None:
    """Return the role with which a function is invoked; None: its own policy has to allow it.

    https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html
    """
    if arn and not _ROLE.fullmatch(arn):
        raise ApiError(
            f"{owner} invokes its function as the caller: name a role instead, or let API Gateway in "
            "by the function's policy"
        )
    return arn or None


def _integrated(
    key: str, integration: Mapping[str, Any] | None, variables: Mapping[str, str]
) -> str:
    """Return the ARN of the function that a route leads to."""
    if integration is None:
        raise ApiError(f"route {key} has no integration: give it a Target")
    kind = integration["IntegrationType"]
    if kind != "AWS_PROXY":
        raise ApiError(
            f"route {key} has an integration of type {kind}, and only AWS_PROXY is played: "
            f"{_NOT_PLAYED.get(kind, 'a Lambda function can be integrated so')}"
        )
    uri = _with_variables(integration.get("IntegrationUri", ""), variables, f"route {key}")
    if not (target := _FUNCTION.fullmatch(uri)):
        raise ApiError(f"route {key} does not lead to a Lambda function: only these are played")
    return target[1]


def _with_variables(uri: str, variables: Mapping[str, str], owner: str) -> str:
    """Return a URI with the stage's variables in it.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/aws-api-gateway-stage-variables-reference.html
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise ApiError(
                f"{owner} leads to a function by the stage variable {match[1]}, "
                "which the stage does not have"
            )
        return variables[match[1]]

    return _STAGE_VARIABLE.sub(value, uri)


def authorizer_of(
    route: Mapping[str, Any],
    authorizers: Iterable[Mapping[str, Any]],
    variables: Mapping[str, str] | None = None,
) -> Authorizer | None:
    """Return the authorizer of a route, None if it has none; ApiError for one that is not played.

    `variables` are the stage's, which the URI may name.
    """
    key, kind = route["RouteKey"], route.get("AuthorizationType", "NONE")
    if kind == "NONE":
        return None
    if kind != "CUSTOM":
        raise ApiError(
            f"route {key} has the authorization {kind}: only CUSTOM is played, "
            "so name a Lambda authorizer, or NONE"
        )
    if key != "$connect":
        raise ApiError(f"route {key} has an authorizer: AWS asks one for $connect only")
    wanted = route.get("AuthorizerId")
    found = next((one for one in authorizers if one["AuthorizerId"] == wanted), None)
    if found is None:
        raise ApiError(f"route {key} has an authorizer that is not there: {wanted}")
    uri = found.get("AuthorizerUri", "")
    target = _FUNCTION.fullmatch(
        _with_variables(uri, variables or {}, f"authorizer {found['Name']}")
    )
    if found["AuthorizerType"] != "REQUEST" or target is None:
        raise ApiError(f"authorizer {found['Name']} is not a Lambda function as REQUEST")
    given = [source for source in found.get("IdentitySource", []) if source != _NO_IDENTITY_SOURCE]
    return Authorizer(
        id=found["AuthorizerId"],
        name=found["Name"],
        function_arn=target[1],
        identity_sources=tuple(_identity_source(source, found["Name"]) for source in given),
        role_arn=_role(found.get("AuthorizerCredentialsArn"), f"authorizer {found['Name']}"),
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
