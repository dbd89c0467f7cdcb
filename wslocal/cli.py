"""The command line: `wslocal up PATH`, and what other shells ask of it.

What only Linux has is imported by the commands, after they have looked where they are.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .streams import keep_streams
from .words import PORT, OneSentenceGroup, fail, sentence_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

_ELSEWHERE = (
    "wslocal runs on Linux: on macOS or Windows use WSL or a container: "
    "docker run --rm -it --network host -v .:/work -w /work python:3.12 "
    "sh -c 'pip install ./wslocal && wslocal up path/to/project'"
)
_pid = click.option("--pid", type=int, help="The process id of one run, if several are here.")


def _number(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Return a value that is a number: click takes nan for one in any range."""
    if math.isnan(value):
        raise click.BadParameter("nan is not in the range 0<=x<=1.")
    return value


def check_platform(platform: str) -> None:
    """End with a sentence and exit code 2 where wslocal does not run."""
    if platform != "linux":
        fail(_ELSEWHERE)


def _show_version(context: click.Context) -> None:
    try:
        click.echo(f"wslocal, version {metadata.version('wslocal')}")
    except metadata.PackageNotFoundError:
        click.echo("wslocal, of a clone that is not installed")
    context.exit()


@click.group(cls=OneSentenceGroup)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, wanted: _show_version(context) if wanted else None,
    help="Show the version and exit.",
)
def main() -> None:
    """Run an API Gateway WebSocket API on this machine, unchanged.

    It runs the project's code with your rights: only run what you trust. Your AWS credentials never reach it.
    """
    keep_streams()
    check_platform(sys.platform)


@main.command(context_settings={"show_default": True})
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    *("--parameter", "parameters"),
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the template; NAME is STACK:NAME for one of several stacks.",
)
@click.option(
    *("--env", "variables"),
    multiple=True,
    metavar="[FUNCTION:]NAME=VALUE",
    help="A variable of all functions, or of one.",
)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="Variables as SAM's --env-vars has them: JSON by function.",
)
@click.option("--api", "apis", multiple=True, metavar="NAME", help="One of several APIs, or all.")
@click.option("--stage", metavar="NAME", help="One of several stages of the API.")
@click.option("--cdk-stage", metavar="NAME", help="One of several stages of a CDK app.")
@click.option("--port", type=PORT, default=0, help="The port of ws://; 0 is a free one.")
@click.option("--tls-port", type=PORT, default=0, help="The port of wss://; 0 is a free one.")
@click.option(
    "--leave-out",
    multiple=True,
    metavar="NAME",
    help="A resource that is not deployed, by its logical id; repeatable.",
)
@click.option("--install", is_flag=True, help="Run pip or npm for what no build has installed.")
@click.option("--any-python", is_flag=True, help="Run Python functions in this machine's version.")
@click.option("--any-node", is_flag=True, help="Run Node functions in this machine's version.")
@click.option(
    "--retry-scale",
    type=click.FloatRange(0, 1),
    callback=_number,
    default=1.0,
    help="Multiplies the time between retries of asynchronous invocations: 0.01 is a hundred times sooner.",
)
@click.option("--no-reload", is_flag=True, help="Do not make changed files live.")
def up(path: Path, no_reload: bool, **chosen: Any) -> None:
    """Run the project at PATH: a template of SAM or CloudFormation, a cdk.out, a .serverless."""
    from .options import Options
    from .up import run_up

    sys.exit(run_up(path, Options(**chosen), follows=not no_reload))


@main.command()
@click.argument("function", required=False)
@click.option("--follow", is_flag=True, help="Go on with the lines that come, until Ctrl-C.")
@_pid
def logs(function: str | None, follow: bool, pid: int | None) -> None:
    """Show the last lines that functions have written, or one FUNCTION."""
    from .show import shown_line

    with _ended_by_ctrl_c():
        for reply in _ask(pid, {"command": "logs", "function": function, "follow": follow}):
            click.echo(shown_line(reply["function"], reply["text"]))
            if getattr(sys.stdout, "is_lost", False):  # nobody reads any more
                return


@main.command()
@click.argument("function")
@click.option("--event", metavar="FILE|-|JSON", default="{}", help="The event; - is stdin.")
@click.option("--asynchronous", is_flag=True, help="Have it queued, as InvocationType Event does.")
@_pid
def invoke(function: str, event: str, asynchronous: bool, pid: int | None) -> None:
    """Have FUNCTION handle an event, and show what it returns; exit code 1 if it fails."""
    request = {
        "command": "invoke",
        "function": function,
        "event": _read_event(event),
        "asynchronous": asynchronous,
    }
    for reply in _ask(pid, request):
        click.echo(json.dumps(reply["payload"], indent=2, ensure_ascii=False))
        if reply["failed"]:
            sys.exit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@_pid
def status(as_json: bool, pid: int | None) -> None:
    """Show the functions, connections and queues of what runs."""
    from .show import shown_status

    for reply in _ask(pid, {"command": "status"}):
        click.echo(json.dumps(reply) if as_json else shown_status(reply))


def _ask(pid: int | None, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the replies of a run; end with its sentence, and exit code 1 or 2, if it has one."""
    from .control import ask
    from .state import RunNotFoundError, find_run

    try:
        for reply in ask(find_run(pid).control_socket, request):
            if "error" in reply:
                fail(reply["error"])
            yield reply
    except RunNotFoundError as error:
        raise click.ClickException(sentence_of(error)) from error


def _read_event(text: str) -> object:
    """Return the event that is meant: JSON itself, a file's, or that of stdin."""
    what = "--event"
    try:
        if text == "-":
            what, text = "stdin", sys.stdin.read()
        elif text.lstrip()[:1] not in tuple('{["') and Path(text).is_file():
            what, text = text, Path(text).read_text()
        return json.loads(text)
    except OSError as error:
        fail(f"{what} cannot be read: {error.strerror}")
    except ValueError:
        fail(f"{what} must be JSON, or name a file that holds it")


@contextlib.contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Do the block until Ctrl-C, which is no error."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        yield
