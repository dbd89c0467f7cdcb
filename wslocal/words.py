"""What a command says to a person: one sentence for what is wrong, and nothing that a terminal obeys."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PORT",
    "Number",
    "OneSentenceGroup",
    "WrongCommandError",
    "fail",
    "printable",
    "sentence_of",
    "shown",
]

_LONGEST_SHOWN = 40
_WHOLE = re.compile(r"-?[0-9]{1,18}")

# Control characters, but for tabs; what changes the direction of text, so that a line reads as another one
# (https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters); what ends a line or a paragraph;
# and halves of characters, which UTF-8 does not have.
_NOT_PRINTABLE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class WrongCommandError(click.ClickException):
    """The command line or the project is wrong: nothing was begun, or all of it has ended again."""

    exit_code = 2


def fail(sentence: str) -> NoReturn:
    """End the command with a sentence on stderr, and exit code 2."""
    raise WrongCommandError(sentence)


def printable(text: str) -> str:
    """Return the text with what does more than show a character written out, as \\x1b or \\u202e."""
    return _NOT_PRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def sentence_of(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return printable(" ".join(str(error).split())) or type(error).__name__


class OneSentenceGroup(click.Group):
    """A group whose commands refuse what is wrong in one sentence, without a page of usage."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Return the context."""
        with _sentences():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was chosen."""
        with _sentences():
            return super().invoke(ctx)


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """Have what a person can change be one sentence: click shows the usage with its own."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise WrongCommandError(printable(error.format_message().removesuffix("."))) from error


class Number(click.ParamType[int]):
    """A whole number, in digits."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self.least = least
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail in a sentence."""
        text = str(value)
        if _WHOLE.fullmatch(text) and self.least <= int(text) <= self.most:
            return int(text)
        raise click.BadParameter(
            f"must be a whole number from {self.least:,} to {self.most:,}, got {shown(value)}"
        )


#: The type of an option that is a TCP port; 0 is a free one.
PORT = Number(0, 65_535)


def shown(value: object) -> str:
    """Return what a person has given, in quotes, and not too much of it."""
    text = str(value)
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")
