"""Deploys an API with functions of the tests' own to the emulator, by plain API calls."""

import io
import json
import secrets
import sys
import zipfile
from pathlib import Path

from wslocal.emulator import ACCOUNT, REGION

APP = Path(__file__).parent / "gateway_functions" / "app.py"
PYTHON = f"python3.{sys.version_info.minor}"

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def zip_of(files: dict[str, str]) -> bytes:
    """Return a zip with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def create_role(emulator, name: str, *, verbs: list[str], api_id: str = "*") -> str:
    """Return the ARN of a role for Lambda that may use these verbs on connections."""
    iam = emulator.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    if verbs:
        allow_verbs(emulator, name, verbs, api_id)
    return role["Role"]["Arn"]


def allow_verbs(emulator, role: str, verbs: list[str], api_id: str = "*") -> None:
    """Give a role these verbs on connections, and no others."""
    resources = [
        f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api_id}/*/{verb}/@connections/*" for verb in verbs
    ]
    statement = {
        "Effect": "Allow",
        "Action": "execute-api:ManageConnections",
        "Resource": resources,
    }
    emulator.client("iam").put_role_policy(
        RoleName=role,
        PolicyName="connections",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def create_function(emulator, name: str, handler: str, role: str, **more) -> str:
    """Return the ARN of a function with the tests' code."""
    given = {
        "Runtime": PYTHON,
        "Code": {"ZipFile": zip_of({"app.py": APP.read_text()})},
        "Timeout": 30,
        "Environment": {"Variables": {"API_GATEWAY_ENDPOINT": "https://to.be.replaced"}},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"},
    }
    made = emulator.client("lambda").create_function(
        FunctionName=name, Handler=handler, Role=role, **(given | more)
    )
    return made["FunctionArn"]


def create_layer(emulator, name: str, files: dict[str, str]) -> str:
    """Return the ARN of a layer version with these files."""
    made = emulator.client("lambda").publish_layer_version(
        LayerName=name, Content={"ZipFile": zip_of(files)}, CompatibleRuntimes=[PYTHON]
    )
    return made["LayerVersionArn"]


def create_api(
    emulator,
    routes: dict[str, dict],
    *,
    expression="$request.body.action",
    authorizer: dict | None = None,
    **stage,
):
    """Return the id of an API; a route is {function: ARN, timeout_ms?, responds?}.

    The authorizer of `$connect` is {function: ARN, sources?: [...], permits?}.
    """
    client = emulator.client("apigatewayv2")
    api_id = client.create_api(
        Name="tested", ProtocolType="WEBSOCKET", RouteSelectionExpression=expression
    )["ApiId"]
    for key, route in routes.items():
        add_route(emulator, api_id, key, **route)
    if authorizer is not None:
        add_authorizer(emulator, api_id, **authorizer)
    client.create_stage(ApiId=api_id, StageName="dev", AutoDeploy=True, **stage)
    return api_id


def add_authorizer(emulator, api_id, *, function, sources=(), permits=True, **more) -> str:
    """Have a function asked before `$connect`, and return the authorizer's id."""
    client = emulator.client("apigatewayv2")
    authorizer_id = client.create_authorizer(
        ApiId=api_id,
        Name="guard",
        AuthorizerType="REQUEST",
        AuthorizerUri=invocations_of(function),
        IdentitySource=list(sources),
        **more,
    )["AuthorizerId"]
    if permits:
        permit(emulator, function, f"{api_id}/authorizers/{authorizer_id}")
    routes = client.get_routes(ApiId=api_id)["Items"]
    [connect] = [route["RouteId"] for route in routes if route["RouteKey"] == "$connect"]
    client.update_route(
        ApiId=api_id, RouteId=connect, AuthorizationType="CUSTOM", AuthorizerId=authorizer_id
    )
    return authorizer_id


def permit(emulator, function, source) -> None:
    """Let API Gateway invoke a function for what `source` names."""
    emulator.client("lambda").add_permission(
        FunctionName=function,
        StatementId=secrets.token_hex(8),
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{source}",
    )


def invocations_of(function: str) -> str:
    """Return the URI with which API Gateway invokes a function."""
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"


def add_route(
    emulator, api_id, key, *, function, timeout_ms=None, responds=False, permits=True
) -> None:
    """Add a route that leads to a function, and let it."""
    if permits:
        permit(emulator, function, f"{api_id}/*/{key}")
    client = emulator.client("apigatewayv2")
    integration = client.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=invocations_of(function),
        **({"TimeoutInMillis": timeout_ms} if timeout_ms else {}),
    )["IntegrationId"]
    route = client.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration}")
    if responds:
        client.create_route_response(
            ApiId=api_id, RouteId=route["RouteId"], RouteResponseKey="$default"
        )
