"""What lets `speak` and `listen` in: the access token, and the key of a private session.

A token is never an argument: the process list shows those to every user of the machine. Nothing here
repeats a token or a key, not in an error either.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["access_token", "key_option", "token_option"]

F = TypeVar("F", bound="Callable[..., Any]")

TOKEN_VARIABLE = "WEBSOCKET_AUDIO_TOKEN"  # noqa: S105 - where it stands, not what it is
KEY_VARIABLE = "WEBSOCKET_AUDIO_KEY"
# With all other headers, API Gateway takes 10,240 bytes:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
_MAX_TOKEN_BYTES = 8 * 1024
# What a sub-protocol's name may hold, and a JSON Web Token does not go beyond.
_TOKEN = re.compile(r"[A-Za-z0-9._~+-]+")
# As the messages have it.
_KEY_CHARACTERS = range(8, 65)


def token_option(command: F) -> F:
    """Add `--token-file`; what it names is read by `access_token`."""
    return click.option(
        "--token-file",
        type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
        help="A file that holds the access token, in one line; else WEBSOCKET_AUDIO_TOKEN is taken, if it is set.",
    )(command)


def key_option(name: str, text: str) -> Callable[[F], F]:
    """Return what adds the option `name` for a private session's key."""
    return click.option(
        *(name, "key"),
        envvar=KEY_VARIABLE,
        callback=_checked_key,
        help=f"{text} 8 to 64 characters. The process list shows it; {KEY_VARIABLE} does not.",
    )


def _checked_key(context: click.Context, option: click.Parameter, key: str | None) -> str | None:
    if key is not None and len(key) not in _KEY_CHARACTERS:
        raise click.BadParameter("a key has 8 to 64 characters")
    return key


def access_token(file: Path | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the token in the file, else in the environment, else None.

    click.UsageError, in which it does not stand, if it is none; a warning on stderr if others may read the file.
    """
    if file is None:
        text = environ.get(TOKEN_VARIABLE)
        return None if not text else _checked_token(text, TOKEN_VARIABLE)
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            data = opened.read(_MAX_TOKEN_BYTES + 2)  # an end of line, and one byte too many
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        click.echo(f"others may read {file}: chmod 600 it", err=True)
    return _checked_token(data.decode("ascii", "replace"), str(file))


def _checked_token(text: str, place: str) -> str:
    token = text.strip()
    if len(token) > _MAX_TOKEN_BYTES:
        raise click.UsageError(f"the token in {place} is longer than 8 KB")
    if not _TOKEN.fullmatch(token):
        raise click.UsageError(f"{place} must hold one access token, in one line")
    return token
