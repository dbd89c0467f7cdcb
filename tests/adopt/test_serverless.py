"""The Serverless Framework's project: packaged by the real framework, run, and what keeps the old versions."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

import node
import wslocal
from tests.adopt.project import (
    ADOPT,
    NEXT,
    PATIENCE_SECONDS,
    ROOT,
    VERSION,
    blocks,
    copied,
    exchange,
    namespaces,
    new_layer_version,
    replace_version,
    run,
    shown,
)

pytestmark = pytest.mark.slow

FOLDER = ADOPT / "serverless"
LOCK = json.loads((FOLDER / "package-lock.json").read_text())


class Tags(yaml.SafeLoader):
    """Reads `!Ref NAME` as the name."""


Tags.add_constructor("!Ref", lambda loader, node: loader.construct_scalar(node))
SERVICE = yaml.load((FOLDER / "serverless.yml").read_text(), Tags)  # noqa: S506 - a SafeLoader


def test_framework_is_pinned_and_the_lock_file_names_no_host():
    packages = {name: row for name, row in LOCK["packages"].items() if name}
    [pinned] = json.loads((FOLDER / "package.json").read_text())["devDependencies"].items()

    assert pinned == ("osls", packages["node_modules/osls"]["version"])
    assert [name for name, row in packages.items() if "resolved" in row] == []
    assert [name for name, row in packages.items() if "integrity" not in row] == []


def test_function_has_the_layer_whose_old_versions_are_kept():
    [layer] = SERVICE["layers"]
    name = f"{layer[0].upper()}{layer[1:]}LambdaLayer"  # as the framework makes it

    assert SERVICE["functions"]["notes"]["layers"] == [name]
    assert SERVICE["resources"]["extensions"] == {
        name: {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    }


# --- the framework itself -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(dist, tmp_path_factory):
    """Return the example with the framework's packages, which npm takes from the network or from its cache."""
    folder = copied("serverless", dist, tmp_path_factory.mktemp("serverless") / "notes")
    [install] = "".join(blocks("serverless", "sh")).splitlines()
    done = subprocess.run(
        [node.NODE, node.NPM, *install.removeprefix("npm ").split()],
        cwd=folder,
        env={**os.environ, "PATH": f"{node.NODE.parent}:/usr/bin:/bin"},
        check=False,
        capture_output=True,
    )
    if done.returncode:
        pytest.skip("no packages of npm here")
    return folder


def package(folder):
    """Run the README's command, with the packages that are there and without credentials."""
    [command] = blocks("serverless", "sh package")
    command = command.replace(".venv/bin/python", sys.executable)
    path = f"{folder / 'node_modules' / '.bin'}:{node.NODE.parent}:/usr/bin:/bin"
    # npm's own npx runs what is in node_modules, too.
    command = command.replace('"npx", ', "")
    run("bash", "-euc", command, cwd=folder, PATH=path, PYTHONPATH=str(ROOT))


@pytest.fixture(scope="module")
def api(project):
    package(project)
    [path] = re.findall(r"wslocal up (\S+)", "".join(blocks("serverless", "sh wslocal")))
    with wslocal.run(project / path, any_python=True) as api:
        yield api


@pytest.mark.long
def test_client_gets_the_reply_and_the_error_that_the_readme_shows(api):
    with api.connect() as client:
        assert exchange(client, "serverless") == shown("serverless")

    line = json.loads(api.wait_for_log("Note added", timeout=PATIENCE_SECONDS))
    assert line["context"]["length"] == 5
    api.wait_for_log('"NotesAdded"', timeout=PATIENCE_SECONDS)
    assert namespaces(api) == ["Notes"]


@pytest.mark.long
def test_template_keeps_the_old_versions_of_the_layer(api, project):
    template = project / ".serverless" / "cloudformation-template-update-stack.json"

    [layer] = [
        resource
        for resource in json.loads(template.read_text())["Resources"].values()
        if resource["Type"] == "AWS::Lambda::LayerVersion"
    ]

    assert (layer["DeletionPolicy"], layer["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.long
def test_next_release_runs_and_then_the_one_before_again(api, project):
    for old, new in ((VERSION, NEXT), (NEXT, VERSION)):
        replace_version(project / "serverless.yml", old, new)
        package(project)
        known = api.logs()
        api.reload()
        with api.connect() as client:
            assert exchange(client, "serverless") == shown("serverless")
        assert new_layer_version(api, known) == new
