"""Each wrong command line of the table is answered with its sentence and its exit code, and nothing is begun."""

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

import wrong_inputs
from local.__main__ import main
from local.audio import Recording, write_recording
from local.state import RunningSystem, announced
from tests.sounds import tone, write
from tests.talk_server import CHUNK, ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder that the table speaks of."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "FOLDER").mkdir()
    (folder / "EMPTY.wav").touch()
    (folder / "TEXT.mp3").write_text("Hello. " * 100)
    (folder / "NO-TEXT.vtt").write_text("WEBVTT\n")
    write_recording(folder / "SHORT.wav", Recording(bytes(98), 16_000, 1))
    write_recording(folder / "SPEECH.wav", Recording(CHUNK, 16_000, 1))
    write_recording(folder / "LONG.wav", Recording(bytes(601 * 16_000), 8_000, 1))
    damaged = bytearray(write(folder / "DAMAGED.flac", tone(2.0)).read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 400] = bytes(400)
    (folder / "DAMAGED.flac").write_bytes(damaged)
    return folder


@pytest.fixture
def taken():
    """Return a port on which something listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield str(listening.getsockname()[1])


@pytest.fixture
def place(folder, tmp_path, monkeypatch):
    """Be in that folder, on a machine on which no system runs."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("wslocal.state.BASE", tmp_path)
    for name in [name for name in os.environ if name.startswith("WEBSOCKET_AUDIO_")]:
        monkeypatch.delenv(name)


def systems(number):
    """Have so many systems run, of which none can be reached."""
    stack = contextlib.ExitStack()
    for pid in range(101, 101 + number):
        url, now = "ws://127.0.0.1:1/dev", time.time()
        stack.enter_context(
            announced(RunningSystem(pid, url, None, "stack", "ns", {}, now + pid, "/a"))
        )
    return stack


@pytest.mark.parametrize(
    "row", wrong_inputs.ROWS, ids=lambda row: f"{row.arguments} [{row.systems}]"
)
def test_wrong_input_is_answered_in_one_sentence(place, folder, taken, row):
    before = sorted(folder.iterdir())
    arguments = shlex.split(row.arguments.replace("TAKEN", taken))

    with systems(row.systems):
        result = CliRunner().invoke(main, arguments, prog_name="python -m local")

    said = result.stderr.removeprefix("Error: ").replace(taken, "TAKEN")
    assert (result.exit_code, said) == (row.code, f"{row.sentence}\n")
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    assert sorted(folder.iterdir()) == before


# What needs no running system, nor that there is none: one row of each kind in a process of its own.
IN_A_PROCESS = {
    *("sing", "listen Golden-Eagle-427", "logs --level LOUD", "metrics --minutes inf"),
    *("up --port 65536", "demo EMPTY.wav", "fault posts 418"),
}
SAMPLES = [row for row in wrong_inputs.ROWS if row.arguments in IN_A_PROCESS]


@pytest.mark.slow
@pytest.mark.parametrize("row", SAMPLES, ids=lambda row: row.arguments)
def test_process_says_the_same(folder, row):
    run = subprocess.run(
        [sys.executable, "-m", "local", *shlex.split(row.arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stderr) == (row.code, f"Error: {row.sentence}\n")
    assert run.stdout == ""


def test_every_command_has_a_row():
    commands = {row.arguments.split()[0] for row in wrong_inputs.ROWS}

    assert set(main.commands) <= commands


@pytest.mark.parametrize("arguments", [[], ["fault"]])
def test_command_alone_shows_its_help(arguments):
    result = CliRunner().invoke(main, arguments, prog_name="python -m local")

    assert result.exit_code == 2
    assert "Usage: python -m local" in result.output
