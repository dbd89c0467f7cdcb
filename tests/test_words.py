"""A noun has an s where it needs one, and the command can be copied."""

from pathlib import Path

import pytest

from local.words import counted, of_all, own_command


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 captions"), (1, "1 caption"), (2, "2 captions")]
)
def test_noun_is_as_its_number(number, words):
    assert counted(number, "caption") == words


@pytest.mark.parametrize(
    ("number", "total", "words"),
    [(0, 1, "0 of 1 chunk was"), (1, 1, "1 of 1 chunk was"), (1, 3, "1 of 3 chunks were")],
)
def test_noun_of_a_part_is_as_the_total(number, total, words):
    assert of_all(number, total, "chunk") == words


@pytest.mark.parametrize(
    ("python", "command"),
    [
        ("/work/project/.venv/dev/bin/python", ".venv/dev/bin/python -m local"),
        ("/usr/bin/python3", "/usr/bin/python3 -m local"),
    ],
)
def test_own_command_can_be_copied_in_the_same_folder(monkeypatch, python, command):
    monkeypatch.setattr("sys.executable", python)
    monkeypatch.setattr("pathlib.Path.cwd", lambda: Path("/work/project"))

    assert own_command() == command
