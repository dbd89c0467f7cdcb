"""The wheel, in an environment that has the layer's and nothing else, and the README's example in it."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import shared_utils
import shared_utils_protocol

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent.parent
LAYER = Path(shared_utils.__file__).parents[2]
README = (FOLDER / "README.md").read_text()
STRANGER = Path(__file__).parent / "stranger"
PIP = ["-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]


def run(*command, cwd):
    """Run a command that must succeed, away from this repository's settings; return its output."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Return a folder with the wheels of the layer and of this package."""
    target = tmp_path_factory.mktemp("wheels")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "tests", "*.zip")
    for source in (LAYER, FOLDER):
        copy = target / "sources" / source.name
        shutil.copytree(source, copy, ignore=unwanted)
        options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", target]
        run(sys.executable, *PIP, "wheel", *options, copy, cwd=target)
    return target


@pytest.fixture(scope="module")
def commands(wheels):
    """Return the folder of commands of a new environment with the package and what it needs."""
    folder = wheels / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    options = ["install", "--no-index", "--find-links", wheels, "shared-utils-protocol"]
    run(sys.executable, *PIP, "--python", python, *options, cwd=folder)
    return folder / "bin"


def test_wheel_holds_the_package_only(wheels):
    [path] = wheels.glob("shared_utils_protocol-*.whl")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA")))

    package = {name for name in names if ".dist-info/" not in name}
    assert package == {
        f"shared_utils_protocol/{one.name}"
        for one in (FOLDER / "shared_utils_protocol").iterdir()
        if one.is_file()
    }
    assert f"Version: {shared_utils_protocol.__version__}" in metadata.decode()
    needed = re.findall(r"^Requires-Dist: (.*)$", metadata.decode(), re.M)
    assert needed == ["shared-utils-layer"]


def test_environment_has_the_layer_and_nothing_else(commands):
    found = run(
        commands / "python",
        "-c",
        "from importlib.metadata import distributions as d; print(sorted(x.name for x in d()))",
        cwd=commands,
    )

    assert found == "['shared-utils-layer', 'shared-utils-protocol']\n"


def test_command_documents_a_strangers_handler(commands, tmp_path):
    command = [commands / "shared-utils-protocol", "helpline.app:handler", "--markdown"]

    run(*command, "--out", tmp_path, cwd=STRANGER)

    document = json.loads((tmp_path / "asyncapi.json").read_text())
    assert [*document["operations"]] == [
        *("openRoom", "text_send", "closeRoom", "typing", "ping_me", "notify")
    ]


def test_example_of_the_readme_runs(commands, tmp_path):
    """Its files, its command, and what it says the types are."""
    for name, text in re.findall(r"^```python (\S+)\n(.*?)^```", README, re.M | re.S):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    [command] = re.findall(r"^    shared-utils-protocol (chat.*)$", README, re.M)
    [types] = re.findall(r"^```ts\n(.*?)^```", README, re.M | re.S)

    run(commands / "python", "-m", "shared_utils_protocol", *command.split(), cwd=tmp_path)

    assert types in (tmp_path / "docs" / "types.ts").read_text()


def test_every_option_is_in_the_readme(commands):
    printed = run(commands / "shared-utils-protocol", "--help", cwd=commands)

    options = {*re.findall(r"(--[a-z-]+)", printed)} - {"--help", "--version"}
    assert options == {*re.findall(r"`(--[a-z-]+)", README)} - {"--find-links"}
