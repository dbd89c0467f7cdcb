"""The fuzzing harnesses without a fuzzer: their corpora, what they notice, and the command's report."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import shared_utils._http1 as http1
import shared_utils.records as records
import shared_utils.structured_logger as structured_logger
import wslocal.gateway.server as gateway_server
from fuzz import HARNESSES, corpora
from fuzz.__main__ import line_of, read_report, run
from fuzz.draws import PLANTED, Draws
from shared_utils.metrics_emitter import MetricsEmitter
from shared_utils.websocket_handler import WebSocketHandler

ROOT = Path(__file__).parent.parent

DONE = """INFO: Running with entropic power schedule
#2\tINITED cov: 10 ft: 12 corp: 1/1b exec/s: 0 rss: 40Mb
#512\tDONE   cov: 1210 ft: 2400 corp: 60/6kb lim: 90 exec/s: 51 rss: 50Mb
stat::number_of_executed_units: 16722
"""
FOUND = """
 === Uncaught Python exception: ===
AssertionError: it depends on the pieces
Traceback (most recent call last):
  File "gateway.py", line 1, in try_input

==12== ERROR: libFuzzer: fuzz target exited
artifact_prefix='/x/gateway-'; Test unit written to /x/gateway-crash-1
stat::number_of_executed_units: 7
"""


def replay(name):
    try_input = import_module(f"fuzz.{name}").try_input
    for one in corpora.read(name):
        try_input(one)


@pytest.mark.parametrize("name", HARNESSES)
@pytest.mark.threat("parser-bomb", "odd-headers", "ws-test-injection", "log-fuzzed")
def test_corpus_finds_nothing(name, caplog):
    """What a finding is becomes a test of its own, in its module's file."""
    assert corpora.read(name)

    replay(name)


@pytest.mark.parametrize("name", HARNESSES)
def test_corpus_is_small_and_has_each_input_once(name):
    inputs = corpora.read(name)

    assert (ROOT / "fuzz" / "corpora" / f"{name}.txt").stat().st_size <= corpora.MAX_BYTES
    assert corpora.choose(inputs) == sorted(set(inputs), key=lambda one: (len(one), one))


# --- what a harness notices -----------------------------------------------------------------------


def looks_again(reader, more, feed=http1.AnswerReader.feed):
    """Read as before, but take a piece of one byte for the end."""
    return feed(reader, more if len(more) != 1 else b"")


def drops_rest(socket, subprotocol, open_socket=gateway_server.Socket.open):
    """Open as before, but forget what came behind the handshake."""
    socket._reader.rest = b""
    open_socket(socket, subprotocol)


def writes_twice(line, write=structured_logger._write):
    write(line)
    write(line)


def writes_nothing(*_):
    """Do nothing."""


def without_id(record, to_json=records.Record.to_json):
    found = json.loads(to_json(record))
    found.pop("requestId", None)
    return json.dumps(found)


@pytest.mark.parametrize(
    ("name", "broken", "attribute", "put"),
    [
        pytest.param("messages", records.Record, "to_json", without_id, id="messages"),
        pytest.param("handler", WebSocketHandler, "_summarise", writes_nothing, id="handler"),
        pytest.param("logger", structured_logger, "_write", writes_twice, id="logger"),
        pytest.param("metrics", MetricsEmitter, "flush", writes_nothing, id="metrics"),
        pytest.param("http_answers", http1.AnswerReader, "feed", looks_again, id="http_answers"),
        pytest.param("gateway", gateway_server.Socket, "open", drops_rest, id="gateway"),
    ],
)
def test_harness_notices_what_is_broken(name, broken, attribute, put, monkeypatch):
    monkeypatch.setattr(broken, attribute, put)

    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the harness says
        replay(name)


# --- values from bytes ----------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\0", bytes(range(256)), b"\xff" * 500])
def test_same_bytes_are_the_same_values(data):
    first, second = Draws(data), Draws(data)

    assert [repr(first.json()) for _ in range(20)] == [repr(second.json()) for _ in range(20)]


def test_pieces_are_the_whole():
    pieces = Draws(bytes(range(1, 60))).cut(b"abcdefghij")

    assert b"".join(pieces) == b"abcdefghij"
    assert len(pieces) > 1
    assert b"" not in pieces
    assert Draws(b"").cut(b"") == []


def test_what_is_planted_is_never_drawn():
    """Else a fuzzer that looks at comparisons would find what only it has put there."""
    data = bytes([4, len(PLANTED)]) + PLANTED.encode()

    assert Draws(data).text() == ""


# --- the command ----------------------------------------------------------------------------------


def test_report_of_a_run_that_found_nothing():
    report = read_report("handler", DONE, 0)

    assert line_of(report) == "handler: 16,722 executions, 1,210 branches covered"


def test_report_of_a_finding_names_the_input_that_shows_it():
    report = read_report("gateway", FOUND, 77)

    assert report.reproducer == "/x/gateway-crash-1"
    assert "AssertionError: it depends on the pieces" in line_of(report)
    assert "--input /x/gateway-crash-1" in line_of(report)


def test_report_of_a_fuzzer_that_did_not_run():
    command = [sys.executable, "-c", "import sys; sys.exit('there is no atheris')"]

    report = run("logger", command, 60)

    assert report.exit_code == 1
    assert line_of(report) == "there is no atheris\nlogger: ended with 1"


def test_report_of_a_fuzzer_that_does_not_end():
    report = run("logger", [sys.executable, "-c", "import time; time.sleep(600)"], 0.2)

    assert report.exit_code == 1
    assert line_of(report) == "logger did not end in 0.2 s\nlogger: ended with 1"


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_input_is_tried_again_without_a_fuzzer(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(corpora.read("http_answers")[0])

    done = command("http_answers", "--input", str(path))

    assert (done.returncode, done.stdout) == (0, "nothing was found\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "unknown: nothing; known: messages, handler"),
        (["--seconds", "0"], "--seconds must be at least 1"),
        (["--input", "missing"], "--input wants a file, and the name of one harness"),
    ],
)
def test_wrong_arguments_are_refused(arguments, said):
    done = command(*arguments)

    assert done.returncode == 2
    assert said in done.stderr
