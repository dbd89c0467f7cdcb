"""The writer: a line in one piece, or counted as lost."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared_utils import _stdout


class Unbuffered:
    """Stands where the Lambda runtime's wrapper of this name stands, around a pipe."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)


@pytest.fixture(autouse=True)
def every_line_is_strict_json():
    """The lines of these tests are shorter than JSON."""


@pytest.fixture(autouse=True)
def nothing_dropped(monkeypatch):
    """Count from zero, and leave nothing to the next test's line."""
    monkeypatch.setattr(_stdout, "dropped", 0)


@contextlib.contextmanager
def runtimes_stdout():
    """Make stdout what it is under the runtime, on a pipe, and give the pipe's reading end."""
    reading, writing = os.pipe()
    with (
        os.fdopen(reading, "rb") as source,
        os.fdopen(writing, "w") as stream,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "__stdout__", stream)
        patch.setattr(sys, "stdout", Unbuffered(stream))
        yield source


def dropped_lines(pipe):
    """Return how many lines were lost, as the next line says."""
    line = json.loads(pipe.readline())
    assert (line["level"], line["component"], line["message"]) == (
        "WARN", "shared_utils", "Lines were dropped")  # fmt: skip
    return line["context"]["lines"]


class ShortWrites:
    """`os.write` that takes at most `step` bytes a call and remembers what it was given."""

    def __init__(self, step):
        self.step = step
        self.given = []
        self._write = os.write

    def __call__(self, descriptor, data):
        self.given.append(bytes(data))
        return self._write(descriptor, data[: self.step])


def test_a_line_goes_to_the_stream_that_is_stdout_now():
    first, second = io.StringIO(), io.StringIO()

    with contextlib.redirect_stdout(first):
        _stdout.write("1\n")
    with contextlib.redirect_stdout(second):
        _stdout.write("2\n")

    assert (first.getvalue(), second.getvalue()) == ("1\n", "2\n")


@pytest.mark.threat("log-to-platform")
def test_a_line_goes_past_the_runtimes_wrapper_in_one_write(monkeypatch):
    with runtimes_stdout() as pipe:
        write = ShortWrites(1 << 20)
        monkeypatch.setattr(os, "write", write)

        _stdout.write("1\n")
        _stdout.write("2\n")

        assert write.given == [b"1\n", b"2\n"]
        assert (pipe.readline(), pipe.readline()) == (b"1\n", b"2\n")


def test_a_wrapper_of_another_stream_is_written_to_as_it_is(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Unbuffered(stream))

    _stdout.write("1\n")

    assert stream.getvalue() == "1\n"


def test_a_short_write_is_finished(monkeypatch):
    with runtimes_stdout() as pipe:
        write = ShortWrites(3)
        monkeypatch.setattr(os, "write", write)

        _stdout.write("12345678\n")

        assert write.given == [b"12345678\n", b"45678\n", b"78\n"]
        assert pipe.readline() == b"12345678\n"


def test_a_full_pipe_is_waited_for(monkeypatch):
    """The reader makes room only when the writer has found none."""
    with runtimes_stdout() as pipe:
        descriptor = sys.stdout.fileno()
        os.set_blocking(descriptor, False)
        filled = os.write(descriptor, b"." * (1 << 20))
        read = []
        monkeypatch.setattr(
            "select.select", lambda *asked: read.append(pipe.read(filled)) or ([], asked[1], [])
        )

        _stdout.write("late\n")

        assert read == [b"." * filled]
        assert pipe.readline() == b"late\n"


@pytest.mark.threat("log-no-harm")
def test_a_pipe_that_stays_full_costs_the_line_and_not_the_request(monkeypatch):
    """The next line that gets through says how many did not."""
    with runtimes_stdout() as pipe:
        descriptor = sys.stdout.fileno()
        os.set_blocking(descriptor, False)
        filled = os.write(descriptor, b"." * (1 << 20))
        monkeypatch.setattr(_stdout, "_FULL_PIPE_SECONDS", 0)

        _stdout.write('{"n":1}\n')
        _stdout.write('{"n":2}\n')
        pipe.read(filled)
        _stdout.write('{"n":3}\n')
        _stdout.write('{"n":4}\n')

        assert dropped_lines(pipe) == 2
        assert pipe.readline() == b'{"n":3}\n'
        assert pipe.readline() == b'{"n":4}\n'


def test_a_line_that_is_given_up_in_its_midst_spoils_no_other(monkeypatch):
    with runtimes_stdout() as pipe:
        descriptor = sys.stdout.fileno()
        os.set_blocking(descriptor, False)
        monkeypatch.setattr(_stdout, "_FULL_PIPE_SECONDS", 0)

        _stdout.write(f'{{"n":"{"." * (1 << 20)}"}}\n')
        os.set_blocking(descriptor, True)
        begun = pipe.read(1 << 16)
        _stdout.write('{"n":2}\n')

        assert begun.startswith(b'{"n":"....')
        assert pipe.readline() == b"\n"
        assert dropped_lines(pipe) == 1
        assert pipe.readline() == b'{"n":2}\n'


@pytest.mark.parametrize("options", [(), ("-u",)], ids=["buffered", "unbuffered"])
def test_a_full_pipe_behind_pythons_own_stdout_cuts_no_line(options):
    """A stream does not say how much of a line such a pipe took: ours is written past it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = subprocess.Popen(
        [sys.executable, *options, "-c", FLOOD],
        stdout=writing, stderr=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(Path(_stdout.__file__).parents[1])},
    )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading, "rb") as source:
        process.stderr.readline()  # it has written more than there is room for
        text = source.read()
    process.communicate()

    lines = [json.loads(line) for line in text.splitlines() if line]
    lost = sum(
        line["context"]["lines"] for line in lines if line["message"] == "Lines were dropped"
    )
    written = [line["context"]["n"] for line in lines if line["message"] == "m"]
    assert lost > 0
    assert written == sorted(written)
    assert lost + len(written) == 2001
    assert written[-1] == 2000


FLOOD = """
import os, sys
from shared_utils import _stdout, get_structured_logger
_stdout._FULL_PIPE_SECONDS = 0
log = get_structured_logger("C")
for n in range(2000):
    log.info("m", n=n, text="x y" * 30)
print("full", file=sys.stderr, flush=True)
_stdout._FULL_PIPE_SECONDS = 10
log.info("m", n=2000)
"""


class Latin(io.TextIOWrapper):
    """A stream of another encoding than UTF-8."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="latin-1")


def test_a_stream_that_cannot_hold_a_letter_gets_it_escaped(monkeypatch):
    stream = Latin()
    monkeypatch.setattr(sys, "stdout", stream)

    _stdout.write('{"a":"é"}\n')
    _stdout.write('{"a":"é東\U0001f600"}\n')

    assert stream.buffer.getvalue() == b'{"a":"\xe9"}\n{"a":"\\u00e9\\u6771\\ud83d\\ude00"}\n'


def test_a_stream_of_pythons_own_kind_that_writes_to_no_file_is_written_to_as_it_is(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)

    _stdout.write('{"a":"é"}\n')

    assert stream.buffer.getvalue() == b'{"a":"\xc3\xa9"}\n'


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [
    pytest.param(closed(), id="closed"),
    pytest.param(None, id="gone"),
    pytest.param(object(), id="no-stream"),
])  # fmt: skip
def test_a_stdout_that_cannot_be_written_breaks_nothing(monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)

    assert _stdout.write("{}\n") is None
    assert _stdout.dropped == 1


def test_a_closed_descriptor_breaks_nothing():
    with runtimes_stdout() as pipe:
        _stdout.write('{"n":1}\n')
        spare = os.dup(sys.stdout.fileno())
        os.close(sys.stdout.fileno())

        _stdout.write('{"n":2}\n')
        os.dup2(spare, sys.stdout.fileno())
        os.close(spare)
        _stdout.write('{"n":3}\n')

        assert pipe.readline() == b'{"n":1}\n'
        assert dropped_lines(pipe) == 1
        assert pipe.readline() == b'{"n":3}\n'


class Logging(io.StringIO):
    """A stream that writes lines of its own, as tees and finalizers do."""

    def write(self, text):
        self.write = super().write
        _stdout.write("inner\n")
        return super().write(text)


def test_a_stream_may_write_lines_of_its_own(monkeypatch):
    stream = Logging()
    monkeypatch.setattr(sys, "stdout", stream)
    thread = threading.Thread(target=_stdout.write, args=("outer\n",), daemon=True)

    thread.start()
    thread.join(10)

    assert stream.getvalue() == "inner\nouter\n"


def test_a_forked_child_gets_a_lock_of_its_own(monkeypatch, fresh_module):
    """Another thread may have held the lock at the fork: nobody would release it in the child."""
    after_fork = {}
    monkeypatch.setattr(os, "register_at_fork", after_fork.update)
    forked = fresh_module(_stdout)
    holder = threading.Thread(target=forked._lock.acquire)
    holder.start()
    holder.join()
    after_fork["after_in_child"]()

    with contextlib.redirect_stdout(io.StringIO()) as out:
        writer = threading.Thread(target=forked.write, args=("1\n",), daemon=True)
        writer.start()
        writer.join(10)

    assert out.getvalue() == "1\n"


FORK = """
import os, sys, threading
from shared_utils import _cleaning, _json, _redaction, _stdout
held, done = threading.Event(), threading.Event()
def hold():
    with _stdout._lock:
        held.set()
        done.wait()
holder = threading.Thread(target=hold)
holder.start()
held.wait()
child = os.fork()
if child == 0:
    _stdout.write("child\\n")
    os._exit(0)
os.waitpid(child, 0)
done.set()
holder.join()
_stdout.write("parent\\n")
"""


def test_a_fork_while_another_thread_writes_stops_nothing():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        env={"PYTHONPATH": str(Path(_stdout.__file__).parents[1])},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip

    assert done.stdout == "child\nparent\n"
