"""`fault`: has a fault in a running system for as long as the command runs, while a person watches."""

from __future__ import annotations

import json
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import click

from wslocal import POST_ANSWERS, TABLE_ERRORS, Number, RunNotFoundError

from .options import Commands, Seconds
from .options import pid as _pid
from .results import ended_by_ctrl_c
from .state import find_running

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from .state import RunningSystem

__all__ = ["FaultRefusedError", "fault", "have_fault"]

_NOTHING = "nothing"
_LONGEST_SECONDS = 366 * 86_400
# As the system takes them.
_LONGEST_DELAY = 3600
_FURTHEST = 10 * _LONGEST_SECONDS
_MOST = 1_000_000
_ANSWERS = [*map(str, POST_ANSWERS), _NOTHING]


class FaultRefusedError(Exception):
    """The running system cannot have this fault, or has ended in the middle of it."""


@click.group(cls=Commands)
def fault() -> None:
    """Have something fail in the running system, until Ctrl-C or for a number of seconds.

    Nothing outside the system is touched, and all is as before when the command has ended, however it ended.
    """


_every = click.option(
    "--every",
    type=Number(1, _MOST),
    default=1,
    show_default=True,
    help="Only every n-th post or call.",
)
_by = click.option(
    "--by",
    type=Seconds(-_FURTHEST, _FURTHEST),
    required=True,
    help="By how much; negative is into the past.",
)


def _lasting(command: Callable[..., Any]) -> Callable[..., Any]:
    seconds = Seconds(0, _LONGEST_SECONDS, least_open=True)
    given = click.option(
        "--seconds", type=seconds, help="How long the fault lasts; until Ctrl-C by default."
    )
    return given(_pid(command))


@fault.command()
@click.argument("answer", type=click.Choice(_ANSWERS), metavar="ANSWER")
@_every
@click.option(
    "--to", multiple=True, metavar="CONNECTION", help="Only posts to it; may be repeated."
)
@_lasting
def posts(answer: str, every: int, to: tuple[str, ...], **chosen: Any) -> None:
    """Answer posts to connections with ANSWER, and deliver nothing."""
    number = None if answer == _NOTHING else int(answer)
    _run("posts", {"answer": number, "every": every, "to": to or None}, **chosen)


@fault.command("stop-reading")
@click.argument("connection")
@_lasting
def stop_reading(connection: str, **chosen: Any) -> None:
    """Write nothing to CONNECTION, as if its client did not read."""
    _run("stop-reading", {"connection_id": connection}, **chosen)


@fault.command()
@click.argument("connection")
@_pid
def cut(connection: str, pid: int | None) -> None:
    """Cut the socket of CONNECTION."""
    _run("cut", {"connection_id": connection}, pid=pid)


@fault.command()
@click.argument("name", required=False)
@click.option(
    "--delay",
    type=Seconds(0, _LONGEST_DELAY),
    default=0.0,
    help="How long each call waits before it is carried out.",
)
@click.option(
    "--error",
    type=click.Choice([*TABLE_ERRORS, "refuse"]),
    metavar="ERROR",
    help="An error of DynamoDB's, or refuse; a wrong one is answered with the list.",
)
@_every
@_lasting
def table(name: str | None, delay: float, error: str | None, every: int, **chosen: Any) -> None:
    """Delay or fail the functions' calls to DynamoDB; with NAME only those about that table."""
    options = {"name": name, "delay_seconds": delay, "error": error, "every": every}
    _run("table", options, **chosen)


@fault.command("request-time")
@_by
@_lasting
def request_time(by: float, **chosen: Any) -> None:
    """Shift the time that events have, `requestTimeEpoch`."""
    _run("request-time", {"seconds": by}, **chosen)


@fault.command("function-clock")
@_by
@_lasting
def function_clock(by: float, **chosen: Any) -> None:
    """Shift the clock of the environments that start meanwhile."""
    _run("function-clock", {"seconds": by}, **chosen)


@fault.command("no-space")
@_lasting
def no_space(**chosen: Any) -> None:
    """Let the disk be full for the code of functions that is unpacked."""
    _run("no-space", {}, **chosen)


@fault.command("freeze-emulator")
@_lasting
def freeze_emulator(**chosen: Any) -> None:
    """Stop the AWS APIs, DynamoDB among them; they go on afterwards."""
    _run("freeze-emulator", {}, **chosen)


@fault.command("kill-emulator")
@_pid
def kill_emulator(pid: int | None) -> None:
    """Kill the AWS APIs, with all that they keep."""
    _run("kill-emulator", {}, pid=pid)


@fault.command("kill-environments")
@click.argument("function")
@click.option("--count", type=Number(1, _MOST), help="How many processes at most; all by default.")
@_pid
def kill_environments(function: str, count: int | None, pid: int | None) -> None:
    """Kill processes of FUNCTION."""
    _run("kill-environments", {"function": function, "count": count}, pid=pid)


def _run(
    name: str, options: dict[str, Any], *, pid: int | None, seconds: float | None = None
) -> None:
    # Ctrl-C also for a command that a shell has started in the background, with the signal ignored.
    with ended_by_ctrl_c(signal.SIGTERM):
        try:
            have_fault(find_running(pid), name, options, seconds, click.echo)
        except (FaultRefusedError, OSError, RunNotFoundError) as error:
            raise click.ClickException(str(error)) from error


def have_fault(
    running: RunningSystem,
    name: str,
    options: dict[str, Any],
    seconds: float | None,
    report: Callable[[str], object],
) -> None:
    """Have a fault for `seconds`, None is until KeyboardInterrupt; FaultRefusedError if it cannot be had."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(running.control_socket))
        request = {"command": "fault", "name": name, "options": options}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as replies:
            reply = _read(replies)
            if "count" in reply:
                report(f"{name}: done to {reply['count']}")
                return
            started = time.monotonic()
            length = "until Ctrl-C" if seconds is None else f"for {seconds:g} s"
            try:
                report(f"{name}: on, {length}")
                select.select([connection], [], [], seconds)  # readable: the system has ended
            except KeyboardInterrupt:
                report("")
            connection.shutdown(socket.SHUT_WR)
            hits = _read(replies)["hits"]
    met = "" if hits is None else f", met {hits} times" if hits else ", met by nothing meanwhile"
    report(f"{name}: over after {time.monotonic() - started:.1f} s{met}")


def _read(replies: IO[bytes]) -> dict[str, Any]:
    line = replies.readline()
    if not line:
        raise FaultRefusedError("the system has ended, and the fault with it")
    reply: dict[str, Any] = json.loads(line)
    if "error" in reply:
        raise FaultRefusedError(reply["error"])
    return reply
