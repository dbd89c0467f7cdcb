"""Small projects, one a shape: each is run by one command, as it is, and changed while clients are connected."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wslocal.client import Client

from .up_process import PROJECTS, Up


@dataclass(frozen=True)
class Shape:
    """A project: what is sent by one of two clients, what both get, and what is changed meanwhile.

    `edit` is a file, what stands there, and what replaces it; `then` is what both get after it.
    """

    name: str
    send: object
    get: object
    edit: tuple[str, str, str]
    then: object
    path: str = ""  # below the project, of what is run
    both_send: bool = False  # each gets its own message only
    options: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)


TEXT = {"action": "send", "text": "hello"}

SHAPES = [
    Shape(
        "sam_python",
        send={"message": "sendmessage", "data": "hello"},
        get="hello",
        edit=("sendmessage/app.py", "data.encode()", "data.upper().encode()"),
        then="HELLO",
    ),
    Shape(
        "sam_websocket_api",
        send=TEXT,
        get={"text": "hello"},
        edit=("src/chat/routes.py", "Data=json.dumps(message)", "Data=json.dumps(message).upper()"),
        then={"TEXT": "HELLO"},
    ),
    Shape(
        "callback_styles",
        send={"action": "variable"},
        get={"action": "variable"},
        edit=("src/echo.py", 'Data=event["body"]', 'Data="changed"'),
        then="changed",
        both_send=True,
    ),
    Shape(
        "custom_domain",
        send={"action": "echo"},
        get={"action": "echo"},
        edit=("src/echo.py", 'Data=event["body"]', 'Data="changed"'),
        then="changed",
        both_send=True,
    ),
    Shape(
        "two_apis",
        send={"action": "name"},
        get="quiz",
        edit=("template.yaml", "NAME: quiz", "NAME: riddle"),
        then="riddle",
        both_send=True,
        options=("--api", "quiz"),
    ),
]


@pytest.fixture
def project(tmp_path, shape):
    """Return a copy of the project, which a test may change."""
    shutil.copytree(PROJECTS / shape.name, tmp_path / shape.name)
    return tmp_path / shape.name


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def exchanged(shape: Shape, first: Client, second: Client) -> list[object]:
    """Send, and return what both clients get."""
    first.send(shape.send)
    if shape.both_send:
        second.send(shape.send)
    return [first.receive(30), second.receive(30)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_project_runs_unchanged_and_a_changed_handler_is_live_on_the_same_connections(
    project, shape
):
    with Up(project / shape.path, *shape.options) as up, ExitStack() as stack:
        first, second = (
            stack.enter_context(Client.connect(up.urls[0], query=shape.query)) for _ in range(2)
        )

        before = exchanged(shape, first, second)
        replace(project / shape.edit[0], *shape.edit[1:])
        up.wait_for("is live after")
        after = exchanged(shape, first, second)

    assert before == [shape.get, shape.get]
    assert after == [shape.then, shape.then]
    assert up.process.returncode == 0
