"""The gateway stays small, and what decides stays apart from what touches the world."""

import ast
from pathlib import Path

import pytest

GATEWAY = Path(__file__).parent.parent / "local" / "gateway"
SHELL = {"asyncio", "socket", "websockets", "boto3", "botocore"}


def imports(path):
    """Return the top-level names of the modules that a file imports at run time."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return {name if name.startswith(".") else name.partition(".")[0] for name in names}


def test_gateway_is_small():
    """Blank lines do not count: the formatter sets them."""
    lines = [line for path in GATEWAY.glob("*.py") for line in path.read_text().splitlines()]

    assert len([line for line in lines if line.strip()]) < 1000


@pytest.mark.parametrize("name", ["answers", "events", "limits"])
def test_what_decides_touches_nothing(name):
    assert not imports(GATEWAY / f"{name}.py") & SHELL


@pytest.mark.parametrize("name", ["answers", "events", "limits", "definition", "access", "server"])
def test_nobody_imports_what_ties_them_together(name):
    assert ".local_api" not in imports(GATEWAY / f"{name}.py")
