"""The process of `wslocal` before there is something to end in order: Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib

import pytest

from .up_process import PATIENCE_SECONDS, PROJECTS, ROOT, environment, run

# As pip writes the command of an installed package. What started the tests may ignore the signal, and what it starts does too.
SCRIPT = "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nfrom wslocal.__main__ import main\nsys.exit(main())\n"
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


def test_version_is_said_also_of_a_clone():
    done = run("--version")

    assert (done.returncode, done.stdout.split()[0]) == (0, "wslocal,")


def test_command_of_an_installed_package_begins_there():
    text = (ROOT / "wslocal" / "pyproject.toml").read_text()

    assert tomllib.loads(text)["project"]["scripts"] == {"wslocal": "wslocal.__main__:main"}
