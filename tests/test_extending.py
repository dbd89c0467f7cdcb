"""docs/extending.md, followed to the letter in a copy: what was added works, and the copy's tests pass."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import generate

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/extending.md").read_text()
# What is added: a file, or a block above or below the first line with a text.
STEP = re.compile(
    r"^```(?:python|markdown) (\S+)(?: (above|below) ([^\n]+))?\n(.*?)^```", re.M | re.S
)

USE_ADDITIONS = """
import json
from shared_utils import ErrorCode, MetricsEmitter, get_http_status, parse_message
from shared_utils import HandRaisedMessage, RaiseHand
print(get_http_status(ErrorCode.SESSION_HAND_ALREADY_UP))
print(type(parse_message('{"action":"raiseHand","sessionId":"golden-eagle-427"}')).__name__)
metrics = MetricsEmitter()
metrics.emit_hand_raised("golden-eagle-427")
metrics.flush()
"""
USE_FUNCTION = """
from unittest import mock
from handlers import hands
from shared_utils.testing import FakeConnections, FakeContext, message_event
hands.handler.connections = FakeConnections()
participant = mock.Mock(session_id="golden-eagle-427", role="listener")
with mock.patch.object(hands.app.store, "touch", return_value=participant):
    body = {"action": "raiseHand", "sessionId": "golden-eagle-427"}
    print(hands.handler(message_event(body), FakeContext())["statusCode"])
print(hands.handler.connections.sent[-1][1]["type"])
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Return a copy of the repository, its tests too, in which docs/extending.md was followed."""
    copy = tmp_path_factory.mktemp("copy")
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    for name, where, line, block in STEP.findall(TEXT):
        path = copy / name
        if not where:
            path.write_text(block)
            continue
        lines = path.read_text().splitlines(keepends=True)
        at = next(i for i, text in enumerate(lines) if line in text) + (where == "below")
        path.write_text("".join([*lines[:at], block, *lines[at:]]))
    assert run_in(copy, "tools/generate.py").returncode == 0
    git(copy, "init", "--quiet")  # tests ask it which files there are
    git(copy, "add", "--all")
    (copy / ".venv").mkdir()
    (copy / ".venv/dev").symlink_to(sys.prefix)
    (copy / ".cache").mkdir()
    (copy / ".cache/wheels").symlink_to(ROOT / ".cache/wheels")
    if (ROOT / "web/node_modules").exists():
        (copy / "web/node_modules").symlink_to(ROOT / "web/node_modules")
    return copy


def git(folder, *arguments):
    """Run git and return what it writes."""
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def run_in(copy, *arguments):
    """Run Python in a copy of the sources, as a function of it would be."""
    path = [copy / "shared-layer/python", copy / "functions", copy]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "AWS_REGION": "us-east-1",
        **{f"{name}_TABLE_NAME": name for name in ("SESSIONS", "CONNECTIONS", "RATE_LIMITS")},
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_block_with_a_place_is_followed():
    """All but commands."""
    languages = [found for found in re.findall(r"^```(\w+)", TEXT, re.M) if found != "sh"]

    assert len(STEP.findall(TEXT)) == len(languages)


def test_code_message_and_metric_that_were_added_can_be_used(followed):
    run = run_in(followed, "-c", USE_ADDITIONS)

    assert run.stderr == ""
    status, message, metric = run.stdout.splitlines()
    assert (status, message) == ("409", "RaiseHand")
    assert json.loads(metric)["HandsRaised"] == 1


def test_function_that_was_added_answers(followed):
    run = run_in(followed, "-c", USE_FUNCTION)

    assert run.stderr == ""
    assert "200" in run.stdout.splitlines()
    assert "handRaised" in run.stdout.splitlines()


def test_generated_files_follow_what_was_added(followed):
    assert "raiseHand" in (followed / "docs/protocol/messages.md").read_text()
    assert "RaiseHand" in (followed / "web/protocol/declared.d.ts").read_text()
    assert "SESSION_HAND_ALREADY_UP" in (followed / "docs/protocol/errors.md").read_text()
    assert "gateway --> hands" in (followed / "docs/architecture.md").read_text()
    assert run_in(followed, "tools/generate.py", "--check").returncode == 0


def test_what_was_added_is_formatted(followed):
    block = re.findall(r"^```python (\S+).*?\n", TEXT, re.M)
    paths = [str(followed / name) for name in sorted(set(block))]

    run = run_in(followed, "-m", "ruff", "format", "--check", "--line-length", "100", *paths)

    assert run.returncode == 0, run.stdout


def test_check_names_the_stale_file_and_the_command_that_writes_it(monkeypatch, capsys):
    monkeypatch.setattr(generate, "wanted_files", lambda: {ROOT / "docs/redaction.md": "other"})
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])

    assert generate.main() == 1

    assert capsys.readouterr().out.splitlines() == [
        "stale: docs/redaction.md",
        "write them with `.venv/dev/bin/python tools/generate.py`",
    ]


# Of generated input nothing is to be learned here: it takes long, and knows no row by its name.
SUITES = [
    pytest.param(
        "shared-layer",
        ["tests"],
        "not slow and not hypothesis",
        id="layer",
        marks=pytest.mark.long,
    ),
    pytest.param(
        ".",
        [
            *("functions/tests", "infrastructure/tests"),
            *("tests/test_documents.py", "tests/test_message_schemas.py", "tests/test_protocol.py"),
            *("tests/test_structure.py", "tests/test_traffic.py", "tests/test_typing.py"),
        ],
        "not hypothesis",
        id="functions-infrastructure-protocol",
        marks=pytest.mark.long,
    ),
    # What is left, the running system and the browser too.
    pytest.param(
        ".",
        [
            *(
                "cdk/tests",
                "layerctl/tests",
                "wslocal/tests",
                "protocol/tests",
                "examples",
                "tests",
            ),
            "--ignore=tests/test_extending.py",
        ],
        "not hypothesis and not long",
        id="all-others",
        marks=pytest.mark.long,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "arguments", "chosen"), SUITES)
def test_tests_of_the_copy_pass(followed, folder, arguments, chosen):
    """No test that is not about what was added has to be repaired."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-m", chosen, *arguments],
        cwd=followed / folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-5000:]
