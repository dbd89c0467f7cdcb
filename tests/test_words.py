"""What others sent does no more on a terminal than show characters; a noun has an s where it needs one."""

from pathlib import Path

import pytest

from local.words import counted, of_all, own_command, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No\x1b[2J\x7f\x9b", "No\\x1b[2J\\x7f\\x9b"),
        ("a\u202etxt.exe\u202c", "a\\u202etxt.exe\\u202c"),
        ("\u202a\u202b\u202d", "\\u202a\\u202b\\u202d"),
        ("\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"),
        ("\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800", "\\ud800"),
        ("a\\n", "a\\n"),
        pytest.param(text := "\u05e9\u05dc\u05d5\u05dd \u200d\U0001f600 e\u0301\u2027", text, id="others"),
        pytest.param(text := "\u202f\u2065\u206a", text, id="next-to-them"),
    ],
)  # fmt: skip
def test_what_is_no_character_is_written_out(text, shown):
    assert printable(text) == shown


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
