"""What may import what: the package nothing of this repository's, and what decides no socket."""

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent
GATEWAY = PACKAGE / "gateway"
SHELL = {"asyncio", "socket", "websockets", "boto3", "botocore"}
OURS = {"shared_utils", "broadcast", "handlers", "infrastructure", "layerctl", "local", "tools"}
SOURCES = [path for path in PACKAGE.rglob("*.py") if "tests" not in path.parts]


def imports(path, nodes=lambda tree: tree.body):
    """Return the top-level names of the modules that a file imports, at run time unless walked."""
    names = set()
    for node in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return {name if name.startswith(".") else name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_package_stands_alone(path):
    assert not imports(path, ast.walk) & OURS


@pytest.mark.parametrize("name", ["answers", "authorizers", "events", "limits"])
def test_what_decides_touches_nothing(name):
    assert not imports(GATEWAY / f"{name}.py") & SHELL


@pytest.mark.parametrize("path", [*(PACKAGE / "sources").glob("*.py")], ids=lambda path: path.stem)
def test_sources_are_read_from_files_alone(path):
    assert not imports(path) & SHELL


@pytest.mark.parametrize(
    "name",
    [
        *("batches", "errors", "invoke_requests", "lineage", "mappings", "patterns"),
        *("queue_records", "stream_records"),
    ],
)
def test_what_decides_of_events_touches_nothing(name):
    assert not imports(PACKAGE / "events" / f"{name}.py") & SHELL


@pytest.mark.parametrize(
    "name", ["answers", "authorizers", "events", "limits", "definition", "server"]
)
def test_nobody_imports_what_ties_them_together(name):
    assert ".local_api" not in imports(GATEWAY / f"{name}.py")


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*build, "-w", tmp_path, PACKAGE], check=True, env={**os.environ, "PIP_NO_INDEX": "1"}
    )
    [wheel] = tmp_path.glob("wslocal-*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    packed = {name for name in names if ".dist-info/" not in name}
    sources = {f"wslocal/{path.relative_to(PACKAGE).as_posix()}" for path in SOURCES}
    scripts = {
        f"wslocal/{path.relative_to(PACKAGE).as_posix()}"
        for path in (PACKAGE / "lambda_host").glob("*.[cm]js")
    }
    assert scripts
    assert packed == sources | scripts | {"wslocal/py.typed"}
