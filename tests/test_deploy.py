"""The local template differs from the deployed one just where the machine differs from AWS."""

import asyncio
import copy
import sys
import zipfile

import pytest

from local import assembly
from local.assembly import Assembly, AssemblyError, synthesize
from local.deploy import BUCKET, localize, uploads
from local.scheduler import (
    DeployedSchedule,
    ScheduleError,
    run_schedules,
    scheduled_event,
    seconds_between,
)

ASSETS = {"Fn::Sub": "cdk-assets-${AWS::AccountId}"}
TEMPLATE = {
    "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>"}},
    "Rules": {"CheckBootstrapVersion": {}},
    "Resources": {
        "Layer": {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"Content": {"S3Bucket": ASSETS, "S3Key": "old-layer.zip"}},
        },
        "Audio": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"S3Bucket": ASSETS, "S3Key": "old-code.zip"},
                "Environment": {"Variables": {"LOG_LEVEL": "INFO", "LIMIT": "50"}},
            },
        },
        "Inline": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Code": {"ZipFile": "pass"}},
        },
        "Minute": {
            "Type": "AWS::Events::Rule",
            "Properties": {"ScheduleExpression": "rate(1 minute)", "State": "ENABLED"},
        },
        "Pattern": {
            "Type": "AWS::Events::Rule",
            "Properties": {"EventPattern": {"source": ["x"]}, "State": "ENABLED"},
        },
        "Asked": {"Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {"Name": "asked"}},
        "Chosen": {
            "Type": "AWS::ApiGatewayV2::Authorizer",
            "Properties": {"IdentitySource": ["route.request.querystring.access_token"]},
        },
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}},
        "Ratio": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": []}},
        "Query": {"Type": "AWS::Logs::QueryDefinition", "Properties": {}},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"Code": "of another kind"}},
    },
}
KEYS = {"old-layer.zip": "new-layer.zip", "old-code.zip": "new-code.zip"}


def test_template_changes_where_it_must_and_nowhere_else():
    expected: dict = copy.deepcopy(TEMPLATE)
    resources = expected["Resources"]
    resources["Layer"]["Properties"]["Content"] = {"S3Bucket": BUCKET, "S3Key": "new-layer.zip"}
    resources["Audio"]["Properties"]["Code"] = {"S3Bucket": BUCKET, "S3Key": "new-code.zip"}
    resources["Audio"]["Properties"]["Environment"]["Variables"]["LIMIT"] = "7"
    resources["Inline"]["Properties"]["Environment"] = {"Variables": {"LIMIT": "7"}}
    resources["Minute"]["Properties"]["State"] = "DISABLED"
    resources["Asked"]["Properties"]["IdentitySource"] = []
    del resources["Ratio"], resources["Query"], expected["Rules"]
    del expected["Parameters"]["BootstrapVersion"]
    before = copy.deepcopy(TEMPLATE)

    assert localize(TEMPLATE, KEYS, {"LIMIT": "7"}) == expected
    assert before == TEMPLATE


def test_upload_key_changes_with_the_content_alone():
    keys, files = uploads({"a": b"one", "b": b"two"})

    assert uploads({"c": b"one"})[0]["c"] == keys["a"]
    assert keys["a"] != keys["b"]
    assert files == {keys["a"]: b"one", keys["b"]: b"two"}


def test_zips_are_reported_apart_by_what_is_in_them(tmp_path):
    contents = {
        "layer": ["python/shared_utils/__init__.py"],
        "functions": ["handlers/__init__.py", "handlers/audio.py", "broadcast/store.py"],
        "authorizer": ["handler.py", "jwt/__init__.py", "token_authorizer.py"],
        "other": ["index.html"],
    }
    for name, files in contents.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file in files:
                archive.writestr(file, "")
    (tmp_path / "text").write_text("no zip")
    made = Assembly("Stack", {}, {name: tmp_path / name for name in [*contents, "text"]})

    assert made.layer_keys == {"layer"}
    assert made.authorizer_keys == {"authorizer"}
    assert made.code_keys == {"functions": ["broadcast", "handlers"]}


ISSUER = {"SPEAKER_ISSUER": "http://127.0.0.1:9", "SPEAKER_AUDIENCE": "talks"}


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Return the contexts of which a template was made, while none is kept yet."""
    contexts = []

    def make(context, folder):
        contexts.append(context)
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()

    monkeypatch.setattr(assembly, "CACHE", tmp_path)
    monkeypatch.setattr(assembly, "_make_assembly", make)
    monkeypatch.setattr(assembly, "read_assembly", lambda folder: folder)
    return contexts


def test_issuer_makes_a_template_of_its_own(made):
    open_to_all = synthesize("dev")
    guarded = synthesize("dev", ISSUER)

    assert guarded != open_to_all
    assert (synthesize("dev", ISSUER), synthesize("dev", {})) == (guarded, open_to_all)
    assert made == [{"stage": "dev"}, {"stage": "dev", **ISSUER}]


def test_settings_of_the_functions_alone_make_none(made):
    assert synthesize("dev", {"RATE_LIMIT_AUDIO_CHUNKS": "7"}) == synthesize("dev")
    assert made == [{"stage": "dev"}]


def test_setting_that_the_app_refuses_is_reported_in_its_words(monkeypatch, tmp_path):
    monkeypatch.setattr(assembly, "CACHE", tmp_path)

    with pytest.raises(AssemblyError) as refused:
        synthesize("dev", {"SPEAKER_AUDIENCE": "talks"})

    assert str(refused.value).startswith("SPEAKER_AUDIENCE needs SPEAKER_ISSUER")


def test_template_is_for_this_python_whatever_is_deployed_to_aws(monkeypatch, tmp_path):
    """Neither cdk.json nor what the CDK's command line has left in the environment counts here."""
    monkeypatch.setattr(assembly, "CACHE", tmp_path)
    monkeypatch.setenv("CDK_CONTEXT_JSON", '{"python": "3.3"}')

    functions = [
        row["Properties"]
        for row in synthesize("dev").template["Resources"].values()
        if row["Type"] == "AWS::Lambda::Function"
    ]

    assert {row["Runtime"] for row in functions} == {f"python3.{sys.version_info.minor}"}


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(2 hours)", 7200),
        ("rate(1 day)", 86_400),
    ],
)
def test_rate_is_a_period(expression, seconds):
    assert seconds_between(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "rate(0 minutes)", "rate(1 minute) "])
def test_schedule_that_cannot_be_followed_is_refused(expression):
    with pytest.raises(ScheduleError, match="only rate"):
        seconds_between(expression)


RULE = "arn:aws:events:us-east-1:000000000000:rule/Minute"


def test_scheduled_function_gets_what_eventbridge_sends():
    event = scheduled_event(DeployedSchedule(RULE, "housekeeping", 60), now=1_700_000_000.9)

    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": "2023-11-14T22:13:20Z",
        "region": "us-east-1",
        "resources": [RULE],
        "detail": {},
    }


def test_rules_own_input_goes_first():
    assert scheduled_event(DeployedSchedule(RULE, "housekeeping", 60, {"a": 1}), now=0) == {"a": 1}


def test_schedules_run_again_and_again_each_at_its_pace():
    runs = []

    async def main():
        slow, quick = DeployedSchedule(RULE, "slow", 3600), DeployedSchedule(RULE, "quick", 0.001)
        enough = asyncio.Event()

        async def run(schedule):
            runs.append(schedule.function)
            if len(runs) == 3:
                enough.set()

        task = asyncio.create_task(run_schedules([slow, quick], run))
        await asyncio.wait_for(enough.wait(), 10)
        task.cancel()

    asyncio.run(main())

    assert runs[:3] == ["quick"] * 3
    assert "slow" not in runs
