"""The Lambda functions: each row of `FUNCTION_SPECS` becomes a function, its role and its log group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.archives import build_functions
from infrastructure.function_specs import FUNCTION_SPECS
from infrastructure.layer import runtime
from infrastructure.names import acknowledge, function_name, logs_kept, metrics_namespace

if TYPE_CHECKING:
    from infrastructure.api import WebSocketApi
    from infrastructure.function_specs import FunctionSpec
    from infrastructure.layer import SharedUtilsLayer
    from infrastructure.settings import StageSettings
    from infrastructure.tables import Tables

__all__ = ["Functions"]


class Functions(Construct):
    """The functions, in `by_module`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StageSettings,
        layer: SharedUtilsLayer,
        tables: Tables,
        api: WebSocketApi,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._layer, self._tables, self._api = settings, layer, tables, api
        self._environment = {
            **tables.environment,
            "SERVICE_NAME": "websocket-audio",
            "METRICS_NAMESPACE": metrics_namespace(settings),
            "LOG_LEVEL": settings.log_level,
            "API_GATEWAY_ENDPOINT": api.callback_url,
            **{name: value for name, value in settings.limits.items() if value},
        }
        self._code = lambda_.Code.from_asset(str(build_functions(settings.python)))
        self.by_module = {spec.module: self._create(spec) for spec in FUNCTION_SPECS}

    def _create(self, spec: FunctionSpec) -> lambda_.Function:
        name = function_name(self._settings, spec.module)
        scope = Construct(self, spec.module.capitalize())
        log_group = logs.LogGroup(
            scope,
            "Logs",
            log_group_name=f"/aws/lambda/{name}",
            **logs_kept(self._settings),
        )
        role = self._role(scope, spec, log_group)
        function = lambda_.Function(
            scope,
            "Function",
            function_name=name,
            description=f"Serves {', '.join(spec.routes) or 'a schedule'}",
            runtime=runtime(self._settings.python),
            # A fifth cheaper than x86_64 for the same work, and nothing here is compiled.
            architecture=lambda_.Architecture.ARM_64,
            handler=f"handlers.{spec.module}.handler",
            code=self._code,
            layers=[self._layer.version],
            environment=self._environment,
            role=role,
            memory_size=spec.memory_mb,
            timeout=cdk.Duration.seconds(spec.timeout_seconds),
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel[self._settings.log_level],
            # The platform's start and report lines are longer than our own line about a chunk.
            system_log_level_v2=lambda_.SystemLogLevel[self._settings.system_log_level],
        )
        # A function that starts before its policy is attached would fail its first message.
        function.node.add_dependency(role)
        acknowledge(
            function,
            "L1",
            "The version is one setting, and needs that Python where it is deployed from",
        )
        return function

    def _role(self, scope: Construct, spec: FunctionSpec, log_group: logs.LogGroup) -> iam.Role:
        role = iam.Role(
            scope,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What handlers/{spec.module}.py may do, and nothing else",
        )
        log_group.grant_write(role)
        for table, actions in spec.tables.items():
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=[f"dynamodb:{action}" for action in actions],
                    resources=[self._tables.by_name[table].table_arn],
                )
            )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["execute-api:ManageConnections"],
                resources=[self._api.connections_arn(verb) for verb in spec.connections],
            )
        )
        for verb in spec.connections:
            acknowledge(
                role,
                f"IAM5[Resource::{self._api.shown_connections_arn(verb)}]",
                "A connection has its id only when a client is there; API, stage and verb are fixed",
            )
        return role
