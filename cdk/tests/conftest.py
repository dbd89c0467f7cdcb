"""The wheel, built once for the Python that runs the tests, and the CDK's Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.app import use_node
from infrastructure.archives import build_layer

ROOT = Path(__file__).parent.parent.parent
PYTHON = f"3.{sys.version_info.minor}"


def run(*command, cwd, **variables):
    """Run a command that must succeed, with nothing of this repository on Python's path; return its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(source, target, **variables):
    """Build the wheel of a folder into another one, without the network; return its path."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", target]
    run(*pip, "wheel", *options, source, cwd=target, **variables)
    [wheel] = target.glob("shared_utils_cdk-*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Return the wheel, with the layer's zip for this Python."""
    return build_wheel(ROOT / "cdk", tmp_path_factory.mktemp("wheel"), LAYER_PYTHONS=PYTHON)


@pytest.fixture(scope="session")
def copied_sources(tmp_path_factory):
    """Return a folder with copies of what the wheel is built of, and nothing else of this repository."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("cdk", "shared-layer"):
        unwanted = shutil.ignore_patterns(".*", "__pycache__", "tests", "*.zip")
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    return folder


@pytest.fixture(scope="session")
def cdk():
    """Return the CDK, which takes seconds to load: no module here imports it, or the package."""
    use_node()
    import aws_cdk

    return aws_cdk


@pytest.fixture(scope="session")
def package(cdk):
    """Return the package."""
    import shared_utils_cdk

    return shared_utils_cdk


@pytest.fixture
def zips(package, monkeypatch):
    """Have the layer's zip beside the construct, as in an installed wheel."""
    monkeypatch.setattr(package.archives, "FOLDER", build_layer((PYTHON,)).parent)
