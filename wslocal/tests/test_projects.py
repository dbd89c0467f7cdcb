"""Small projects, one a shape: each is run by one command, as it is, and changed while clients are connected."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import wslocal
from wslocal.client import HandshakeRefusedError, WebSocketClient

from .built_projects import PROJECTS, pack, packaged, synthesized
from .up_process import Up

pytestmark = pytest.mark.slow

# Of events that pass through queues and streams.
PATIENCE_SECONDS = 30.0


class Step(NamedTuple):
    """One of two clients, ann and ben, sends a message; then these get these.

    Of an object, what is written here is compared, and the rest is anything.
    """

    sender: str
    message: object
    received: dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """A project, what happens in it, what is changed meanwhile, and what happens after that.

    `edit` is a file, what stands there once, and what replaces it.
    """

    name: str
    before: Step
    edit: tuple[str, str, str]
    after: Step
    apis: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)


def said(text: str, key: str = "text") -> dict[str, dict[str, str]]:
    return {"ann": {key: text}, "ben": {key: text}}


# What such a project does, other files show of its parts, and these of some of it: test_testing.py, test_up.py,
# test_conformance_names.py, test_conformance_events.py.
REPEATS = pytest.mark.long
SHAPES = [
    Shape(
        "sam_python",
        Step("ann", {"message": "sendmessage", "data": "hello"}, {"ann": "hello", "ben": "hello"}),
        ("sendmessage/app.py", "data.encode()", "data.upper().encode()"),
        Step("ben", {"message": "sendmessage", "data": "hello"}, {"ann": "HELLO", "ben": "HELLO"}),
    ),
    pytest.param(
        Shape(
            "sam_websocket_api",
            Step("ann", {"action": "send", "text": "hello"}, said("hello")),
            ("src/chat/routes.py", 'json.loads(event["body"])["text"]', '"changed"'),
            Step("ann", {"action": "send", "text": "hello"}, said("changed")),
        ),
        marks=REPEATS,
    ),
    Shape(
        "cloudformation_plain",
        Step(
            "ann",
            {"action": "send", "text": "hello"},
            {"ann": {"sent": 1}, "ben": {"text": "hello"}},
        ),
        ("send/app.py", '["text"]\n', '["text"].upper()\n'),
        Step(
            "ben",
            {"action": "send", "text": "hello"},
            {"ann": {"text": "HELLO"}, "ben": {"sent": 1}},
        ),
    ),
    pytest.param(
        Shape(
            "callback_styles",
            Step("ann", {"action": "variable"}, {"ann": {"action": "variable"}}),
            ("src/echo.py", 'Data=event["body"]', 'Data="changed"'),
            Step("ben", {"action": "event"}, {"ben": "changed"}),
        ),
        marks=REPEATS,
    ),
    pytest.param(
        Shape(
            "custom_domain",
            Step("ann", {"action": "echo"}, {"ann": {"action": "echo"}}),
            ("src/echo.py", 'Data=event["body"]', 'Data="changed"'),
            Step("ben", {"action": "echo"}, {"ben": "changed"}),
        ),
        marks=REPEATS,
    ),
    pytest.param(
        Shape(
            "two_apis",
            Step("ann", {"action": "name"}, {"ann": "quiz"}),
            ("template.yaml", "NAME: quiz", "NAME: riddle"),
            Step("ben", {"action": "name"}, {"ben": "riddle"}),
            apis=("quiz",),
        ),
        marks=REPEATS,
    ),
    pytest.param(
        Shape(
            "functions_invoke_functions",
            Step(
                "ann", {"action": "price", "item": "apple"}, {"ann": {"item": "apple", "price": 3}}
            ),
            ("src/prices.py", '"apple": 3', '"apple": 5'),
            Step(
                "ben", {"action": "price", "item": "apple"}, {"ben": {"item": "apple", "price": 5}}
            ),
        ),
        marks=REPEATS,
    ),
    pytest.param(
        Shape(
            "layer",
            Step("ann", {"action": "join", "room": "red"}, {"ann": {"room": "red", "members": 1}}),
            ("layer/python/rooms/members.py", "put_item(Item={", 'put_item(Item={"by": "edit", '),
            Step(
                "ben",
                {"action": "join", "room": "red"},
                {"ann": {"members": 2, "room": "red"}, "ben": {"members": 2, "room": "red"}},
            ),
        ),
        marks=REPEATS,
    ),
    Shape(
        "sqs",
        Step("ann", "hello", {"ann": {"done": "HELLO"}}),
        ("src/work.py", '["text"].upper()', '["text"].title()'),
        Step("ben", "hello", {"ben": {"done": "Hello"}}),
    ),
    pytest.param(
        Shape(
            "dynamodb_stream",
            Step("ann", {"action": "note", "text": "hello"}, said("hello", "note")),
            ("src/show.py", '{"note": text}', '{"note": text.upper()}'),
            Step("ben", {"action": "note", "text": "hello"}, said("HELLO", "note")),
        ),
        marks=REPEATS,
    ),
    # npm installs the SDK for JavaScript, unless the cache has it: Lambda's Node has it.
    pytest.param(
        Shape(
            "sam_node",
            Step(
                "ann", {"action": "sendmessage", "data": "hello"}, {"ann": "hello", "ben": "hello"}
            ),
            ("src/sendmessage.js", "Data: data", "Data: data.toUpperCase()"),
            Step(
                "ben", {"action": "sendmessage", "data": "hello"}, {"ann": "HELLO", "ben": "HELLO"}
            ),
            flags=("install", "any_node"),
        ),
        marks=pytest.mark.long,
    ),
]


def name_of(shape: Shape) -> str:
    return shape.name


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


class Clients:
    """ann and ben, connected to the first API."""

    def __init__(self, stack: ExitStack, url: str, query: dict[str, str]) -> None:
        self._clients = {
            name: stack.enter_context(WebSocketClient.connect(url, query=query))
            for name in ("ann", "ben")
        }

    def exchange(self, step: Step) -> dict[str, Any]:
        """Have a message sent, and return what of the messages is in the step."""
        self._clients[step.sender].send(step.message)
        return {
            name: _part(self._clients[name].receive(PATIENCE_SECONDS), wanted)
            for name, wanted in step.received.items()
        }


def _part(message: Any, wanted: Any) -> Any:
    if isinstance(message, dict) and isinstance(wanted, dict):
        return {key: message.get(key) for key in wanted}
    return message


@pytest.mark.parametrize("shape", SHAPES, ids=name_of)
def test_project_runs_unchanged_and_a_change_is_live_on_the_same_connections(tmp_path, shape):
    """In this process, which has imported what a command would import anew."""
    project = shutil.copytree(PROJECTS / shape.name, tmp_path / shape.name)
    flags = dict.fromkeys(shape.flags, True)
    with wslocal.run(project, apis=shape.apis, **flags) as api, ExitStack() as stack:
        clients = Clients(stack, api.url, shape.query)

        before = clients.exchange(shape.before)
        replace(project / shape.edit[0], *shape.edit[1:])
        api.reload()
        after = clients.exchange(shape.after)

    assert before == shape.before.received
    assert after == shape.after.received


@pytest.mark.long
@pytest.mark.parametrize("shape", SHAPES, ids=name_of)
def test_project_is_run_by_one_command(tmp_path, shape):
    project = shutil.copytree(PROJECTS / shape.name, tmp_path / shape.name)
    options = [f"--{flag.replace('_', '-')}" for flag in shape.flags]
    options += [word for name in shape.apis for word in ("--api", name)]
    with Up(project, *options) as up, ExitStack() as stack:
        clients = Clients(stack, up.urls[0], shape.query)

        before = clients.exchange(shape.before)
        replace(project / shape.edit[0], *shape.edit[1:])
        up.wait_for("is live after")
        after = clients.exchange(shape.after)

    assert before == shape.before.received
    assert after == shape.after.received
    assert up.process.returncode == 0


@pytest.mark.long
def test_build_that_comes_while_the_project_runs_is_run_and_one_that_goes_is_not(tmp_path):
    """As `sam build` does it: the template is written last. What is run is said, and a source that is not is not."""
    project = shutil.copytree(PROJECTS / "callback_styles", tmp_path / "styles")
    made, source = tmp_path / "made", project / "src" / "echo.py"
    shutil.copytree(project / "src", made / "ByEvent")
    text = (project / "template.yaml").read_text().replace("CodeUri: src", "CodeUri: ByEvent")
    build = project / ".aws-sam" / "build"
    with Up(project, cwd=project) as up:
        assert up.lines[-1] == "A changed file becomes live. Ctrl-C ends it."
        shutil.copytree(made, build)
        (build / "template.yaml").write_text(text)
        up.wait_for(f"note: styles is run from {build}: run `sam build` after a change")
        replace(source, "import os\n", "import os  # another\n")
        replace(build / "ByEvent" / "echo.py", "import os\n", "import os  # built anew\n")
        # "and 1 more" follows if the template was written a twentieth of a second before, or less.
        up.wait_for(".aws-sam/build/ByEvent/echo.py")
        shutil.rmtree(project / ".aws-sam")
        up.wait_for("the removal of .aws-sam/build")
        replace(source, "# another", "# once more")
        up.wait_for("src/echo.py is live after")

    said = [line for line in up.lines if " live" in line]
    assert sum("src/echo.py" in line for line in said) == 1
    assert [line for line in said if ".aws-sam/build/template.yaml is live after" in line]


def test_service_of_the_serverless_framework_asks_its_authorizer(tmp_path):
    """Its package is run: what the framework packages anew is live."""
    project = packaged(tmp_path / "authorized-chat")
    first = Step(
        "ann", {"action": "send", "text": "hello"}, {"ann": {"sent": 1}, "ben": {"from": "ann"}}
    )
    second = Step("ben", first.message, {"ann": {"from": "ann!"}, "ben": {"sent": 1}})
    with Up(project) as up, ExitStack() as stack:
        with pytest.raises(HandshakeRefusedError, match="status 401"):
            WebSocketClient.connect(up.urls[0], query={"token": "nobody's"})
        clients = Clients(stack, up.urls[0], {"token": "let-me-in-ann"})

        before = clients.exchange(first)
        code = project / "src" / "chat.py"
        replace(code, '["principalId"],', '["principalId"] + "!",')
        pack(project)
        up.wait_for("is live after")
        after = clients.exchange(second)

    assert before == first.received
    assert after == second.received


@pytest.mark.long
def test_cdk_app_of_two_stacks(tmp_path):
    """What `cdk synth` writes is run; one stack uses what the other exports."""
    project = synthesized(tmp_path / "two_stacks")
    with Up(project) as up, ExitStack() as stack:
        clients = Clients(stack, up.urls[0], {})
        step = Step(
            "ann",
            {"action": "send", "text": "hello"},
            {"ann": {"sent": 1}, "ben": {"text": "hello"}},
        )

        assert clients.exchange(step) == step.received
