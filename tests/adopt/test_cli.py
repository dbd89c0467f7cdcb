"""The README's commands, by the real AWS CLI against the emulator; the API that they make is used by a client."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adopt.project import (
    NEXT,
    PYTHON_FOLDER,
    ROOT,
    VERSION,
    Process,
    blocks,
    copied,
    exchange,
    layer_version,
    run,
    shown,
)
from tests.adopt.served import served
from wslocal.client import WebSocketClient

pytestmark = pytest.mark.slow


def folder_of_the_cli():
    """Return the folder of an AWS CLI that runs. Its package cannot be installed beside those of the documents."""
    found = shutil.which("aws")
    if (
        found is None
        or subprocess.run([found, "--version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no AWS CLI here")
    return Path(found).parent


class Shell:
    """Runs one block after the other; each has the variables that those before have set."""

    def __init__(self, folder, variables):
        self._folder, self._variables = folder, variables
        (folder / "set.sh").touch()

    def run(self, text):
        kept = "declare -p version layer api > set.sh"
        script = f". ./set.sh\n{text}\n{kept}\n"
        return run("bash", "-euo", "pipefail", "-c", script, cwd=self._folder, **self._variables)


@pytest.fixture(scope="module")
def path():
    """Return where commands are looked for: this Python's first, and the AWS CLI's last."""
    return f"{PYTHON_FOLDER}:/usr/local/bin:/usr/bin:/bin:{folder_of_the_cli()}"


@pytest.fixture(scope="module")
def shell(dist, emulator, path, tmp_path_factory):
    folder = copied("cli", dist, tmp_path_factory.mktemp("cli") / "notes")
    return Shell(folder, {**emulator.variables, "PATH": path})


def left(emulator):
    """Return the names of what the commands have made and not deleted."""
    made = {
        "apigatewayv2": ("get_apis", "Items", "Name"),
        "iam": ("list_roles", "Roles", "RoleName"),
        "lambda": ("list_functions", "Functions", "FunctionName"),
        "logs": ("describe_log_groups", "logGroups", "logGroupName"),
    }
    names = [
        row[name]
        for service, (operation, rows, name) in made.items()
        for row in getattr(emulator.client(service), operation)()[rows]
    ]
    layers = emulator.client("lambda").list_layer_versions(LayerName="shared-utils")
    versions = [row["LayerVersionArn"] for row in layers["LayerVersions"]]
    return [name for name in [*names, *versions] if "notes" in name or "shared-utils" in name]


@pytest.mark.long
def test_commands_make_an_api_and_move_its_function_to_the_next_release_and_back(
    shell, emulator, tmp_path
):
    *_, address = shell.run("\n".join(blocks("cli", "sh"))).splitlines()
    forwards, back = blocks("cli", "sh change")
    [publish] = [text for text in blocks("cli", "sh") if "publish-layer-version" in text]
    publish = publish.partition("role=")[0].replace(f"version={VERSION}", f"version={NEXT}")

    host, stage = address.removeprefix("wss://").split("/")
    with served(emulator, host.partition(".")[0], stage, tmp_path) as api:
        for text, version in (("", VERSION), (publish + forwards, NEXT), (back, VERSION)):
            shell.run(text)
            api.reload()
            before = len(api.lines)
            with api.connect() as client:
                assert exchange(client, "cli") == shown("cli")
            line = api.wait_for_line('"layerVersion"', since=before)
            assert layer_version(line) == version
            counted = json.loads(api.wait_for_line('"NotesAdded":1', since=before))
            assert counted["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Notes"
        api.flush()
        [logs] = blocks("cli", "sh logs")
        printed = shell.run(logs)

    assert printed.count('"Note added"') == 3
    assert printed.count('"NotesAdded":1') == 3

    assert len(left(emulator)) == 6  # two versions of the layer are among them
    [clean] = blocks("cli", "sh clean")
    shell.run(clean)
    assert left(emulator) == []


@pytest.mark.long
def test_commands_make_an_api_without_an_account(dist, path, tmp_path):
    """With settings of AWS that would lead elsewhere; what is typed there comes from standard input here."""
    folder = copied("cli", dist, tmp_path / "notes")
    [command] = blocks("cli", "sh wslocal")
    _, script = command.split()
    variables = {
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "AWS_PROFILE": "none",
        "AWS_REGION": "eu-west-1",
        "AWS_SESSION_TOKEN": "none",
    }

    with Process([sys.executable, script], folder, **variables) as running:
        for text in (*blocks("cli", "sh"), "exit"):
            running.write(text)
        address = running.line("ws://").strip()
        with WebSocketClient.connect(address) as client:
            assert exchange(client, "cli") == shown("cli")
        assert layer_version(running.line('"layerVersion"')) == VERSION
