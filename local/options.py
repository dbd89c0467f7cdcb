"""What several commands take, each checked before anything begins, and refused in one sentence."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import click

from wslocal import Number, OneSentenceGroup, shown

__all__ = ["Commands", "Language", "Seconds", "SessionId", "pid"]

_DECIMAL = re.compile(r"-?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})")
# As the messages have them.
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(-[A-Za-z]{4})?(-[A-Za-z]{2}|-[0-9]{3})?")
_SESSION = re.compile(r"[a-z]+-[a-z]+-[0-9]{3}")
# The largest that Linux can be set to have: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html
_MAX_PID = 2**22


class Commands(OneSentenceGroup):
    """A group whose commands refuse what is wrong in one sentence; of an unknown command, with the names of all."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the first word names, or fail with the names of all."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand:
            names = ", ".join(self.list_commands(ctx))
            raise click.UsageError(
                f"the command must be one of {names}, got {shown(args[0])}"
            ) from None


def _fail(wanted: str, value: object) -> NoReturn:
    raise click.BadParameter(f"must {wanted}, got {shown(value)}")


class Seconds(click.ParamType[float]):
    """A number of seconds, in digits with a point or without."""

    name = "seconds"

    def __init__(self, least: int, most: int, *, least_open: bool = False) -> None:
        self.least = least
        self.most = most
        self.least_open = least_open

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail in a sentence."""
        text = str(value)
        if _DECIMAL.fullmatch(text):
            number = float(text)
            if self.least <= number <= self.most and (number > self.least or not self.least_open):
                return number
        least = "more than {:,} and at most" if self.least_open else "{:,} to"
        _fail(f"be a number of seconds, {least.format(self.least)} {self.most:,}", value)


class Language(click.ParamType[str]):
    """The tag of a language; whether there is such a language, the system knows."""

    name = "language"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the tag, or fail in a sentence."""
        if _LANGUAGE.fullmatch(value):
            return str(value)
        _fail("look like en, en-US or zh-Hans-CN", value)


class SessionId(click.ParamType[str]):
    """The name of a session."""

    name = "session"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail in a sentence."""
        if _SESSION.fullmatch(value):
            return str(value)
        _fail("look like golden-eagle-427", value)


pid = click.option(
    "--pid", type=Number(1, _MAX_PID), help="The process id of one system, if several run here."
)
