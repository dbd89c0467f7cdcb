"""What all commands share: their options, the names of a stage, and errors in one line."""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from layerctl.aws import Aws, explain
from layerctl.errors import LayerctlError, WrongInputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Names",
    "OneLineErrors",
    "ZipFile",
    "aws_options",
    "name_options",
    "names_of",
    "selection_options",
    "version_option",
]

SYSTEM = "websocket-audio"
LAYER = "SharedUtilsLayer"
PARAMETERS = "/shared-utils/layer"
PACKAGE = "shared_utils"

# As the CDK app takes them, so that one stage's names never begin with another's.
_STAGE = re.compile(r"[a-z][a-z0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class Names:
    """What a stage, or no stage, calls its layer, parameters and functions."""

    stage: str
    layer: str
    parameters: str

    @property
    def function_prefix(self) -> str:
        """Return how the names of the stage's functions begin."""
        return f"{SYSTEM}-{self.stage}-"


class OneLineErrors(click.Group):
    """A group whose commands end in one line and an exit code when they fail."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; this is the only place that turns errors into text."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # a stack trace helps nobody who operates this
            explained = explain(error)
            if explained is None:
                raise
            click.echo(f"layerctl: {explained}", err=True)
            sys.exit(explained.exit_code)


class ZipFile(click.Path):
    """A file that can be read to its end: a pipe or a device might have none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return its path, or fail in a sentence."""
        super().convert(value, param, ctx)
        path = Path(value)
        if not path.is_file():
            self.fail(f"{value} is no regular file: name a zip", param, ctx)
        return path


def names_of(stage: str | None, layer: str | None, parameters: str | None) -> Names:
    """Return the names that the options ask for; a stage has those of the CDK app."""
    if stage is not None and not _STAGE.fullmatch(stage):
        raise WrongInputError(
            f"--stage takes 1 to 16 lower-case letters or digits, a letter first; got {stage!r}"
        )
    return Names(
        stage=stage or "",
        layer=layer or (f"{LAYER}-{stage}" if stage else LAYER),
        parameters=(parameters or (f"/{SYSTEM}/{stage}/layer" if stage else PARAMETERS)).rstrip(
            "/"
        ),
    )


def _show_version(context: click.Context) -> None:
    try:
        click.echo(f"layerctl {metadata.version('layerctl')}")
    except metadata.PackageNotFoundError:  # it is run in a clone
        click.echo("layerctl, of a clone that is not installed")
    context.exit()


#: The option --version.
version_option = click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, wanted: _show_version(context) if wanted else None,
    help="Show the version.",
)


def aws_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the AWS CLI's options, and hand them to the command as `aws`."""

    @click.option("--profile", help="A profile of ~/.aws/config.")
    @click.option("--region", help="The region; else AWS_REGION or the profile's.")
    @click.option("--endpoint-url", help="Another endpoint; else AWS_ENDPOINT_URL.")
    @functools.wraps(command)
    def wrapped(
        *, profile: str | None, region: str | None, endpoint_url: str | None, **rest: Any
    ) -> None:
        command(aws=Aws(profile, region, endpoint_url), **rest)

    return wrapped


def name_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a stage, a layer and parameters, handed over as `names`."""

    @click.option("--stage", help="A stage of the CDK app: its layer, parameters and functions.")
    @click.option("--layer", metavar="NAME", help=f"The layer  [{LAYER}, or {LAYER}-STAGE]")
    @click.option(
        "--parameters",
        metavar="PREFIX",
        help=f"Where SSM parameters are  [{PARAMETERS}, or /{SYSTEM}/STAGE/layer]",
    )
    @functools.wraps(command)
    def wrapped(
        *, stage: str | None, layer: str | None, parameters: str | None, **rest: Any
    ) -> None:
        command(names=names_of(stage, layer, parameters), **rest)

    return wrapped


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of commands that change functions."""
    for option in (
        click.option("--force", is_flag=True, help="Change also what a CloudFormation stack owns."),
        click.option("--yes", is_flag=True, help="Do not ask whether to go on."),
        click.option(
            "--function", "chosen", multiple=True, metavar="NAME", help="A function; repeatable."
        ),
    ):
        command = option(command)
    return command


def ask(question: str, yes: bool) -> None:
    """Return if the operator agrees."""
    try:
        agreed = yes or click.confirm(question, err=True)
    except click.Abort:
        raise LayerctlError("nothing was changed; --yes goes on without asking") from None
    if not agreed:
        raise LayerctlError("nothing was changed")
