"""Where `speak` and `listen` take a token and a key from, and that neither is ever repeated."""

import base64
import codecs
import os
import threading

import click
import pytest
from click.testing import CliRunner

from local.__main__ import main
from local.credentials import access_token, key_option

NOW = 1_800_000_000


def jwt_of(claims):
    """Return a token that nobody signed, which is nothing to who only reads it."""
    part = base64.urlsafe_b64encode(claims.encode()).rstrip(b"=").decode()
    return f"e30.{part}.c2ln-_x"


TOKEN = jwt_of('{"exp": 9999999999}')


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
        pytest.param(b"secret-1\nsecret-2\n", id="two-lines"),
        pytest.param(b'"secret"', id="quoted"),
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


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n", codecs.BOM_UTF8])
def test_empty_file_is_said_to_be_empty_and_nothing_about_its_mode(token_file, capsys, content):
    file = token_file(content, 0o644)

    with pytest.raises(click.UsageError) as caught:
        access_token(file, {})

    assert str(caught.value) == f"{file} is empty: it must hold an access token"
    assert capsys.readouterr().err == ""


def test_mark_of_utf_8_is_no_part_of_the_token(token_file):
    content = codecs.BOM_UTF8 + b"a" * 8192 + b"\r\n"

    assert access_token(token_file(content), {}) == "a" * 8192


@pytest.mark.parametrize("name", ["utf-16", "utf-16-be"])
def test_file_in_utf_16_is_said_to_be_one(token_file, name):
    file = token_file("\ufeff".encode(name) + TOKEN.encode(name))

    with pytest.raises(click.UsageError) as caught:
        access_token(file, {})

    assert str(caught.value) == f"{file} is in UTF-16: save it as ASCII or UTF-8"


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer\t", " BEARER  "])
def test_bearer_in_front_is_named(token_file, scheme):
    file = token_file(f"{scheme}{TOKEN}\n".encode())

    with pytest.raises(click.UsageError) as caught:
        access_token(file, {})

    assert str(caught.value) == f"{file} begins with Bearer: it must hold the token alone"


@pytest.mark.parametrize("spaces", [b" " * 3, b" " * 8000])
def test_token_after_white_space_is_whole(token_file, spaces):
    assert access_token(token_file(spaces + b"a" * 8192), {}) == "a" * 8192


def test_second_token_beyond_the_first_8_kb_is_seen(token_file):
    with pytest.raises(click.UsageError, match="longer than 8 KB"):
        access_token(token_file(b"a" * 8000 + b" " * 200 + b"b" * 100), {})


@pytest.mark.parametrize(
    ("exp", "when"),
    [
        ("1799999940", "2027-01-15 07:59:00"),
        ("1799999939.5", "2027-01-15 07:58:59"),
        ("0", "1970-01-01 00:00:00"),
    ],
)
def test_expired_token_is_said_to_be_one_and_since_when(token_file, exp, when):
    """It has a minute more, as the authorizer gives it."""
    file = token_file(jwt_of(f'{{"exp": {exp}}}').encode())

    with pytest.raises(click.UsageError) as caught:
        access_token(file, {}, lambda: NOW)

    assert str(caught.value) == f"the token in {file} expired on {when} UTC: get a new one"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(jwt_of('{"exp": 1799999941}'), id="within-a-minute"),
        pytest.param(jwt_of('{"exp": 1800000001}'), id="not-yet"),
        pytest.param(jwt_of('{"exp": "1"}'), id="text"),
        pytest.param(jwt_of('{"exp": true}'), id="true"),
        pytest.param(jwt_of('{"exp": null}'), id="null"),
        pytest.param(jwt_of('{"exp": NaN}'), id="nan"),
        pytest.param(jwt_of('{"exp": -1}'), id="negative"),
        pytest.param(jwt_of('{"exp": 1e400}'), id="infinite"),
        pytest.param(jwt_of("{}"), id="without"),
        pytest.param(jwt_of("[1]"), id="list"),
        pytest.param(jwt_of("[" * 5000), id="deep"),
        pytest.param("a.b.c", id="no-json"),
        pytest.param("a.~~~~.c", id="no-base64"),
        pytest.param("opaque-1234", id="opaque"),
        pytest.param("v2.local.abc.def", id="four-parts"),
    ],
)
def test_token_that_does_not_say_that_it_has_expired_is_sent_as_it_is(token_file, token):
    assert access_token(token_file(token.encode()), {}, lambda: NOW) == token


@pytest.mark.parametrize(
    "command", [["speak", "local/recordings/speech.wav"], ["listen", "a-b-123"]]
)
def test_expired_token_is_a_wrong_command_line_and_nothing_is_connected(command):
    token = jwt_of('{"exp": 1}')

    result = CliRunner().invoke(main, command, env={"WEBSOCKET_AUDIO_TOKEN": token})

    assert result.exit_code == 2
    assert "WEBSOCKET_AUDIO_TOKEN expired on 1970-01-01 00:00:01 UTC" in result.output
    assert token not in result.output


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


def test_key_is_the_same_whatever_keyboard_wrote_it():
    """One character or two for each letter: 80 of these are 40."""
    taken = []

    @click.command()
    @key_option("--key", "A key.")
    def command(key):
        taken.append(key)

    result = CliRunner().invoke(command, ["--key", "e\N{COMBINING ACUTE ACCENT}" * 40])

    assert (result.exit_code, taken) == (0, ["\N{LATIN SMALL LETTER E WITH ACUTE}" * 40])


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
