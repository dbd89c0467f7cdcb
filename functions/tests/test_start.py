"""A function that cannot start says why, with its causes, before the runtime sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from handlers._common import starting
from shared_utils.testing import capture_lines

ROOT = Path(__file__).parents[2]
HANDLERS = (ROOT / "functions" / "handlers").glob("[a-z]*.py")
NAMES = sorted(path.stem for path in HANDLERS if "starting(" in path.read_text())
START = """
import importlib, sys
try:
    importlib.import_module("handlers." + sys.argv[1])
except Exception as error:
    sys.exit(type(error).__name__)
"""


@pytest.mark.parametrize("name", NAMES)
def test_function_that_cannot_start_writes_why(name):
    done = subprocess.run(
        [sys.executable, "-c", START, name],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'shared-layer' / 'python'}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "RATE_LIMIT_AUDIO_CHUNKS": "many",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    [line] = [json.loads(text) for text in done.stdout.splitlines()]

    assert done.stderr == "ApplicationError\n"
    assert (line["level"], line["message"]) == ("ERROR", "The function cannot start")
    assert line["errorCode"] == "INTERNAL_CONFIGURATION_ERROR"
    assert "RATE_LIMIT_AUDIO_CHUNKS" in line["error"]["message"]
    assert "settings.py" in line["error"]["stack"][-1]


def fail_with_cause():
    try:
        raise OSError("no such host")
    except OSError as cause:
        raise KeyError("endpoint") from cause


def test_causes_are_written_as_well():
    with capture_lines() as lines, pytest.raises(KeyError), starting("Audio"):
        fail_with_cause()

    assert lines[0]["component"] == "Audio"
    assert lines[0]["error"]["cause"]["message"] == "no such host"
