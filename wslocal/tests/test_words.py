"""What others sent does no more on a terminal than show characters."""

from __future__ import annotations

import pytest

from wslocal.words import printable


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
        ("a\tb\n", "a\tb\\n"),
        pytest.param(text := "\u05e9\u05dc\u05d5\u05dd \u200d\U0001f600 e\u0301\u2027", text, id="others"),
        pytest.param(text := "\u202f\u2065\u206a", text, id="next-to-them"),
    ],
)  # fmt: skip
def test_what_is_no_character_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown
