"""The app as a whole: stages, findings, and the same template each time."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest

from infrastructure.app import build_app

from .conftest import MANUAL, PYTHON, ROOT


def test_same_sources_give_the_same_template(dev, synth):
    again = synth(stage="dev")

    assert again.folder != dev.folder
    assert again.text == dev.text


def test_stage_is_in_every_name(dev, synth):
    """Two stages in one account share no name."""

    def names(assembly):
        keys = ("FunctionName", "TableName", "LogGroupName", "AlarmName", "TopicName", "LayerName")
        return {
            resource["Properties"].get(key)
            for resource in assembly.template["Resources"].values()
            for key in (*keys, "DashboardName", "Name")
            if isinstance(resource.get("Properties", {}).get(key), str)
        }

    blue = synth(stage="blue")

    assert blue.name == "WebSocketAudio-blue"
    assert names(dev) & names(blue) == set()
    assert {name.replace("dev", "blue") for name in names(dev)} == names(blue)
    assert len(names(dev)) > 30


def test_stack_carries_its_stage(dev):
    """CloudFormation hands a stack's tags on to all that it makes."""
    assert dev.stack["properties"]["tags"] == {"stage": "dev", "system": "websocket-audio"}


@pytest.mark.threat("deleted-stage")
def test_production_is_protected_from_deletion(dev, synth):
    assert dev.stack["properties"]["terminationProtection"] is False
    assert synth(stage="prod").stack["properties"]["terminationProtection"] is True


@pytest.mark.parametrize(
    ("options", "more"),
    [
        pytest.param("dev", set(), id="open"),
        pytest.param("guarded", set(), id="foreign-issuer"),
        pytest.param("pooled", {"COG8"}, id="pool"),
        pytest.param("encrypted", {"COG8"}, id="pool-and-key"),
    ],
)
def test_every_finding_of_cdk_nag_is_explained(request, options, more):
    folder = request.getfixturevalue(options).folder
    [report] = json.loads((folder / "validation-report.json").read_text())["pluginReports"]
    explained = {row["ruleName"].partition("[")[0] for row in report["suppressedViolations"]}

    assert report["pluginName"] == "AwsSolutions"
    assert report["violations"] == []
    assert explained == {f"AwsSolutions-{rule}" for rule in {"APIG4", "IAM4", "IAM5", "L1"} | more}


def test_finding_that_nobody_explained_stops_the_synthesis(tmp_path):
    import aws_cdk as cdk
    from aws_cdk import aws_sqs as sqs

    app = build_app({"python": PYTHON}, str(tmp_path))
    sqs.Queue(cdk.Stack(app, "Planted"), "Queue")

    with pytest.raises(RuntimeError, match="AwsSolutions-SQS3"):
        app.synth()


def test_manuals_command_writes_the_assembly(tmp_path):
    """It is what cdk.json names, so the CDK's command line runs it too, with its own context."""
    [command] = re.findall(r"^\S+ infrastructure/app.py .*$", MANUAL, re.M)
    named = json.loads((ROOT / "cdk.json").read_text())["app"]
    out = tmp_path / "out"

    run = subprocess.run(
        command.replace("cdk.out", str(out)).split(),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],  # where the CDK keeps what it has unpacked
            "CDK_CONTEXT_JSON": json.dumps({"log_level": "DEBUG", "python": PYTHON}),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert command.startswith(named)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    template = (out / "WebSocketAudio-dev.template.json").read_text()
    assert '"LOG_LEVEL": "DEBUG"' in template


def test_mistakes_are_one_line(tmp_path):
    run = subprocess.run(
        [sys.executable, ROOT / "infrastructure" / "app.py", "-c", "stage=Prod!"],
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert run.stderr == (
        "app.py: stage must be 1 to 16 lower-case letters or digits, a letter first, got 'Prod!'\n"
    )


def test_app_takes_declared_names_from_the_layer_and_nothing_else():
    """The arrow of the design: infrastructure -> table_names, websocket_messages, metrics_emitter."""
    taken = {
        (node.module, alias.name)
        for source in (ROOT / "infrastructure").glob("*.py")
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shared_utils")
        for alias in node.names
    }

    assert taken == {
        ("shared_utils.metrics_emitter", "METRICS"),
        ("shared_utils.table_names", "CONNECTIONS_TABLE_NAME"),
        ("shared_utils.table_names", "RATE_LIMITS_TABLE_NAME"),
        ("shared_utils.table_names", "SESSIONS_TABLE_NAME"),
        ("shared_utils.table_names", "TABLES"),
        ("shared_utils.table_names", "TRANSLATION_CACHE_TABLE_NAME"),
        ("shared_utils.table_names", "TableSchema"),
        ("shared_utils.websocket_messages", "CLIENT_MESSAGES"),
    }
