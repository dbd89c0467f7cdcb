"""The examples as a stranger has them: outside this repository, with the wheel, pytest and nothing else."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from shared_utils import GROUPS_TABLE
from wslocal import Emulator

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
HANDLERS = {"chat": "chat.py", "quiz": "quiz.py", "http": "order_api.py"}
MAX_HANDLER_LINES = 80
MAX_README_LINES = 10

slow = pytest.mark.slow


def run(*command, cwd, **variables):
    """Return how a command ended, without the settings of this test run."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHON"))}
    return subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def succeed(*command, cwd, **variables):
    """Return what a command prints that must succeed."""
    done = run(*command, cwd=cwd, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- what is there --------------------------------------------------------------------------------


def test_every_folder_is_tested_here_and_in_the_readme():
    listed = re.findall(r"^\| \[(\w+)/\]\(\1/\) \|", (EXAMPLES / "README.md").read_text(), re.M)

    assert {path.parent.name for path in EXAMPLES.glob("*/*.py")} == set(HANDLERS)
    assert listed == list(HANDLERS)


@pytest.mark.parametrize("example", HANDLERS)
def test_handler_is_short(example):
    lines = (EXAMPLES / example / HANDLERS[example]).read_text().splitlines()

    assert len(lines) <= MAX_HANDLER_LINES


@pytest.mark.parametrize("example", HANDLERS)
def test_readme_is_short_and_names_every_file(example):
    text = (EXAMPLES / example / "README.md").read_text()
    modules = {path.name for path in (EXAMPLES / example).glob("[!t]*.py")}

    assert len(text.splitlines()) <= MAX_README_LINES
    assert set(re.findall(r"`(\w+\.py)`", text)) == modules
    assert f"`{HANDLERS[example].removesuffix('.py')}.handler`" in text


def test_examples_are_formatted_and_linted():
    """With `shared_utils` among other people's packages, as it is for a stranger."""
    succeed(sys.executable, "-m", "ruff", "format", "--check", EXAMPLES, cwd=ROOT)
    succeed(sys.executable, "-m", "ruff", "check", EXAMPLES, cwd=ROOT)


# --- as a stranger has it -------------------------------------------------------------------------


def files_with_dependencies(name):
    """Yield the installed files of a distribution and of all that it needs, and where they belong."""
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            yield file.locate(), file
    for line in distribution.requires or []:
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield from files_with_dependencies(needed.name)


@pytest.fixture(scope="session")
def python(tmp_path_factory):
    """Return the Python of a new environment with the wheel and pytest.

    Nothing comes from the network: hatchling is at hand to build the wheel, and pytest and its
    dependencies are copied, file by file, from the environment of these tests.
    """
    folder = tmp_path_factory.mktemp("stranger")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", "wheels")
    succeed(*pip, "wheel", *options, ROOT / "shared-layer", cwd=folder)
    [wheel] = folder.glob("wheels/*.whl")
    venv.create(folder / "environment", with_pip=False, symlinks=True)
    python = folder / "environment" / "bin" / "python"
    succeed(*pip, "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=folder)
    [site] = folder.glob("environment/lib/python3*/site-packages")
    for source, file in {*files_with_dependencies("pytest")}:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, site / file)
    return python


@pytest.fixture(scope="session")
def copies(tmp_path_factory):
    """Return a folder with copies of the examples, and nothing else of this repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for example in HANDLERS:
        unwanted = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(EXAMPLES / example, folder / example, ignore=unwanted)
    return folder


LOOK = """
import importlib.metadata, importlib.util, json, shared_utils
names = sorted({one.name for one in importlib.metadata.distributions()})
print(json.dumps([shared_utils.__file__, names, importlib.util.find_spec("boto3") is None]))
"""


@slow
def test_environment_has_the_wheel_and_pytest_only(python, copies):
    file, names, has_no_boto3 = json.loads(succeed(python, "-c", LOOK, cwd=copies))

    assert Path(file).is_relative_to(python.parent.parent)
    assert names == ["Pygments", "iniconfig", "packaging", "pluggy", "pytest", "shared-utils-layer"]
    assert has_no_boto3


@slow
@pytest.mark.parametrize("example", HANDLERS)
def test_examples_own_tests_pass_as_its_readme_says(python, copies, example):
    [command] = re.findall(r"^    (.+)$", (copies / example / "README.md").read_text(), re.M)
    assert command == "python -m pytest"

    printed = succeed(python, "-m", "pytest", "-W", "error", cwd=copies / example)

    assert re.search(r"\b[0-9]+ passed in ", printed)


PLAY = """
import json, sys
from shared_utils.testing import FakeConnections, FakeContext, disconnect_event, message_event

sys.path[:0] = ["chat", "quiz", "http"]
import chat, order_api, quiz

posts = chat.handler.connections = quiz.handler.connections = FakeConnections()

def send(module, sender, **message):
    assert module.handler(message_event(message, sender), FakeContext()) == {"statusCode": 200}
    return posts.sent[-1][1]

for name in ("ada", "grace"):
    send(chat, name, action="joinRoom", roomId="blue", name=name)
posts.outcomes["grace"] = "gone"
send(chat, "ada", action="sendChat", roomId="blue", text="Hello")
members = [*chat.rooms.members("blue")]
chat.handler(disconnect_event("ada"), FakeContext())

quiz_id = send(quiz, "host", action="createQuiz")["quizId"]
send(quiz, "ada", action="joinQuiz", quizId=quiz_id, name="Ada")
send(quiz, "host", action="askQuestion", quizId=quiz_id, text="?", choices=["1", "2"], correct=1)
answer = send(quiz, "ada", action="answerQuestion", quizId=quiz_id, choice=1)

order_api.orders.add({"orderId": "1", "quantity": 2})
quantity = int(order_api.orders.get("1")["quantity"])
found = [members, [*chat.rooms.members("blue")], answer["isCorrect"], quantity]
print(json.dumps([found, "botocore" in sys.modules]))
"""


@slow
def test_examples_reach_dynamodb_without_boto3(python, copies):
    with Emulator() as emulator:
        client = emulator.client("dynamodb")
        declared = {name: GROUPS_TABLE[name] for name in ("KeySchema", "AttributeDefinitions")}
        for table in ("Rooms", "Quizzes"):
            client.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **declared)
        client.create_table(
            TableName="Orders",
            KeySchema=[{"AttributeName": "orderId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "orderId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

        printed = succeed(python, "-W", "error", "-c", PLAY, cwd=copies, **emulator.variables)

    assert json.loads(printed.splitlines()[-1]) == [[["ada"], [], True, 2], False]


@slow
def test_examples_own_tests_pass_together(python, copies):
    printed = succeed(python, "-m", "pytest", "-W", "error", cwd=copies)

    assert re.search(r"\b[0-9]+ passed in ", printed)


@slow
def test_mypy_finds_nothing(python, copies, tmp_path):
    options = ("--strict", "--config-file=", f"--cache-dir={tmp_path}", "--python-executable")

    printed = succeed(sys.executable, "-m", "mypy", *options, python, *HANDLERS, cwd=copies)

    checked = len([*copies.glob("*/*.py")])
    assert printed == f"Success: no issues found in {checked} source files\n"


@pytest.mark.long  # mypy says the same; it starts Node
def test_pyright_finds_nothing(python, copies, tmp_path):
    shutil.copytree(copies, tmp_path, dirs_exist_ok=True)
    roots = [{"root": example} for example in HANDLERS]  # as if each were alone
    settings = {"typeCheckingMode": "standard", "executionEnvironments": roots}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = (sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", python)

    found = json.loads(succeed(*command, cwd=tmp_path))

    assert found["summary"]["filesAnalyzed"] == len([*copies.glob("*/*.py")])
    assert found["generalDiagnostics"] == []
