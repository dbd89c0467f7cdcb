"""What lets a client in: the access token, the key of a private session, and the key of its interpreters.

A token is never an argument: the process list shows those to every user of the machine. Nothing here
repeats a token or a key, not in an error either.
"""

from __future__ import annotations

import base64
import codecs
import json
import os
import re
import stat
import time
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "INTERPRETER_KEY_VARIABLE",
    "access_token",
    "interpreter_key_option",
    "key_option",
    "token_option",
]

F = TypeVar("F", bound="Callable[..., Any]")

TOKEN_VARIABLE = "WEBSOCKET_AUDIO_TOKEN"  # noqa: S105 - where it stands, not what it is
KEY_VARIABLE = "WEBSOCKET_AUDIO_KEY"
INTERPRETER_KEY_VARIABLE = "WEBSOCKET_AUDIO_INTERPRETER_KEY"
# With all other headers, API Gateway takes 10,240 bytes:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
_MAX_TOKEN_BYTES = 8 * 1024
# Of what is beyond this nothing is read: a token with white space around it.
_MAX_FILE_BYTES = 2 * _MAX_TOKEN_BYTES
# What a sub-protocol's name may hold, and a JSON Web Token does not go beyond.
_TOKEN = re.compile(r"[A-Za-z0-9._~+-]+")
_SCHEME = re.compile(r"bearer\s", re.IGNORECASE)
# As the authorizer has it: by so much this machine's clock may differ from the issuer's.
_SKEW_SECONDS = 60
# The end of the year 9999: what is beyond it is no time for a person.
_LAST_SECOND = 253_402_300_799
# As the messages have it.
_KEY_CHARACTERS = range(8, 65)


def token_option(command: F) -> F:
    """Add `--token-file`; what it names is read by `access_token`."""
    return click.option(
        "--token-file",
        type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
        help="A file that holds the access token, in one line; else WEBSOCKET_AUDIO_TOKEN is taken, if it is set.",
    )(command)


def key_option(
    name: str, text: str, variable: str = KEY_VARIABLE, *, required: bool = False
) -> Callable[[F], F]:
    """Return what adds the option `name` for a key; a private session's, unless the variable is another."""
    return click.option(
        *(name, "key"),
        envvar=variable,
        show_envvar=True,
        required=required,
        callback=_checked_key,
        help=f"{text} 8 to 64 characters. The process list shows it; {variable} does not.",
    )


def interpreter_key_option(command: F) -> F:
    """Add `--key` for the key that a session's interpreters need."""
    text = "Of the session's interpreters, as `speak` prints it."
    return key_option("--key", text, INTERPRETER_KEY_VARIABLE, required=True)(command)


def _checked_key(context: click.Context, option: click.Parameter, key: str | None) -> str | None:
    if key is None:
        return None
    key = unicodedata.normalize("NFC", key)  # whatever keyboard typed it
    if len(key) not in _KEY_CHARACTERS:
        raise click.BadParameter("a key has 8 to 64 characters")
    return key


def access_token(
    file: Path | None,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.time,
) -> str | None:
    """Return the token in the file, else in the environment, else None.

    click.UsageError, in which it does not stand, if it is none or has expired; a warning on stderr if
    others may read the file.
    """
    if file is None:
        text = environ.get(TOKEN_VARIABLE)
        return None if not text else _checked_token(text, TOKEN_VARIABLE, clock())
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            data = opened.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error
    token = _checked_token(_text_of(data, file), str(file), clock())
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        click.echo(f"others may read {file}: chmod 600 it", err=True)
    return token


def _text_of(data: bytes, file: Path) -> str:
    """Return what is in a file; a mark of UTF-8 at its start, which some editors write, is no part of it."""
    if len(data) > _MAX_FILE_BYTES:
        raise click.UsageError(f"the token in {file} is longer than 8 KB")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise click.UsageError(f"{file} is in UTF-16: save it as ASCII or UTF-8")
    return data.removeprefix(codecs.BOM_UTF8).decode("ascii", "replace")


def _checked_token(text: str, place: str, now: float) -> str:
    token = text.strip()
    if not token:
        raise click.UsageError(f"{place} is empty: it must hold an access token")
    if _SCHEME.match(token):
        raise click.UsageError(f"{place} begins with Bearer: it must hold the token alone")
    if len(token) > _MAX_TOKEN_BYTES:
        raise click.UsageError(f"the token in {place} is longer than 8 KB")
    if not _TOKEN.fullmatch(token):
        raise click.UsageError(f"{place} must hold one access token, in one line")
    expires_at = _expires_at(token)
    if expires_at is not None and expires_at <= now - _SKEW_SECONDS:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(expires_at))
        raise click.UsageError(f"the token in {place} expired on {when} UTC: get a new one")
    return token


def _expires_at(token: str) -> float | None:
    """Return when a JSON Web Token says that it ends, which nobody has verified; None if it does not say.

    An issuer's token may be of any form: what is not read here is sent as it is, and the system judges.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    ends = claims.get("exp") if isinstance(claims, dict) else None
    if not isinstance(ends, int | float) or isinstance(ends, bool):
        return None
    return ends if 0 <= ends <= _LAST_SECOND else None
