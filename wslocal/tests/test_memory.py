"""A function that uses more memory than it is given is ended, as on Lambda; the report says how much it was."""

import re
import subprocess
import sys

import pytest

from wslocal.lambda_host.interpreters import nodes
from wslocal.lambda_host.memory import peak_bytes, used_bytes
from wslocal.tests.started_functions import StartedFunctions

pytestmark = pytest.mark.slow

PYTHON = f"python3.{sys.version_info.minor}"
_NODES = [f"nodejs{major}.x" for major in sorted(nodes())]
# The newest; the others show the same, in `make long`.
NODE = [*(pytest.param(one, marks=pytest.mark.long) for one in _NODES[:-1]), *_NODES[-1:]]
MB = 1 << 20

TAKES = """
import os, subprocess, sys, time
def handler(event, context):
    held = bytearray(b"x") * (event["mb"] << 20)
    if "wait" in event:
        time.sleep(600)
    if "child" in event:
        code = "import time; held = bytearray(b'x') * (%d << 20); print(flush=True); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-S", "-c", code % event["child"]], stdout=subprocess.PIPE)
        child.stdout.readline()
        if "stays" in event:
            time.sleep(600)
        child.kill()
    return len(held)
"""


@pytest.fixture
def functions(tmp_path):
    with StartedFunctions(tmp_path, tmp_path / "cache") as functions:
        yield functions


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"mb": 200}, id="and-gives-it-back-at-once"),
        pytest.param({"mb": 200, "wait": True}, id="and-goes-on"),
        pytest.param({"mb": 1, "child": 200, "stays": True}, id="in-a-child"),
    ],
)
def test_function_that_takes_too_much_is_killed(functions, event):
    pool = functions.start(PYTHON, {"app.py": TAKES}, memory_mb=128, timeout_seconds=60.0)

    result = functions.handle(pool, event)
    after = functions.handle(pool, {"mb": 1})

    assert result.error.type == "Runtime.ExitError"
    assert result.error.message == (
        f"RequestId: {result.request_id} Error: Runtime exited with error: signal: killed"
    )
    assert result.max_memory_mb > 128
    assert after.error is None
    assert after.init_ms is not None


def test_function_within_its_memory(functions):
    """A child counts, too, as far as it is no copy of what its parent has."""
    result = functions.invoke(PYTHON, {"app.py": TAKES}, {"mb": 20, "child": 20}, memory_mb=256)

    assert result.payload == 20 * MB
    assert 20 < result.max_memory_mb < 256


def test_function_that_takes_too_much_while_it_starts(functions):
    files = {"app.py": "import time\nheld = bytearray(b'x') * (200 << 20)\ntime.sleep(600)"}

    result = functions.invoke(PYTHON, files, memory_mb=128)

    assert result.error.message.endswith("Runtime exited with error: signal: killed")


@pytest.mark.parametrize("runtime", NODE)
def test_node_function_that_takes_too_much(functions, runtime):
    source = """
const held = [];
exports.handler = async ({ mb }) => { held.push(Buffer.alloc(mb << 20, 1)); return held.length; };
"""
    pool = functions.start(runtime, {"app.js": source}, memory_mb=256, timeout_seconds=60.0)

    within, above = functions.handle(pool, {"mb": 1}), functions.handle(pool, {"mb": 400})

    assert within.payload == 1
    assert 20 < within.max_memory_mb < 256
    assert above.error.type == "Runtime.ExitError"


@pytest.mark.parametrize("runtime", NODE)
def test_node_collects_garbage_before_its_memory_is_used_up(functions, runtime):
    source = """
exports.handler = async () => {
  for (let i = 0; i < 2000; i++) new Array(50_000).fill(i).map((n) => ({ n }));
  return "done";
};
"""

    result = functions.invoke(runtime, {"app.js": source}, memory_mb=256, timeout_seconds=60.0)

    assert (result.payload, result.error) == ("done", None)


def test_report_says_what_was_used(functions):
    result = functions.invoke(PYTHON, {"app.py": "def handler(*_): pass"}, memory_mb=128)

    [report] = [line.text for line in functions.lines if line.text.startswith("REPORT ")]
    assert f"\tMemory Size: 128 MB\tMax Memory Used: {result.max_memory_mb} MB\t" in report
    assert re.search(r"Max Memory Used: [1-9][0-9]* MB\tInit Duration", report)


def test_process_that_has_ended_uses_nothing():
    with subprocess.Popen(["true"]) as process:
        process.wait()

    assert peak_bytes(process.pid) == used_bytes(process.pid) == 0
