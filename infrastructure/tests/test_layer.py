"""The layer in the template is the one that build.sh makes, and its old versions stay."""

import subprocess
import zipfile

import pytest

import shared_utils
from infrastructure.archives import build_functions, build_layer
from infrastructure.function_specs import FUNCTION_SPECS
from infrastructure.settings import SettingsError

from .conftest import PYTHON, ROOT

PINNED = "arn:aws:lambda:eu-west-1:123456789012:layer:SharedUtilsLayer-dev:7"


@pytest.fixture(scope="module")
def pinned(synth):
    return synth(layer_version_arn=PINNED)


def test_old_versions_are_retained(dev):
    """When the stack goes, and when an update replaces the version by the next one."""
    [version] = dev.resources("Lambda::LayerVersion").values()

    assert version["DeletionPolicy"] == "Retain"
    assert version["UpdateReplacePolicy"] == "Retain"


def test_version_says_what_it_is(dev):
    [version] = dev.properties("Lambda::LayerVersion")

    assert version["LayerName"] == "SharedUtilsLayer-dev"
    assert version["LicenseInfo"] == "MIT"
    assert version["CompatibleArchitectures"] == ["arm64", "x86_64"]
    assert version["CompatibleRuntimes"] == ["python3.11", "python3.12", "python3.13", "python3.14"]


def test_zip_is_the_built_layer(dev, tmp_path):
    """Byte for byte; and the description names its digest."""
    [version] = dev.properties("Lambda::LayerVersion")
    built = tmp_path / "built.zip"

    printed = subprocess.run(
        [ROOT / "shared-layer" / "build.sh", "--python", PYTHON, "--output", built],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert dev.assets()[version["Content"]["S3Key"]].read_bytes() == built.read_bytes()
    [digest] = (line.split()[1] for line in printed.splitlines() if line.startswith("  build "))
    assert version["Description"] == f"shared_utils {shared_utils.__version__}, build {digest}"


def test_zip_has_bytecode_for_the_functions_python(dev):
    [version] = dev.properties("Lambda::LayerVersion")
    [runtime] = {function["Runtime"] for function in dev.properties("Lambda::Function")}
    tag = f"cpython-{runtime.removeprefix('python').replace('.', '')}"

    with zipfile.ZipFile(dev.assets()[version["Content"]["S3Key"]]) as archive:
        compiled = [name for name in archive.namelist() if name.endswith(f"{tag}.pyc")]

    assert "python/shared_utils/__pycache__/structured_logger." + tag + ".pyc" in compiled


def test_arn_and_number_are_in_the_parameter_store(dev):
    [layer] = dev.resources("Lambda::LayerVersion")
    parameters = {row["Name"]: row["Value"] for row in dev.properties("SSM::Parameter")}

    assert parameters == {
        "/websocket-audio/dev/layer/arn": {"Ref": layer},
        "/websocket-audio/dev/layer/version": {
            "Fn::Select": [7, {"Fn::Split": [":", {"Ref": layer}]}]
        },
    }


def test_pinned_version_is_used_by_every_function(pinned):
    used = [function["Layers"] for function in pinned.properties("Lambda::Function")]
    parameters = {row["Name"]: row["Value"] for row in pinned.properties("SSM::Parameter")}

    assert used == [[PINNED]] * len(FUNCTION_SPECS)
    assert parameters == {
        "/websocket-audio/dev/layer/arn": PINNED,
        "/websocket-audio/dev/layer/version": "7",
    }
    assert pinned.template["Outputs"]["LayerVersionArn"]["Value"] == PINNED


def test_pinning_changes_nothing_but_the_layer(dev, pinned):
    """The version that it leaves behind is retained, so the way back is open."""
    before, after = dev.template["Resources"], pinned.template["Resources"]
    changed = {name for name in before if before[name] != after.get(name)}

    assert before.keys() - after.keys() == dev.resources("Lambda::LayerVersion").keys()
    assert after.keys() <= before.keys()
    assert {before[name]["Type"] for name in changed} == {
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Function",
        "AWS::SSM::Parameter",
    }


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: build_layer(("3.99",)), id="layer"),
        pytest.param(lambda: build_functions("3.99"), id="functions"),
    ],
)
def test_missing_interpreter_is_a_clear_error(build, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(SettingsError) as refused:
        build()

    assert str(refused.value) == (
        "build.sh: CPython 3.99 was asked for and is not on this machine; "
        f"-c python={PYTHON} would use the Python that runs this"
    )
