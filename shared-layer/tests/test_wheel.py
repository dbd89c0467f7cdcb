"""The wheel that pip makes of this folder: what is in it, and that a stranger can use it."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import shared_utils

pytestmark = pytest.mark.slow

LAYER = Path(__file__).parent.parent
PROJECT = tomllib.loads((LAYER / "pyproject.toml").read_text())
VERSION = shared_utils.__version__
PIP = ["-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]
# With the backend at hand nothing is asked of the network; else pip fetches the pinned one.
AT_HAND = importlib.util.find_spec("hatchling") is not None
BUILD_OPTIONS = ["--no-index", "--no-build-isolation"] if AT_HAND else []


def run(*command, cwd, **environ):
    """Run a command that must succeed, away from this repository's settings; return its output."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def copy(tmp_path_factory):
    """Return a copy of the layer's folder, so that a build could leave something in it."""
    folder = tmp_path_factory.mktemp("wheel") / "shared-layer"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "tests", "*.zip")
    shutil.copytree(LAYER, folder, ignore=unwanted)
    (folder / "python" / "shared_utils" / "._validators.py").write_bytes(b"\0\5\x16\7")
    return folder


@pytest.fixture(scope="session")
def wheel(copy):
    """Return the wheel's path, built once."""
    target = copy.parent / "wheels"
    command = [*PIP, "wheel", "--no-deps", *BUILD_OPTIONS, "--wheel-dir", target, copy]
    run(sys.executable, *command, cwd=copy.parent)
    [path] = target.iterdir()
    return path


@pytest.fixture(scope="session")
def files(wheel):
    """Return the wheel's files, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="session")
def installed(wheel):
    """Return the Python of a new environment with the wheel, and the pytest of these tests."""
    folder = wheel.parent.parent / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    options = ["install", "--no-index", "--no-deps", wheel]
    run(sys.executable, *PIP, "--python", python, *options, cwd=folder)
    [site] = folder.glob("lib/python3*/site-packages")
    (site / "pytest_of_these_tests.pth").write_text(f"{Path(pytest.__file__).parent.parent}\n")
    return python


# --- what is in it --------------------------------------------------------------------------------


def test_wheel_is_named_and_has_the_layers_version(wheel):
    assert wheel.name == f"shared_utils_layer-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="session")
def zipped(copy):
    """Return the files of the zip of the same folder, by name, without its bytecode."""
    path = copy.parent / "layer.zip"
    version = f"3.{sys.version_info.minor}"
    options = ["--python", version, "--output", path]
    run(copy / "build.sh", *options, cwd="/", PYTHON=sys.executable)
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith(".pyc")]
        return {name.removeprefix("python/"): archive.read(name) for name in names}


def test_wheel_has_the_files_of_the_zip_and_the_plugin(files, zipped):
    """And none that an operating system left in the folder."""
    metadata = f"shared_utils_layer-{VERSION}.dist-info/"

    assert {name for name in files if not name.startswith(metadata)} == {
        *zipped,
        "pytest_shared_utils.py",
    }


def test_files_are_those_of_the_zip_but_for_the_digest(files, zipped):
    stamp, source = rb'^__build__ = "[0-9a-f]{16}"$', b'__build__ = "source"'
    unstamped = re.sub(stamp, source, zipped["shared_utils/__init__.py"], flags=re.M)

    expected = {**zipped, "shared_utils/__init__.py": unstamped}

    assert {name: files[name] for name in expected} == expected


def test_plugin_is_the_one_of_the_folder(files):
    source = LAYER / "pytest_plugin" / "pytest_shared_utils.py"

    assert files["pytest_shared_utils.py"] == source.read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        "Name: shared-utils-layer",
        f"Version: {VERSION}",
        "Requires-Python: >=3.11",
        "License-Expression: MIT",
    ],
)
def test_metadata_says(files, line):
    metadata = files[f"shared_utils_layer-{VERSION}.dist-info/METADATA"].decode()

    assert line in metadata.splitlines()
    assert "Requires-Dist" not in metadata


def test_backend_is_pinned():
    [backend] = PROJECT["build-system"]["requires"]

    assert re.fullmatch(r"hatchling==[0-9.]+", backend)


def test_build_leaves_nothing_in_the_folder(wheel, copy):
    """Otherwise a module that was taken out could come back with the next wheel."""
    unwanted = {".hypothesis", "tests", "__pycache__", ".pytest_cache"}
    source = {path.name for path in LAYER.iterdir() if path.suffix != ".zip"} - unwanted

    assert {path.name for path in copy.iterdir()} == source


# --- as a stranger has it -------------------------------------------------------------------------

FOUND = """
import json, shared_utils, sys
from importlib.metadata import version
from shared_utils import ErrorCodeBase, get_structured_logger
from shared_utils.testing import FakeContext
print(json.dumps([shared_utils.__file__, shared_utils.__version__, version("shared-utils-layer")]))
"""


def test_package_is_imported_from_the_installed_wheel(installed, tmp_path):
    [file, *versions] = json.loads(run(installed, "-c", FOUND, cwd=tmp_path))

    assert Path(file).is_relative_to(installed.parent.parent)
    assert versions == [VERSION, VERSION]


STRANGERS_TEST = """
import pytest
from shared_utils import WebSocketHandler, get_structured_logger
from shared_utils.testing import connect_event


def test_context_has_time_left(lambda_context):
    assert lambda_context.get_remaining_time_in_millis() == 10_000


def test_lines_are_there_at_once(log_lines):
    print({"debug": "left in by hand"})
    get_structured_logger("Mine").warning("seen")

    assert [line["message"] for line in log_lines.level("WARN")] == ["seen"]


def test_handler_answers_through_the_connections(connections, lambda_context, log_lines):
    handler = WebSocketHandler("Mine", connections=connections)

    @handler.route("$connect")
    def connect(request):
        request.connections.send("other=", {"type": "hello"})

    assert handler(connect_event("me="), lambda_context) == {"statusCode": 200}
    assert connections.sent == [("other=", {"type": "hello"})]
    assert log_lines[-1]["connectionId"] == "me="


@pytest.fixture
def greeting(log_lines):
    get_structured_logger("Mine").warning("set up")


def test_lines_of_fixtures_are_there_too(greeting, log_lines):
    assert [line["message"] for line in log_lines] == ["set up"]


def test_another_test_has_connections_and_lines_of_its_own(connections, log_lines):
    assert (connections.sent, log_lines) == ([], [])
"""


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_fixtures_are_there_once_the_wheel_is_installed(installed, tmp_path, capture):
    (tmp_path / "test_mine.py").write_text(STRANGERS_TEST)
    options = ["-q", "-W", "error", f"--capture={capture}"]

    printed = run(installed, "-m", "pytest", *options, "test_mine.py", cwd=tmp_path)

    assert re.search(r"^5 passed in ", printed, re.M)


def test_fixtures_say_what_they_are(installed, tmp_path):
    printed = run(installed, "-m", "pytest", "--fixtures", cwd=tmp_path)

    described = re.findall(r"^(\w+) -- .*pytest_shared_utils", printed, re.M)
    assert described == ["lambda_context", "connections", "log_lines"]


def test_plugin_alone_does_not_import_the_layer(installed, tmp_path):
    """Tests that use no fixture of ours do not pay for it."""
    code = "import sys, pytest_shared_utils; print([*map(sys.modules.get, ['shared_utils'])])"

    assert run(installed, "-c", code, cwd=tmp_path) == "[None]\n"
