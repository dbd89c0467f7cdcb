"""Who may speak is asked on `$connect` when an issuer is set; otherwise nothing is, and that is said."""

import json
import re
import zipfile

import pytest

from local import project
from local.project import Builds
from quiet_lines import QuietLines
from shared_utils import MetricsEmitter
from shared_utils.testing import capture_lines
from token_authorizer import TokenAuthorizer
from token_settings import TokenSettings

from .conftest import PYTHON, ROOT
from .test_functions import flat, function_of, rights_of, statements_of

KINDS = ("ApiGatewayV2::Authorizer", "Cognito::UserPool", "Cognito::UserPoolClient")


def authorization_of(assembly):
    """Return how each route is guarded."""
    return {
        route["RouteKey"]: (route["AuthorizationType"], route.get("AuthorizerId"))
        for route in assembly.properties("ApiGatewayV2::Route")
    }


def warnings_of(assembly):
    metadata = json.loads((assembly.folder / f"{assembly.name}.metadata.json").read_text())
    rows = [row for of in metadata.values() for row in of]
    return [row["data"] for row in rows if row["type"] == "aws:cdk:warning"]


def test_without_an_issuer_nothing_is_guarded_and_nothing_is_new(dev):
    assert [dev.resources(kind) for kind in KINDS] == [{}] * len(KINDS)
    assert set(authorization_of(dev).values()) == {("NONE", None)}
    assert "authorizer" not in dev.text.lower()


@pytest.mark.threat("open-unnoticed")
def test_open_stage_says_so_when_it_is_deployed_and_when_it_is_there(dev):
    [warning] = warnings_of(dev)

    assert warning.startswith("The system is open: anyone who reaches the API may speak.")
    assert dev.template["Outputs"]["Speakers"]["Value"] == (
        "open: anyone who reaches the API may speak"
    )


def test_guarded_stage_says_whose_tokens_count(guarded):
    assert warnings_of(guarded) == []
    assert guarded.template["Outputs"]["Speakers"]["Value"] == (
        "speakers need a token of https://login.example.com/ with the scope speak"
    )


@pytest.mark.parametrize("options", ["guarded", "pooled"])
@pytest.mark.threat("open-sessions")
def test_connect_is_guarded_and_nothing_else(request, options):
    """API Gateway asks an authorizer on no other route of a WebSocket API."""
    assembly = request.getfixturevalue(options)
    [authorizer] = assembly.resources("ApiGatewayV2::Authorizer")
    routes = authorization_of(assembly)

    assert routes.pop("$connect") == ("CUSTOM", {"Fn::GetAtt": [authorizer, "AuthorizerId"]})
    assert set(routes.values()) == {("NONE", None)}


def test_authorizer_is_asked_whatever_a_client_sends(guarded):
    """With an identity source, a client that lacks it would get 401 without anybody being asked."""
    [authorizer] = guarded.properties("ApiGatewayV2::Authorizer")

    assert authorizer["AuthorizerType"] == "REQUEST"
    assert not authorizer.keys() & {"IdentitySource", "AuthorizerResultTtlInSeconds"}


def test_authorizer_leads_to_its_function_which_lets_it_in(guarded):
    [(name, authorizer)] = guarded.resources("ApiGatewayV2::Authorizer").items()
    [function] = [
        name
        for name, row in guarded.resources("Lambda::Function").items()
        if row["Properties"]["FunctionName"] == "websocket-audio-dev-authorizer"
    ]
    [permission] = [
        row
        for row in guarded.properties("Lambda::Permission")
        if row["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}
    ]

    assert flat(authorizer["Properties"]["AuthorizerUri"]) == (
        "arn:<AWS::Partition>:apigateway:<AWS::Region>:lambda:path/2015-03-31/functions/"
        f"<{function}.Arn>/invocations"
    )
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert flat(permission["SourceArn"]) == (
        "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<WebSocketApiCEC6B617>"
        f"/authorizers/<{name}.AuthorizerId>"
    )


@pytest.mark.parametrize("options", ["guarded", "encrypted"])
@pytest.mark.threat("too-many-rights")
def test_authorizer_may_write_its_log_and_nothing_else(request, options):
    assembly = request.getfixturevalue(options)
    [group] = (
        f"<{name}.Arn>"
        for name, row in assembly.resources("Logs::LogGroup").items()
        if row["Properties"]["LogGroupName"] == "/aws/lambda/websocket-audio-dev-authorizer"
    )

    assert rights_of(assembly, "authorizer") == {
        ("logs:CreateLogStream", group),
        ("logs:PutLogEvents", group),
    }
    assert len(statements_of(assembly, "authorizer")) == 1


def test_authorizer_has_the_layer_and_reaches_the_internet(guarded):
    """In a VPC it would need a NAT gateway to reach the issuer."""
    function = function_of(guarded, "authorizer")
    [layer] = guarded.resources("Lambda::LayerVersion")

    assert function["Layers"] == [{"Ref": layer}]
    assert "VpcConfig" not in function
    assert (function["Runtime"], function["Architectures"]) == (f"python{PYTHON}", ["arm64"])
    assert (function["Timeout"], function["MemorySize"]) == (15, 512)


def test_authorizer_has_its_settings_and_no_tables(guarded):
    assert function_of(guarded, "authorizer")["Environment"]["Variables"] == {
        "SERVICE_NAME": "websocket-audio",
        "METRICS_NAMESPACE": "WebSocketAudio/dev",
        "LOG_LEVEL": "INFO",
        "SPEAKER_ISSUER": "https://login.example.com/",
        "SPEAKER_AUDIENCE": "talks",
        "SPEAKER_SCOPE": "speak",
        "LISTENERS_NEED_TOKEN": "false",
    }


def test_functions_know_the_issuer_too(guarded):
    variables = function_of(guarded, "session")["Environment"]["Variables"]

    assert {name: text for name, text in variables.items() if name.startswith("SPEAKER_")} == {
        "SPEAKER_ISSUER": "https://login.example.com/",
        "SPEAKER_AUDIENCE": "talks",
        "SPEAKER_SCOPE": "speak",
    }


def test_saved_queries_look_at_its_log_too(guarded):
    groups = [row["LogGroupNames"] for row in guarded.properties("Logs::QueryDefinition")]

    assert groups
    assert all("/aws/lambda/websocket-audio-dev-authorizer" in of for of in groups)


def test_zip_has_the_handler_and_machine_code_for_arm(guarded):
    function = function_of(guarded, "authorizer")
    with zipfile.ZipFile(guarded.assets()[function["Code"]["S3Key"]]) as archive:
        names = archive.namelist()

    assert function["Handler"] == "handler.handler"
    assert {path.name for path in (ROOT / "authorizer").glob("*.py")} <= set(names)
    assert [name for name in names if name.endswith(".so") and "x86_64" in name] == []
    assert [name for name in names if re.search(r"cryptography/.*\.so$", name)]


def test_local_run_finds_the_authorizers_zip(dev, guarded, monkeypatch):
    """It builds its own, for this machine."""
    monkeypatch.setattr(project, "build_authorizer", lambda: b"of this machine")
    monkeypatch.setattr(project, "build_layer", lambda: b"")
    monkeypatch.setattr(project, "build_functions", lambda packages: b"")
    key = function_of(guarded, "authorizer")["Code"]["S3Key"]

    def built(assembly):
        zips = [item for item in assembly.assets().items() if item[0].endswith(".zip")]
        made = {key: Builds().instead_of(path.read_bytes()) for key, path in zips}
        return {key for key, content in made.items() if content == b"of this machine"}

    assert built(guarded) == {key}
    assert built(dev) == set()


# --- its alarm ---------------------------------------------------------------------------------


@pytest.fixture
def alarm(guarded):
    [alarm] = [
        row
        for row in guarded.properties("CloudWatch::Alarm")
        if row["AlarmName"] == "websocket-audio-dev-authorizer-errors"
    ]
    return alarm


@pytest.mark.parametrize(
    ("errors", "answered", "above"),
    [
        pytest.param(3, 0, 3, id="cannot-start"),
        pytest.param(700, 700, 0, id="a-flood-of-bad-tokens"),
        pytest.param(703, 700, 0, id="a-flood-whose-end-is-counted-later"),
        pytest.param(1050, 1000, 0, id="a-flood-of-the-slowest-answers"),
        pytest.param(1051, 1000, 51, id="a-flood-and-one-crash-more"),
        pytest.param(1900, 1000, 900, id="crashes-beside-a-flood"),
        pytest.param(0, 700, 0, id="counted-here-alone"),
        pytest.param(1500, 700, 800, id="an-outage-and-a-flood"),
        pytest.param(0, 0, 0, id="nothing"),
    ],
)
def test_alarm_leaves_out_what_the_authorizer_answers(alarm, errors, answered, above):
    """CloudWatch's functions as Python's; FILL puts 0 where a metric has no value."""
    [expression] = [row["Expression"] for row in alarm["Metrics"] if "Expression" in row]
    functions = {"IF": lambda condition, yes, no: yes if condition else no, "FILL": max}

    assert eval(expression, functions | {"errors": errors, "answered": answered}) == above  # noqa: S307
    assert alarm["EvaluationPeriods"] == 2


def test_alarm_tolerates_what_answers_of_the_longest_time_shift_to_the_next_period(guarded, alarm):
    """Of calls that come evenly, those that begin so shortly before its end are answered after it."""
    [expression] = [row["Expression"] for row in alarm["Metrics"] if "Expression" in row]
    periods = {row["MetricStat"]["Period"] for row in alarm["Metrics"] if "MetricStat" in row}
    [factor] = re.findall(r"errors > ([0-9.]+) \*", expression)

    assert periods == {300}
    assert float(factor) == 1 + function_of(guarded, "authorizer")["Timeout"] / 300


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        pytest.param(f"Bearer {'a' * 9000}", "AUTH_TOKEN_INVALID", id="refused"),
        pytest.param(7, "INTERNAL_SERVER_ERROR", id="failed"),
    ],
)
def test_alarm_counts_by_the_action_that_the_authorizer_writes(alarm, authorization, code):
    """What it raises it has counted; what it has not counted it did not survive."""
    [counted] = [
        row["MetricStat"]["Metric"]
        for row in alarm["Metrics"]
        if row.get("MetricStat", {}).get("Metric", {}).get("MetricName") == "MessageFailures"
    ]
    settings = TokenSettings("https://login.example.com/", "talks")
    event = {"methodArn": "arn", "headers": {"Authorization": authorization}}

    with capture_lines() as lines, MetricsEmitter() as metrics:
        answer = TokenAuthorizer(settings, None, metrics, metrics, QuietLines()).answer(event)

    written = [line for line in lines if "_aws" in line and "MessageFailures" in line]
    assert isinstance(answer, Exception)
    assert {line.get("ErrorCode") for line in written} - {None} == {code}
    assert {line.get("ActionType") for line in written} - {None} == {
        row["Value"] for row in counted["Dimensions"]
    }
