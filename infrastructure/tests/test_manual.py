"""docs/operations.md says what is so: commands, settings and alarms are the real ones."""

import dataclasses
import json
import re
import shlex
import subprocess

import botocore.session
import pytest

from infrastructure.function_specs import FUNCTION_SPECS
from infrastructure.settings import LIMITS, StageSettings

from .conftest import MANUAL, ROOT

BLOCKS = re.findall(r"^```(\w+ ?\w*)\n(.*?)^```$", MANUAL, re.M | re.S)


def commands(kind):
    return [line for of, block in BLOCKS if of == kind for line in block.splitlines()]


def rows(heading):
    """Return the cells of the table below the first row that begins with `heading`."""
    table = MANUAL.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def test_every_block_is_of_a_kind_that_is_checked():
    kinds = {"sh", "sh cdk", "sh aws", "sh wait", "json", "json result"}

    assert {kind for kind, _ in BLOCKS} == kinds
    assert [shlex.split(line)[:2] for line in commands("sh")] == [
        ["make", "dev"],
        [".venv/dev/bin/python", "infrastructure/app.py"],
    ]


@pytest.mark.parametrize("command", commands("sh cdk"))
def test_cdk_command_sets_what_the_app_knows(command):
    npx, cdk, action, *options = shlex.split(command)
    context = dict(pair.split("=", 1) for pair in options[1::2])

    assert (npx, cdk) == ("npx", "aws-cdk@2")
    assert action in ("bootstrap", "diff", "deploy", "destroy")
    assert set(options[::2]) <= {"-c"}
    assert StageSettings.from_context(context).stage == "dev"


@pytest.mark.parametrize("command", commands("sh aws"))
def test_aws_command_is_one_that_aws_has(command):
    """By the API's own model: the operation, its parameters, and those that it needs."""
    _, service, operation, *options = shlex.split(command)
    model = botocore.session.get_session().get_service_model(service)
    name = "".join(word.capitalize() for word in operation.split("-"))
    shape = model.operation_model(name).input_shape
    given = {option[2:] for option in options[::2]} - {"query", "output"}  # the command line's own

    def dashed(member):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", member).lower()

    assert given <= {dashed(member) for member in shape.members}
    assert {dashed(member) for member in shape.required_members} <= given


def test_wait_ends_when_the_query_has_ended(tmp_path):
    """With an `aws` that answers as AWS does while a query runs, and a `sleep` that takes no time."""
    [wait] = [block for kind, block in BLOCKS if kind == "sh wait"]
    answers = 'echo "$*" >> asked\ncase $(wc -l < asked) in 1) echo Scheduled;; 2) echo Running;; *) echo Complete;; esac'
    for name, script in (("aws", answers), ("sleep", ":")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    path = f"{tmp_path}:/usr/bin:/bin"
    subprocess.run(["sh", "-ec", wait], cwd=tmp_path, env={"PATH": path}, timeout=60, check=True)

    assert len((tmp_path / "asked").read_text().splitlines()) == 3


@pytest.mark.threat("log-manual")
def test_settings_are_all_in_the_table_with_their_defaults():
    declared = {
        field.name: field.default
        for field in dataclasses.fields(StageSettings)
        if field.name != "limits"
    }
    words = {"alarm_email": "nobody", "layer_version_arn": "the layer as it is built"}
    usual = {**declared, **LIMITS, **words, "ALLOWED_ORIGINS": "any"}
    usual |= {"SUPPORTED_LANGUAGES": "any that are known"}
    usual |= {
        "SPEAKER_ISSUER": "anyone may speak",
        "SPEAKER_AUDIENCE": "",
        "SPEAKER_SCOPE": "any token",
    }
    usual |= {"page_url": "each of ALLOWED_ORIGINS", "encryption_key_arn": "keys of AWS"}

    assert {name.strip("`"): default.strip("`") for name, _, default in rows("name")} == {
        name: str(default) for name, default in usual.items()
    }


def test_settings_of_a_stage_are_written_as_shown():
    [block] = (block for kind, block in BLOCKS if kind == "json")
    context = json.loads(block)["context"]

    settings = StageSettings.from_context({**context, "stage": "prod"})

    assert settings.limits["ALLOWED_ORIGINS"] == "https://example.org"
    assert settings.log_retention_days == 90


def test_python_of_the_command_line_is_the_one_in_cdk_json():
    context = json.loads((ROOT / "cdk.json").read_text())["context"]

    assert StageSettings.from_context(context).python == StageSettings().python == "3.13"
    assert "run on Python 3.13 unless `python` in `cdk.json` says otherwise" in MANUAL


def test_every_alarm_has_its_row(guarded):
    alarms = {
        alarm["AlarmName"].removeprefix("websocket-audio-dev-")
        for alarm in guarded.properties("CloudWatch::Alarm")
    }

    written = {name for cells in rows("alarm") for name in re.findall("`(.*?)`", cells[0])}
    named = {name.replace("<function>", spec.module) for name in written for spec in FUNCTION_SPECS}
    assert named == alarms


def test_graphs_in_the_manual_are_on_the_dashboard(dev):
    [dashboard] = dev.properties("CloudWatch::Dashboard")
    body = "".join(
        part if isinstance(part, str) else "x" for part in dashboard["DashboardBody"]["Fn::Join"][1]
    )
    titles = {widget["properties"]["title"] for widget in json.loads(body)["widgets"]}

    named = {cells[0].strip('"') for cells in rows("graph")}
    assert named
    assert named <= titles


def test_names_in_the_manual_are_in_the_template(dev):
    """Log groups, parameters and the layer, as the example commands name them."""
    named = set(re.findall(r"/(?:aws|websocket-audio)/[a-z/-]+", " ".join(commands("sh aws"))))
    known = {row["LogGroupName"] for row in dev.properties("Logs::LogGroup")}
    known |= {row["Name"] for row in dev.properties("SSM::Parameter")}

    assert named
    assert named <= known
    assert {
        name for line in commands("sh aws") for name in re.findall(r"--layer-name (\S+)", line)
    } == {row["LayerName"] for row in dev.properties("Lambda::LayerVersion")}


@pytest.mark.parametrize("path", re.findall(r"\]\((\.\./[^)#]+|[a-z/]+\.md)\)", MANUAL))
def test_link_leads_somewhere(path):
    assert (ROOT / "docs" / path).resolve().exists()
