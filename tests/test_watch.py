"""An operator sees the lines that were asked for, each on one line that a person can read."""

import io

import pytest
from rich.console import Console

from local.watch import LogFilter, parse_line, render_line

LINE = {
    "timestamp": "2026-01-02T03:04:05.678Z",
    "level": "WARN",
    "message": "Message refused",
    "sessionId": "golden-eagle-427",
    "connectionId": "R0oXAdfD0kwCH6w=",
    "context": {"size": 3},
}


@pytest.mark.parametrize(
    ("chosen", "taken"),
    [
        pytest.param(LogFilter(), True, id="any"),
        pytest.param(LogFilter(session="golden-eagle-427"), True, id="its-session"),
        pytest.param(LogFilter(session="golden-eagle-428"), False, id="another-session"),
        pytest.param(LogFilter(connection="R0oXAdfD0kwCH6w="), True, id="its-connection"),
        pytest.param(LogFilter(connection="x"), False, id="another-connection"),
        pytest.param(LogFilter(level="WARN"), True, id="its-level"),
        pytest.param(LogFilter(level="ERROR"), False, id="a-higher-level"),
    ],
)
def test_filter_takes_what_was_asked_for(chosen, taken):
    assert chosen.takes(LINE) is taken


@pytest.mark.parametrize(
    ("line", "chosen", "taken"),
    [
        ({"_aws": {}, "level": "INFO"}, LogFilter(), False),
        ({"_aws": {}, "level": "INFO"}, LogFilter(metrics=True), True),
        ({"_aws": {}, "level": "INFO", "message": "Metrics"}, LogFilter(), False),
        ({"_aws": {}, "level": "INFO", "message": "Message handled"}, LogFilter(), True),
    ],
)
def test_lines_with_only_metrics_are_left_out_unless_asked_for(line, chosen, taken):
    assert chosen.takes(line) is taken


def test_line_is_readable():
    text = render_line("websocket-audio-dev-audio", LINE).plain

    assert text == (
        "03:04:05.678 WARN  audio        Message refused sessionId=golden-eagle-427 "
        'connectionId=R0oXAdfD0kwCH6w= context={"size":3}'
    )


@pytest.mark.parametrize(("more", "shown"), [({}, ""), ({"size": 3}, ' context={"size":3}')])
def test_what_an_environment_is_takes_no_room(more, shown):
    environment = {"python": "3", "layerVersion": "0.1.0"}
    line = {"level": "INFO", "message": "Hi", "context": {"environment": environment, **more}}

    text = render_line("f-audio", line).plain

    assert (
        text == f" INFO  audio        Hi (first line of its environment, with layer 0.1.0){shown}"
    )
    assert "environment" in line["context"]


def test_stack_trace_follows_its_line():
    error = {"type": "KeyError", "message": "'x'", "stack": ["File a.py, line 1", "File b.py"]}

    text = render_line("f-audio", {"level": "ERROR", "message": "Failed", "error": error}).plain

    assert text.splitlines()[1:] == ["    File a.py, line 1", "    File b.py"]
    assert '"message":"\'x\'"' in text.splitlines()[0]


@pytest.mark.parametrize(
    ("text", "message"), [("START RequestId: 1\n", "START RequestId: 1"), ("[1]", "[1]"), ("", "")]
)
def test_line_that_is_no_object_is_its_own_message(text, message):
    assert parse_line(text) == {"message": message}


def test_client_text_cannot_colour_a_terminal():
    line = parse_line('{"level":"INFO","message":"[bold red]\\u001b[31mno"}')
    output = io.StringIO()

    Console(file=output, force_terminal=False).print(render_line("f-audio", line))

    assert "\x1b" not in output.getvalue()
    assert r"[bold red]\x1b[31mno" in output.getvalue()
