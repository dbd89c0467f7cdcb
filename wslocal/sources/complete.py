"""Makes what a template asks for and the emulator's CloudFormation does not: route responses, and what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .kept import make_kept
from .references import target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fit import Fitted

__all__ = ["complete"]


def complete(client: Callable[[str], Any], stack: str, fitted: Fitted) -> None:
    """Give a stack that has been deployed what else its template asks for, and its routes no other responses."""
    make_kept(client, stack)
    apis, routes = client("apigatewayv2"), _routes(client("cloudformation"), stack)
    wanted = {target_of(response.get("RouteId")) for response in fitted.route_responses}
    for name, (api_id, route_id) in routes.items():
        route = {"ApiId": api_id, "RouteId": route_id}
        found = apis.get_route_responses(**route)["Items"]
        if name in wanted and not found:
            # `$default` is the only key there is:
            # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html
            apis.create_route_response(**route, RouteResponseKey="$default")
        elif name not in wanted:
            for response in found:
                apis.delete_route_response(**route, RouteResponseId=response["RouteResponseId"])


def _routes(client: Any, stack: str) -> dict[str | None, tuple[str, str]]:
    """Return the ids of API and route by the route's name in the template."""
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = {}
    for page in pages:
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::ApiGatewayV2::Route":
                # The emulator's id of a route has that of its API before it.
                api_id, _, route_id = resource["PhysicalResourceId"].partition("/")
                found[resource["LogicalResourceId"]] = (api_id, route_id)
    return found
