"""Each wrong command line and project of the table is answered with its sentence, and nothing is left behind."""

from __future__ import annotations

import contextlib
import re
import shlex
import socket
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from wslocal import cli, state

from . import up_process, wrong_inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder that the table speaks of."""
    folder = tmp_path_factory.mktemp("wrong") / "wrong"
    for name, text in wrong_inputs.FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "EMPTY").mkdir()
    return folder


@pytest.fixture
def taken():
    """Return a port on which something listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield str(listening.getsockname()[1])


@pytest.fixture
def left(folder, tmp_path, monkeypatch):
    """Be in that folder; return what the command has left in this process's folders, and the processes."""
    runs, temporary = tmp_path / "runs", tmp_path / "temporary"
    runs.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(state, "BASE", runs)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = children()

    def left():
        files = [path for path in runs.rglob("*") if not path.is_dir()]
        return [*files, *temporary.iterdir(), *(children() - before)]

    return left


def children() -> set[str]:
    """Return the ids of this process's children."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            found.update((task / "children").read_text().split())
    return found


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row.arguments, marks=[pytest.mark.long] if row.is_long else [])
        for row in wrong_inputs.ROWS
    ],
)
def test_wrong_input_is_answered_in_one_sentence_and_leaves_nothing(left, folder, taken, row):
    arguments = shlex.split(row.arguments.replace("TAKEN", taken))

    result = CliRunner().invoke(cli.main, arguments, prog_name="wslocal")

    wanted = re.escape(f"Error: {row.sentence}\n").replace(r"\.\.\.", "[^:]*")
    said = result.stderr.replace(taken, "TAKEN").replace(f"{folder}/", "")
    assert re.fullmatch(wanted, said)
    assert result.exit_code == row.code
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    assert left() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        "up IMPORT.yaml",
        pytest.param("up TWO.yaml", marks=pytest.mark.long),
        pytest.param("up NONE", marks=pytest.mark.long),
    ],
)
def test_process_says_the_same(folder, tmp_path, arguments):
    [row] = [row for row in wrong_inputs.ROWS if row.arguments == arguments]

    run = up_process.run(*shlex.split(arguments), cwd=folder, TMPDIR=str(tmp_path))

    said = run.stderr.replace(f"{folder}/", "")
    assert (run.returncode, run.stdout, said) == (2, "", f"Error: {row.sentence}\n")
    assert list(tmp_path.iterdir()) == []


def test_every_command_has_a_row():
    commands = {row.arguments.split()[0] for row in wrong_inputs.ROWS}

    assert set(cli.main.commands) <= commands


@pytest.mark.parametrize("platform", ["darwin", "win32", "cygwin"])
def test_elsewhere_than_on_linux_one_sentence_says_what_to_do(monkeypatch, platform):
    monkeypatch.setattr(cli.sys, "platform", platform)

    result = CliRunner().invoke(cli.main, ["up", "NONE"])

    assert result.exit_code == 2
    assert result.stderr.startswith(
        "Error: wslocal runs on Linux: on macOS or Windows use WSL or a container: docker run "
    )
    assert result.stderr.count("\n") == 1


def test_readme_has_the_rows():
    document = wrong_inputs.README.read_text()

    assert document == wrong_inputs.replaced(document, wrong_inputs.table())
