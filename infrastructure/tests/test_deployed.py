"""What CloudFormation makes of the template: deployed to the emulator, updated, and rolled back."""

import json
from types import SimpleNamespace

import pytest

from local.deploy import Deployer, localize, uploads
from wslocal import Emulator

NAME = "SharedUtilsLayer-dev"


@pytest.fixture(scope="module")
def history(dev, synth):
    """Return what is there after a deployment, after a changed layer, and after a roll back."""
    archives = {
        key: path.read_bytes() for key, path in dev.assets().items() if key.endswith(".zip")
    }
    keys, files = uploads(archives)
    with Emulator() as emulator:
        deployer = Deployer(emulator.client, dev.name)
        functions = emulator.client("lambda")

        def deploy(template):
            outputs = deployer.deploy(localize(template, keys, {}), files)
            listed = functions.list_layer_versions(LayerName=NAME)["LayerVersions"]
            used = [row["Layers"] for row in functions.list_functions()["Functions"]]
            parameters = emulator.client("ssm").get_parameters_by_path(
                Path="/websocket-audio/dev/layer"
            )["Parameters"]
            return SimpleNamespace(
                outputs=outputs,
                published=sorted(row["Version"] for row in listed),
                used={layer["Arn"] for layers in used for layer in layers},
                parameters={row["Name"].rpartition("/")[2]: row["Value"] for row in parameters},
            )

        first = deploy(dev.template)
        changed = json.loads(dev.text)
        [layer] = dev.resources("Lambda::LayerVersion")
        changed["Resources"][layer]["Properties"]["Description"] = "shared_utils, another build"
        updated = deploy(changed)
        back = deploy(synth(layer_version_arn=first.outputs["LayerVersionArn"]).template)
        forward = deploy(changed)
        yield SimpleNamespace(first=first, updated=updated, back=back, forward=forward)


def arn(version):
    return f"arn:aws:lambda:us-east-1:000000000000:layer:{NAME}:{version}"


def test_functions_use_the_version_that_was_published(history):
    assert history.first.published == [1]
    assert history.first.used == {arn(1)}
    assert history.first.parameters == {"arn": arn(1), "version": "1"}
    assert history.first.outputs["LayerVersionArn"] == arn(1)


def test_changed_layer_is_used_at_once_and_the_old_version_stays(history):
    assert history.updated.published == [1, 2]
    assert history.updated.used == {arn(2)}
    assert history.updated.parameters == {"arn": arn(2), "version": "2"}


def test_pinned_version_is_used_again_and_none_is_lost(history):
    assert history.back.published == [1, 2]
    assert history.back.used == {arn(1)}
    assert history.back.parameters == {"arn": arn(1), "version": "1"}


def test_way_forward_is_open_after_a_roll_back(history):
    """The layer is published anew."""
    assert history.forward.published == [1, 2, 3]
    assert history.forward.used == {arn(3)}
