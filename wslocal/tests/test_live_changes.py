"""A project that is changed while it runs: what cannot be taken over leaves all as it was."""

from __future__ import annotations

import json
import re

import pytest

from wslocal import running
from wslocal.client import WebSocketClient
from wslocal.deploy import BUCKET, DeployError
from wslocal.gateway import ApiError
from wslocal.lambda_host import HostError
from wslocal.loop import LoopThread
from wslocal.running import RunningProject
from wslocal.sources import Project, ProjectError, Stack
from wslocal.watching import next_changes

from .small_template import CODE, function, part, permission, template, uri

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 30.0
BROKEN = "import nothing_of_this_name\n"
SECOND = CODE.replace("first", "second")


class Changing:
    """A project that runs, and a client of it; `stacks` are templates by name."""

    def __init__(self, loop: LoopThread, **stacks) -> None:
        self.stacks = stacks
        self._loop = loop
        self.project = loop.enter(RunningProject(self._read))
        [api] = self.project.apis.values()
        self.client = WebSocketClient.connect(api.url)

    def _read(self) -> Project:
        stacks = [Stack(name, one, {}, {}) for name, one in self.stacks.items()]
        return Project(tuple(stacks), ())

    def change(self, **stacks) -> list[str]:
        """Have these run in place of what ran."""
        self.stacks = stacks
        return self._loop.run(self.project.reload())

    def answer(self) -> str:
        """Send a message, and return the answer that comes."""
        self.client.send({"action": "say"})
        return self.client.receive(PATIENCE_SECONDS)

    def is_here(self, function: str) -> bool:
        """Return whether a function is deployed, by its logical id."""
        names = self.project.emulator.client("lambda").list_functions()["Functions"]
        short = {self.project.short_name(one["FunctionName"]) for one in names}
        return function in short


@pytest.fixture
def changing():
    with LoopThread() as loop:
        changing = Changing(loop, small=template())
        with changing.client:
            yield changing


def renamed(code: str = SECOND) -> dict:
    """Return what the function is to be under another name."""
    return {
        "Fn": None,
        "Other": function(code),
        "Permission": permission("Other"),
        "Integration": part(
            "Integration", IntegrationType="AWS_PROXY", IntegrationUri=uri("Other")
        ),
    }


ROUTE = template()["Resources"]["Route"]["Properties"]


@pytest.mark.parametrize(
    ("more", "error", "sentence"),
    [
        pytest.param(
            {"Fn": function(BROKEN), "Route": part("Route", **ROUTE | {"RouteKey": "other"})},
            HostError,
            "function Fn does not start: Runtime.ImportModuleError",
            id="function that does not start, and another route",
        ),
        pytest.param(
            {**renamed(), "Stage": part("Stage", StageName="prod")},
            ApiError,
            "there is no API .* with a stage dev",
            id="function and stage with other names",
        ),
        pytest.param(
            renamed(BROKEN),
            HostError,
            "function Other does not start: Runtime.ImportModuleError",
            id="new function that does not start",
        ),
        pytest.param(
            {
                "Fn": function(SECOND),
                "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": "nine"}},
            },
            DeployError,
            "stack small cannot be deployed: Queue: ",
            id="what the emulator refuses",
        ),
        pytest.param(
            {"Api": None, "Again": template()["Resources"]["Api"]}
            | {
                name: json.loads(json.dumps(one).replace('"Ref": "Api"', '"Ref": "Again"'))
                for name, one in template()["Resources"].items()
                if name not in {"Api", "Fn", "Role", "Permission"}
            },
            ProjectError,
            "the API Api, which runs, is not in the template any more: put it back, or start wslocal again",
            id="API with another name",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"Api": template()["Resources"]["Api"] | {"Condition": "Never"}},
            ProjectError,
            "the API Api, which runs, is not in the template any more",
            id="API whose condition does not hold",
            marks=pytest.mark.long,
        ),
    ],
)
def test_change_that_cannot_be_taken_over_is_undone(changing, more, error, sentence):
    with pytest.raises(error, match=sentence):
        changing.change(small=template(**more))

    assert changing.answer() == "first"
    assert changing.is_here("Fn")
    assert not changing.is_here("Other")
    # And the project goes on: what is mended becomes live.
    changing.change(small=template(Fn=function(SECOND)))
    assert changing.answer() == "second"


def test_change_that_cannot_be_undone_is_said_with_both_causes(changing):
    """Here its template has gone from the bucket."""
    s3 = changing.project.emulator.client("s3")
    for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        s3.delete_object(Bucket=BUCKET, Key=found["Key"])

    with pytest.raises(DeployError) as caught:
        changing.change(small=template(Fn=function(BROKEN)))

    assert re.fullmatch(
        "function Fn does not start: Runtime.ImportModuleError: .*; "
        "what ran before is not back: stack small is refused: .*",
        str(caught.value),
    )


def test_change_of_one_stack_is_undone_with_that_of_another(changing):
    """The first is deployed already when the second is refused, and a stack that is new goes."""
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": "nine"}}

    with pytest.raises(DeployError, match="stack queues cannot be deployed: Queue: "):
        changing.change(small=template(Fn=function(SECOND)), queues={"Resources": {"Queue": queue}})

    assert changing.answer() == "first"
    assert list(changing.project.outputs) == ["small"]
    queue["Properties"]["DelaySeconds"] = 9
    changing.change(small=template(Fn=function(SECOND)), queues={"Resources": {"Queue": queue}})
    assert changing.answer() == "second"
    assert list(changing.project.outputs) == ["small", "queues"]


def test_stack_that_is_no_more_is_deleted(changing):
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "waiting"}}
    changing.change(small=template(), queues={"Resources": {"Queue": queue}})
    sqs = changing.project.emulator.client("sqs")
    before = sqs.list_queues().get("QueueUrls", [])

    changing.change(small=template())

    assert [one.rpartition("/")[2] for one in before] == ["waiting"]
    assert sqs.list_queues().get("QueueUrls", []) == []


def test_function_that_is_renamed_is_said_by_its_logical_id(changing):
    assert changing.answer() == "first"

    assert changing.change(small=template(**renamed())) == ["Fn"]
    assert changing.answer() == "second"


def test_function_that_a_change_adds_is_started_before_it_is_live(changing):
    """As those are at the start: an API, a queue or a schedule leads to them."""
    added = {
        "Added": function(),
        "AddedPermission": permission("Added"),
        "AddedIntegration": part(
            "Integration", IntegrationType="AWS_PROXY", IntegrationUri=uri("Added")
        ),
        "AddedRoute": part(
            "Route", RouteKey="added", Target={"Fn::Sub": "integrations/${AddedIntegration}"}
        ),
    }

    changing.change(small=template(**added))

    running = {
        changing.project.short_name(one.name): one.environments
        for one in changing.project.functions.states()
    }
    assert running == {"Added": 1, "Fn": 1}


def test_function_that_is_reserved_no_environment_is_no_obstacle(changing):
    """Lambda throttles each of its events: a way to turn a function off."""
    changing.change(small=template(Fn=function(ReservedConcurrentExecutions=0)))
    refused = changing.answer()
    changing.change(small=template())

    assert refused["message"] == "Internal server error"
    assert changing.answer() == "first"


def test_build_that_is_not_done_is_waited_for(tmp_path, monkeypatch):
    """As when `cdk.out` is removed and synthesized anew: what is there meanwhile is no project."""
    folder = tmp_path / "cdk.out"
    manifest = folder / "manifest.json"
    seen = []

    async def build_meanwhile(watched, since, **more):
        seen.append(manifest.exists())
        if len(seen) == 2:  # the template was a change, and there was no manifest
            manifest.write_text("{}")
        return await next_changes(watched, since, **more)

    folder.mkdir()
    manifest.write_text("{}")
    stack = Stack("small", template(), {}, {})
    project = Project((stack,), (folder,), is_whole=manifest.is_file)
    monkeypatch.setattr(running, "next_changes", build_meanwhile)
    with LoopThread() as loop:
        run = loop.enter(RunningProject(lambda: project))
        manifest.unlink()
        (folder / "template.json").write_text("{}")

        loop.run(run.next_changes())

    assert seen == [False, False]
