"""Each property that is played arrives: what a template says, the APIs say once it is deployed, and no longer than that."""

from __future__ import annotations

from typing import Any

import pytest

from wslocal.emulator import ACCOUNT, REGION, Emulator
from wslocal.events.described import Descriptions
from wslocal.gateway.limits import Throttle
from wslocal.sources import Project, Stack, fit

from .deployed_project import deploy, ids_of, websocket_apis
from .small_template import function, part, template, uri

pytestmark = pytest.mark.slow

DEAD = f"arn:aws:sqs:{REGION}:{ACCOUNT}:%s-dead"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/gateway"
ROUTES = {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 7}

# What of each resource is played or shown, with values that are no defaults.
PROPERTIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Fn": (
        "AWS::Lambda::Function",
        {
            "Architectures": ["arm64"],
            "DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}},
            "Description": "answers",
            "Environment": {"Variables": {"A": "b"}},
            "EphemeralStorage": {"Size": 1024},
            "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"},
            "MemorySize": 256,
            "RecursiveLoop": "Allow",
            "ReservedConcurrentExecutions": 3,
            "Tags": [{"Key": "team", "Value": "chat"}],
            "Timeout": 7,
            "TracingConfig": {"Mode": "Active"},
        },
    ),
    "Alias": (
        "AWS::Lambda::Alias",
        {"Description": "the one that runs", "Name": "live"},
    ),
    "Invoked": (
        "AWS::Lambda::EventInvokeConfig",
        {
            "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Dead", "Arn"]}}},
            "MaximumEventAgeInSeconds": 120,
            "MaximumRetryAttempts": 1,
        },
    ),
    "FromQueue": (
        "AWS::Lambda::EventSourceMapping",
        {
            "BatchSize": 3,
            "FilterCriteria": {"Filters": [{"Pattern": '{"body": ["a"]}'}]},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "MaximumBatchingWindowInSeconds": 1,
            "ScalingConfig": {"MaximumConcurrency": 2},
        },
    ),
    "FromStream": (
        "AWS::Lambda::EventSourceMapping",
        {
            "BatchSize": 4,
            "BisectBatchOnFunctionError": True,
            "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Dead", "Arn"]}}},
            "MaximumRecordAgeInSeconds": 60,
            "MaximumRetryAttempts": 0,
        },
    ),
    "Api": (
        "AWS::ApiGatewayV2::Api",
        {
            "ApiKeySelectionExpression": "$context.authorizer.usageIdentifierKey",
            "Description": "an API",
            "DisableExecuteApiEndpoint": True,
            "Tags": {"team": "chat"},
        },
    ),
    "Stage": (
        "AWS::ApiGatewayV2::Stage",
        {
            "AutoDeploy": True,
            "DefaultRouteSettings": {"ThrottlingRateLimit": 1.5, "ThrottlingBurstLimit": 2},
            "RouteSettings": {"$default": ROUTES},
            "StageVariables": {"name": "value"},
            "Tags": {"team": "chat"},
        },
    ),
    "Integration": (
        "AWS::ApiGatewayV2::Integration",
        {"CredentialsArn": ROLE, "TimeoutInMillis": 900},
    ),
    "Connect": (
        "AWS::ApiGatewayV2::Route",
        {"ApiKeyRequired": True, "AuthorizationType": "CUSTOM", "OperationName": "enter"},
    ),
    "Authorizer": (
        "AWS::ApiGatewayV2::Authorizer",
        {
            "AuthorizerCredentialsArn": ROLE,
            "IdentitySource": ["route.request.querystring.token"],
            "Name": "guard",
        },
    ),
    "Queue": (
        "AWS::SQS::Queue",
        {
            "DelaySeconds": 1,
            "MessageRetentionPeriod": 120,
            "ReceiveMessageWaitTimeSeconds": 2,
            "RedrivePolicy": {
                "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
                "maxReceiveCount": 2,
            },
            "VisibilityTimeout": 60,
        },
    ),
    "Table": (
        "AWS::DynamoDB::Table",
        {"TimeToLiveSpecification": {"AttributeName": "ends_at", "Enabled": True}},
    ),
}


def of_template(stack: str, *, bare: bool = False) -> Project:
    """Return a project of a stack with all these properties, or without any of them."""
    needed = {
        "Fn": function()["Properties"],
        "Alias": {
            "FunctionName": {"Ref": "Fn"},
            "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
            "Name": "live",
        },
        "Invoked": {"FunctionName": {"Ref": "Fn"}, "Qualifier": "$LATEST"},
        "FromQueue": {
            "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
            "FunctionName": {"Ref": "Fn"},
        },
        "FromStream": {
            "EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]},
            "FunctionName": {"Ref": "Fn"},
            "StartingPosition": "LATEST",
        },
        "Api": template()["Resources"]["Api"]["Properties"],
        "Stage": part("Stage", StageName="dev")["Properties"],
        "Integration": part("Integration", IntegrationType="AWS_PROXY", IntegrationUri=uri("Fn"))[
            "Properties"
        ],
        "Connect": part(
            "Route", RouteKey="$connect", Target={"Fn::Sub": "integrations/${Integration}"}
        )["Properties"],
        "Authorizer": part(
            "Authorizer", AuthorizerType="REQUEST", AuthorizerUri=uri("Fn"), Name="guard"
        )["Properties"],
        "Table": {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        },
    }
    if not bare:
        needed["Connect"]["AuthorizerId"] = {"Ref": "Authorizer"}
    resources = {
        name: {
            "Type": kind,
            "Properties": needed.get(name, {}) | ({} if bare else properties),
        }
        for name, (kind, properties) in PROPERTIES.items()
    }
    more = {
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{stack}-dead"}},
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Fn"}}},
    }
    return Project((Stack(stack, template(**resources, **more), {}, {}),), ())


def seen(emulator: Emulator, stack: str) -> dict[str, dict[str, Any]]:
    """Return what the APIs say of each resource, by the names that its properties have in a template."""
    found = emulator.client("cloudformation").describe_stack_resources(StackName=stack)
    ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found["StackResources"]}
    functions, apis = emulator.client("lambda"), emulator.client("apigatewayv2")
    fn, api = {"FunctionName": ids["Fn"]}, {"ApiId": ids["Api"]}
    whole = functions.get_function(**fn)
    tags = [{"Key": key, "Value": value} for key, value in _own(whole.get("Tags", {})).items()]
    recursion = functions.get_function_recursion_config(**fn)["RecursiveLoop"]
    integration = apis.get_integration(**api, IntegrationId=ids["Integration"])
    whole_api, stage_of = apis.get_api(**api), apis.get_stage(**api, StageName="dev")
    kept = integration.get("RequestParameters", {}).get("wslocal.CredentialsArn")
    table = emulator.client("dynamodb").describe_time_to_live(TableName=ids["Table"])
    ends = table["TimeToLiveDescription"]
    queue = emulator.client("sqs").get_queue_attributes(
        QueueUrl=ids["Queue"], AttributeNames=["All"]
    )
    return {
        "Fn": whole["Configuration"]
        | whole.get("Concurrency", {})
        | {"RecursiveLoop": recursion, "Tags": tags},
        "Alias": functions.get_alias(**fn, Name="live"),
        "Invoked": functions.get_function_event_invoke_config(**fn, Qualifier="$LATEST"),
        "FromQueue": functions.get_event_source_mapping(UUID=ids["FromQueue"]),
        "FromStream": functions.get_event_source_mapping(UUID=ids["FromStream"]),
        "Api": whole_api | {"Tags": _own(whole_api["Tags"])},
        "Stage": stage_of | {"Tags": _own(stage_of["Tags"])},
        "Integration": integration | {"CredentialsArn": kept},
        "Connect": apis.get_route(**api, RouteId=ids["Connect"].partition("/")[2]),
        "Authorizer": apis.get_authorizer(**api, AuthorizerId=ids["Authorizer"]),
        "Queue": queue["Attributes"],
        "Table": {
            "TimeToLiveSpecification": {
                "AttributeName": ends.get("AttributeName"),
                "Enabled": True,
            }
        }
        if ends["TimeToLiveStatus"] == "ENABLED"
        else {},
    }


def _own(tags: dict[str, str]) -> dict[str, str]:
    """Return the tags that CloudFormation has not added."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def resolved(value: Any, stack: str) -> Any:
    """Return a value of the template as it is deployed."""
    if value == {"Fn::GetAtt": ["Dead", "Arn"]}:
        return DEAD % stack
    if isinstance(value, dict):
        return {key: resolved(one, stack) for key, one in value.items()}
    return value


def same(wanted: Any, found: Any) -> bool:
    """Return whether values are the same, or one is the text of the other, as of a queue; more may be there."""
    if isinstance(wanted, dict) and isinstance(found, str):
        return all(f'"{key}"' in found and str(one) in found for key, one in wanted.items())
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            same(one, found.get(key)) for key, one in wanted.items()
        )
    return wanted == found or (isinstance(found, str) and str(wanted) == found)


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def deployed(emulator):
    """Return what there is of a stack with all properties, as it is made and after an update; and of bare ones."""
    deploy(emulator, of_template("made"))
    made = seen(emulator, "made")
    deploy(emulator, of_template("bare", bare=True))
    bare = seen(emulator, "bare")
    for stack, is_bare in (("made", True), ("bare", False)):
        deploy(emulator, of_template(stack, bare=is_bare))
    return {
        "made": made,
        "bare": bare,
        "given": seen(emulator, "bare"),
        "taken": seen(emulator, "made"),
    }


EACH = [(name, key) for name, (_, properties) in PROPERTIES.items() for key in properties]


@pytest.mark.parametrize(("name", "key"), EACH)
@pytest.mark.parametrize(("how", "stack"), [("made", "made"), ("given", "bare")])
def test_property_arrives(deployed, name, key, how, stack):
    wanted = resolved(PROPERTIES[name][1][key], stack)

    found = deployed[how][name].get(key)

    assert same(wanted, found), f"{wanted} is {found}"


@pytest.mark.parametrize(("name", "key"), EACH)
def test_property_that_a_template_has_no_more_is_gone(deployed, name, key):
    """What then holds is what holds for a resource that never had it."""
    taken, never = deployed["taken"][name].get(key), deployed["bare"][name].get(key)

    def plain(value: Any) -> Any:
        """Return a value without the log group that each function has, and without what is empty."""
        if isinstance(value, dict):
            parts = {key: plain(one) for key, one in value.items() if key != "LogGroup"}
            return {key: one for key, one in parts.items() if one} or None
        return value or None

    assert plain(taken) == plain(never)


def test_gateway_throttles_as_the_template_says(emulator, deployed):
    [api] = websocket_apis(emulator, of_template("bare"))

    assert api.routes["$default"].throttle == Throttle(5, 7)
    assert api.routes["$connect"].throttle == Throttle(1.5, 2)


def test_version_has_the_dead_letter_queue_of_its_function(emulator, deployed):
    """The template publishes it before the function has one; so does SAM with `AutoPublishAlias`."""
    [name] = ids_of(emulator, of_template("bare"), "AWS::Lambda::Function")

    assert Descriptions(emulator.client).ask(f"{name}:live").dead_letter_arn == DEAD % "bare"


def test_what_is_kept_is_no_output_of_the_project(emulator):
    fitted = fit(of_template("made").stacks[0])

    assert {name.partition("Of")[0] for name in fitted.template["Outputs"]} == {
        "WslocalKeptConcurrency",
        "WslocalKeptDeadLetters",
        "WslocalKeptLoops",
        "WslocalKeptTimeToLive",
    }
