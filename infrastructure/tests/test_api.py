"""Every action that a client may send comes in, and reaches the function that serves it."""

import json
import re

import pytest

from infrastructure.api import serving
from infrastructure.function_specs import FUNCTION_SPECS, FunctionSpec
from quiet_lines import QuietLines
from shared_utils import MetricsEmitter
from shared_utils.testing import capture_lines
from shared_utils.websocket_messages import CLIENT_MESSAGES
from token_authorizer import TokenAuthorizer
from token_settings import TokenSettings

from .test_functions import flat, function_of


def targets(assembly):
    """Return the logical id of the function that each route leads to, through its integration."""
    resources = assembly.template["Resources"]
    found = {}
    for route in assembly.properties("ApiGatewayV2::Route"):
        integration = flat(route["Target"]).removeprefix("integrations/<").removesuffix(">")
        address = flat(resources[integration]["Properties"]["IntegrationUri"])
        path = "arn:<AWS::Partition>:apigateway:<AWS::Region>:lambda:path/2015-03-31/functions/<"
        found[route["RouteKey"]] = address.removeprefix(path).removesuffix(".Arn>/invocations")
    return found


def test_every_action_has_a_route(dev):
    keys = [route["RouteKey"] for route in dev.properties("ApiGatewayV2::Route")]

    assert sorted(keys) == sorted(["$connect", "$disconnect", "$default", *CLIENT_MESSAGES])


@pytest.mark.parametrize(
    "spec", [spec for spec in FUNCTION_SPECS if spec.routes], ids=lambda spec: spec.module
)
def test_routes_lead_to_their_function(dev, spec):
    function = function_of(dev, spec.module)

    served = {
        key
        for key, target in targets(dev).items()
        if dev.template["Resources"][target]["Properties"] == function
    }

    assert served == set(spec.routes)


def test_gateway_may_call_each_function_for_all_its_routes(dev):
    """A permission for one route would let the others fail with `Internal server error`."""
    permissions = {
        row["FunctionName"]["Fn::GetAtt"][0]: flat(row["SourceArn"])
        for row in dev.properties("Lambda::Permission")
        if row["Principal"] == "apigateway.amazonaws.com"
    }
    stage = "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>"

    assert permissions.keys() == set(targets(dev).values())
    assert set(permissions.values()) == {f"{stage}:<WebSocketApiCEC6B617>/dev/*"}


def test_routes_have_no_responses(dev):
    """Replies go through @connections, from every function and on every emulator alike."""
    routes = dev.properties("ApiGatewayV2::Route")

    assert dev.resources("ApiGatewayV2::RouteResponse") == {}
    assert [row for row in routes if "RouteResponseSelectionExpression" in row] == []


def test_action_in_the_message_selects_the_route(dev):
    [api] = dev.properties("ApiGatewayV2::Api")

    assert api["ProtocolType"] == "WEBSOCKET"
    assert api["RouteSelectionExpression"] == "$request.body.action"


@pytest.mark.threat("flood-stage")
def test_stage_throttles_and_comes_after_its_routes(dev):
    [stage] = dev.resources("ApiGatewayV2::Stage").values()

    assert stage["Properties"]["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": 2000,
        "ThrottlingBurstLimit": 1000,
        "DetailedMetricsEnabled": False,
    }
    assert dev.resources("ApiGatewayV2::Route").keys() <= set(stage["DependsOn"])


@pytest.mark.threat("token-in-access-log", "ws-token-in-query", "ws-log-events", "log-who")
def test_access_log_says_who_what_and_how_it_went_but_not_what_was_said(dev):
    [stage] = dev.properties("ApiGatewayV2::Stage")
    settings = stage["AccessLogSettings"]
    [group] = (
        name
        for name, row in dev.resources("Logs::LogGroup").items()
        if row["Properties"]["LogGroupName"] == "/aws/apigateway/websocket-audio-dev"
    )

    assert settings["DestinationArn"] == {"Fn::GetAtt": [group, "Arn"]}
    assert set(json.loads(settings["Format"]).values()) == {
        "$context.requestId",
        "$context.extendedRequestId",
        "$context.connectionId",
        "$context.eventType",
        "$context.routeKey",
        "$context.status",
        "$context.identity.sourceIp",
        "$context.integration.status",
        "$context.integrationLatency",
        "$context.integrationErrorMessage",
        "$context.error.responseType",
    }


def test_access_log_says_what_became_of_the_authorizer_if_there_is_one(dev, guarded):
    [bare], [stage] = (made.properties("ApiGatewayV2::Stage") for made in (dev, guarded))
    log, more = (json.loads(row["AccessLogSettings"]["Format"]) for row in (bare, stage))

    assert set(more.values()) - set(log.values()) == {
        "$context.authorizer.status",
        "$context.authorizer.error",
        "$context.authorizer.latency",
        "$context.authorizer.requestId",
    }
    assert log.items() <= more.items()


def test_access_log_of_a_refused_connection_says_why_and_is_json(guarded):
    """As API Gateway fills it in: what there is not is `-`, and nothing is escaped."""
    [stage] = guarded.properties("ApiGatewayV2::Stage")
    values = {
        "$context.error.responseType": "UNAUTHORIZED",
        "$context.authorizer.status": "401",
        "$context.authorizer.error": "Unauthorized",
    }

    line = re.sub(
        r"\$context[a-zA-Z.]*[a-zA-Z]",
        lambda found: values.get(found[0], "-"),
        stage["AccessLogSettings"]["Format"],
    )

    written = json.loads(line)
    assert written["errorType"] == "UNAUTHORIZED"
    assert (written["authorizerStatus"], written["authorizerError"]) == ("401", "Unauthorized")
    assert set(written.values()) == {"-", *values.values()}
    assert not {name for name in written if "principal" in name.lower()}


@pytest.mark.parametrize("authorization", ['Bearer " ,"forged":"', 7])
def test_authorizer_raises_nothing_that_could_forge_a_field(authorization):
    settings = TokenSettings("https://login.example.com/", "talks")
    event = {"methodArn": "arn", "headers": {"Authorization": authorization}}

    with capture_lines(), MetricsEmitter() as metrics:
        answer = TokenAuthorizer(settings, None, metrics, metrics, QuietLines()).answer(event)

    assert isinstance(answer, Exception)
    assert re.fullmatch("[A-Za-z_]+", str(answer))


def test_account_setting_for_logs_outlives_the_stack(dev):
    [account] = dev.resources("ApiGateway::Account").values()
    [stage] = dev.resources("ApiGatewayV2::Stage").values()
    role = account["Properties"]["CloudWatchRoleArn"]["Fn::GetAtt"][0]

    assert account["DeletionPolicy"] == "Retain"
    assert dev.template["Resources"][role]["DeletionPolicy"] == "Retain"
    assert dev.resources("ApiGateway::Account").keys() <= set(stage["DependsOn"])


def test_account_setting_can_be_left_alone(synth):
    assembly = synth(api_gateway_log_role="existing")

    assert assembly.resources("ApiGateway::Account") == {}


def test_outputs_show_where_to_connect(dev):
    outputs = {name: flat(row["Value"]) for name, row in dev.template["Outputs"].items()}
    [layer] = dev.resources("Lambda::LayerVersion")
    host = "<WebSocketApiCEC6B617>.execute-api.<AWS::Region>.<AWS::URLSuffix>"

    assert outputs == {
        "WebSocketUrl": f"wss://{host}/dev",
        "CallbackUrl": f"https://{host}/dev",
        "ApiId": "<WebSocketApiCEC6B617>",
        "StageName": "dev",
        "LayerVersionArn": f"<{layer}>",
        "Speakers": "open: anyone who reaches the API may speak",
    }


def function_specs(*changes):
    return [*FUNCTION_SPECS, *changes]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        pytest.param(
            [spec for spec in FUNCTION_SPECS if spec.module != "connection"],
            "heartbeat",
            id="action-without-function",
        ),
        pytest.param(
            function_specs(FunctionSpec("x", ("applaud",), {})), "applaud", id="unknown-action"
        ),
        pytest.param(
            function_specs(FunctionSpec("x", ("sendAudio",), {})),
            "sendAudio is served by audio and by x",
            id="twice",
        ),
    ],
)
def test_wrong_specs_stop_the_synthesis(rows, wrong):
    with pytest.raises(ValueError, match=wrong):
        serving(rows)
