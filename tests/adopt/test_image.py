"""The image's steps in an empty folder, and the zip without a layer: what they make, and that it runs."""

import importlib.util
import json
import re
import shutil
import string
import zipfile
from pathlib import Path

import pytest

from tests.adopt.project import (
    ADOPT,
    ROOT,
    VERSION,
    blocks,
    build_wheel,
    copied,
    exchange,
    layer_version,
    run,
    shown,
    write_digests,
)
from tests.adopt.served import deploy, served

pytestmark = pytest.mark.slow

DOCKERFILE = ADOPT / "image" / "Dockerfile"


def steps():
    """Return the Dockerfile's instructions, each with its text."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return the example with its wheel, pinned as the README says."""
    folder = tmp_path_factory.mktemp("image")
    build_wheel(ROOT / "shared-layer", folder / "dist")
    write_digests(folder / "dist")
    project = copied("image", folder / "dist", folder / "notes")
    [pin] = blocks("image", "sh")
    run("bash", "-euc", pin, cwd=project)
    return project


@pytest.fixture(scope="module")
def image(project, tmp_path_factory):
    """Return a folder in which the Dockerfile's COPY and RUN were done as if it were the root."""
    root = tmp_path_factory.mktemp("root")
    task_root = root / "var" / "task"
    task_root.mkdir(parents=True)
    (root / "tmp").mkdir()
    for instruction, text in steps():
        if instruction == "COPY":
            *sources, target = (
                string.Template(text).substitute(LAMBDA_TASK_ROOT="/var/task").split()
            )
            for source in sources:
                copy(project / source, root / target.strip("/"))
        if instruction == "RUN":
            command = text.replace(" /tmp", f" {root}/tmp")  # noqa: S108 - below our root
            run("bash", "-euc", command, cwd=task_root, LAMBDA_TASK_ROOT=str(task_root))
    return root


def copy(source, folder):
    """Copy a file into a folder, or what a folder holds, as COPY does."""
    if source.is_dir():
        shutil.copytree(
            source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    else:
        shutil.copy(source, folder)


@pytest.fixture(scope="module")
def archive(project):
    """Return the zip that the README's commands make."""
    [commands] = blocks("image", "sh zip")
    run("bash", "-euc", commands, cwd=project)
    return project / "function.zip"


@pytest.fixture(params=["image", "archive"])
def folder(request, tmp_path):
    """Return what is in /var/task on Lambda, by each of the two ways."""
    made = request.getfixturevalue(request.param)
    if made.is_dir():
        return made / "var" / "task"
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_dockerfile_does_nothing_that_is_not_done_here():
    instructions = [instruction for instruction, _ in steps()]

    assert instructions == ["FROM", "COPY", "RUN", "COPY", "RUN", "ENV", "CMD"]
    assert steps()[0][1] == "public.ecr.aws/lambda/python:3.13"
    assert steps()[-2] == ("ENV", "METRICS_NAMESPACE=Notes")


def test_every_module_is_compiled_and_not_checked_at_run_time(folder):
    modules = [*folder.rglob("*.py")]

    flags = {
        Path(importlib.util.cache_from_source(str(path))).read_bytes()[4:8] for path in modules
    }

    assert {"app.py", "websocket_handler.py"} <= {path.name for path in modules}
    assert flags == {b"\1\0\0\0"}  # PEP 552: by hash, unchecked


def test_only_what_belongs_to_the_function_is_there(folder):
    names = {path.name for path in folder.iterdir()} - {"__pycache__"}

    assert names == {
        "app.py",
        "shared_utils",
        "pytest_shared_utils.py",
        f"shared_utils_layer-{VERSION}.dist-info",
    }


def test_wheel_that_is_not_the_pinned_one_is_refused(project, tmp_path):
    text = (project / "requirements.txt").read_text()
    (tmp_path / "requirements.txt").write_text(re.sub("sha256:.{8}", "sha256:00000000", text))
    shutil.copytree(project / "dist", tmp_path / "dist")
    [commands] = blocks("image", "sh zip")

    with pytest.raises(AssertionError, match="DO NOT MATCH THE HASHES"):
        run("bash", "-euc", commands, cwd=tmp_path)


@pytest.fixture
def pinned(project, tmp_path):
    """Return a function that runs the README's first command with other lines in SHA256SUMS."""
    (tmp_path / "dist").mkdir()
    [pin] = blocks("image", "sh")

    def run_with(*lines):
        (tmp_path / "dist" / "SHA256SUMS").write_text("".join(f"{line}\n" for line in lines))
        run("bash", "-euc", pin, cwd=tmp_path)
        return (tmp_path / "requirements.txt").read_text()

    return run_with


def test_one_digest_is_pinned_where_the_release_has_a_list_of_the_wheels_parts(pinned):
    wheel = f"shared_utils_layer-{VERSION}-py3-none-any.whl"

    pin = pinned(f"{'a' * 64}  {wheel}.cdx.json", f"{'b' * 64}  {wheel}", f"{'c' * 64}  other.whl")

    assert pin == f"shared-utils-layer=={VERSION} --hash=sha256:{'b' * 64}\n"


def test_release_without_the_wheel_is_an_error(pinned):
    with pytest.raises(AssertionError):
        pinned(f"{'a' * 64}  shared_utils_layer-99.0.0-py3-none-any.whl")


def test_empty_pin_is_an_error(tmp_path):
    """pip would succeed, and the function would have no package."""
    shutil.copytree(ADOPT / "image" / "function", tmp_path / "function")
    (tmp_path / "requirements.txt").touch()
    [commands] = blocks("image", "sh zip")
    [install, _] = [text for instruction, text in steps() if instruction == "RUN"]

    for text in (commands, install.replace("/tmp", str(tmp_path))):  # noqa: S108 - our own
        with pytest.raises(AssertionError):
            run("bash", "-euc", text, cwd=tmp_path, LAMBDA_TASK_ROOT=str(tmp_path / "task"))

    assert {path.name for path in tmp_path.iterdir()} == {"function", "requirements.txt"}


def test_zip_has_nothing_of_the_release_before(project, archive, tmp_path):
    """Whose package, and a module that is no longer there, are still in `build`."""
    again = shutil.copytree(project, tmp_path / "notes")
    package = again / "build" / "shared_utils"
    (package / "__init__.py").write_text('__version__ = "0.0.1"\n')
    (package / "gone.py").touch()
    [commands] = blocks("image", "sh zip")

    run("bash", "-euc", commands, cwd=again)

    with zipfile.ZipFile(archive) as first, zipfile.ZipFile(again / "function.zip") as second:
        assert {row.filename: row.CRC for row in second.infolist()} == {
            row.filename: row.CRC for row in first.infolist()
        }


def test_function_answers_as_the_readme_shows(folder, emulator, tmp_path):
    name = f"notes-{len(emulator.client('lambda').list_functions()['Functions'])}"
    shutil.make_archive(str(tmp_path.parent / name), "zip", folder)
    [handler] = json.loads(steps()[-1][1])
    api_id = deploy(emulator, name, tmp_path.parent / f"{name}.zip", handler=handler)

    with served(emulator, api_id, "dev", tmp_path) as api, api.connect() as client:
        assert exchange(client, "image") == shown("image")

        assert layer_version(api.wait_for_line('"layerVersion"')) == VERSION
