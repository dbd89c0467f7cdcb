"""What the documents and lock files say is so."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import documents
from shared_utils.websocket_messages import CLIENT_MESSAGES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
LOCK_FILES = sorted((ROOT / "requirements").glob("*.txt"))
DOCUMENTS = sorted(
    {
        str(path.relative_to(ROOT))
        for pattern in ("*.md", "[a-z]*/*.md", "docs/*/*.md")
        for path in ROOT.glob(pattern)
    }
)
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
INPUTS = sorted((ROOT / "requirements").glob("*.in"))
TARGETS = set(re.findall(r"^([a-z]+):.*##", MAKEFILE, re.MULTILINE))

# What runs an example: the layer's sources, a MESSAGE event, and the names that Lambda would set.
RUN_EXAMPLE = """
import json, sys
namespace = {}
exec(compile(sys.stdin.read(), "README.md", "exec"), namespace)
class context: aws_request_id = "request-1"
for body in json.loads(sys.argv[1]):
    event = {"requestContext": {"connectionId": "c"}, "body": body}
    print("answer", json.dumps(namespace["handler"](event, context)))
"""


@pytest.fixture(scope="module")
def example():
    """Return what README's function answers to a good and to a bad message, and what it writes."""
    [source] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    good = '{"action":"setVolume","volumeLevel":0.5,"sessionId":"golden-eagle-427"}'
    bad = '{"action":"setVolume","volumeLevel":1.5}'
    run = subprocess.run(
        [sys.executable, "-c", RUN_EXAMPLE, json.dumps([good, bad])],
        input=source,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "shared-layer" / "python")},
    )
    assert run.stderr == ""
    return run.stdout.splitlines()


def test_readme_example_answers_good_and_bad_messages(example):
    good, bad = [json.loads(line[7:]) for line in example if line.startswith("answer ")]

    assert good == {"statusCode": 200}
    assert bad["statusCode"] == 400
    assert "volumeLevel" in json.loads(bad["body"])["message"]


def test_readme_example_writes_a_line_and_a_metric(example):
    lines = [json.loads(line) for line in example if not line.startswith("answer ")]

    assert [line.get("message") for line in lines] == ["Control message", None]
    assert lines[0]["requestId"] == "request-1"
    assert lines[1]["ControlMessagesReceived"] == 1


def test_readme_is_short():
    assert len(README.splitlines()) < 100


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
