"""The WebSocket API: a route for each action that a client may send, and for each life event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_apigateway as gateway_account
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.names import acknowledge, logs_kept
from shared_utils.websocket_messages import CLIENT_MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infrastructure.function_specs import FunctionSpec
    from infrastructure.settings import StageSettings

__all__ = ["LIFE_ROUTES", "WebSocketApi", "invocation_uri", "serving"]

LIFE_ROUTES = ("$connect", "$disconnect", "$default")


# Messages in and posts out share the account's 10,000 requests a second: what comes in is held far
# below it, so that a flood of messages leaves room for the audio that goes out.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
MESSAGES_PER_SECOND = 2_000
MESSAGES_BURST = 1_000

_LOG_POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"

# One line a message. No query string, header or body: they may hold tokens and speech. Nor `error.message`,
# in which API Gateway may quote a header, nor `authorizer.principalId`: that is what the issuer calls
# somebody, no variable escapes a quotation mark, and with one a person would write fields of their own.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "extendedRequestId": "$context.extendedRequestId",
    "connectionId": "$context.connectionId",
    "eventType": "$context.eventType",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "ip": "$context.identity.sourceIp",
    "integrationStatus": "$context.integration.status",
    "integrationLatency": "$context.integrationLatency",
    "error": "$context.integrationErrorMessage",
    "errorType": "$context.error.responseType",  # why API Gateway itself refused: UNAUTHORIZED, THROTTLED
}
# On $connect, with an authorizer. What ours raises is `Unauthorized` or a code: authorizer/handler.py.
_AUTHORIZER_LOG = {
    "authorizerStatus": "$context.authorizer.status",
    "authorizerError": "$context.authorizer.error",
    "authorizerLatency": "$context.authorizer.latency",
    "authorizerRequestId": "$context.authorizer.requestId",
}


class WebSocketApi(Construct):
    """The API and its addresses; `connect` adds routes and stage once the functions are there."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: StageSettings) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.stage = settings.stage
        self._api = gateway.CfnApi(
            self,
            "Api",
            name=f"websocket-audio-{self.stage}",
            protocol_type="WEBSOCKET",
            route_selection_expression="$request.body.action",
        )
        self.api_id = self._api.ref
        stack = cdk.Stack.of(self)
        host = f"{self.api_id}.execute-api.{stack.region}.{stack.url_suffix}"
        self.websocket_url = f"wss://{host}/{self.stage}"
        self.callback_url = f"https://{host}/{self.stage}"
        self.stage_arn = stack.format_arn(
            service="execute-api", resource=self.api_id, resource_name=self.stage
        )

    def connections_arn(self, verb: str) -> str:
        """Return what a role names to POST to, to GET or to DELETE any connection of this stage."""
        return f"{self.stage_arn}/{verb}/@connections/*"

    def shown_connections_arn(self, verb: str) -> str:
        """Return the same as cdk-nag writes it, with its references in angle brackets."""
        api = cdk.Stack.of(self).get_logical_id(self._api)
        account = "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>"
        return f"{account}:<{api}>/{self.stage}/{verb}/@connections/*"

    def connect(
        self,
        functions: Mapping[str, lambda_.Function],
        function_specs: Iterable[FunctionSpec],
        authorizer_id: str | None = None,
    ) -> None:
        """Add the routes, each to its function, and the stage that serves them.

        An authorizer is asked on `$connect`, the one route on which API Gateway asks any:
        https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
        """
        serves = serving(function_specs)
        targets = {
            module: self._integration(module, functions[module])
            for module in dict.fromkeys(serves.values())
        }
        routes = [
            self._route(key, targets[module], authorizer_id if key == "$connect" else None)
            for key, module in serves.items()
        ]
        stage = self._stage({**_ACCESS_LOG, **(_AUTHORIZER_LOG if authorizer_id else {})})
        for route in routes:  # a WebSocket API without routes cannot be deployed
            stage.add_resource_dependency(route)

    def _integration(self, module: str, function: lambda_.Function) -> gateway.CfnIntegration:
        # One permission for all routes of this stage: the CDK's own integration would allow only the
        # first route that uses it.
        function.add_permission(
            "Gateway",
            principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
            source_arn=f"{self.stage_arn}/*",
        )
        return gateway.CfnIntegration(
            self,
            f"{module.capitalize()}Integration",
            api_id=self.api_id,
            integration_type="AWS_PROXY",
            integration_uri=invocation_uri(function),
        )

    def _route(
        self, key: str, target: gateway.CfnIntegration, authorizer_id: str | None
    ) -> gateway.CfnRoute:
        name = key.removeprefix("$")
        route = gateway.CfnRoute(
            self,
            f"{name[0].upper()}{name[1:]}Route",
            api_id=self.api_id,
            route_key=key,
            authorization_type="CUSTOM" if authorizer_id else "NONE",
            authorizer_id=authorizer_id,
            target=f"integrations/{target.ref}",
        )
        if not authorizer_id:
            acknowledge(
                route,
                "APIG4",
                "Each message is checked for role and token, and $connect for its Origin",
            )
        return route

    def _stage(self, line: Mapping[str, str]) -> gateway.CfnStage:
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/apigateway/websocket-audio-{self.stage}",
            **logs_kept(self, self._settings),
        )
        stage = gateway.CfnStage(
            self,
            "Stage",
            api_id=self.api_id,
            stage_name=self.stage,
            auto_deploy=True,
            default_route_settings=gateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=MESSAGES_PER_SECOND,
                throttling_burst_limit=MESSAGES_BURST,
                detailed_metrics_enabled=False,  # a metric a route and stage: our own say the same
            ),
            access_log_settings=gateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=access_log.log_group_arn,
                format=json.dumps(line, separators=(",", ":")),
            ),
        )
        if self._settings.api_gateway_log_role == "create":
            stage.add_resource_dependency(self._account())
        return stage

    def _account(self) -> gateway_account.CfnAccount:
        """Let API Gateway write logs: one setting for the whole account and region.

        It stays when the stack goes, since the account's other APIs log through it too.
        """
        role = iam.Role(
            self,
            "LogRole",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(_LOG_POLICY)],
        )
        role.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        acknowledge(
            role,
            f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{_LOG_POLICY}]",
            "API Gateway's own policy for its account-wide role; it writes logs and nothing else",
        )
        account = gateway_account.CfnAccount(self, "Account", cloud_watch_role_arn=role.role_arn)
        account.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return account


def invocation_uri(function: lambda_.Function) -> str:
    """Return what API Gateway calls a function by, as an integration or as an authorizer."""
    stack = cdk.Stack.of(function)
    invocation = f"2015-03-31/functions/{function.function_arn}/invocations"
    return f"arn:{stack.partition}:apigateway:{stack.region}:lambda:path/{invocation}"


def serving(function_specs: Iterable[FunctionSpec]) -> dict[str, str]:
    """Return the module that serves each route; raise for an action that nobody or two serve."""
    serves: dict[str, str] = {}
    for spec in function_specs:
        for key in spec.routes:
            if serves.setdefault(key, spec.module) != spec.module:
                raise ValueError(f"{key} is served by {serves[key]} and by {spec.module}")
    wanted = {*LIFE_ROUTES, *CLIENT_MESSAGES}
    if serves.keys() != wanted:
        odd = ", ".join(sorted(serves.keys() ^ wanted))
        raise ValueError(f"without a function, or without a message: {odd}")
    return serves
