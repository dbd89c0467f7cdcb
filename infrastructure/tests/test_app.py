"""The app as a whole: stages, findings, and the same template each time."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest

from infrastructure.app import build_app, main

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


OPEN = (
    "app.py: warning: The system is open: anyone who reaches the API may speak. SPEAKER_ISSUER with"
)


def test_manuals_command_writes_the_assembly_and_says_that_the_system_is_open(tmp_path):
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
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr.startswith(OPEN)
    assert run.stderr.count("\n") == 1
    template = (out / "WebSocketAudio-dev.template.json").read_text()
    assert '"LOG_LEVEL": "DEBUG"' in template


def test_warnings_are_left_to_the_cdks_command_line_if_it_runs_the_app(
    monkeypatch, tmp_path, capsys
):
    """It shows them itself. What tells that it runs the app is a variable that it sets for that."""
    monkeypatch.setenv("CDK_CLI_VERSION", "2.1000.0")

    main(["--no-context-file", "-c", f"python={PYTHON}", "--output", str(tmp_path)])

    assert capsys.readouterr() == ("", "")
    assert "The system is open" in (tmp_path / "WebSocketAudio-dev.metadata.json").read_text()


def said_by_app(tmp_path, *options, **environ):
    run = subprocess.run(
        [sys.executable, ROOT / "infrastructure" / "app.py", *options],
        env={"PATH": os.environ["PATH"], **environ},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    return run.stderr


def test_mistakes_are_one_line(tmp_path):
    assert said_by_app(tmp_path, "-c", "stage=Prod!") == (
        "app.py: stage must be 1 to 16 lower-case letters or digits, a letter first, got 'Prod!'\n"
    )


@pytest.mark.parametrize(
    ("options", "environ", "got"),
    [
        pytest.param((), {}, "file", id="file"),
        pytest.param(
            (), {"CDK_CONTEXT_JSON": '{"log_level": "of the cli"}'}, "of the cli", id="cli"
        ),
        pytest.param(
            ("-c", "log_level=argument"),
            {"CDK_CONTEXT_JSON": '{"log_level": "of the cli"}'},
            "argument",
            id="argument",
        ),
    ],
)
def test_context_of_the_file_holds_where_nothing_else_says_otherwise(
    tmp_path, options, environ, got
):
    """As for the CDK's command line. A level that is none shows which of them counted."""
    file = tmp_path / "cdk.json"
    file.write_text('{"context": {"log_level": "file"}}')

    said = said_by_app(tmp_path, "--context-file", str(file), *options, **environ)

    assert said.endswith(f"got {got!r}\n")


def test_settings_of_a_stage_in_the_file_count_when_the_app_runs_by_hand(tmp_path):
    file = tmp_path / "cdk.json"
    file.write_text('{"context": {"stages": {"prod": {"SPEAKER_ISSUER": "http://a.example"}}}}')

    said = said_by_app(tmp_path, "--context-file", str(file), "-c", "stage=prod")

    assert said.startswith("app.py: SPEAKER_ISSUER needs SPEAKER_AUDIENCE")


def test_file_is_cdk_json_unless_the_app_is_to_read_none(tmp_path):
    """Its Python wins over that of the stage, which is none."""
    stages = {"CDK_CONTEXT_JSON": '{"stages": {"dev": {"python": "3.3"}}}'}
    wrong = ("-c", "log_level=loud")

    assert "log_level must be" in said_by_app(tmp_path, *wrong, **stages)
    assert "python must be" in said_by_app(tmp_path, "--no-context-file", *wrong, **stages)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(None, "cannot be read: [Errno 2]", id="missing"),
        pytest.param("{", "cannot be read: Expecting", id="no-json"),
        pytest.param("[]", "must hold an object with an object `context`", id="no-object"),
        pytest.param('{"context": []}', "must hold an object with an object `context`", id="list"),
    ],
)
def test_file_that_holds_no_context_is_one_line(tmp_path, text, why):
    file = tmp_path / "cdk.json"
    if text is not None:
        file.write_text(text)

    said = said_by_app(tmp_path, "--context-file", str(file))

    assert said.startswith(f"app.py: --context-file {file} {why}")
    assert said.count("\n") == 1


def test_app_takes_declared_names_from_the_layer_and_nothing_else():
    """The arrow of the design: infrastructure -> table_names, websocket_messages, metrics_emitter."""
    taken = {
        (node.module, alias.name)
        for source in (ROOT / "infrastructure").glob("*.py")
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ImportFrom) and re.match(r"shared_utils\b", node.module or "")
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
