"""The README's stacks are made as it says, and its table has every argument."""

import inspect
import re

import pytest

from layerctl.options import LAYER, PARAMETERS

from .conftest import ROOT

README = (ROOT / "cdk" / "README.md").read_text()
CHAT, NEWS = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)


@pytest.fixture
def stacks(cdk, zips, tmp_path):
    """The README's stacks in one app; the second takes what the parameter of a third holds."""
    from aws_cdk import aws_ssm as ssm

    (tmp_path / "function").mkdir()
    (tmp_path / "function" / "app.py").write_text("def handler(event, context): ...\n")
    names = {}
    code = (CHAT + NEWS).replace('"function"', repr(str(tmp_path / "function")))
    exec(code, names)  # noqa: S102 - our own README
    app = cdk.App(outdir=str(tmp_path / "out"))
    chat = names["ChatStack"](app, "Chat")
    arn = ssm.StringParameter.value_for_string_parameter(chat, "/chat/layer/arn")
    news = names["NewsStack"](app, "News", arn)
    assembly = app.synth()
    return [assembly.get_stack_by_name(one.stack_name).template for one in (chat, news)]


def functions(template):
    resources = template["Resources"].values()
    return [one["Properties"] for one in resources if one["Type"] == "AWS::Lambda::Function"]


def test_stacks_of_the_readme_are_made(stacks):
    chat, news = stacks

    [layer] = [key for key, one in chat["Resources"].items() if "LayerVersion" in one["Type"]]
    [function] = functions(chat)
    [other] = functions(news)
    assert function["Layers"] == [{"Ref": layer}]
    assert len(other["Layers"]) == 1
    assert not [one for one in news["Resources"].values() if "LayerVersion" in one["Type"]]


def test_table_has_every_argument(package):
    signature = inspect.signature(package.SharedUtilsLayer.__init__).parameters.values()
    keywords = [one.name for one in signature if one.kind is inspect.Parameter.KEYWORD_ONLY]
    assert re.findall(r"^\| `(\w+)` \|", README, re.M) == keywords


def test_name_of_a_layer_is_as_shown(stacks):
    chat, _ = stacks

    [layer] = [one for one in chat["Resources"].values() if "LayerVersion" in one["Type"]]
    assert re.fullmatch("Chat-SharedUtilsLayer-[0-9A-F]{8}", layer["Properties"]["LayerName"])
    assert re.search("`Chat-SharedUtilsLayer-[0-9A-F]{8}`", README)


def test_names_are_those_that_layerctl_takes_by_itself():
    assert f'`layer_name="{LAYER}"`' in README
    assert f'`parameter_prefix="{PARAMETERS}"`' in README


def test_wheel_has_the_name_that_documents_and_requirements_give_it(wheel):
    requirements = (ROOT / "examples" / "adopt" / "cdk" / "requirements.txt").read_text()

    assert requirements == f"./dist/{wheel.name}\n"
    assert f"pip install dist/{wheel.name}\n" in README
