"""The CDK examples of the READMEs make what they say, with the zip that build.sh makes."""

import json
import re

import pytest
import yaml

from infrastructure.app import use_node
from infrastructure.archives import build_layer
from shared_utils import GROUPS_TABLE

from .conftest import PYTHON, ROOT, Assembly

LAYER_README = (ROOT / "shared-layer" / "README.md").read_text()
GROUPS_DOCUMENT = (ROOT / "docs" / "groups.md").read_text()
OWN_README = (ROOT / "infrastructure" / "README.md").read_text()


def blocks(readme, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", readme, re.M | re.S)


@pytest.fixture
def names():
    """Return what the examples take as imported."""
    use_node()
    import aws_cdk as cdk
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_lambda as lambda_

    return {
        "cdk": cdk,
        "dynamodb": dynamodb,
        "lambda_": lambda_,
        "RemovalPolicy": cdk.RemovalPolicy,
    }


@pytest.fixture
def run(names, tmp_path):
    """Return a function that runs an example in a stack and returns what it makes."""
    (tmp_path / "my_function").mkdir()
    (tmp_path / "my_function" / "app.py").write_text("def handler(event, context): ...\n")
    places = {
        "shared-layer/shared-layer.zip": build_layer((PYTHON,)),
        "functions/my_function": tmp_path / "my_function",
    }

    def run_example(code):
        for name, place in places.items():
            code = code.replace(name, str(place))
        app = names["cdk"].App(outdir=str(tmp_path / "out"))
        stack = names["cdk"].Stack(app, "Example")
        exec(code, {**names, "self": stack})  # noqa: S102 - our own README
        app.synth()
        return Assembly(tmp_path / "out")

    return run_example


def test_layers_readme_makes_a_layer_that_keeps_its_old_versions(run):
    made = run(blocks(LAYER_README, "python cdk")[0])

    [(name, version)] = made.resources("Lambda::LayerVersion").items()
    [function] = made.properties("Lambda::Function")
    assert version["UpdateReplacePolicy"] == version["DeletionPolicy"] == "Retain"
    assert made.assets()[version["Properties"]["Content"]["S3Key"]].read_bytes() == (
        build_layer((PYTHON,)).read_bytes()
    )
    assert function["Layers"] == [{"Ref": name}]


def test_layers_readme_pins_a_version(run):
    """Functions that take it name the older version, and no new one is published."""
    use = (
        "lambda_.Function(self, 'F', runtime=lambda_.Runtime.PYTHON_3_11, handler='app.handler',\n"
        "    code=lambda_.Code.from_asset('functions/my_function'), layers=[pinned])\n"
    )

    made = run(blocks(LAYER_README, "python cdk")[1] + use)

    assert made.resources("Lambda::LayerVersion") == {}
    assert made.properties("Lambda::Function")[0]["Layers"] == [
        "arn:aws:lambda:eu-west-1:123456789012:layer:SharedUtilsLayer:7"
    ]


def test_table_of_groups_with_the_cdk_is_the_declared_one(run):
    [table] = run(blocks(GROUPS_DOCUMENT, "python cdk")[0]).properties("DynamoDB::Table")

    assert table == GROUPS_TABLE


def test_table_of_groups_with_sam_is_the_declared_one():
    [template] = map(yaml.safe_load, blocks(GROUPS_DOCUMENT, "yaml sam"))

    assert template == {
        "RoomsTable": {"Type": "AWS::DynamoDB::Table", "Properties": dict(GROUPS_TABLE)}
    }


def test_own_readme_lists_the_modules():
    listed = re.findall(r"^\| `(\w+\.py)` \|", OWN_README, re.M)
    modules = {path.name for path in (ROOT / "infrastructure").glob("*.py")} - {"__init__.py"}

    assert sorted(listed) == sorted(modules)
    assert json.loads((ROOT / "cdk.json").read_text())["app"].endswith("infrastructure/app.py")
