"""What is watched while the system runs, and what goes on when one thing fails."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from local.__main__ import main
from local.results import ExitCode, TalkError, run_interruptibly
from local.state import RunningSystem, announced
from local.up import while_it_runs
from wslocal import EmulatorError

ROOT = Path(__file__).parent.parent


class Watched:
    """A system that ends when it is told to."""

    def __init__(self):
        self.end = asyncio.Event()
        self.emulator = self

    async def watch(self):
        await self.end.wait()
        self.check()

    def check(self):
        if self.end.is_set():
            raise EmulatorError("the AWS APIs have ended")


def test_work_is_done_while_the_system_runs():
    async def run():
        async def work():
            return 5

        return await while_it_runs(Watched(), work())

    assert asyncio.run(run()) == 5


def test_work_is_cancelled_when_the_system_ends():
    undone = []

    async def run():
        system = Watched()

        async def work():
            system.end.set()
            try:
                await asyncio.Event().wait()
            finally:
                undone.append(True)

        await while_it_runs(system, work())

    with pytest.raises(EmulatorError, match="the AWS APIs have ended"):
        asyncio.run(run())

    assert undone == [True]


def test_what_fails_because_the_system_ended_is_named_by_its_reason():
    async def run():
        system = Watched()

        async def work():
            system.end.set()
            raise TimeoutError

        await while_it_runs(system, work())

    with pytest.raises(EmulatorError):
        asyncio.run(run())


def test_what_fails_by_itself_is_raised_as_it_is():
    async def run():
        async def work():
            raise KeyError("x")

        await while_it_runs(Watched(), work())

    with pytest.raises(KeyError):
        asyncio.run(run())


def test_ctrl_c_before_anything_was_done_has_its_code():
    async def work():
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()

    with pytest.raises(TalkError, match="interrupted before anything") as caught:
        run_interruptibly(work())

    assert caught.value.code == ExitCode.INTERRUPTED


@pytest.mark.parametrize("command", ["metrics", "logs"])
def test_aws_apis_that_do_not_answer_are_one_line(command):
    variables = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "root",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    pid = os.getpid()
    with announced(RunningSystem(pid, "ws://127.0.0.1:1", None, "s", "n", variables, 0.0)):
        result = CliRunner().invoke(main, [command, "--pid", str(pid)])

    assert result.exit_code == 1
    assert result.output == (
        "Error: the system's AWS APIs: Could not connect to the endpoint URL: "
        '"http://127.0.0.1:1/"\n'
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_ctrl_c_in_the_middle_of_the_demo_is_no_success(tmp_path, number, code):
    with subprocess.Popen(
        [sys.executable, "-m", "local", "demo", "-o", str(tmp_path / "heard.wav")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        demo.stdout.readline()
        demo.send_signal(number)
        _, err = demo.communicate(timeout=60)

    assert demo.returncode == code
    assert err == "interrupted before the demo's end\n"
    assert list(tmp_path.iterdir()) == []


def test_demo_does_not_start_if_its_file_cannot_be_written(tmp_path):
    output = tmp_path / "nowhere" / "heard.wav"
    run = subprocess.run(
        [sys.executable, "-m", "local", "demo", "-o", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == f"Error: {output} cannot be written: No such file or directory\n"
