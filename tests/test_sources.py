"""What the sources do not contain: calls that would run data as code, in Python or in the page."""

import ast
import re
from pathlib import Path

import pytest

import documents

ROOT = Path(__file__).parent.parent

# What runs on AWS. Inside the layer, its own tests know the one `eval`, of annotations.
FOLDERS = ("shared-layer/python", "functions", "authorizer")
PYTHON = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if not documents._is_test(path.relative_to(ROOT))
)
PAGE = sorted(
    path
    for pattern in ("*.js", "core/**/*.js", "views/**/*.js", "audio/*.js", "protocol/*.js")
    for path in (ROOT / "web").glob(pattern)
)

# They read data that can say what is to be run, or grow without end.
READERS = {"pickle", "marshal", "shelve", "yaml", "xml", "plistlib", "dill", "jsonpickle"}
CALLS = {"eval", "exec", "compile", "os.system", "os.popen"}
KNOWN_CALLS = {"_annotations.py": {"eval"}}
TEXT_AS_CODE = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function\(|srcdoc"
    r"|createContextualFragment|DOMParser|javascript:|setHTML"
)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.threat("code-in-data", "ws-no-eval")
@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_no_data_is_run(path):
    tree = ast.parse(path.read_text())
    imported, called = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call):
            called.add(ast.unparse(node.func))

    assert imported & READERS == set()
    assert called & CALLS == KNOWN_CALLS.get(path.name, set())


@pytest.mark.threat("script-in-text")
@pytest.mark.parametrize("path", PAGE, ids=name_of)
def test_page_makes_no_code_of_text(path):
    assert re.findall(TEXT_AS_CODE, path.read_text()) == []


@pytest.mark.parametrize(
    "line", ["box.innerHTML = text;", "eval(text)", "new Function(text)", "document.write(text)"]
)
def test_code_made_of_text_would_be_seen(line):
    assert re.search(TEXT_AS_CODE, line)


def test_both_lists_are_there():
    """A folder that was renamed would leave nothing to look at."""
    assert {path.name for path in PYTHON} >= {"_annotations.py", "websocket_handler.py", "store.py"}
    assert {path.name for path in PAGE} >= {"main.js", "client.js", "filter-form.js"}
