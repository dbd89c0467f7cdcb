"""Somebody's app, with the wheel and without this repository: synthesised, linted, run on one machine."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wslocal.testing
from infrastructure.app import use_node
from wslocal.cli import main as cli

from .conftest import PYTHON, ROOT, run

APP = ROOT / "examples" / "adopt" / "cdk"
LOOK = """
import importlib.util, sys
print(importlib.util.find_spec("shared_utils_cdk").origin, *sys.path, sep="\\n")
"""


@pytest.fixture(scope="module")
def folder(wheel, tmp_path_factory):
    """Return a copy of the app with the wheel in `dist` and installed in `installed`, and its `cdk.out`."""
    folder = tmp_path_factory.mktemp("somebody") / "app"
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("__pycache__", ".*", "cdk.out"))
    (folder / "dist").mkdir()
    shutil.copy(wheel, folder / "dist")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]
    # The CDK is the one of these tests: nothing comes from the network.
    options = [
        "--no-index",
        "--no-deps",
        "--target",
        "installed",
        "--requirement",
        "requirements.txt",
    ]
    run(*pip, "install", *options, cwd=folder)
    use_node()
    [_, script] = json.loads((folder / "cdk.json").read_text())["app"].split()
    run(
        *(sys.executable, "-W", "ignore", script),
        cwd=folder,
        PYTHONPATH="installed",
        CDK_OUTDIR="cdk.out",
    )
    return folder


def template(folder, stack):
    return json.loads((folder / "cdk.out" / f"{stack}.template.json").read_text())


def of_kind(template, kind):
    resources = template["Resources"].values()
    return [one["Properties"] for one in resources if one["Type"] == f"AWS::{kind}"]


def test_construct_comes_from_the_wheel_alone(folder):
    file, *path = run(sys.executable, "-c", LOOK, cwd=folder, PYTHONPATH="installed").splitlines()

    assert Path(file).is_relative_to(folder / "installed")
    assert not {str(ROOT), str(ROOT / "cdk")} & {*path}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_stack_has_a_layer_of_its_own_and_a_function_on_it(folder, stage):
    made = template(folder, f"Notes-{stage}")

    [layer] = of_kind(made, "Lambda::LayerVersion")
    [function] = of_kind(made, "Lambda::Function")
    [name] = [key for key, one in made["Resources"].items() if "LayerVersion" in one["Type"]]
    assert layer["LayerName"].startswith(f"Notes-{stage}-SharedUtilsLayer-")
    assert made["Resources"][name]["UpdateReplacePolicy"] == "Retain"
    assert function["Layers"] == [{"Ref": name}]
    assert function["Runtime"] == "python3.13"
    assert of_kind(made, "SSM::Parameter") == []
    routes = [row["RouteKey"] for row in of_kind(made, "ApiGatewayV2::Route")]
    assert routes == ["addNote", "$default"]
    [group] = [key for key, one in made["Resources"].items() if "LogGroup" in one["Type"]]
    assert of_kind(made, "Logs::LogGroup")[0]["RetentionInDays"] == 30
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": group}}
    assert function["Environment"] == {"Variables": {"METRICS_NAMESPACE": "Notes"}}


def test_both_stacks_publish_the_zip_of_the_wheel(folder):
    [asset] = (folder / "cdk.out").glob("asset.*.zip")
    [bundled] = (folder / "installed" / "shared_utils_cdk" / "archives").iterdir()

    assert asset.read_bytes() == bundled.read_bytes()


@pytest.mark.long
def test_cfn_lint_finds_nothing_but_what_the_cdk_itself_writes(folder):
    """W3005: the CDK lets every function wait for its role, which the role's ARN does already."""
    lint = [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", "W3005", "--"]

    done = subprocess.run(
        [*lint, *(folder / "cdk.out").glob("*.template.json")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "AWS_DEFAULT_REGION": "eu-west-1"},
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_commands_of_the_readme_are_those_that_are_tried_here(package):
    """But for npx, which needs the network: `synth` runs what cdk.json names."""
    blocks = re.findall("^```sh([^\n]*)\n(.*?)^```$", (APP / "README.md").read_text(), re.M | re.S)
    commands = [line for kind, text in blocks if kind != " account" for line in text.splitlines()]
    up = commands[-1].split()

    assert commands == [
        "python3 -m venv .venv",
        ". .venv/bin/activate",
        "pip install -r requirements.txt",
        f"pip install dist/wslocal-{package.__version__}-py3-none-any.whl",
        "wslocal up . --api all",
    ]
    assert cli.commands["up"].make_context("up", up[2:]).params["apis"] == ("all",)


def test_client_of_each_stage_gets_its_reply(folder):
    """In this Python, whichever the functions ask for; the bytecode in the zip is for this one."""
    with wslocal.testing.run(folder, apis=["all"], any_python=True) as project:
        for api in ("notes-dev", "notes-prod"):
            with project.connect(api=api) as client:
                client.send({"action": "addNote", "text": "Hello"})
                good = client.receive()
                client.send({"action": "addNote", "text": ""})
                bad = client.receive()
                client.send({"action": "nothing"})
                unknown = client.receive()
            assert (good["type"], good["length"]) == ("noteAdded", 5)
            assert bad["message"] == "text must be text of 1 to 500 characters, got ''"
            assert unknown["type"] == "error"
        metrics = [one for one in project.metrics() if "NotesAdded" in one]
        written = [json.loads(line) for line in project.logs() if "Note added" in line]

    assert [one["NotesAdded"] for one in metrics] == [1, 1]
    directives = [one for metric in metrics for one in metric["_aws"]["CloudWatchMetrics"]]
    assert {one["Namespace"] for one in directives} == {"Notes"}
    assert {one["context"]["environment"]["python"][:4] for one in written} == {PYTHON}
