"""`wslocal up` as a process, and what other shells ask of it: how it is found, shown, and ended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from wslocal.client import WebSocketClient

from .up_process import PATIENCE_SECONDS, PROJECTS, Up, command, environment, run

pytestmark = pytest.mark.slow

ECHO = PROJECTS / "callback_styles"
HOMELESS = {"HOME": "", "XDG_RUNTIME_DIR": "", "XDG_CACHE_HOME": ""}


# What a function can read of the processes before it.
READS_VARIABLES = """
def variables():
    import os
    from pathlib import Path

    return b"".join(Path(f"/proc/{one}/environ").read_bytes() for one in ("self", os.getppid()))
"""
PLANTED = {
    "AWS_SECRET_ACCESS_KEY": "planted-secret",
    "AWS_SESSION_TOKEN": "planted-token",
    "OWN": "planted-own",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a project with a function that prints, one that fails and one that is slow to say so."""
    folder = shutil.copytree(ECHO, tmp_path_factory.mktemp("up") / "echo")
    code = folder / "src" / "echo.py"
    code.write_text(
        code.read_text().replace(
            "def by_event(event, context):\n",
            "def by_event(event, context):\n"
            "    if 'say' in event:\n"
            "        print(event['say'])\n"
            "        return {'said': event['say']}\n"
            "    if 'seeks' in event:\n"
            "        return [text for text in event['seeks'] if text.encode() in variables()]\n",
        )
        + READS_VARIABLES
    )
    return folder


@pytest.fixture(scope="module")
def up(project):
    with Up(project, **PLANTED) as up:
        yield up


@pytest.fixture
def ask(up):
    """Return a function that runs a command of another shell, with the run's process id."""
    return lambda *arguments, **more: run(*arguments, "--pid", up.process.pid, **more)


def test_addresses_come_first(up):
    assert re.fullmatch(r"ws://127\.0\.0\.1:[0-9]+/live", up.lines[0])
    assert re.fullmatch(r"wss://127\.0\.0\.1:[0-9]+/live", up.lines[1])
    assert Path(up.lines[2].split()[2]).read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_lines_of_functions_are_shown_with_their_short_names(ask, up):
    ask("invoke", "ByEvent", "--event", '{"say": "a line \\u001b[2J of text"}')

    assert up.wait_for("of text") == "ByEvent | a line \\x1b[2J of text"
    assert not [line for line in up.lines if "REPORT" in line]


def test_logs_show_what_was_written(ask):
    ask("invoke", "ByEvent", "--event", '{"say": "for the logs"}')

    shown = ask("logs", "ByEvent")

    assert "ByEvent | for the logs\n" in shown.stdout
    assert "ByEvent | REPORT RequestId: " in shown.stdout
    assert ask("logs", "ByVariable").stdout == ""


def test_logs_are_followed_until_ctrl_c(ask, up):
    following = subprocess.Popen(
        command("logs", "--follow", "--pid", up.process.pid),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with following:
        ask("invoke", "ByEvent", "--event", '{"say": "for who follows"}')
        for line in following.stdout:
            if "for who follows" in line:
                break
        following.send_signal(signal.SIGINT)
        assert following.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize(
    ("event", "stdin"),
    [
        pytest.param('{"say": "hello"}', None, id="text"),
        pytest.param("-", '{"say": "hello"}', id="stdin"),
        pytest.param("FILE", None, id="file"),
    ],
)
def test_function_is_invoked_with_an_event(ask, tmp_path, event, stdin):
    (tmp_path / "FILE").write_text('{"say": "hello"}')

    invoked = ask("invoke", "ByEvent", "--event", event, stdin=stdin, cwd=tmp_path)

    assert (invoked.returncode, json.loads(invoked.stdout)) == (0, {"said": "hello"})


def test_function_that_fails_has_its_error_and_exit_code_1(ask):
    invoked = ask("invoke", "ByVariable")

    assert invoked.returncode == 1
    assert json.loads(invoked.stdout) == {
        "errorType": "KeyError",
        "errorMessage": "'requestContext'",
    }


def test_function_finds_no_credentials_of_the_user_in_its_parent(ask):
    """What is not of AWS is there: functions are other people's code that runs with the user's rights."""
    found = ask("invoke", "ByEvent", "--event", json.dumps({"seeks": list(PLANTED.values())}))

    assert json.loads(found.stdout) == ["planted-own"]


def test_function_is_invoked_asynchronously(ask, up):
    invoked = ask("invoke", "ByEvent", "--asynchronous", "--event", '{"say": "later"}')

    assert (invoked.returncode, invoked.stdout) == (0, "null\n")
    assert up.wait_for("later")


def test_function_that_is_not_there_is_said_with_those_that_are(ask):
    invoked = ask("invoke", "Other")

    sentence = "there is no function Other: the project has ByEvent, ByVariable"
    assert (invoked.returncode, invoked.stderr) == (2, f"Error: {sentence}\n")


def test_status_counts_connections_and_invocations(ask, up):
    with WebSocketClient.connect(up.urls[0]) as ann:
        ann.send({"action": "event"})
        ann.receive(PATIENCE_SECONDS)

        shown = ask("status")
        state = json.loads(ask("status", "--json").stdout)

    assert f"{up.urls[0]}  1 connection\n" in shown.stdout
    assert re.search(r"^ByEvent +1 ", shown.stdout, re.MULTILINE)
    by_event = next(one for one in state["functions"] if one["function"] == "ByEvent")
    assert by_event["invocations"] >= 1
    assert state["apis"][next(iter(state["apis"]))]["connections"] == 1


def test_run_is_found_by_a_shell_without_variables(up):
    done = subprocess.run(
        [*command("status", "--pid", up.process.pid)],
        env={"PYTHONPATH": environment()["PYTHONPATH"], "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )

    assert up.urls[0] in done.stdout


def test_run_that_is_not_there_is_said(up):
    done = run("status", "--pid", "1")

    assert (done.returncode, done.stderr) == (1, "Error: no run with process id 1 is here\n")


def test_terminal_is_shown_what_is_done_and_may_then_be_gone(project, tmp_path):
    """A function waits, as it starts, until that was said; the address is the first line of stdout all the same.

    Nobody reads the rest, and SIGHUP ends it in order, without a folder of it left. HOME and XDG's folders are not needed.
    """
    slow, temporary = shutil.copytree(project, tmp_path / "slow"), tmp_path / "temporary"
    temporary.mkdir()
    code = slow / "src" / "echo.py"
    wait = "import os, time\nwhile not os.path.exists(os.environ['FLAG']):\n    time.sleep(0.05)\n"
    code.write_text(wait + code.read_text())
    ours, its = os.openpty()
    up = subprocess.Popen(
        command("up", slow, "--env", f"FLAG={tmp_path / 'flag'}"),
        env=environment(TMPDIR=str(temporary), **HOMELESS),
        stdout=subprocess.PIPE,
        stderr=its,
        text=True,
    )
    with up, os.fdopen(ours, "rb", buffering=0) as terminal:
        os.close(its)
        said = b""
        while b"starting its functions ..." not in said:
            said += terminal.read(1000)
        (tmp_path / "flag").touch()
        url = up.stdout.readline().strip()
        up.stdout.close()
        ann = WebSocketClient.connect(url)
        ann.send({"action": "event"})
        answer = ann.receive(PATIENCE_SECONDS)
        up.send_signal(signal.SIGHUP)

    assert answer == {"action": "event"}
    assert up.returncode == 0
    assert ann.wait_for_close() == 1001
    assert left_in(temporary) == []
    ann.close()


@pytest.mark.long  # each as SIGHUP above, and as SIGINT with nearly all other tests
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_ends_it_in_order(tmp_path, number):
    with Up(ECHO, TMPDIR=str(tmp_path), **HOMELESS) as up:
        ann = WebSocketClient.connect(up.urls[0])

        code = up.end(number)

    assert code == 0
    assert ann.wait_for_close() == 1001
    assert left_in(tmp_path) == []
    ann.close()


def left_in(folder: Path) -> list[Path]:
    """Return what runs have left there, but for the folder by which they find each other."""
    return [
        path
        for path in folder.iterdir()
        if path.name.startswith("wslocal-") and path.name != f"wslocal-{os.getuid()}"
    ]


def test_end_of_the_emulator_is_one_sentence_and_exit_code_1():
    with Up(ECHO) as up, WebSocketClient.connect(up.urls[0]) as ann:
        emulator = child(up.process.pid, "emulator_process.py")
        os.kill(emulator, signal.SIGKILL)

        assert ann.wait_for_close(PATIENCE_SECONDS) == 1001
        assert up.process.wait(PATIENCE_SECONDS) == 1
        assert up.wait_for("Error: the AWS APIs have ended, with all that they kept (SIGKILL)")


def test_disk_without_room_is_one_sentence():
    """No file may have a byte: what is written first fails, as on a full disk."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command("up", ECHO)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def child(pid: int, name: str) -> int:
    """Return the child of a process that runs the script of that name."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    ids = [one for task in tasks for one in (task / "children").read_text().split()]
    [found] = [one for one in ids if f"/{name}\0" in Path(f"/proc/{one}/cmdline").read_text()]
    return int(found)
