"""The layer under CPython 3.14, which is there as WebAssembly: its bytecode, and messages by annotation.

Python 3.14 evaluates annotations when they are asked for (PEP 649), with `from __future__ import annotations`
they stay text (PEP 563): a message must mean the same either way, and the same as under the Python of
this run. `make long` runs the layer's own tests there, too.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import wasm_python

LAYER = Path(__file__).parent.parent / "shared-layer"

# Compiles the package as the build does, then imports it with a hook that sees what is compiled.
BYTECODE = """
import importlib, json, os, runpy, shutil, sys
shutil.copytree("/layer/python/shared_utils", "/opt/python/shared_utils", ignore=lambda *_: ["__pycache__"])
sys.argv = ["build.py", "--compile", "/opt/python/shared_utils", "/opt/python/shared_utils"]
runpy.run_path("/layer/build.py", run_name="__main__")
compiled = []
sys.addaudithook(lambda event, args: event == "compile" and compiled.append(str(args[1])))
sys.path.insert(0, "/opt/python")
import shared_utils
names = sorted(path[:-3] for path in os.listdir("/opt/python/shared_utils") if path.endswith(".py"))
modules = [importlib.import_module(f"shared_utils.{name}") for name in names if name != "__init__"]
print(json.dumps({
    "version": sys.version_info[:2],
    "compiled": [name for name in compiled if "/opt/" in name],
    "cached": sorted({module.__spec__.cached.partition("__pycache__/")[2].partition(".")[2] for module in modules}),
    "modules": len(modules),
    "docstrings": [module.__name__ for module in modules if not module.__doc__],
    "places": [shared_utils.Connections.send.__code__.co_filename],
}))
"""

MESSAGES = """
import enum
from decimal import Decimal
from typing import Annotated, Literal, Optional

from shared_utils import ClientMessage, Limits, Record, ServerMessage


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Point(Record):
    x: float
    y: Annotated[float, Limits(minimum=-1, maximum=1)] = 0.0


class DrawShape(ClientMessage):
    '''Draw on the board; the action is `drawShape`.'''

    roomId: Annotated[str, Limits(pattern="[a-z0-9-]{1,40}")]
    points: Annotated[list[Point], Limits(min_length=1, max_length=3)]
    colour: Colour = Colour.RED
    kind: Literal["line", "dot"] = "line"
    width: int | None = None
    label: Optional[Annotated[str, Limits(max_length=5)]] = None
    weights: dict[str, float] = {}
    quoted: "list[Point] | None" = None


class ShapeDrawnMessage(ServerMessage):
    shapeId: str
    centre: Point
"""
STYLES = {"lazy": MESSAGES, "text": f"from __future__ import annotations\n{MESSAGES}"}

# What is declared, taken, refused, answered and written, as JSON: the same under each Python.
BEHAVIOUR = """
import importlib, json, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import shared_utils
from shared_utils import json_schema, testing

shown = {
    "names": {name: type(getattr(shared_utils, name)).__name__ for name in shared_utils.__all__},
    "vocabulary": [json_schema(m) for m in shared_utils.CLIENT_MESSAGES.values()]
    + [json_schema(m) for m in shared_utils.SERVER_MESSAGES.values()],
}
good = {"roomId": "a-1", "points": [{"x": 1, "y": 0.5}], "weights": {"a": 0.25}}
changes = [
    {}, {"points": []}, {"points": [{"x": "1"}]}, {"points": [{"x": 1, "y": 2}]}, {"colour": "green"},
    {"kind": "dot"}, {"kind": "box"}, {"width": 3}, {"width": True}, {"label": "123456"}, {"roomId": "a\\n"},
    {"weights": {"a": "b"}}, {"quoted": [{"x": 2}]}, {"quoted": 1}, {"other": 1},
]
for style in ("lazy", "text"):
    declared = importlib.import_module(style)
    handler = shared_utils.WebSocketHandler("Board", connections=testing.FakeConnections())

    @handler.route(declared.DrawShape)
    def draw(request):
        request.logger.info("Drawn", colour=request.message.colour)
        return declared.ShapeDrawnMessage(shapeId=repr(request.message), centre=request.message.points[0])

    answers = []
    with testing.capture_lines() as lines:
        for change in changes:
            body = {"action": "drawShape"} | good | change
            answers.append(handler(testing.message_event(body), testing.FakeContext()))
    shown[style] = {
        "schemas": [json_schema(declared.DrawShape), json_schema(declared.ShapeDrawnMessage)],
        "answers": answers,
        "sent": [{**sent, "timestamp": 0} for _, sent in handler.connections.sent],
        "lines": [(line["level"], line["message"]) for line in lines if line["message"] != "Metrics"],
        "colours": [line["context"]["colour"] for line in lines if line["message"] == "Drawn"],
    }
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    for name, source in {"bytecode": BYTECODE, "behaviour": BEHAVIOUR, **STYLES}.items():
        (folder / f"{name}.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def new(folder):
    """Return what both scripts print under 3.14, in one process: to start one takes seconds."""
    (folder / "both.py").write_text(
        "import runpy, sys\nrunpy.run_path('/scripts/bytecode.py')\n"
        "sys.argv = ['', '/opt/python', '/scripts']\nrunpy.run_path('/scripts/behaviour.py')\n"
    )

    run = wasm_python.run("/scripts/both.py", folders={"/layer": LAYER, "/scripts": folder})

    assert run.returncode == 0, run.stderr
    bytecode, behaviour = run.stdout.splitlines()
    return json.loads(bytecode), json.loads(behaviour)


@pytest.fixture(scope="module")
def here(folder):
    command = [sys.executable, "-I", "-B", folder / "behaviour.py", LAYER / "python", folder]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_bytecode_of_3_14_is_used_and_keeps_what_the_layer_reads(new):
    modules = [path.stem for path in (LAYER / "python" / "shared_utils").glob("*.py")]

    assert new[0] == {
        "version": [3, 14],
        "compiled": [],
        "cached": ["cpython-314.pyc"],
        "modules": len(modules) - 1,
        "docstrings": [],
        "places": ["/opt/python/shared_utils/connections.py"],
    }


@pytest.mark.parametrize("part", ["names", "vocabulary", "lazy", "text"])
def test_layer_behaves_as_under_this_python(new, here, part):
    assert new[1][part] == here[part]


def test_messages_mean_the_same_with_annotations_as_text(new):
    assert new[1]["lazy"] == new[1]["text"]
    assert [row["statusCode"] for row in new[1]["lazy"]["answers"]].count(200) == 5


@pytest.mark.long
def test_script_that_fails_ends_with_its_error(folder):
    (folder / "fails.py").write_text("raise LookupError('on purpose')\n")

    run = wasm_python.run("/scripts/fails.py", folders={"/scripts": folder})

    assert run.returncode == 1
    assert "LookupError: on purpose" in run.stderr
    assert len(run.stderr) < 2000
