"""At a terminal of 60 columns nothing is cut; colours are as NO_COLOR, FORCE_COLOR and TERM ask for."""

import asyncio
import fcntl
import io
import os
import pty
import re
import struct
import termios
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from local.__main__ import main
from local.audio import JitterBuffer
from local.captions import Cue
from local.client import Chunk
from local.demo.broken import BROKEN, BROKEN_IN_A_SESSION, CLOSING
from local.demo.record import DemoResult, ListenerResult, Voice
from local.demo.summary import latency_table, show_summary
from local.notices import Notices
from local.sending import opened
from local.talk import Heard
from local.watch import MetricRow, metric_table, render_line, status_table
from tests.sounds import tone, write
from tests.talk_server import CHUNK, Server, commands

COLOUR = re.compile(r"\x1b\[[0-9;]*?(3[0-9]|4[0-7]|9[0-7])[0-9;]*m")
FUNCTION = {
    "name": "websocket-audio-dev-authorizer",
    "environments": 12,
    "busy": 10,
    "waiting": 10_000,
    "invocations": 1_234_567,
    "coldStarts": 1_234,
    "errors": 12_345,
    "timeouts": 2,
    "crashes": 1,
    "throttles": 10_000,
    "starts": [(1_000.0, 2_000.0)],
}
METRIC = MetricRow(
    "ConnectionsClosedForRateLimit", "Milliseconds", 1e9, 123456789012, 0.01, 999_999.99, 1e12
)


def rendered(what, width=60, **options):
    output = io.StringIO()
    console = Console(
        file=output, width=width, highlight=False, markup=False, **{"color_system": None} | options
    )
    what(console) if callable(what) else console.print(what)
    return output.getvalue()


def listener(language="pt-BR"):
    voice = Voice("floor", [CHUNK] * 4, [Cue("1", "Hello.", 0, 1000, 0.0)])
    heard = Heard({"sampleRate": 16_000, "channels": 1}, JitterBuffer(0.4))
    for number, (spoken_at, heard_at) in enumerate(
        [(900, 2_100), (1_500, 1_510), (1_999, 2_300), (2_001, 2_011)]
    ):
        heard.add(Chunk(number, CHUNK, float(spoken_at), float(heard_at)))
    return ListenerResult(language, voice, heard, ["Hello."], ["sessionEnded"])


def record(**changes):
    one = listener()
    refusals = [
        (broken, broken.due, "must be a number, got true")
        for broken in [*BROKEN, *BROKEN_IN_A_SESSION, *CLOSING]
    ]
    audio = FUNCTION | {"name": "websocket-audio-dev-audio"}
    fields = {"voices": [one.voice], "listeners": [one], "refusals": refusals}
    return DemoResult(**fields | {"functions": [FUNCTION, audio], "flood_sent": 120} | changes)


def summary(console):
    show_summary(console, record(), [METRIC], Path("heard.wav"))


TABLES = {
    "status": status_table([FUNCTION]),
    "metrics": metric_table([METRIC]),
    "demo": summary,
}


@pytest.mark.parametrize("name", TABLES)
def test_table_fits_sixty_columns(name):
    """It is the same as in a terminal that has more, so that nothing was cut or folded; a sentence may wrap."""
    narrow, wide = rendered(TABLES[name]), rendered(TABLES[name], 200)

    assert max(len(line.rstrip()) for line in narrow.splitlines()) <= 60
    assert "…" not in narrow
    assert narrow.split() == wide.split()
    rows = [line.rstrip() for line in wide.splitlines() if re.search(r"  |─", line)]
    assert [row for row in rows if len(row) <= 60] == [
        line.rstrip() for line in narrow.splitlines() if re.search(r"  |─", line)
    ]


@pytest.mark.parametrize("width", [1, 20])
@pytest.mark.parametrize("name", TABLES)
def test_narrower_terminal_breaks_nothing(name, width):
    assert rendered(TABLES[name], width)


def test_status_says_what_failed_in_a_line():
    fine = FUNCTION | dict.fromkeys(["errors", "timeouts", "crashes", "throttles"], 0)

    assert [line.split() for line in rendered(status_table([fine, FUNCTION]), 80).splitlines()] == [
        ["function", "running", "busy", "waiting", "invoked", "cold"],
        ["─" * 57],
        ["authorizer", "12", "10", "10,000", "1,234,567", "1,234"],
        ["authorizer", "12", "10", "10,000", "1,234,567", "1,234"],
        "each name begins with websocket-audio-dev-".split(),
        "authorizer: 12345 errors, 2 timeouts, 1 crash, 10000 throttles".split(),
    ]


def test_chunks_that_met_a_cold_start_are_shown_apart():
    """Under way at some time from 1 s to 2 s, while an environment was started."""
    lines = rendered(latency_table(record())).splitlines()

    assert [line.split() for line in lines if "," in line] == [
        ["pt-BR,", "warm", "1", "10.0", "10.0", "10.0"],
        ["pt-BR,", "cold", "3", "301.0", "1,200.0", "1,200.0"],
    ]


def test_other_functions_cold_starts_are_not_the_chunks():
    lines = rendered(latency_table(record(functions=[FUNCTION]))).splitlines()

    assert lines[-1].split() == ["pt-BR,", "cold", "0", "-", "-", "-"]


# --- help ------------------------------------------------------------------------------------------


def every_command(command=main, path=()):
    yield path
    if isinstance(command, click.Group):
        for name, sub in command.commands.items():
            yield from every_command(sub, (*path, name))


@pytest.mark.parametrize("path", [*every_command()], ids=" ".join)
def test_help_fits_sixty_columns(path):
    result = CliRunner().invoke(main, [*path, "--help"], terminal_width=60, prog_name="local")

    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 60


# --- colours ---------------------------------------------------------------------------------------

LINE = render_line("f-audio", {"level": "ERROR", "message": "Failed"})
COLOURED = {"logs": LINE, **TABLES}
TERMINAL = {"force_terminal": True, "color_system": "auto", "legacy_windows": False}


@pytest.mark.parametrize("name", ["logs", "demo"])
def test_terminal_has_colours(name):
    environ = {"TERM": "xterm-256color"}

    assert COLOUR.search(rendered(COLOURED[name], **TERMINAL, _environ=environ))


@pytest.mark.parametrize(
    "environ",
    [{"TERM": "xterm-256color", "NO_COLOR": "1"}, {"TERM": "dumb"}],
    ids=["NO_COLOR", "dumb"],
)
@pytest.mark.parametrize("name", COLOURED)
def test_no_colours_where_none_are_wanted(name, environ):
    assert not COLOUR.search(rendered(COLOURED[name], **TERMINAL, _environ=environ))


@pytest.mark.parametrize("name", COLOURED)
def test_no_escapes_in_a_pipe(name):
    options = {"color_system": "auto", "_environ": {"TERM": "xterm-256color"}}

    assert "\x1b" not in rendered(COLOURED[name], **options)


def test_dumb_terminal_gets_no_line_that_changes():
    output = io.StringIO()
    notices = Notices(Console(file=output, force_terminal=True, _environ={"TERM": "dumb"}))

    notices.show_progress("1 of 2 s sent")

    assert output.getvalue() == ""


def test_bar_of_a_file_with_any_name_is_shown_and_taken_away(tmp_path):
    path, output = write(tmp_path / "a {0} [b]\n.wav", tone(0.2)), io.StringIO()
    console = Console(file=output, width=60, force_terminal=True, _environ={"TERM": "xterm"})

    async def work():
        async with opened(path, console):
            return output.getvalue()

    shown = asyncio.run(work())

    assert "decoding a {0} [b]\\n.wav" in shown
    assert shown.endswith("\x1b[2K")


# --- real processes --------------------------------------------------------------------------------


def at_a_terminal(process_of, columns=60):
    """Return all that a process shows at a terminal of so many columns, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = process_of(
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: os.login_tty(theirs),
        text=False,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the last one who had it open is gone
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return shown.decode(), process.wait(20)


@pytest.fixture
def command():
    with commands() as start:
        yield start


@pytest.fixture
def music(tmp_path):
    return write(tmp_path / "music.mp3", tone(1.1, 44_100, 2))


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 20])
def test_terminal_shows_how_far_the_work_is(command, music, columns):
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environ |= {"TERM": "xterm-256color"}

    shown, code = at_a_terminal(
        lambda **popen: command(Server(), "speak", str(music), env=environ, **popen), columns
    )

    assert code == 0
    assert "decoding music.mp3" in shown or columns == 20
    assert "1 of 1 s sent" in shown
    assert "Traceback" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("force", [{}, {"FORCE_COLOR": "1"}])
def test_pipe_gets_no_progress_whatever_colours_are_forced(command, music, force):
    process = command(Server(), "speak", str(music), env=os.environ | force)

    out, _ = process.communicate(timeout=20)

    assert out.splitlines() == [
        "music.mp3: 44,100 Hz stereo MP3 to 48,000 Hz stereo, 16 bit",
        "session golden-eagle-427",
        "sent 11 chunks, 1.1 s",
    ]
