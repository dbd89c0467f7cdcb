"""The authorizer: the function that API Gateway asks, on `$connect`, whether somebody may speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.api import invocation_uri
from infrastructure.archives import build_authorizer
from infrastructure.functions import create_function
from infrastructure.names import function_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infrastructure.api import WebSocketApi
    from infrastructure.settings import StageSettings
    from shared_utils_cdk import SharedUtilsLayer

__all__ = ["AUTHORIZER", "TIMEOUT_SECONDS", "SpeakerAuthorizer"]

AUTHORIZER = "authorizer"

VARIABLES = ("SPEAKER_ISSUER", "SPEAKER_AUDIENCE", "SPEAKER_SCOPE", "LISTENERS_NEED_TOKEN")

# As every function has: a client waits for the first answer, and to load cryptography is CPU.
_MEMORY_MB = 512
# The issuer has three seconds for each of two documents, and a start needs some: what takes longer than
# that hangs. API Gateway itself waits for 29 s, and no person for so long.
TIMEOUT_SECONDS = 15


class SpeakerAuthorizer(Construct):
    """The function and the authorizer that leads to it; `authorizer_id` is for the route.

    It reaches the issuer over the internet, so it is in no VPC. It has no table and no connection: its
    role may write its log. All that it remembers are the issuer's public keys, in its own memory.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StageSettings,
        variables: Mapping[str, str],
        layer: SharedUtilsLayer,
        api: WebSocketApi,
    ) -> None:
        super().__init__(scope, construct_id)
        architecture = lambda_.Architecture.ARM_64
        archive = build_authorizer(settings.python, architecture.name)
        self.function = create_function(
            self,
            settings=settings,
            layer=layer,
            module=AUTHORIZER,
            description="Says on $connect who may speak",
            rights="What authorizer/handler.py may do, and nothing else",
            code=lambda_.Code.from_asset(str(archive)),
            handler="handler.handler",
            environment={name: variables[name] for name in VARIABLES if variables[name]},
            memory_mb=_MEMORY_MB,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        authorizer = gateway.CfnAuthorizer(
            self,
            "Authorizer",
            api_id=api.api_id,
            authorizer_type="REQUEST",
            name=function_name(settings, AUTHORIZER),
            authorizer_uri=invocation_uri(self.function),
            # No identity source: API Gateway refuses whoever lacks one of them without asking the
            # function, and a browser sends its token where a program has none, and the reverse.
        )
        self.authorizer_id = authorizer.attr_authorizer_id
        self.function.add_permission(
            "Gateway",
            principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
            source_arn=cdk.Stack.of(self).format_arn(
                service="execute-api",
                resource=api.api_id,
                resource_name=f"authorizers/{self.authorizer_id}",
            ),
        )
