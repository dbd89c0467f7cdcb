"""The README's commands, by the real AWS CLI against the emulator; the API that they make is used by a client."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.adopt.project import (
    NEXT,
    PYTHON_FOLDER,
    VERSION,
    blocks,
    copied,
    exchange,
    layer_version,
    run,
    shown,
)
from tests.adopt.served import served

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
def shell(dist, emulator, tmp_path_factory):
    folder = copied("cli", dist, tmp_path_factory.mktemp("cli") / "notes")
    path = f"{PYTHON_FOLDER}:/usr/local/bin:/usr/bin:/bin:{folder_of_the_cli()}"
    return Shell(folder, {**emulator.variables, "PATH": path})


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
            api.wait_for_line('"NotesAdded":1', since=before)
        api.flush()
        [logs] = blocks("cli", "sh logs")
        printed = shell.run(logs)

    assert printed.count('"Note added"') == 3
    assert printed.count('"NotesAdded":1') == 3
