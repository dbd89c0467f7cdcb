"""The process of `wslocal` before it does anything: Ctrl-C, and what it keeps of the user's variables."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from .up_process import PATIENCE_SECONDS, PROJECTS, Up, environment, run

# As pip writes the command of an installed package.
SCRIPT = "import sys\nfrom wslocal.__main__ import main\nsys.exit(main())\n"
# Takes the place of a package, and of the time that its import takes.
SLOW = "import time\nprint('importing', flush=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize("package", ["click", "botocore"])
def test_ctrl_c_while_it_imports_ends_it_without_a_traceback(tmp_path, package):
    (tmp_path / f"{package}.py").write_text(SLOW)
    paths = f"{tmp_path}:{environment()['PYTHONPATH']}"
    up = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "up", str(PROJECTS / "callback_styles")],
        env=environment(PYTHONPATH=paths),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with up:
        assert up.stdout.readline() == "importing\n"
        up.send_signal(signal.SIGINT)
        _, said = up.communicate(timeout=PATIENCE_SECONDS)

    assert (up.returncode, said) == (-signal.SIGINT, "")  # 130 to a shell


READS_ITS_PARENTS = """
import json, os
from pathlib import Path

def by_variable(event, context):
    found = Path(f"/proc/{os.getppid()}/environ").read_bytes() + Path("/proc/self/environ").read_bytes()
    return sorted(name for name in event if name.encode() in found)

def by_event(event, context):
    return None
"""
PLANTED = {
    "planted-secret": "AWS_SECRET_ACCESS_KEY",
    "planted-token": "AWS_SESSION_TOKEN",
    "planted-own": "OWN",
}


@pytest.mark.slow
def test_function_finds_no_credentials_of_the_user_in_its_parent(tmp_path):
    """What is not of AWS is there: functions are other people's code that runs with the user's rights."""
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    template = PROJECTS / "callback_styles" / "template.yaml"
    (project / "template.yaml").write_text(template.read_text())
    (project / "src" / "echo.py").write_text(READS_ITS_PARENTS)

    with Up(project, **{name: text for text, name in PLANTED.items()}) as up:
        event = json.dumps(list(PLANTED))
        asked = run("invoke", "ByVariable", "--event", event, "--pid", up.process.pid)

    assert json.loads(asked.stdout) == ["planted-own"]
