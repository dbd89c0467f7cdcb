"""What of a stack the emulator gets: what is left out and listed, and what is refused by name."""

import copy

import pytest
from ministack.services import iam
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

from wslocal.sources import LeftOut, ProjectError, Stack, fit
from wslocal.sources.known import known_types
from wslocal.sources.policies import known_policies

FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"S3Bucket": "b", "S3Key": "k"},
        "Environment": {"Variables": {"TABLE": {"Ref": "Table"}}},
    },
}
URI = {"Fn::Sub": "arn:aws:apigateway:x:lambda:path/2015-03-31/functions/${Chat.Arn}/invocations"}
RESOURCES = {
    "Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": []}},
    "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
    "Chat": FUNCTION,
    "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "WEBSOCKET"}},
    "Integration": {
        "Type": "AWS::ApiGatewayV2::Integration",
        "Properties": {
            "ApiId": {"Ref": "Api"},
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": URI,
        },
    },
    "Route": {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": {"Ref": "Api"},
            "RouteKey": "send",
            "Target": {"Fn::Sub": "integrations/${Integration}"},
        },
    },
}


def fitted(more=None, *, leave_out=(), environment=None, parameters=None, **sections):
    """Return what is made of a small API with `more`, a resource's type and properties by its name."""
    resources = copy.deepcopy(RESOURCES) | {
        name: {"Type": kind, "Properties": properties}
        for name, (kind, properties) in (more or {}).items()
    }
    template = {"Resources": resources, **sections}
    stack = Stack("chat", template, {}, parameters or {})
    return fit(stack, leave_out=leave_out, environment=environment)


def refusal(more, **options):
    with pytest.raises(ProjectError) as caught:
        fitted(more, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(name, **properties):
    """Return a resource of the small API with other properties, as `fitted` takes it."""
    resource = RESOURCES[name]
    return {name: (resource["Type"], resource["Properties"] | properties)}


def test_types_are_those_that_the_emulator_has():
    """They are read from its source; importing it says the same."""
    assert known_types() == {name for name in _RESOURCE_HANDLERS if name.startswith("AWS::")}


def test_what_is_fine_stays_as_it_is():
    result = fitted()

    assert result.template == {"Resources": RESOURCES, "Outputs": {}}
    assert result.left_out == result.route_responses == ()


def test_stack_itself_is_not_changed():
    template = {"Resources": copy.deepcopy(RESOURCES) | {"Odd": {"Type": "AWS::Odd::One"}}}

    fit(Stack("chat", template, {}, {}), environment={"A": "b"})

    assert template == {"Resources": RESOURCES | {"Odd": {"Type": "AWS::Odd::One"}}}


# --- left out


def test_unknown_types_go_with_what_serves_them():
    result = fitted(
        {
            "Odd": ("AWS::Odd::One", {}),
            "Of": ("AWS::SSM::Parameter", {"Value": {"Fn::GetAtt": ["Odd", "Arn"]}}),
            "OfThat": ("AWS::SSM::Parameter", {"Value": {"Ref": "Of"}}),
        },
        Outputs={"Odd": {"Value": {"Ref": "Odd"}}, "Api": {"Value": {"Ref": "Api"}}},
    )

    assert result.template["Resources"] == RESOURCES
    assert result.template["Outputs"] == {"Api": {"Value": {"Ref": "Api"}}}
    assert result.left_out == (
        LeftOut("Odd", "AWS::Odd::One", "the emulator does not know its type"),
        LeftOut("Of", "AWS::SSM::Parameter", "it refers to Odd, which is left out"),
        LeftOut("OfThat", "AWS::SSM::Parameter", "it refers to Of, which is left out"),
    )


def test_depends_on_loses_what_is_left_out():
    template = {"Resources": copy.deepcopy(RESOURCES) | {"Odd": {"Type": "AWS::Odd::One"}}}
    template["Resources"]["Api"]["DependsOn"] = ["Odd", "Table"]
    template["Resources"]["Table"]["DependsOn"] = "Odd"

    result = fit(Stack("chat", template, {}, {})).template["Resources"]

    assert result["Api"]["DependsOn"] == ["Table"]
    assert "DependsOn" not in result["Table"]


@pytest.mark.parametrize(("stage", "left_out"), [("dev", []), ("prod", ["Odd"])])
def test_conditions_count(stage, left_out):
    """What is not in the stack does not have to be known."""
    template = {
        "Parameters": {"Stage": {"Type": "String", "Default": "dev"}},
        "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
        "Resources": RESOURCES | {"Odd": {"Type": "AWS::Odd::One", "Condition": "IsProd"}},
    }

    result = fit(Stack("chat", template, {}, {"Stage": stage}))

    assert [one.name for one in result.left_out] == left_out


def test_api_parts_that_nobody_misses():
    result = fitted(
        {
            "Deployment": ("AWS::ApiGatewayV2::Deployment", {"ApiId": {"Ref": "Api"}}),
            "Stage": (
                "AWS::ApiGatewayV2::Stage",
                {
                    "ApiId": {"Ref": "Api"},
                    "DeploymentId": {"Ref": "Deployment"},
                    "StageName": "dev",
                },
            ),
            "Answer": (
                "AWS::ApiGatewayV2::RouteResponse",
                {"ApiId": {"Ref": "Api"}, "RouteId": {"Ref": "Route"}},
            ),
        }
    )

    assert result.left_out == ()
    assert result.template["Resources"].keys() == RESOURCES.keys() | {"Stage"}
    assert result.template["Resources"]["Stage"]["Properties"] == {
        "ApiId": {"Ref": "Api"},
        "StageName": "dev",
    }
    assert result.route_responses == ({"ApiId": {"Ref": "Api"}, "RouteId": {"Ref": "Route"}},)


def test_custom_resources_of_the_cdk_go_with_their_function():
    provider = FUNCTION["Properties"] | {"Environment": {}}
    result = fitted(
        {
            "Provider": ("AWS::Lambda::Function", provider),
            "ProviderLog": ("AWS::Logs::LogGroup", {"LogGroupName": {"Ref": "Provider"}}),
            "Retention": (
                "Custom::LogRetention",
                {"ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]}},
            ),
        }
    )

    assert result.template["Resources"] == RESOURCES
    assert [(one.name, one.reason) for one in result.left_out] == [
        ("Retention", "logs are kept until the end"),
        ("Provider", "nothing is left that it would make"),
        ("ProviderLog", "it refers to Provider, which is left out"),
    ]


def test_custom_resource_of_a_function_that_the_api_has_too():
    custom = ("Custom::LogRetention", {"ServiceToken": {"Fn::GetAtt": ["Chat", "Arn"]}})

    assert fitted({"Retention": custom}).template["Resources"] == RESOURCES


def test_policies_lose_what_is_about_it():
    def policy(*statements):
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        return [{"PolicyName": "p", "PolicyDocument": document}]

    odd, table = {"Fn::GetAtt": ["Odd", "Arn"]}, {"Fn::GetAtt": ["Table", "Arn"]}
    first = {"Effect": "Allow", "Action": "a", "Resource": [odd, table]}
    second = {"Effect": "Allow", "Action": "b", "Resource": odd}
    third = {"Effect": "Allow", "Action": "c", "Resource": "*"}

    result = fitted(
        {"Odd": ("AWS::Odd::One", {}), **changed("Role", Policies=policy(first, second, third))}
    )

    role = result.template["Resources"]["Role"]["Properties"]
    assert role["Policies"] == policy(first | {"Resource": [table]}, third)


def test_policies_of_aws_are_those_that_the_emulator_has():
    prefix = "arn:aws:iam::aws:policy/"

    assert {f"{prefix}{name}" for name in known_policies()} == set(iam._aws_managed_policies)


def test_policies_of_aws_that_the_emulator_lacks():
    """What is known of them is written out; the rest is listed."""
    names = [
        "AmazonDynamoDBFullAccess",
        "AmazonAPIGatewayInvokeFullAccess",
        "AmazonPollyFullAccess",
    ]
    arns = [{"Fn::Sub": f"arn:${{AWS::Partition}}:iam::aws:policy/{name}"} for name in names]

    own = {"Own": ("AWS::IAM::ManagedPolicy", {"PolicyDocument": {"Statement": []}})}

    result = fitted({**own, **changed("Role", ManagedPolicyArns=[*arns, {"Ref": "Own"}])})

    role = result.template["Resources"]["Role"]["Properties"]
    assert role["ManagedPolicyArns"] == [arns[0], {"Ref": "Own"}]
    [written] = role["Policies"]
    assert written["PolicyName"] == "AmazonAPIGatewayInvokeFullAccess"
    assert written["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["execute-api:Invoke", "execute-api:ManageConnections"],
            "Resource": "arn:aws:execute-api:*:*:*",
        }
    ]
    assert [one.reason for one in result.left_out] == [
        "its policy AmazonPollyFullAccess: what it allows is not known here"
    ]


@pytest.mark.parametrize(
    ("kind", "properties", "reason"),
    [
        ("AWS::RDS::DBInstance", {}, "it would need containers"),
        ("AWS::CloudWatch::Alarm", {"Metrics": []}, "the emulator has no alarms on metric math"),
    ],
)
def test_what_the_emulator_would_do_badly(kind, properties, reason):
    result = fitted({"It": (kind, properties)})

    assert result.left_out == (LeftOut("It", kind, reason),)


def test_other_apis_are_deployed_and_listed():
    more = {
        "Rest": ("AWS::ApiGateway::RestApi", {}),
        "Http": ("AWS::ApiGatewayV2::Api", {"ProtocolType": "HTTP"}),
        "HttpRoute": (
            "AWS::ApiGatewayV2::Integration",
            {"ApiId": {"Ref": "Http"}, "IntegrationType": "HTTP_PROXY"},
        ),
        "Url": ("AWS::Lambda::Url", {}),
    }

    result = fitted(more)

    assert result.template["Resources"].keys() == RESOURCES.keys() | more.keys()
    assert [(one.name, one.reason) for one in result.left_out] == [
        ("Rest", "it is deployed, but REST APIs are not played"),
        ("Http", "it is deployed, but HTTP APIs are not played"),
        ("Url", "it is deployed, but URLs of functions are not played"),
    ]


def test_permissions_go_unlisted():
    permission = {"FunctionName": {"Ref": "Chat"}, "SourceArn": {"Fn::GetAtt": ["Odd", "Arn"]}}

    result = fitted(
        {"Odd": ("AWS::Odd::One", {}), "Permission": ("AWS::Lambda::Permission", permission)}
    )

    assert result.template["Resources"] == RESOURCES
    assert [one.name for one in result.left_out] == ["Odd"]


# --- functions


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        pytest.param({"PackageType": "Image"}, "Chat is a container image", id="package"),
        pytest.param({"Code": {"ImageUri": "x"}}, "Chat is a container image", id="image"),
        pytest.param({"Runtime": "java21"}, "Chat is for java21: only Python and Node", id="java"),
        pytest.param(
            {"Runtime": {"Ref": "Runtime"}}, "Chat is for provided.al2023", id="parameter"
        ),
        pytest.param({"Code": {"ZipFile": "x"}}, "its Handler cannot be app.handler", id="inline"),
        pytest.param(
            {"FileSystemConfigs": [{}]},
            "Chat mounts a file system, which is not played: --leave-out Chat.FileSystemConfigs",
            id="files",
        ),
        pytest.param(
            {"Layers": ["arn:aws:lambda:us-east-1:017000801446:layer:Powertools:7"]},
            "--leave-out Powertools if",
            id="layer",
        ),
    ],
)
def test_functions_refused(properties, sentence):
    parameters = {"Runtime": {"Type": "String", "Default": "provided.al2023"}}

    assert sentence in refusal(changed("Chat", **properties), Parameters=parameters)


@pytest.mark.parametrize("runtime", ["python3.14", "nodejs22.x", {"Fn::GetAtt": ["Table", "Arn"]}])
def test_functions_that_run(runtime):
    assert fitted(changed("Chat", Runtime=runtime)).left_out == ()


def test_layers_of_others_left_out():
    own, others = {"Ref": "Table"}, "arn:aws:lambda:us-east-1:017000801446:layer:Powertools:7"

    result = fitted(changed("Chat", Layers=[own, others]), leave_out={"Powertools"})

    assert result.template["Resources"]["Chat"]["Properties"]["Layers"] == [own]
    assert result.left_out == (
        LeftOut("Chat", "AWS::Lambda::Function", "its layer Powertools: you chose so"),
    )


def test_networks_of_functions_do_not_count():
    result = fitted(changed("Chat", VpcConfig={"SubnetIds": ["a"]}, CodeSigningConfigArn="x"))

    assert result.template["Resources"] == RESOURCES
    [left_out] = result.left_out
    assert left_out.reason.startswith("its VpcConfig: ")


def test_environment_is_that_of_every_function():
    result = fitted(environment={"TABLE": "mine", "MORE": "x"})

    properties = result.template["Resources"]["Chat"]["Properties"]
    assert properties["Environment"]["Variables"] == {"TABLE": "mine", "MORE": "x"}


def test_environment_of_a_condition():
    template = {
        "Conditions": {"Yes": {"Fn::Equals": ["a", "a"]}},
        "Resources": copy.deepcopy(RESOURCES),
    }
    properties = template["Resources"]["Chat"]["Properties"]
    properties["Environment"] = {
        "Fn::If": ["Yes", {"Variables": {"A": "a"}}, {"Ref": "AWS::NoValue"}]
    }

    result = fit(Stack("chat", template, {}, {}), environment={"B": "b"})

    function = result.template["Resources"]["Chat"]["Properties"]
    assert function["Environment"] == {"Variables": {"A": "a", "B": "b"}}


@pytest.mark.parametrize(
    "environment", ["text", {"Variables": []}, {"Variables": {"Fn::Sub": "x"}}]
)
def test_environment_that_is_none(environment):
    assert "of Chat are not names with values" in refusal(changed("Chat", Environment=environment))


def test_function_that_needs_what_is_left_out():
    more = {
        "Odd": ("AWS::Odd::One", {}),
        **changed("Chat", Environment={"Variables": {"CDN": {"Fn::GetAtt": ["Odd", "Url"]}}}),
    }

    assert refusal(more) == (
        "Chat refers to Odd, which is left out: give its variable yourself with --env CDN=VALUE"
    )
    assert fitted(more, environment={"CDN": "x"}).left_out[0].name == "Odd"


# --- the API


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        pytest.param(
            changed("Integration", IntegrationType="MOCK"),
            "integration Integration, of Route, is MOCK: only AWS_PROXY",
            id="mock",
        ),
        pytest.param(
            changed("Integration", IntegrationUri="arn:aws:apigateway:x:sqs:path/1/q"),
            "integration Integration, of Route, does not lead to a function",
            id="service",
        ),
        pytest.param(
            changed("Route", AuthorizationType="AWS_IAM"),
            "--leave-out Route.AuthorizationType",
            id="iam",
        ),
        pytest.param(
            changed("Route", RequestModels={"a": "b"}),
            "--leave-out Route.RequestModels",
            id="model",
        ),
        pytest.param(
            {
                "Guard": (
                    "AWS::ApiGatewayV2::Authorizer",
                    {"ApiId": {"Ref": "Api"}, "AuthorizerType": "JWT"},
                )
            },
            "authorizer Guard is JWT",
            id="jwt",
        ),
    ],
)
def test_api_parts_refused(more, sentence):
    assert sentence in refusal(more)


def test_all_that_is_refused_is_named():
    more = {
        **changed("Integration", IntegrationType="MOCK"),
        **changed("Chat", Runtime="java21"),
        "Pipe": ("AWS::Pipes::Pipe", {}),
    }

    sentence = refusal(more)

    assert sentence.startswith("Chat is for java21")
    assert sentence.endswith("(refused too: Integration, Pipe)")


def test_integration_left_out_takes_its_routes():
    result = fitted(changed("Integration", IntegrationType="MOCK"), leave_out={"Integration"})

    assert [(one.name, one.reason) for one in result.left_out] == [
        ("Integration", "you chose so"),
        ("Route", "it refers to Integration, which is left out"),
    ]


def test_property_left_out():
    result = fitted(
        changed("Route", AuthorizationType="AWS_IAM"), leave_out={"Route.AuthorizationType", "Gone"}
    )

    assert result.template["Resources"] == RESOURCES
    assert result.left_out == (
        LeftOut("Route", "AWS::ApiGatewayV2::Route", "its AuthorizationType: you chose so"),
    )


def test_api_cannot_do_without_its_authorizer():
    more = {
        "Guard": ("AWS::ApiGatewayV2::Authorizer", {"ApiId": {"Ref": "Api"}}),
        **changed("Route", AuthorizerId={"Ref": "Guard"}),
    }

    with pytest.raises(ProjectError, match="Route, a part of the API, refers to Guard"):
        fitted(more, leave_out={"Guard"})


def test_api_left_out_takes_its_parts():
    result = fitted(leave_out={"Api"})

    assert result.template["Resources"].keys() == {"Role", "Table", "Chat"}


def test_function_left_out_takes_its_routes():
    result = fitted(leave_out={"Chat"})

    assert [one.name for one in result.left_out] == ["Chat", "Integration", "Route"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            {"Fn::GetAtt": ["Api", "ApiEndpoint"]},
            {"Fn::Sub": "wss://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"},
            id="attribute",
        ),
        pytest.param(
            {"Fn::GetAtt": "Api.ApiEndpoint"},
            {"Fn::Sub": "wss://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"},
            id="text",
        ),
        pytest.param(
            {"Fn::Sub": "${Api.ApiEndpoint}/dev"},
            {"Fn::Sub": "wss://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/dev"},
            id="sub",
        ),
        pytest.param(
            {"Fn::GetAtt": ["Http", "ApiEndpoint"]},
            {"Fn::GetAtt": ["Http", "ApiEndpoint"]},
            id="http",
        ),
    ],
)
def test_endpoints_are_those_of_aws(before, after):
    http = ("AWS::ApiGatewayV2::Api", {"ProtocolType": "HTTP"})

    result = fitted({"Http": http}, environment={}, Outputs={"Url": {"Value": before}})

    assert result.template["Outputs"]["Url"]["Value"] == after


def test_authorizer_without_sources_says_so():
    guard = (
        "AWS::ApiGatewayV2::Authorizer",
        {"ApiId": {"Ref": "Api"}, "AuthorizerType": "REQUEST"},
    )

    result = fitted({"Guard": guard})

    assert result.template["Resources"]["Guard"]["Properties"]["IdentitySource"] == []


# --- what invokes functions besides

ARN = {"Fn::GetAtt": ["Chat", "Arn"]}
QUEUE = {"Queue": ("AWS::SQS::Queue", {})}


@pytest.mark.parametrize(
    "source",
    [
        {"Fn::GetAtt": ["Queue", "Arn"]},
        {"Fn::GetAtt": ["Table", "StreamArn"]},
        {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:q"},
        {"Fn::ImportValue": "a-stream"},
    ],
)
def test_sources_that_are_played_are_disabled_for_the_emulator(source):
    mapping = ("AWS::Lambda::EventSourceMapping", {"FunctionName": ARN, "EventSourceArn": source})

    result = fitted({**QUEUE, "Mapping": mapping})

    assert result.template["Resources"]["Mapping"]["Properties"]["Enabled"] is False
    assert result.left_out == ()


@pytest.mark.parametrize(
    ("more", "batch"), [({}, 10), ({"StartingPosition": "LATEST"}, 100), ({"BatchSize": "3"}, 3)]
)
def test_mappings_say_what_holds_by_default(more, batch):
    """That of a stream is another than that of a queue, and the emulator has one for both."""
    source = {"FunctionName": ARN, "EventSourceArn": {"Fn::ImportValue": "a-source"}}

    result = fitted({"Mapping": ("AWS::Lambda::EventSourceMapping", source | more)})

    assert result.template["Resources"]["Mapping"]["Properties"]["BatchSize"] == batch


def test_schedules_are_disabled_for_the_emulator():
    rule = {"ScheduleExpression": "rate(1 minute)", "Targets": [{"Id": "a", "Arn": ARN}]}

    result = fitted({"Rule": ("AWS::Events::Rule", rule)})

    assert result.template["Resources"]["Rule"]["Properties"]["State"] == "DISABLED"
    assert result.left_out == ()


def test_schedules_of_a_clock_are_left_out_by_name():
    """A cron beside a chat keeps nobody from running the chat."""
    rule = {"ScheduleExpression": "cron(0 12 * * ? *)", "Targets": [{"Id": "a", "Arn": ARN}]}
    permission = {"FunctionName": ARN, "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}

    result = fitted(
        {
            "Rule": ("AWS::Events::Rule", rule),
            "Permission": ("AWS::Lambda::Permission", permission),
        }
    )

    assert result.template["Resources"].keys() == RESOURCES.keys()
    assert result.left_out == (
        LeftOut(
            "Rule",
            "AWS::Events::Rule",
            "schedules are followed as rate(...), and it has cron(0 12 * * ? *)",
        ),
    )


def test_rules_without_functions_are_the_emulators():
    rule = {"EventPattern": {}, "Targets": [{"Id": "a", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}]}

    result = fitted({**QUEUE, "Rule": ("AWS::Events::Rule", rule)})

    assert result.template["Resources"]["Rule"]["Properties"] == rule
    assert result.left_out == ()


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::Events::Rule", {"ScheduleExpression": "rate(1 minute)", "State": "DISABLED"}),
        ("AWS::Lambda::EventSourceMapping", {"Enabled": False}),
        ("AWS::Lambda::EventSourceMapping", {"Enabled": "false"}),
    ],
)
def test_what_its_author_disabled_is_left_out(kind, properties):
    result = fitted({"It": (kind, properties)})

    assert result.left_out == (LeftOut("It", kind, "it is disabled in the template"),)


@pytest.mark.parametrize(
    ("kind", "properties", "left_out"),
    [
        ("AWS::Events::Rule", {"EventPattern": {}, "Targets": [{"Arn": ARN}]}, "It"),
        ("AWS::Lambda::EventSourceMapping", {"EventSourceArn": "arn:aws:kinesis:x"}, "It"),
        ("AWS::Lambda::EventSourceMapping", {"SelfManagedEventSource": {}}, "It"),
        (
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": "arn:aws:sqs:a:1:b", "TumblingWindowInSeconds": "30"},
            "It.TumblingWindowInSeconds",
        ),
        (
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": "arn:aws:sqs:a:1:b", "ProvisionedPollerConfig": {}},
            "It.ProvisionedPollerConfig",
        ),
        ("AWS::Scheduler::Schedule", {"Target": {"Arn": ARN, "RoleArn": {"Ref": "Role"}}}, "It"),
        ("AWS::SNS::Subscription", {"Protocol": "lambda", "Endpoint": ARN}, "It"),
        ("AWS::SNS::Topic", {"Subscription": [{"Endpoint": ARN}]}, "It.Subscription"),
        (
            "AWS::S3::Bucket",
            {"NotificationConfiguration": {"LambdaConfigurations": [{"Function": ARN}]}},
            "It.NotificationConfiguration",
        ),
        ("AWS::Cognito::UserPool", {"LambdaConfig": {"PreSignUp": ARN}}, "It.LambdaConfig"),
        ("AWS::Logs::SubscriptionFilter", {"DestinationArn": ARN}, "It"),
        ("AWS::Pipes::Pipe", {}, "It"),
        ("AWS::StepFunctions::StateMachine", {}, "It"),
        ("AWS::CloudFormation::Stack", {}, "It"),
        ("Custom::Seed", {"ServiceToken": ARN}, "It"),
        ("AWS::CloudFormation::CustomResource", {"ServiceToken": ARN}, "It"),
    ],
)
def test_what_invokes_functions_otherwise(kind, properties, left_out):
    """It is refused with what to do, and that is enough."""
    more = {"It": (kind, properties)}

    assert f"--leave-out {left_out} to do without" in refusal(more)
    assert fitted(more, leave_out={left_out}).left_out[0].name == "It"


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (
            "AWS::SNS::Subscription",
            {"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}},
        ),
        ("AWS::S3::Bucket", {"NotificationConfiguration": {"QueueConfigurations": [{}]}}),
    ],
)
def test_what_invokes_no_function_is_the_emulators(kind, properties):
    result = fitted({**QUEUE, "It": (kind, properties)})

    assert result.template["Resources"]["It"]["Properties"] == properties
