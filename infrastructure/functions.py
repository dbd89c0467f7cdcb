"""The Lambda functions: each row of `DOORS` becomes a function, its role and its log group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.doors import DOORS
from infrastructure.layer import runtime
from infrastructure.names import acknowledge, function_name, logs_kept, metrics_namespace

if TYPE_CHECKING:
    from infrastructure.api import WebSocketApi
    from infrastructure.doors import Door
    from infrastructure.layer import SharedUtilsLayer
    from infrastructure.settings import Settings
    from infrastructure.tables import Tables

__all__ = ["Functions"]

_FUNCTIONS = Path(__file__).resolve().parent.parent / "functions"


class Functions(Construct):
    """The functions, in `by_module`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
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
        # What a function runs, and nothing that only tests or this machine need.
        self._code = lambda_.Code.from_asset(
            str(_FUNCTIONS),
            exclude=["/*", "!/handlers", "!/broadcast", "__pycache__", "*.pyc"],
            ignore_mode=cdk.IgnoreMode.GIT,
        )
        self.by_module = {door.module: self._create(door) for door in DOORS}

    def _create(self, door: Door) -> lambda_.Function:
        name = function_name(self._settings, door.module)
        scope = Construct(self, door.module.capitalize())
        log_group = logs.LogGroup(
            scope,
            "Logs",
            log_group_name=f"/aws/lambda/{name}",
            **logs_kept(self._settings),
        )
        role = self._role(scope, door, log_group)
        function = lambda_.Function(
            scope,
            "Function",
            function_name=name,
            description=f"Serves {', '.join(door.routes) or 'a schedule'}",
            runtime=runtime(self._settings.python),
            # A fifth cheaper than x86_64 for the same work, and nothing here is compiled.
            architecture=lambda_.Architecture.ARM_64,
            handler=f"handlers.{door.module}.handler",
            code=self._code,
            layers=[self._layer.version],
            environment=self._environment,
            role=role,
            memory_size=door.memory_mb,
            timeout=cdk.Duration.seconds(door.timeout_seconds),
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

    def _role(self, scope: Construct, door: Door, log_group: logs.LogGroup) -> iam.Role:
        role = iam.Role(
            scope,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What handlers/{door.module}.py may do, and nothing else",
        )
        log_group.grant_write(role)
        for table, actions in door.tables.items():
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=[f"dynamodb:{action}" for action in actions],
                    resources=[self._tables.by_name[table].table_arn],
                )
            )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["execute-api:ManageConnections"],
                resources=[self._api.connections_arn(verb) for verb in door.connections],
            )
        )
        for verb in door.connections:
            acknowledge(
                role,
                f"IAM5[Resource::{self._api.shown_connections_arn(verb)}]",
                "A connection has its id only when a client is there; API, stage and verb are fixed",
            )
        return role
