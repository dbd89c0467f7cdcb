"""The SAM project: linted, run as SAM translates it, moved to the next release of the layer and back."""

import json
import re

import pytest

import wslocal
from tests.adopt.project import (
    ADOPT,
    NEXT,
    PATIENCE_SECONDS,
    PYTHON_FOLDER,
    ROOT,
    VERSION,
    Process,
    blocks,
    build_wheel,
    copied,
    exchange,
    layer_version,
    namespaces,
    new_layer_version,
    replace_version,
    run,
    shown,
)

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_template_has_nothing_that_cfn_lint_finds():
    """The rules of errors and warnings, which are those of the command."""
    assert run(PYTHON_FOLDER / "cfn-lint", ADOPT / "sam" / "template.yaml", cwd=ADOPT) == ""


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


def test_client_gets_the_reply_and_the_error_that_the_readme_shows(api):
    with api.connect() as client:
        assert exchange(client, "sam") == shown("sam")

    line = json.loads(api.wait_for_log("Note added", timeout=PATIENCE_SECONDS))
    assert line["context"]["length"] == 5
    api.wait_for_log('"NotesAdded"', timeout=PATIENCE_SECONDS)
    assert namespaces(api) == ["Notes"]


def test_next_release_runs_and_then_the_one_before_again(api, template):
    """Each deployment makes a version of the layer, and deletes none."""
    for old, new in ((VERSION, NEXT), (NEXT, VERSION)):
        replace_version(template, old, new)
        known = api.logs()
        api.reload()
        with api.connect() as client:
            assert exchange(client, "sam") == shown("sam")
        assert new_layer_version(api, known) == new

    kept = api.client("lambda").list_layer_versions(LayerName="shared-utils")["LayerVersions"]
    assert len(kept) == 3


# --- as a stranger has it -------------------------------------------------------------------------


@pytest.fixture
def stranger(project):
    """Return the project with the environment that the README's commands make; pip takes packages from the network."""
    build_wheel(ROOT / "wslocal", project / "dist")
    [commands] = blocks("sam", "sh install")
    try:
        run("bash", "-euc", commands, cwd=project)
    except AssertionError as error:
        if "No matching distribution" in str(error):
            pytest.skip("no packages of PyPI here")
        raise
    return project


@pytest.mark.long
def test_readmes_commands_run_it_outside_of_the_repository(stranger):
    """Without a variable of this run, and with the client that the README names."""
    [command] = blocks("sam", "sh wslocal")
    up = [*command.split(), "--any-python"]
    python = stranger / ".venv" / "bin" / "python"
    with Process(up, stranger) as running:
        address = running.line("ws://").split()[0]
        with Process([python, "-m", "websockets", address], stranger) as client:
            for sent, expected in shown("sam"):
                client.write(json.dumps(sent))
                got = json.loads(client.line("< {").partition("< ")[2])
                assert got | {"timestamp": 0} == expected | {"timestamp": 0}
        assert layer_version(running.line("Note added").partition(" | ")[2]) == VERSION
