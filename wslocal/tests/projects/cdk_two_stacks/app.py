"""A chat in two stacks: what is kept, with the layer that reads it, and the API that uses both."""

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from constructs import Construct


class StorageStack(cdk.Stack):
    """The table of connections, and a layer."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.table = dynamodb.Table(
            self,
            "Connections",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.layer = lambda_.LayerVersion(
            self,
            "Rooms",
            code=lambda_.Code.from_asset("layer"),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_11],
        )


class ChatStack(cdk.Stack):
    """The API and its function."""

    def __init__(self, scope: Construct, name: str, storage: StorageStack) -> None:
        super().__init__(scope, name)
        function = lambda_.Function(
            self,
            "Chat",
            runtime=lambda_.Runtime.PYTHON_3_11,
            handler="chat.handler",
            code=lambda_.Code.from_asset("src"),
            layers=[storage.layer],
            timeout=cdk.Duration.seconds(10),
            environment={"CONNECTIONS": storage.table.table_name},
            log_retention=logs.RetentionDays.ONE_WEEK,
        )
        storage.table.grant_read_write_data(function)

        def route(name: str) -> apigatewayv2.WebSocketRouteOptions:
            return apigatewayv2.WebSocketRouteOptions(
                integration=WebSocketLambdaIntegration(name, function)
            )

        api = apigatewayv2.WebSocketApi(
            self,
            "Api",
            connect_route_options=route("Connect"),
            disconnect_route_options=route("Disconnect"),
        )
        api.add_route(
            "send", integration=WebSocketLambdaIntegration("Send", function), return_response=True
        )
        stage = apigatewayv2.WebSocketStage(
            self, "Dev", web_socket_api=api, stage_name="dev", auto_deploy=True
        )
        stage.grant_management_api_access(function)
        cdk.CfnOutput(self, "Url", value=stage.url)


app = cdk.App()
ChatStack(app, "Chat", StorageStack(app, "ChatStorage"))
app.synth()
