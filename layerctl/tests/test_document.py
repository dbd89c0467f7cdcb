"""The commands of the README run as they stand there, and its tables leave nothing out."""

import ast
import re
import shlex
from pathlib import Path

import pytest

import shared_utils

from .conftest import HANDLER, ROOT

PAGE = (ROOT / "layerctl" / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
OURS = "layerctl "
ZIP = f"dist/shared-layer-{shared_utils.__version__}.zip"


@pytest.fixture(scope="module")
def greeter(cloud):
    return cloud.function("greeter", files={"app.py": HANDLER})


def test_page_has_commands():
    commands = [line for block in BLOCKS for line in block.splitlines()]

    assert len(commands) >= 8
    assert all(line.startswith(OURS) for line in commands)


def test_commands_run_in_their_order(ctl, greeter, layer_zip):
    """The zip is the one that build.sh made for these tests."""
    lines = [line for block in BLOCKS for line in block.splitlines()]

    results = [
        ctl(*shlex.split(line.removeprefix(OURS).replace(ZIP, str(layer_zip)))) for line in lines
    ]

    assert [result.exit_code for result in results] == [0] * len(lines)
    assert results[0].stdout.startswith("published SharedUtilsLayer:1, ")
    assert results[2].stdout == "healthy; looked at greeter\n"
    assert "greeter" in results[3].stdout
    assert "us-east-1  unchanged, made public " in results[4].stdout


def rights(command: str) -> list[str]:
    """Return the actions that the page names for a command, without and with a stage."""
    table = PAGE.split("## Rights")[1].splitlines()
    [row] = [row for row in table if f"`{command}`" in row.split(" | ")[0]]
    same = rights("publish") if command == "publish --public" else ["lambda:ListLayers"]
    # The emulator asks for the name of another action here.
    return [*re.findall(r"`([a-z]+:[A-Za-z]+)`", row), *same]


def test_rights_on_the_page_are_enough(ctl, cloud, layer_zip, newer_zip):
    """IAM is enforced: each command runs as a user who has these rights only."""
    stage = cloud.name("r")
    cloud.function(f"websocket-audio-{stage}-audio", files={"app.py": HANDLER})
    commands = {
        "publish": (("publish", layer_zip), ("publish", newer_zip)),
        "publish --public": (("publish", newer_zip, "--public", "--yes"),),
        "attach": (("attach", "--yes"),),
        "rollback": (("rollback", "--yes"),),
        "versions": (("versions",),),
        "doctor": (("doctor",),),
    }
    users = {
        command: cloud.user(f"{stage}-{command.replace(' --', '-')}", *rights(command))
        for command in commands
    }

    results = [
        ctl(*arguments, "--stage", stage, **users[command])
        for command, runs in commands.items()
        for arguments in runs
    ]

    assert [result.output for result in results if result.exit_code] == []


def test_every_finding_is_in_the_table():
    made = {code for path in (ROOT / "layerctl").glob("*.py") for code in codes(path.read_text())}
    table = PAGE.split("## What is wrong")[1].split("## Exit codes")[0]
    documented = set(re.findall(r"`([a-z-]+)`(?=[^|]*\|[^|]*\|$)", table, re.MULTILINE))

    assert len(made) > 40
    assert documented == made


def test_every_finding_of_the_table_has_a_test():
    """Each stands, by its level or as a literal, in a test that plants the fault."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    table = PAGE.split("## What is wrong")[1].split("## Exit codes")[0]
    documented = set(re.findall(r"`([a-z-]+)`(?=[^|]*\|[^|]*\|$)", table, re.MULTILINE))

    shown = set(re.findall(r"""["' ]([a-z]+(?:-[a-z]+)*)["']""", tests))

    assert documented - shown == set()


def codes(source: str) -> set[str]:
    """Return the codes in calls of `error` and `warning`, in tables of them, and in what is yielded."""
    return {
        part.value
        for node in ast.walk(ast.parse(source))
        if (place := code_in(node))
        for part in ast.walk(place)
        if isinstance(part, ast.Constant) and re.fullmatch("[a-z]+(-[a-z]+)*", part.value)
    }


def code_in(node: ast.AST) -> ast.expr | None:
    """Return the part of a node that is, or chooses, a finding's code."""
    match node:
        case ast.Call(func=ast.Name("error" | "warning") | ast.IfExp(), args=[_, code, *_]):
            return code
        case ast.Tuple(elts=[ast.Name("error" | "warning"), code, *_]):
            return code
        case ast.Yield(value=ast.Tuple(elts=[code, *_])):
            return code
    return None
