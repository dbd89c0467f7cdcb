"""A WebSocket API and its function on the layer, as two stages: two stacks that know nothing of each other."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from constructs import Construct
from shared_utils_cdk import SharedUtilsLayer


class NotesStack(cdk.Stack):
    """One stage, with a layer of its own."""

    def __init__(self, scope: Construct, stage: str) -> None:
        super().__init__(scope, f"Notes-{stage}")
        layer = SharedUtilsLayer(self, "SharedUtilsLayer")
        function = lambda_.Function(
            self,
            "Notes",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="app.handler",
            code=lambda_.Code.from_asset("function"),
            layers=[layer.version],
            environment={"METRICS_NAMESPACE": "Notes"},
            log_group=logs.LogGroup(
                self,
                "NotesLog",
                retention=logs.RetentionDays.ONE_MONTH,
                removal_policy=cdk.RemovalPolicy.DESTROY,  # with the stack; the CDK would keep it
            ),
        )
        api = gateway.WebSocketApi(self, "Api", api_name=f"notes-{stage}")
        to_function = WebSocketLambdaIntegration("ToFunction", function)
        # What no other route takes goes to $default: the function answers it with an error.
        for route in ("addNote", "$default"):
            api.add_route(route, integration=to_function)
        deployed = gateway.WebSocketStage(
            self, "Stage", web_socket_api=api, stage_name=stage, auto_deploy=True
        )
        deployed.grant_management_api_access(function)  # its replies go to the client through it
        cdk.CfnOutput(self, "Url", value=deployed.url)
        cdk.CfnOutput(self, "LayerVersionArn", value=layer.version.layer_version_arn)


app = cdk.App()
NotesStack(app, "dev")
NotesStack(app, "prod")
app.synth()
