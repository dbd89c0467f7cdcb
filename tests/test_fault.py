"""The command `fault`, in a process of its own: the fault lasts as long as it does, however it ends."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from local.control import commands_of
from local.state import RunningSystem, announced
from wslocal import EmulatorError, Faults, HostError, LoopThread, answering

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow

NO_COMMAND = "this run does not know the command"
NO_FAULT = "this system does not know the fault"


class Emulator:
    def __init__(self):
        self.frozen = []

    @contextlib.contextmanager
    def freeze(self):
        self.frozen.append(True)
        yield
        self.frozen.append(False)

    def kill(self):
        raise EmulatorError("the emulator does not run")


class Socket:
    def __init__(self):
        self.cuts = 0

    def abort(self):
        self.cuts += 1


class System:
    """What a running system has of it, and the faults that its gateway met."""

    def __init__(self):
        self.socket = Socket()
        faults = Faults({"A=": SimpleNamespace(socket=self.socket)})
        faults.has_relay = True
        self.api = SimpleNamespace(faults=faults, kill_environments=self.kill_environments)
        self.functions, self.tables = ["work", "rest"], ["Things", "Others"]
        self.emulator = Emulator()
        self.path: Path
        self.end: Callable[[], None]

    def kill_environments(self, function, count):
        if function != "work":
            raise HostError(f"{function} was not invoked yet")
        return count or 4


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def system(loop):
    """Serve the commands of other processes to a system of ours, under our own process id."""
    system = System()
    fields = (os.getpid(), "ws://x/dev", None, "Stack-dev", "Space", {"A": "1"}, 1000.0)
    running = RunningSystem(*fields)
    with announced(running):
        serving = answering(running.control_socket, commands_of(system))
        loop.run(serving.__aenter__())
        system.path = running.control_socket
        system.end = lambda: loop.run(serving.__aexit__(None, None, None))
        yield system
        system.end()


def command(*arguments):
    """Return a running command."""
    # A shell that starts the tests in the background lets them, and what they start, ignore Ctrl-C.
    heeding = "env", "--default-signal=INT"
    return subprocess.Popen(
        [*heeding, sys.executable, "-m", "local", "fault", *arguments, "--pid", str(os.getpid())],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments):
    """Return the exit code of a command that ends by itself, and what it writes."""
    with command(*arguments) as process:
        output, errors = process.communicate(timeout=60)
    return process.returncode, output + errors


def until(loop, condition):
    async def wait():
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    loop.run(wait())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_fault_ends_with_its_command(system, loop, number):
    faults = system.api.faults
    with command("posts", "429", "--every", "2") as process:
        began = process.stdout.readline()
        met = [faults.of_post("A=") for _ in "1234"]
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
        until(loop, lambda: faults.of_post("A=") is None and faults.of_post("A=") is None)

    assert began == "posts: on, until Ctrl-C\n"
    assert [one and one.answer for one in met] == [None, 429, None, 429]
    ended_in_order = number != signal.SIGKILL
    assert process.returncode == (0 if ended_in_order else -number)
    assert ("s, met 2 times\n" in output) is ended_in_order


def test_fault_ends_after_its_seconds(system):
    code, output = run("freeze-emulator", "--seconds", "0.05")

    assert (code, system.emulator.frozen) == (0, [True, False])
    assert output.startswith("freeze-emulator: on, for 0.05 s\nfreeze-emulator: over after 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("posts", "nothing", "--to", "A="),
        ("table", "Things", "--delay", "0.5", "--every", "3"),
        ("table", "--error", "refuse"),
        ("request-time", "--by", "-3"),
        ("function-clock", "--by", "600"),
        ("no-space",),
    ],
)
def test_each_fault_can_be_had(system, arguments):
    code, output = run(*arguments, "--seconds", "0.01")

    assert (code, output.count(f"{arguments[0]}: ")) == (0, 2), output


def test_what_is_done_at_once(system):
    assert run("cut", "A=") == (0, "cut: done to 1\n")
    assert run("kill-environments", "work", "--count", "3") == (0, "kill-environments: done to 3\n")
    assert system.socket.cuts == 1


def test_fault_that_nothing_met_says_so(system):
    _, output = run("posts", "429", "--seconds", "0.05")

    assert output.endswith("s, met by nothing meanwhile\n")


def test_names_may_be_as_status_shows_them(system):
    system.functions, system.tables = ["stack-dev-work", "stack-dev-rest"], ["Things-dev"]
    system.kill_environments = lambda name, count: {"stack-dev-work": 2}[name]
    system.api.kill_environments = system.kill_environments

    assert run("kill-environments", "work") == (0, "kill-environments: done to 2\n")
    assert run("kill-environments", "dev")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stop-reading", "B="), "Error: no connection 'B=' is open: open are A=\n"),
        (("posts", "410", "--to", "B="), "Error: no connection 'B=' is open: open are A=\n"),
        (("kill-emulator",), "Error: the emulator does not run\n"),
        (("kill-environments", "rest"), "Error: rest was not invoked yet\n"),
        (
            ("kill-environments", "nope"),
            "Error: there is no function 'nope': functions are work, rest\n",
        ),
        (
            ("table", "nope", "--delay", "1"),
            "Error: there is no table 'nope': tables are Things, Others\n",
        ),
        (("table",), "Error: a fault of a table needs a delay or an error\n"),
    ],
)
def test_fault_that_cannot_be_is_said_in_one_line(system, arguments, message):
    assert run(*arguments) == (1, message)


MORE_THAN_0 = "must be a number of seconds, more than 0 and at most 31,622,400"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("posts", "418"), "'418' is not one of '410', '429', '500', 'nothing'"),
        (("posts", "429", "--every", "0"), "must be a whole number from 1 to 1,000,000, got '0'"),
        (("table", "--error", "Oops"), "'Oops' is not one of 'AccessDeniedException'"),
        (("no-space", "--seconds", "0"), f"{MORE_THAN_0}, got '0'"),
        (("no-space", "--seconds", "-1"), f"{MORE_THAN_0}, got '-1'"),
        (("no-space", "--seconds", "1e20"), f"{MORE_THAN_0}, got '1e20'"),
        (("no-space", "--seconds", "inf"), f"{MORE_THAN_0}, got 'inf'"),
        (("no-space", "--seconds", "nan"), f"{MORE_THAN_0}, got 'nan'"),
        (("table", "--delay", "nan"), "must be a number of seconds, 0 to 3,600, got 'nan'"),
        (("request-time", "--by", "inf"), "-316,224,000 to 316,224,000, got 'inf'"),
    ],
)
def test_option_that_is_wrong_is_named(arguments, message):
    code, output = run(*arguments)

    assert code == 2
    assert message in output


def test_no_running_system():
    code, output = run("no-space")

    assert code == 1
    assert output.startswith("Error: no system ")


def test_end_of_the_system_ends_the_command(system):
    with command("no-space") as process:
        process.stdout.readline()
        system.end()
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 1
    assert errors == "Error: the system has ended, and the fault with it\n"
    system.api.faults.write_code()  # as if there had been no fault


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"", NO_COMMAND),
        (b"garbage\n", NO_COMMAND),
        (b"[1]\n", NO_COMMAND),
        (b"{}\n", NO_COMMAND),
        (b'{"command": "fault", "name": "unknown", "options": {}}\n', NO_FAULT),
        (b'{"command": "fault", "name": "no-space", "options": {"unknown": 1}}\n', NO_FAULT),
        (b'{"command": "fault", "name": "no-space", "options": 5}\n', NO_FAULT),
    ],
)
def test_line_that_is_no_command_is_refused(system, line, sentence):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(system.path))
        client.sendall(line)
        client.shutdown(socket.SHUT_WR)
        reply = json.loads(client.makefile().read())

    assert reply["error"].startswith(sentence)
