"""Where `speak` and `listen` take a token and a key from, and that neither is ever repeated."""

import os
import threading

import click
import pytest
from click.testing import CliRunner

from local.__main__ import main
from local.credentials import access_token

TOKEN = "e30.eyJleHAiOjF9.c2ln-_x"


@pytest.fixture
def token_file(tmp_path):
    """Return a function that makes a file of this content, which nobody else may read."""

    def make(content, mode=0o600):
        path = tmp_path / "token"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return make


@pytest.mark.parametrize("content", [TOKEN, f"{TOKEN}\n", f"{TOKEN}\r\n", f"  {TOKEN} "])
def test_token_is_the_file_s_one_line(token_file, content, capsys):
    assert access_token(token_file(content.encode()), {}) == TOKEN
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("environ", "token"),
    [({"WEBSOCKET_AUDIO_TOKEN": TOKEN}, TOKEN), ({"WEBSOCKET_AUDIO_TOKEN": ""}, None), ({}, None)],
)
def test_without_a_file_the_environment_has_it(environ, token):
    assert access_token(None, environ) == token


def test_the_file_that_is_named_wins(token_file):
    assert access_token(token_file(b"from-file"), {"WEBSOCKET_AUDIO_TOKEN": TOKEN}) == "from-file"


def test_token_of_8_kb_is_taken(token_file):
    assert access_token(token_file(b"a" * 8192 + b"\n"), {}) == "a" * 8192


@pytest.mark.parametrize("length", [8193, 100_000])
def test_longer_token_is_refused(token_file, length):
    file = token_file(b"a" * length + b"\n")

    with pytest.raises(click.UsageError) as caught:
        access_token(file, {})

    assert str(caught.value) == f"the token in {file} is longer than 8 KB"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"secret-1\nsecret-2\n", id="two-lines"),
        pytest.param(b"Bearer secret", id="scheme"),
        pytest.param(b"secret, websocket-audio.v1", id="two-protocols"),
        pytest.param("secrét".encode(), id="no-ascii"),
        pytest.param(b"secret\0", id="nul"),
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(token_file, content):
    file = token_file(content)

    with pytest.raises(click.UsageError) as caught:
        access_token(file, {})

    assert str(caught.value) == f"{file} must hold one access token, in one line"


def test_environment_that_holds_no_token_is_named():
    with pytest.raises(click.UsageError, match=r"\AWEBSOCKET_AUDIO_TOKEN must hold one access"):
        access_token(None, {"WEBSOCKET_AUDIO_TOKEN": "se cret"})


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)]
)
def test_file_that_others_may_read_gets_a_warning(token_file, capsys, mode, warned):
    file = token_file(TOKEN.encode(), mode)

    assert access_token(file, {}) == TOKEN
    assert capsys.readouterr().err == (f"others may read {file}: chmod 600 it\n" * warned)


def test_token_comes_through_a_pipe_as_well(tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_text, args=(f"{TOKEN}\n",))
    writing.start()

    assert access_token(pipe, {}) == TOKEN
    assert capsys.readouterr().err == ""
    writing.join()


@pytest.mark.parametrize(
    "command", [["speak", "local/recordings/speech.wav"], ["listen", "a-b-123"]]
)
def test_file_that_is_not_there_is_a_wrong_command_line(command):
    result = CliRunner().invoke(main, [*command, "--token-file", "/nowhere/token"])

    assert result.exit_code == 2
    assert "/nowhere/token" in result.output


@pytest.mark.parametrize(
    "key", [pytest.param("secret7", id="short"), pytest.param("s" * 65, id="long")]
)
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["speak", "local/recordings/speech.wav"], "--listener-key"),
        (["listen", "a-b-123"], "--key"),
    ],
)
def test_key_of_another_length_is_refused_and_not_repeated(command, option, key):
    by_option = CliRunner().invoke(main, [*command, option, key])
    by_variable = CliRunner().invoke(main, command, env={"WEBSOCKET_AUDIO_KEY": key})

    for result in (by_option, by_variable):
        assert result.exit_code == 2
        assert "a key has 8 to 64 characters" in result.output
        assert key not in result.output


@pytest.mark.parametrize("command", ["speak", "listen"])
def test_help_says_that_the_process_list_shows_keys_and_takes_no_token(command):
    text = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())

    assert "The process list shows it; WEBSOCKET_AUDIO_KEY does not." in text
    assert "--token-file" in text
    assert "--token " not in text
