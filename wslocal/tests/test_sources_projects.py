"""Small projects of every shape are deployed to the emulator, and the gateway reads their APIs."""

import io
import shutil
import urllib.request
import zipfile
from pathlib import Path

import pytest

from wslocal.emulator import Emulator
from wslocal.sources import ProjectOptions, complete, fit, read_project
from wslocal.sources.kept import without_kept
from wslocal.tests.built_projects import packaged, synthesized
from wslocal.tests.deployed_project import deploy, deploy_stack, ids_of, websocket_apis

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parent / "projects"


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def cdk_project(tmp_path_factory):
    """A folder with the `cdk.out` of an app."""
    return synthesized(tmp_path_factory.mktemp("cdk") / "two_stacks")


@pytest.fixture
def serverless_project(tmp_path):
    """A folder with the `.serverless` that `osls package` has written, and its zip."""
    return packaged(tmp_path / "authorized-chat")


def read(path, **options):
    return read_project(path, ProjectOptions(**options))


def functions_of(emulator, project):
    """Return the configurations of a project's functions, by name."""
    client = emulator.client("lambda")
    names = ids_of(emulator, project, "AWS::Lambda::Function")
    return {name: client.get_function_configuration(FunctionName=name) for name in names}


def files_at(url):
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the emulator names itself
        return zipfile.ZipFile(io.BytesIO(answer.read())).namelist()


def test_sam(emulator):
    project = read(PROJECTS / "sam_python")

    fitted = deploy(emulator, project)

    [api] = websocket_apis(emulator, project)
    assert api.stage == "Prod"
    assert api.routes.keys() == {"$connect", "$disconnect", "sendmessage"}
    assert len({route.function_arn for route in api.routes.values()}) == 3
    assert fitted["sam-python"].left_out == project.notes == ()
    code = emulator.client("lambda").get_function(
        FunctionName=api.routes["sendmessage"].function_arn
    )
    assert files_at(code["Code"]["Location"]) == ["app.py", "requirements.txt"]


def test_sam_with_a_parameter(emulator, tmp_path):
    shutil.copytree(PROJECTS / "sam_python", tmp_path / "another")
    parameters = {"StageName": "Test", "TableName": "other_connections"}
    project = read(tmp_path / "another", parameters=parameters)

    deploy(emulator, project)

    [api] = websocket_apis(emulator, project)
    variables = [
        one["Environment"]["Variables"] for one in functions_of(emulator, project).values()
    ]
    assert api.stage == "Test"
    assert variables == [{"TABLE_NAME": "other_connections"}] * 3


def test_websocket_api_of_sam(emulator):
    project = read(PROJECTS / "sam_websocket_api")

    deploy(emulator, project)

    [api] = websocket_apis(emulator, project)
    assert (api.stage, api.stage_variables) == ("live", {"greeting": "hello"})
    assert api.routes.keys() == {"$connect", "$disconnect", "send", "who"}
    [function] = functions_of(emulator, project).values()
    [layer] = function["Layers"]
    found = emulator.client("lambda").get_layer_version_by_arn(Arn=layer["Arn"])
    assert files_at(found["Content"]["Location"]) == ["python/rooms.py"]


def test_plain_cloudformation(emulator):
    project = read(PROJECTS / "cloudformation_plain")

    fitted = deploy(emulator, project)["cloudformation-plain"]

    [api] = websocket_apis(emulator, project)
    assert {key: route.responds for key, route in api.routes.items()} == {
        "$connect": False,
        "$disconnect": False,
        "send": True,
    }
    assert [(one.name, one.type) for one in fitted.left_out] == [
        ("Send", "AWS::Lambda::Function"),  # its VpcConfig
        ("Rum", "AWS::RUM::AppMonitor"),
    ]
    outputs = emulator.client("cloudformation").describe_stacks(StackName="cloudformation-plain")
    named = {one["OutputKey"]: one["OutputValue"] for one in outputs["Stacks"][0]["Outputs"]}
    [url] = without_kept(named).values()
    assert url == f"wss://{api.id}.execute-api.us-east-1.amazonaws.com/dev"


def test_changed_project_is_deployed_again(emulator, tmp_path):
    """The API stays; the function's code and the routes' responses are the new ones."""
    folder = tmp_path / "changing"
    shutil.copytree(PROJECTS / "cloudformation_plain", folder)
    before = read(folder)
    deploy(emulator, before)
    [api] = websocket_apis(emulator, before)
    digests = {one["CodeSha256"] for one in functions_of(emulator, before).values()}

    (folder / "send" / "app.py").write_text("def handler(event, context): ...\n")
    project = read(folder)
    [stack] = project.stacks
    del stack.template["Resources"]["SendRouteResponse"]
    fitted = fit(stack)
    [(key, archive)] = stack.archives.items()
    emulator.client("s3").put_object(Bucket="local-assets", Key=key, Body=archive)
    deploy_stack(emulator, stack, fitted.template)
    complete(emulator.client, stack.name, fitted)

    [now] = websocket_apis(emulator, project)
    after = {one["CodeSha256"] for one in functions_of(emulator, project).values()}
    assert now.id == api.id
    assert not now.routes["send"].responds
    assert len(after - digests) == len(after & digests) == 1


@pytest.mark.long  # `cdk synth` takes longer than all other tests here
def test_cdk_with_two_stacks(emulator, cdk_project):
    project = read(cdk_project)

    fitted = deploy(emulator, project)

    assert list(fitted) == ["ChatStorage", "Chat"]
    [api] = websocket_apis(emulator, project)
    assert api.routes.keys() == {"$connect", "$disconnect", "send"}
    assert api.routes["send"].responds
    [function] = functions_of(emulator, project).values()
    [table] = ids_of(emulator, project, "AWS::DynamoDB::Table")
    [layer] = ids_of(emulator, project, "AWS::Lambda::LayerVersion")
    assert function["Environment"]["Variables"] == {"CONNECTIONS": table}
    assert [one["Arn"] for one in function["Layers"]] == [layer]
    assert [(one.type, one.reason) for one in fitted["Chat"].left_out] == [
        ("Custom::LogRetention", "logs are kept until the end"),
        ("AWS::Lambda::Function", "nothing is left that it would make"),
    ]


def test_serverless_with_an_authorizer(emulator, serverless_project):
    project = read(serverless_project)

    fitted = deploy(emulator, project)

    assert fitted["authorized-chat-dev"].left_out == ()
    [api] = websocket_apis(emulator, project)
    authorizer = api.routes["$connect"].authorizer
    assert authorizer.function_arn.endswith(":function:authorized-chat-dev-authorize")
    assert authorizer.identity_sources == (("route.request.querystring", "token"),)
    assert api.routes["send"].responds


DOMAIN = """
Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {ProtocolType: WEBSOCKET, Name: named, RouteSelectionExpression: $request.body.a}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: live, AutoDeploy: true}
  Certificate:
    Type: AWS::CertificateManager::Certificate
    Properties: {DomainName: chat.example.com, ValidationMethod: DNS}
  Domain:
    Type: AWS::ApiGatewayV2::DomainName
    Properties:
      DomainName: chat.example.com
      DomainNameConfigurations: [{CertificateArn: !Ref Certificate, EndpointType: REGIONAL}]
  Mapping:
    Type: AWS::ApiGatewayV2::ApiMapping
    Properties: {ApiId: !Ref Api, DomainName: !Ref Domain, Stage: !Ref Stage}
  Zone:
    Type: AWS::Route53::HostedZone
    Properties: {Name: example.com}
  Name:
    Type: AWS::Route53::RecordSet
    Properties:
      HostedZoneId: !Ref Zone
      Name: !Ref Domain
      Type: A
      AliasTarget:
        DNSName: !GetAtt Domain.RegionalDomainName
        HostedZoneId: !GetAtt Domain.RegionalHostedZoneId
  Key:
    Type: AWS::ApiGateway::ApiKey
    Properties: {Enabled: true, Value: a-key-of-twenty-characters}
  Plan:
    Type: AWS::ApiGateway::UsagePlan
    Properties: {ApiStages: [{ApiId: !Ref Api, Stage: !Ref Stage}]}
  PlanKey:
    Type: AWS::ApiGateway::UsagePlanKey
    Properties: {KeyId: !Ref Key, KeyType: API_KEY, UsagePlanId: !Ref Plan}
"""


def test_names_and_keys_of_an_api_are_kept(emulator, tmp_path):
    (tmp_path / "template.yaml").write_text(DOMAIN)
    project = read(tmp_path)

    [fitted] = deploy(emulator, project).values()

    assert fitted.left_out == ()
    [api] = ids_of(emulator, project, "AWS::ApiGatewayV2::Api")
    mappings = emulator.client("apigatewayv2").get_api_mappings(DomainName="chat.example.com")
    assert [(one["ApiId"], one["Stage"]) for one in mappings["Items"]] == [(api, "live")]
    [plan] = emulator.client("apigateway").get_usage_plans()["items"]
    assert [(one["apiId"], one["stage"]) for one in plan["apiStages"]] == [(api, "live")]
    keys = emulator.client("apigateway").get_usage_plan_keys(usagePlanId=plan["id"])["items"]
    assert [one["value"] for one in keys] == ["a-key-of-twenty-characters"]
