"""What may import what, and that names say one thing each, in the field's words."""

import ast
import re
import runpy
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

import documents
import wslocal

ROOT = Path(__file__).parent.parent
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split()
TRACKED = sorted({*TRACKED})  # once each, in the middle of a merge too
PYTHON = [ROOT / name for name in TRACKED if name.endswith(".py") and (ROOT / name).exists()]
PRODUCT = [path for path in PYTHON if not {"tests", "benchmarks", "fuzz"} & set(path.parts)]
TEXTS = [
    ROOT / name
    for name in TRACKED
    if name.endswith((".py", ".pyi", ".js", ".mjs", ".ts", ".md", ".html", ".sh", ".toml"))
    and (ROOT / name).exists()
]

# By folder: what else of this repository it may import. All other imports are forbidden.
ARROWS = {
    "shared-layer/python": set(),
    "protocol": {"shared-layer/python"},
    "functions": {"shared-layer/python"},
    "authorizer": {"shared-layer/python"},
    "cdk": set(),
    "infrastructure": {"shared-layer/python", "cdk"},
    "local": {"wslocal"},
    "wslocal": set(),
    "layerctl": {"wslocal"},
    "tools": {"shared-layer/python", "protocol", "infrastructure"},
    "examples": {"shared-layer/python", "cdk", "wslocal"},
}
# Metaphors of our own for a handler, an application, a participant, a task, an error mapping.
METAPHORS = (
    r"\bdoors?\b|\bdesks?\b|\bcupboards?\b|\bseat(s|ed|ing)?\b|\bdeeds?\b|\bladders?\b"
    r"|\b(see|sees|seen|seeing)[ _]off\b|\bhearers?\b|\battend(s|ed|ing)?\b"
)


def imports_of(folder):
    """Return the folders of ours that a folder's files import."""
    folder_of = {name: one for one, names in documents.FOLDERS.items() for name in names}
    found = {folder_of.get(name) for name in documents._imported(ROOT / folder)}
    return found - {None, folder}


@pytest.mark.parametrize("folder", ARROWS)
def test_folder_imports_only_what_it_may(folder):
    assert imports_of(folder) <= ARROWS[folder]


def test_local_uses_the_public_names_of_wslocal():
    used = set()
    for path in (ROOT / "local").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wslocal"):
                assert node.module == "wslocal", f"{path.name} imports {node.module}"
                used |= {alias.name for alias in node.names}

    assert used
    assert used <= set(wslocal.__all__)


def test_no_two_classes_of_the_product_share_a_name():
    places = defaultdict(list)
    for path in PRODUCT:
        if "adopt" in path.parts:
            continue  # the same function in each folder, which somebody copies alone
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(ROOT).as_posix())

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_has_no_metaphor(path):
    """Whole words, in names too: `see_off` and `MAX_SEEN_OFF` are two of them."""
    if path == Path(__file__):
        return
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", path.read_text())

    assert re.findall(METAPHORS, words, re.IGNORECASE) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_do_not_use_the_verb(path):
    """As a verb in prose both are fine."""
    named = re.compile(r"(^|_)(tells?|told)(_|$)")
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names |= {getattr(node, field, None) for field in ("id", "attr", "arg")}
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)

    assert sorted(name for name in names if isinstance(name, str) and named.search(name)) == []


@pytest.mark.parametrize("start", runpy.run_path(ROOT / "conftest.py")["SLOW"])
def test_what_make_quick_passes_over_is_there(start):
    assert list(ROOT.glob(f"{start}*"))


def test_checkout_with_the_line_ends_of_windows_has_the_same_bytes(tmp_path):
    """`core.autocrlf=true` is what Git for Windows sets; bash does not run a script with CR LF."""
    checkout = ["checkout-index", "--all", f"--prefix={tmp_path}/"]
    subprocess.run(["git", "-c", "core.autocrlf=true", *checkout], cwd=ROOT, check=True)
    command = ["git", "rev-parse", "--absolute-git-dir"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    listed = subprocess.run(
        ["git", f"--git-dir={done.stdout.strip()}", "--work-tree=.", "ls-files", "--eol"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    ends = [line.split() for line in listed.stdout.splitlines()]  # i/lf w/lf attr/... path
    assert len(ends) > 500
    assert [end for end in ends if end[0][2:] != end[1][2:] or "crlf" in end[0]] == []
