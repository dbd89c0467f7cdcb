"""The command line of the local system: `python -m local`."""

from __future__ import annotations

import signal

# Ctrl-C before there is something to end in order, as while the rest is imported, ends it without a traceback.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import functools
import re
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wslocal import PORT, Number, RunNotFoundError, keep_streams, printable

from .assembly import AssemblyError
from .audio import unused_path
from .client import ConnectionRefusedWithStatusError, SessionClientError
from .credentials import access_token, interpreter_key_option, key_option, token_option
from .fault import fault
from .machine import MachineError
from .options import Commands, Language, Seconds, SessionId
from .options import pid as _pid
from .results import ExitCode, TalkError, ended_by_ctrl_c, run_interruptibly
from .settings import UnusableSettingError
from .state import chosen_systems, find_running, running_systems
from .streams import all_is_written, make_console
from .watch import (
    LEVELS,
    LogFilter,
    follow_logs,
    metric_rows,
    metric_table,
    read_status,
    status_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rich.console import Console

    from .state import RunningSystem

SPEECH = Path(__file__).parent / "recordings" / "speech.wav"

# What a person can do something about: one line, no traceback.
_PLAIN_ERRORS = (
    AssemblyError,
    MachineError,
    OSError,
    RunNotFoundError,
    UnusableSettingError,
    ValueError,
)
# What may help against a status that refuses a connection.
_HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: " (see --token-file)",
    HTTPStatus.FORBIDDEN: " (see --origin)",
}
_LONGEST_JITTER_SECONDS = 3600
_MOST_LISTENERS = 10_000
# CloudWatch keeps values of a minute for 15 days.
_MOST_MINUTES = 15 * 24 * 60
# A scheme, a host and perhaps a port: https://www.rfc-editor.org/rfc/rfc6454#section-7.1
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[a-z0-9.\[\]:_-]{1,255}")

F = TypeVar("F", bound="Callable[..., Any]")


def _plainly(command: F) -> F:
    """Report an error that is no defect of ours as one line."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except TalkError as error:
            click.echo(printable(str(error)), err=True)
            sys.exit(error.code)
        except SessionClientError as error:  # with what the server said
            raise click.ClickException(printable(str(error))) from error
        except _PLAIN_ERRORS as error:
            raise click.ClickException(str(error) or type(error).__name__) from error
        except click.ClickException:
            raise
        except Exception as error:
            if type(error).__module__ == "botocore.exceptions":  # which is slow to import
                raise click.ClickException(f"the system's AWS APIs: {error}") from error
            from wslocal import RUN_ERRORS  # slow as well

            if not isinstance(error, RUN_ERRORS):
                raise
            raise click.ClickException(printable(str(error))) from error

    return wrapped  # type: ignore[return-value]


_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_output = functools.partial(
    click.option, "-o", "--output", type=click.Path(dir_okay=False, path_type=Path)
)


def _checked_origin(
    context: click.Context, option: click.Parameter, text: str | None
) -> str | None:
    """Return the origin as a browser sends it: in lower case, without a slash at its end."""
    if text is None:
        return None
    origin = text.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(origin):
        raise click.BadParameter(f"must look like https://example.org, got {text!r}")
    return origin


_origin = click.option(
    "--origin",
    metavar="URL",
    envvar="WEBSOCKET_AUDIO_ORIGIN",
    show_envvar=True,
    callback=_checked_origin,
    help="The origin to connect as, where only pages of ALLOWED_ORIGINS may.",
)
_stage = click.option("--stage", default="dev", show_default=True)
_port = click.option(
    *("--port", "port"),
    type=PORT,
    default=0,
    help="The port of the WebSocket API; a free one by default.",
)
_page_port = click.option(
    "--page-port", type=PORT, default=0, help="The port of the page; a free one by default."
)


@click.group(cls=Commands)
def main() -> None:
    """Run the system on this machine, and use it."""


main.add_command(fault)


def _settings(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"must be NAME=VALUE, got {text!r}")
        settings[name] = value
    return settings


@main.command()
@_stage
@_port
@_page_port
@click.option("--reload/--no-reload", default=True, help="Make changed sources live.")
@click.option(
    *("--set", "settings"),
    metavar="NAME=VALUE",
    multiple=True,
    callback=_settings,
    help="A variable of the functions, as RATE_LIMIT_SESSION_CREATION=1000; may be repeated.",
)
@click.option(
    "--client-id",
    help="The page's client id at the issuer, with --set SPEAKER_ISSUER=...; without it SPEAKER_AUDIENCE "
    "is taken, which is the client id with Amazon Cognito only.",
)
@_plainly
def up(
    stage: str,
    port: int,
    page_port: int,
    reload: bool,
    settings: dict[str, str],
    client_id: str | None,
) -> None:
    """Start the whole system, and keep it until Ctrl-C."""
    from .up import run_until_stopped, serve

    served = serve(
        make_console(),
        stage=stage,
        port=port,
        page_port=page_port,
        reload=reload,
        settings=settings,
        client_id=client_id,
    )
    sys.exit(run_until_stopped(served))


@main.command()
@click.argument("recording", type=_file, default=SPEECH)
@_output(
    default=Path("heard.wav"),
    show_default=True,
    help="The WAV file to write, over the one of an earlier demo.",
)
@_port
@_page_port
@_plainly
def demo(recording: Path, output: Path, port: int, page_port: int) -> None:
    """Start the system, stream RECORDING and an interpreter to three listeners, and show what happens."""
    from .demo import run_demo
    from .up import run_until_stopped

    sys.exit(run_until_stopped(run_demo(make_console(), recording, output, port, page_port)))


def _talk(work: Coroutine[Any, Any, None]) -> None:
    """Do what `speak`, `listen`, `interpret` or `caption` does; a connection that is refused names the option that may help."""
    try:
        run_interruptibly(work)
    except ConnectionRefusedWithStatusError as error:
        raise TalkError(ExitCode.FAILED, f"{error}{_HINTS.get(error.status, '')}") from error


@main.command()
@click.argument("recording", type=_file)
@click.option(
    "--language", type=Language(), default="en", show_default=True, help="What is spoken."
)
@click.option(
    "--listeners",
    type=Number(0, _MOST_LISTENERS),
    default=0,
    help="Wait for this number of listeners before speaking.",
)
@key_option("--listener-key", "Make the session private: listeners have to give this key.")
@token_option
@_origin
@_pid
@_plainly
def speak(
    recording: Path,
    language: str,
    listeners: int,
    key: str | None,
    token_file: Path | None,
    origin: str | None,
    pid: int | None,
) -> None:
    """Make a session and stream RECORDING into it at its pace."""
    from .talk import speak as run

    token = access_token(token_file)
    running, console = find_running(pid), make_console(soft_wrap=True)
    access = {"token": token, "key": key, "origin": origin}
    options = f" --pid {running.pid}" if len(running_systems()) > 1 else ""
    _talk(run(running.url, recording, language, listeners, console, **access, options=options))


@main.command()
@click.argument("session", type=SessionId())
@click.option("--language", type=Language(), default="en", show_default=True, help="What to hear.")
@click.option(
    "--jitter",
    type=Seconds(0, _LONGEST_JITTER_SECONDS),
    default=0.4,
    show_default=True,
    help="Seconds to wait for a chunk that is late.",
)
@click.option(
    "--audio",
    type=click.Choice(["interpreted", "original"]),
    default="interpreted",
    show_default=True,
    help="Whom to hear: the language's interpreter while there is one, or always the speaker.",
)
@click.option("--captions", is_flag=True, help="Print the language's captions, or the speaker's.")
@click.option("--play/--no-play", default=True, help="Play it, too, if there is a sound device.")
@key_option("--key", "The key of a private session.")
@token_option
@_origin
@_output(
    help="The WAV file to write; SESSION.wav by default, or SESSION-2.wav and so on if it exists."
)
@_pid
@_plainly
def listen(
    session: str,
    language: str,
    jitter: float,
    audio: str,
    captions: bool,
    play: bool,
    key: str | None,
    token_file: Path | None,
    origin: str | None,
    output: Path | None,
    pid: int | None,
) -> None:
    """Join SESSION, play what is heard, and write it to a WAV file."""
    from .playing import open_device
    from .talk import listen as run

    token = access_token(token_file)
    url, console = find_running(pid).url, make_console(soft_wrap=True)
    work = run(
        *(url, session, language, output or unused_path(session), jitter),
        *(console, audio, captions),
        device=open_device if play else None,
        token=token,
        key=key,
        origin=origin,
    )
    _talk(work)


@main.command()
@click.argument("session", type=SessionId())
@click.argument("recording", type=_file)
@click.option("--language", type=Language(), required=True, help="What is spoken in RECORDING.")
@interpreter_key_option
@token_option
@_origin
@_pid
@_plainly
def interpret(
    session: str,
    recording: Path,
    language: str,
    key: str,
    token_file: Path | None,
    origin: str | None,
    pid: int | None,
) -> None:
    """Join SESSION as an interpreter, and stream RECORDING to those who listen in its language."""
    from .interpret import interpret as run

    token = access_token(token_file)
    url, console = find_running(pid).url, make_console(soft_wrap=True)
    work = run(url, session, language, recording, console, key=key, token=token, origin=origin)
    _talk(work)


@main.command()
@click.argument("session", type=SessionId())
@click.argument("captions", type=_file)
@click.option("--language", type=Language(), required=True, help="In what CAPTIONS are written.")
@interpreter_key_option
@token_option
@_origin
@_pid
@_plainly
def caption(
    session: str,
    captions: Path,
    language: str,
    key: str,
    token_file: Path | None,
    origin: str | None,
    pid: int | None,
) -> None:
    """Join SESSION as an interpreter, and send the captions of a WebVTT file, each at its time."""
    from .interpret import caption as run

    token = access_token(token_file)
    url, console = find_running(pid).url, make_console(soft_wrap=True)
    work = run(url, session, language, captions, console, key=key, token=token, origin=origin)
    _talk(work)


@main.command()
@click.option("--session", type=SessionId(), help="Only lines with this session's id.")
@click.option("--connection", help="Only lines with this connection's id.")
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="TRACE",
    help="Only lines of this level and above.",
)
@click.option("--metrics", is_flag=True, help="Lines that carry only metrics, too.")
@click.option("--follow/--no-follow", default=True, help="Wait for more.")
@_pid
@_plainly
def logs(
    session: str | None,
    connection: str | None,
    level: str,
    metrics: bool,
    follow: bool,
    pid: int | None,
) -> None:
    """Show what the functions log, from CloudWatch Logs."""
    chosen = LogFilter(session, connection, level, metrics)
    with all_is_written(), ended_by_ctrl_c():
        follow_logs(find_running(pid), chosen, make_console(), follow=follow)


@main.command()
@click.option(
    "--minutes",
    type=Number(1, _MOST_MINUTES),
    default=60,
    show_default=True,
    help="How far to look back.",
)
@_pid
@_plainly
def metrics(minutes: int, pid: int | None) -> None:
    """Show the metrics of all functions, from CloudWatch."""
    with all_is_written():
        make_console().print(metric_table(metric_rows(find_running(pid), minutes)))


@main.command()
@_pid
@_plainly
def status(pid: int | None) -> None:
    """Show each system that runs: its addresses, its age, and how its functions are."""
    with all_is_written():
        _show_status(chosen_systems(pid), make_console())


def _show_status(systems: list[RunningSystem], console: Console) -> None:
    for running in systems:
        age = running.age(time.time())
        console.print(f"process {running.pid}, stack {running.stack}, for {age}")
        try:
            state = read_status(running)
        except OSError as error:  # stopped, or just ending: the others are shown all the same
            console.print(f"API     {running.url}\nit does not answer: {error}")
            continue
        console.print(f"API     {running.url}")
        console.print(f"folder  {running.folder}", soft_wrap=True)
        if running.page:
            console.print(f"page    {running.page}")
        console.print(f"AWS     {running.variables['AWS_ENDPOINT_URL']}")
        console.print(f"open connections: {state['connections']}")
        console.print(status_table(state["functions"]))


if __name__ == "__main__":
    keep_streams()
    main(prog_name="python -m local")
