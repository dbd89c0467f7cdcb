"""A guarded folder goes with its block, and with its process, however that ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wslocal.processes import guarded_folder

KEEP = """
import signal
import sys
from pathlib import Path
from wslocal.processes import guarded_folder
# A shell that starts the tests in the background lets them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
with guarded_folder("guarded-") as folder:
    layer = folder / "opt" / "python"
    layer.mkdir(parents=True)
    (layer / "module.py").touch(mode=0o444)
    layer.chmod(0o555)
    layer.parent.chmod(0o555)
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_folder_is_there_in_the_block_and_not_after_it():
    with guarded_folder("guarded-") as folder:
        (folder / "read-only").mkdir(mode=0o555)
        assert folder.stat().st_mode & 0o777 == 0o700

    assert not folder.exists()


def test_folder_goes_when_the_block_raises():
    with pytest.raises(KeyError), guarded_folder("guarded-") as folder:
        raise KeyError

    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_folder_goes_with_a_process_that_is_ended(number):
    with subprocess.Popen(
        [sys.executable, "-c", KEEP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        folder = Path(process.stdout.readline().strip())
        assert (folder / "opt" / "python" / "module.py").exists()

        process.send_signal(number)
        process.wait()

    until = time.monotonic() + 10
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not folder.exists()
