"""What the wheel holds: the package and the layer's zips, the same bytes wherever it is built."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

import environments
from infrastructure.archives import build_layer

from .conftest import PYTHON, ROOT, build_wheel

FOLDER = ROOT / "cdk" / "shared_utils_cdk"


def test_wheel_holds_the_package_and_the_zip_that_build_sh_makes(package, wheel):
    version = package.__version__
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        layer = archive.read(f"shared_utils_cdk/archives/shared-layer-{version}.zip")
        metadata = archive.read(f"shared_utils_cdk-{version}.dist-info/METADATA").decode()

    modules = {f"shared_utils_cdk/{one.name}" for one in FOLDER.iterdir() if one.is_file()}
    assert names == {*modules, f"shared_utils_cdk/archives/shared-layer-{version}.zip"}
    assert layer == build_layer((PYTHON,)).read_bytes()
    needed = re.findall(r"^Requires-Dist: ([a-z-]+)", metadata, re.M)
    assert needed == ["aws-cdk-lib", "constructs"]


def test_wheel_is_the_same_from_another_folder(wheel, copied_sources, tmp_path):
    again = build_wheel(copied_sources / "cdk", tmp_path, LAYER_PYTHONS=PYTHON)

    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.long
def test_wheel_has_a_zip_for_each_python_of_this_machine_and_one_for_all(
    package, tmp_path, monkeypatch
):
    version = package.__version__
    pythons = [f"3.{minor}" for minor in environments.find_pythons()]
    monkeypatch.delenv("LAYER_PYTHONS", raising=False)

    with zipfile.ZipFile(build_wheel(ROOT / "cdk", tmp_path)) as archive:
        archive.extractall(tmp_path)

    made = {path.name: path for path in (tmp_path / "shared_utils_cdk/archives").iterdir()}
    one_each = {f"shared-layer-{version}-python{python}.zip": (python,) for python in pythons}
    wanted = {f"shared-layer-{version}.zip": tuple(pythons)}
    wanted |= one_each if len(pythons) > 1 else {}
    assert {
        name: package.archives.read_archive(path).pythons for name, path in made.items()
    } == wanted


def failed_build(folder, target, pythons):
    """Return what a build of the wheel says that must fail."""
    code = f"from hatchling.build import build_wheel; build_wheel({str(target)!r})"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "LAYER_PYTHONS": pythons},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    return run.stderr


def test_python_that_is_not_here_is_said(copied_sources, tmp_path):
    said = failed_build(copied_sources / "cdk", tmp_path, "3.99")

    assert "CPython 3.99 was asked for and is not on this machine" in said
    assert not [*tmp_path.iterdir()]


def test_wheel_is_built_beside_the_layer_only(copied_sources, tmp_path):
    shutil.copytree(copied_sources / "cdk", tmp_path / "cdk")

    said = failed_build(tmp_path / "cdk", tmp_path, PYTHON)

    assert "shared-utils-cdk is built in its repository: " in said
