"""The commands of docs/layerctl.md run as they stand there, and its tables leave nothing out."""

import ast
import re
import shlex

import pytest

from .conftest import HANDLER, ROOT

PAGE = (ROOT / "docs" / "layerctl.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
OURS = ".venv/dev/bin/python -m layerctl "
ZIP = "shared-layer/shared-layer.zip"


@pytest.fixture(scope="module")
def greeter(cloud):
    return cloud.function("greeter", files={"app.py": HANDLER})


def test_page_has_commands():
    commands = [line for block in BLOCKS for line in block.splitlines()]

    assert commands[0] == "shared-layer/build.sh"
    assert len(commands) >= 9
    assert all(line.startswith(OURS) for line in commands[1:])


def test_commands_run_in_their_order(ctl, greeter, layer_zip):
    """The zip is the one that build.sh made for these tests."""
    lines = [line for block in BLOCKS for line in block.splitlines()][1:]

    results = [
        ctl(*shlex.split(line.removeprefix(OURS).replace(ZIP, str(layer_zip)))) for line in lines
    ]

    assert [result.exit_code for result in results] == [0] * len(lines)
    assert results[0].stdout.startswith("published SharedUtilsLayer:1, ")
    assert results[2].stdout == "healthy; looked at greeter\n"
    assert "greeter" in results[3].stdout


def test_every_finding_is_in_the_table():
    made = {code for path in (ROOT / "layerctl").glob("*.py") for code in codes(path.read_text())}
    table = PAGE.split("## What is wrong")[1].split("## Exit codes")[0]
    told = set(re.findall(r"`([a-z-]+)`(?=[^|]*\|[^|]*\|$)", table, re.MULTILINE))

    assert len(made) > 25
    assert told == made


def codes(source: str) -> set[str]:
    """Return the second argument of each `error` and `warning`, called or kept in a table."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and name_of(node.func) in ("error", "warning"):
            parts = ast.walk(node.args[1])
        elif (
            isinstance(node, ast.Tuple)
            and node.elts
            and name_of(node.elts[0]) in ("error", "warning")
        ):
            parts = [node.elts[1]]
        else:
            continue
        found |= {part.value for part in parts if isinstance(part, ast.Constant)} - {"python/"}
    return found


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
