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
from infrastructure.names import (
    acknowledge,
    encryption_key,
    function_name,
    logs_kept,
    metrics_namespace,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infrastructure.api import WebSocketApi
    from infrastructure.function_specs import FunctionSpec
    from infrastructure.settings import StageSettings
    from infrastructure.tables import Tables
    from shared_utils_cdk import SharedUtilsLayer

__all__ = ["Functions", "create_function"]


class Functions(Construct):
    """The functions, in `by_module`. `variables` are those of the contract, without the tables' names."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StageSettings,
        variables: Mapping[str, str],
        layer: SharedUtilsLayer,
        tables: Tables,
        api: WebSocketApi,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._layer, self._tables, self._api = settings, layer, tables, api
        self._environment = {
            **tables.environment,
            "API_GATEWAY_ENDPOINT": api.callback_url,
            **{name: value for name, value in variables.items() if value},
        }
        self._code = lambda_.Code.from_asset(str(build_functions(settings.python)))
        self.by_module = {spec.module: self._create(spec) for spec in FUNCTION_SPECS}

    def _create(self, spec: FunctionSpec) -> lambda_.Function:
        function = create_function(
            Construct(self, spec.module.capitalize()),
            settings=self._settings,
            layer=self._layer,
            module=spec.module,
            description=f"Serves {', '.join(spec.routes) or 'a schedule'}",
            rights=f"What handlers/{spec.module}.py may do, and nothing else",
            code=self._code,
            handler=f"handlers.{spec.module}.handler",
            environment=self._environment,
            memory_mb=spec.memory_mb,
            timeout_seconds=spec.timeout_seconds,
        )
        self._grant(function, spec)
        return function

    def _grant(self, function: lambda_.Function, spec: FunctionSpec) -> None:
        for table, actions in spec.tables.items():
            function.add_to_role_policy(
                iam.PolicyStatement(
                    actions=[f"dynamodb:{action}" for action in actions],
                    resources=[self._tables.by_name[table].table_arn],
                )
            )
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["execute-api:ManageConnections"],
                resources=[self._api.connections_arn(verb) for verb in spec.connections],
            )
        )
        for verb in spec.connections:
            acknowledge(
                function.role,
                f"IAM5[Resource::{self._api.shown_connections_arn(verb)}]",
                "A connection has its id only when a client is there; API, stage and verb are fixed",
            )
        if key := self._settings.encryption_key_arn:
            function.add_to_role_policy(self._right_to_read_tables(key))

    def _right_to_read_tables(self, key: str) -> iam.PolicyStatement:
        """Let a function's role have its items decrypted, by DynamoDB and by nobody else.

        DynamoDB decrypts a table's key in the name of who reads or writes an item: without this right
        a PutItem is denied, https://github.com/aws/aws-cdk/issues/10010.
        """
        stack = cdk.Stack.of(self)
        service = f"dynamodb.{stack.region}.{stack.url_suffix}"
        return iam.PolicyStatement(
            actions=["kms:Decrypt"],
            resources=[key],
            conditions={"StringEquals": {"kms:ViaService": service}},
        )


def create_function(
    scope: Construct,
    *,
    settings: StageSettings,
    layer: SharedUtilsLayer,
    module: str,
    description: str,
    rights: str,
    code: lambda_.Code,
    handler: str,
    environment: Mapping[str, str],
    memory_mb: int,
    timeout_seconds: int,
) -> lambda_.Function:
    """Make a function with a log group, and a role that may write there and do nothing else."""
    name = function_name(settings, module)
    log_group = logs.LogGroup(
        scope, "Logs", log_group_name=f"/aws/lambda/{name}", **logs_kept(scope, settings)
    )
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        description=rights,
    )
    log_group.grant_write(role)
    function = lambda_.Function(
        scope,
        "Function",
        function_name=name,
        description=description,
        runtime=getattr(lambda_.Runtime, f"PYTHON_{settings.python.replace('.', '_')}"),
        # A fifth cheaper than x86_64 for the same work.
        architecture=lambda_.Architecture.ARM_64,
        handler=handler,
        code=code,
        layers=[layer.version],
        environment={
            "SERVICE_NAME": "websocket-audio",
            "METRICS_NAMESPACE": metrics_namespace(settings),
            "LOG_LEVEL": settings.log_level,
            **environment,
        },
        # Lambda itself lets the role decrypt it, by a grant on the key.
        environment_encryption=encryption_key(scope, settings),
        role=role,
        memory_size=memory_mb,
        timeout=cdk.Duration.seconds(timeout_seconds),
        log_group=log_group,
        logging_format=lambda_.LoggingFormat.JSON,
        application_log_level_v2=lambda_.ApplicationLogLevel[settings.log_level],
        # The platform's start and report lines are longer than our own line about a chunk.
        system_log_level_v2=lambda_.SystemLogLevel[settings.system_log_level],
    )
    # A function that starts before its policy is attached would fail its first message.
    function.node.add_dependency(role)
    acknowledge(
        function,
        "L1",
        "The version is one setting, and needs that Python where it is deployed from",
    )
    return function
