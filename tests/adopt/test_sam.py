"""The SAM project: linted, translated, run, moved to the next release of the layer and back."""

import json
import re
import subprocess
import sys

import pytest

import wslocal
from tests.adopt.project import (
    ADOPT,
    NEXT,
    VERSION,
    blocks,
    copied,
    exchange,
    layer_versions,
    replace_version,
    shown,
)
from wslocal.sources import ProjectOptions, read_project

pytestmark = pytest.mark.slow


def test_template_has_nothing_that_cfn_lint_finds():
    """Of the command, so that it is the whole check."""
    command = [sys.executable, "-m", "cfnlint", "--non-zero-exit-code", "informational"]
    subprocess.run([*command, ADOPT / "sam" / "template.yaml"], check=True)


@pytest.fixture(scope="module")
def project(dist, tmp_path_factory):
    return copied("sam", dist, tmp_path_factory.mktemp("sam") / "notes")


@pytest.fixture(scope="module")
def template(project):
    """Return the name of the file that the README has `wslocal up` run."""
    [name] = re.findall(r"wslocal up (\S+)", "".join(blocks("sam", "sh wslocal")))
    return project / name


@pytest.fixture(scope="module")
def api(template):
    with wslocal.run(template, any_python=True) as api:
        yield api


def test_translated_template_keeps_the_old_versions_of_the_layer(template):
    [stack] = read_project(template, ProjectOptions()).stacks

    layers = [
        resource
        for resource in stack.template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::LayerVersion"
    ]
    assert [layer["DeletionPolicy"] for layer in layers] == ["Retain"]


def test_client_gets_the_reply_and_the_error_that_the_readme_shows(api):
    with api.connect() as client:
        assert exchange(client, "sam") == shown("sam")

    line = json.loads(api.wait_for_log("Note added"))
    assert line["context"]["length"] == 5
    assert [one["NotesAdded"] for one in api.metrics() if "NotesAdded" in one] == [1]


def test_next_release_runs_and_then_the_one_before_again(api, template):
    for old, new in ((VERSION, NEXT), (NEXT, VERSION)):
        replace_version(template, old, new)
        api.reload()
        with api.connect() as client:
            assert exchange(client, "sam") == shown("sam")

    assert layer_versions(api.logs())[-2:] == [NEXT, VERSION]
    kept = api.client("lambda").list_layer_versions(LayerName="shared-utils")["LayerVersions"]
    assert len(kept) == 3
