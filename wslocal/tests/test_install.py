"""The package installed with pip into an empty environment, outside of the repository: the command and the fixture."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from wslocal.client import WebSocketClient

from .up_process import PROJECTS, ROOT, Up

pytestmark = pytest.mark.long  # pip asks the index for all that the package depends on

TEST = """
def test_echo(wslocal_api):
    with wslocal_api.connect() as ann:
        ann.send({"action": "event"})
        assert ann.receive() == {"action": "event"}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the folder of the programs of such an environment."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, ROOT / "wslocal", "pytest"], check=True)
    return folder / "bin"


@pytest.fixture
def project(tmp_path):
    return shutil.copytree(PROJECTS / "callback_styles", tmp_path / "echo")


def test_command_runs_a_project(installed, project):
    program = [str(installed / "wslocal")]
    with (
        Up(project, program=program, PYTHONPATH="") as up,
        WebSocketClient.connect(up.urls[0]) as ann,
    ):
        ann.send({"action": "event"})

        assert ann.receive(30) == {"action": "event"}


def test_fixture_is_there_without_a_word(installed, project):
    (project / "test_echo.py").write_text(TEST)

    done = subprocess.run(
        [installed / "python", "-m", "pytest", "-q", "--wslocal", "template.yaml"],
        cwd=project,
        env={name: text for name, text in os.environ.items() if not name.startswith("PYTEST")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed" in done.stdout
    assert done.returncode == 0
