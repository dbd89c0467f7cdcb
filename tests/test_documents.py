"""What the documents and lock files say is so."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import documents
import shared_utils
from layerctl.cli import main as layerctl_cli
from local.__main__ import main as local_cli
from shared_utils.websocket_messages import CLIENT_MESSAGES
from shared_utils_protocol import cli as protocol_cli
from wslocal.cli import main as wslocal_cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
LOCK_FILES = sorted((ROOT / "requirements").glob("*.txt"))
LISTED = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
DOCUMENTS = sorted(
    {
        name
        for name in subprocess.run(
            LISTED, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        if (ROOT / name).exists() and not name.endswith(".LICENSE.md")
    }
)
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
INPUTS = sorted((ROOT / "requirements").glob("*.in"))
TARGETS = set(re.findall(r"^([a-z]+):.*##", MAKEFILE, re.MULTILINE))

# What runs the README's example: clients that keep what is sent, in place of API Gateway.
RUN_EXAMPLE = """
import json, sys
from shared_utils.testing import FakeConnections, FakeContext, message_event
namespace = {}
exec(compile(sys.stdin.read(), "README.md", "exec"), namespace)
handler = namespace["handler"]
handler.connections = FakeConnections()
for body in json.loads(sys.argv[1]):
    status = handler(message_event(body), FakeContext())["statusCode"]
    print(json.dumps({"status": status, "sent": handler.connections.sent.pop()[1]}))
"""


@pytest.fixture(scope="module")
def example():
    """Return what README's function answers to a good and to a bad message, and what it writes."""
    [source] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    good = {"action": "sendChat", "roomId": "r-1", "text": "Hello"}
    run = subprocess.run(
        [sys.executable, "-c", RUN_EXAMPLE, json.dumps([good, {**good, "text": ""}])],
        input=source,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "shared-layer" / "python")},
    )
    assert run.stderr == ""
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_readme_example_answers_good_and_bad_messages(example):
    good, bad = [line for line in example if "status" in line]

    assert good["status"] == 200
    assert good["sent"]["type"] == "chatSent"
    assert good["sent"]["roomId"] == "r-1"
    assert bad["status"] == 400
    assert bad["sent"]["type"] == "error"
    assert bad["sent"]["message"] == "text must be text of 1 to 500 characters, got ''"


def test_readme_example_writes_its_own_line_and_the_summary_with_metrics(example):
    lines = [line for line in example if line.get("component") == "Chat"]

    texts = [line["message"] for line in lines if line["message"] != "Metrics"]
    assert texts == ["Chat sent", "Message handled", "Message refused"]
    summary, refused = (line for line in lines if line["message"].startswith("Message "))
    assert summary["ChatsSent"] == 1
    assert {"requestId", "connectionId", "correlationId", "durationMs"} <= summary.keys()
    assert summary["durationMs"] in [line.get("MessageLatency") for line in lines]
    [answer] = [line["sent"] for line in example if line.get("status") == 400]
    assert refused["errorCode"] == answer["code"]


def test_readme_is_short():
    """Of one sitting; what is longer belongs into a document of its own."""
    assert len(README.splitlines()) < 120


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|    )make ([a-z]+)", README))))
def test_make_target_named_in_readme_exists(target):
    assert target in TARGETS


@pytest.mark.parametrize("target", ["help", "demo", "test", "check", "bench", "build", "clean"])
def test_make_target_that_everyone_expects_exists(target):
    assert target in TARGETS


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_of_a_document_lead_somewhere(document):
    path = ROOT / document

    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if not re.match(r"[a-z]+:", link):
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(link)

    assert broken == []


def lines_of_code(text):
    """Return the lines of a document's blocks of code, and its spans of code."""
    blocks = re.findall(r"```.*?```|`[^`\n]+`|^    \S.*$", text, re.DOTALL | re.MULTILINE)
    code = "\n".join(re.sub(r"^```.*", "", block).strip("`") for block in blocks)
    return code.replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_a_document_exist(document):
    lines = lines_of_code((ROOT / document).read_text())

    commands = [part for line in lines for part in re.split(r" && |; ?| \| |  # ", line)]

    assert [command for command in commands if not is_known(command)] == []


CLIS = {"local": local_cli, "layerctl": layerctl_cli, "wslocal": wslocal_cli}
MAKE = re.compile(r"make ([a-z]+)(?: BENCH=(\w+))?")
PROGRAM = re.compile(
    r"(?:\S*/)?(?:python3? -m (layerctl|local|wslocal)|(layerctl|wslocal)|shared-utils-protocol) (-{0,2}[a-z].*)"
)
PYTHON = re.compile(r"(?:\S*/)?python3? (-m )?([a-z][\w./-]+)")


def is_known(command):
    """Return whether what a line runs is there: a target, a file, a module, its command and options."""
    command = re.sub(r"^(?:\$ |[A-Z_]+=\S+ )*", "", command.strip())
    if make := MAKE.match(command):
        return make[1] in TARGETS | {"dev"} and (
            make[2] is None or (ROOT / f"benchmarks/{make[2]}.py").exists()
        )
    if program := PROGRAM.match(command):
        return has_options(program[1] or program[2], program[3].split())
    run = PYTHON.match(command)
    if run is None or not (run[1] or run[2].endswith(".py")):
        return True
    return find_spec(run[2]) is not None if run[1] else (ROOT / run[2]).exists()


def has_options(program, words):
    """Return whether a program has the command with which the words begin, and the options among them."""
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} - {"--help"}
    if program is None:
        actions = protocol_cli._parser()._actions
        return given <= {name for action in actions for name in action.option_strings}
    command = CLIS[program]
    if not words[0].startswith("-"):
        command = command.commands.get(words[0])
    return command is not None and given <= {
        name for one in command.params for name in (*one.opts, *one.secondary_opts)
    }


@pytest.mark.parametrize(
    "command",
    [
        "make nothing",
        "make bench BENCH=nothing",
        ".venv/dev/bin/python tools/nothing.py",
        ".venv/dev/bin/python -m nothing",
        ".venv/dev/bin/python -m local nothing",
        "python -m layerctl versions --nothing",
        "layerctl --nothing",
        "wslocal nothing",
        "wslocal up template.yaml --nothing",
        "CI=true wslocal up --nothing=1",
        "shared-utils-protocol chat:handler --nothing",
    ],
)
def test_command_that_does_not_exist_is_seen(command):
    assert not is_known(command)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_price_in_a_document_has_its_source(document):
    paragraphs = re.split(r"\n\n|\n(?=- |\|)", prose(ROOT / document))

    priced = [text for text in paragraphs if re.search(r"\$\d", text)]

    assert [text for text in priced if "](http" not in text] == []


def prose(path):
    """Return a document without its blocks and spans of code."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)


def anchors(path):
    """Return the names that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_text_that_troubleshooting_begins_with_is_one_of_ours():
    page = (ROOT / "docs/troubleshooting.md").read_text()
    quoted = re.findall(r"^\| [^|]*?`([^`]+)`", page, re.MULTILINE)
    product = ("shared-layer/python/shared_utils", "wslocal")
    sources = "".join(
        path.read_text() for folder in product for path in (ROOT / folder).glob("*.py")
    )

    others = {"No module named 'shared_utils'", "%s", "$connect"}  # Python's, API Gateway's
    assert len(quoted) > len(others)
    assert [text for text in quoted if text not in sources and text not in others] == []


def test_picture_shows_what_is_declared():
    picture = re.search(r"```mermaid\n(.*?)```", ARCHITECTURE, re.DOTALL)[1]

    shown = set(re.findall(r"(?:<br/>|<b>)(\$?\w+)", picture))

    assert shown >= {"$connect", "$disconnect", "$default", *CLIENT_MESSAGES}
    assert shown >= {path.stem for path in (ROOT / "functions/handlers").glob("[a-z]*.py")}


def test_arrow_that_is_new_is_seen(tmp_path, monkeypatch):
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/new.py").write_text("def f():\n    from local.system import System\n")
    monkeypatch.setattr(documents, "ROOT", tmp_path)

    assert "| `functions` | `local` | none |" in documents.arrows()
    assert "| `functions` | `local` | none |" not in ARCHITECTURE


def test_newest_heading_of_the_changelog_is_the_packages_version():
    headings = re.findall(r"^## ([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert headings[0] == shared_utils.__version__


def test_ci_runs_the_readmes_commands():
    script = (ROOT / ".ci" / "run").read_text()

    assert set(re.findall(r"^    (make [a-z]+)", README, re.MULTILINE)) == {
        "make demo",
        "make test",
    }
    assert "\nmake demo\n" in script
    assert "\nmake test\n" in script


def test_every_lock_file_has_its_input():
    assert [path.stem for path in LOCK_FILES] == [path.stem for path in INPUTS]


@pytest.mark.parametrize("path", LOCK_FILES, ids=lambda path: path.name)
def test_lock_file_names_no_host(path):
    text = path.read_text()

    assert not re.search(r"://|index|@|\.(com|org|net|io)\b", text)


@pytest.mark.parametrize("path", LOCK_FILES, ids=lambda path: path.name)
@pytest.mark.threat("changed-dependency", "ws-dependencies")
def test_lock_file_pins_every_package_with_hashes(path):
    entries = re.split(r"\n(?=[a-z])", re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE))

    assert entries
    assert [
        entry
        for entry in entries
        if not re.match(r"[a-z0-9.-]+==\S+( ;[^\n]*)? \\\n    --hash=sha256:[0-9a-f]{64}", entry)
    ] == []


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_lock_file_holds_what_its_input_asks_for(path):
    locked = set(
        re.findall(r"^([a-z0-9.-]+)==", path.with_suffix(".txt").read_text(), re.MULTILINE)
    )

    asked = set(re.findall(r"^([a-z][a-z0-9.-]*)", path.read_text(), re.MULTILINE))

    assert asked <= locked


def test_layers_own_requirements_are_empty_and_say_why():
    lines = (ROOT / "shared-layer" / "requirements.txt").read_text().splitlines()

    assert lines
    assert [line for line in lines if not line.startswith("#")] == []
