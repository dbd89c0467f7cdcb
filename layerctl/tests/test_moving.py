"""Functions move to a version and back; what was done is told, and the same command does the rest."""

import re

import pytest
from botocore.stub import Stubber

from layerctl import doing, fleet, planning
from layerctl.aws import Aws
from layerctl.fleet import FunctionConfiguration
from layerctl.parameters import Parameter
from layerctl.planning import SetParameter, UpdateFunction
from layerctl.versions import LayerVersion

MODULES = ("audio", "control", "session")
ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:"


def function(name: str, *layers: str, **changes: str) -> FunctionConfiguration:
    fields = {
        "runtime": "python3.13",
        "handler": "app.handler",
        "architecture": "arm64",
        "package_type": "Zip",
        "revision": f"revision-{name}",
        "state": "Active",
        "update_status": "Successful",
        "update_reason": "",
        "code_sha256": "",
        "owner": "",
    }
    return FunctionConfiguration(
        name=name, layers=tuple(ARN + layer for layer in layers), **(fields | changes)
    )


def version(number: int, *runtimes: str) -> LayerVersion:
    return LayerVersion(f"{ARN}L:{number}", number, "", "", runtimes, ())


@pytest.fixture
def stage(cloud, layer_zip, newer_zip):
    """Return a stage of three functions on the first of two versions."""
    name = cloud.name("s")
    old = cloud.publish(f"SharedUtilsLayer-{name}", layer_zip.read_bytes())
    cloud.publish(f"SharedUtilsLayer-{name}", newer_zip.read_bytes())
    for module in MODULES:
        cloud.function(f"websocket-audio-{name}-{module}", (old,))
    return name


def numbers(cloud, stage):
    return {
        module: cloud.layers(f"websocket-audio-{stage}-{module}")[0].rpartition(":")[2]
        for module in MODULES
    }


def test_stage_moves_forward_and_back(ctl, cloud, stage):
    forward = ctl("attach", "--stage", stage, "--yes")
    after_forward = numbers(cloud, stage), cloud.values(f"/websocket-audio/{stage}/layer")
    back = ctl("rollback", "--stage", stage, "--yes")

    assert forward.exit_code == 0, forward.output
    assert after_forward[0] == {"audio": "2", "control": "2", "session": "2"}
    assert after_forward[1]["version"] == "2"
    assert back.exit_code == 0, back.output
    assert numbers(cloud, stage) == {"audio": "1", "control": "1", "session": "1"}
    assert cloud.values(f"/websocket-audio/{stage}/layer")["version"] == "1"


def test_plan_is_shown_and_nothing_happens_without_consent(ctl, cloud, stage):
    result = ctl("attach", "--stage", stage, answer="n\n")

    assert result.exit_code == 2
    assert f"Attach SharedUtilsLayer-{stage}:2:" in result.stdout
    assert f"websocket-audio-{stage}-control" in result.stdout
    assert result.stderr.endswith("layerctl: nothing was changed\n")
    assert numbers(cloud, stage) == {"audio": "1", "control": "1", "session": "1"}


def test_without_a_terminal_the_answer_is_no(ctl, cloud, stage):
    result = ctl("attach", "--stage", stage)

    assert result.exit_code == 2
    assert "nothing was changed; --yes goes on without asking" in result.stderr


def test_move_stops_at_the_first_failure_and_is_finished_by_running_it_again(
    ctl, cloud, stage, monkeypatch
):
    """Someone changes the second function after the plan was made: its revision differs."""
    read = fleet.read_function

    def read_then_meddle(aws, name):
        found = read(aws, name)
        if name.endswith("-control"):
            cloud.functions.update_function_configuration(FunctionName=name, Description="mine")
        return found

    monkeypatch.setattr(fleet, "read_function", read_then_meddle)
    stopped = ctl("attach", "--stage", stage, "--yes")
    between = numbers(cloud, stage)
    monkeypatch.undo()
    names = [f"websocket-audio-{stage}-{module}" for module in MODULES]
    rows = [re.split("  +", line) for line in stopped.stdout.splitlines()[-5:]]

    assert stopped.exit_code == 1
    assert between == {"audio": "2", "control": "1", "session": "1"}
    assert [row[0] for row in rows] == ["done", "failed", "not done", "not done", "not done"]
    assert [row[1] for row in rows[:3]] == names
    assert stopped.stderr == (
        f"layerctl: stopped at {names[1]}: it was changed by someone else since the plan was made: "
        "run this again to plan anew (1 of 5 steps are done; the same command does the rest)\n"
    )


def test_running_it_again_does_the_rest(ctl, cloud, stage):
    ctl(
        "attach",
        "--function",
        f"websocket-audio-{stage}-audio",
        "--layer",
        f"SharedUtilsLayer-{stage}",
        "--yes",
    )

    result = ctl("attach", "--stage", stage, "--yes")
    again = ctl("attach", "--stage", stage)

    assert f"nothing to do for websocket-audio-{stage}-audio" in result.stdout
    assert numbers(cloud, stage) == {"audio": "2", "control": "2", "session": "2"}
    assert again.exit_code == 0
    assert "->" not in again.stdout  # nothing is left, so nothing is asked


def test_attach_keeps_the_place_of_the_layer_among_others():
    """A later layer's files win, so the order is not ours to change."""
    plan = planning.attach([function("f", "A:1", "L:1", "B:1")], f"{ARN}L:2")

    [step] = plan.steps
    assert step.layers == (f"{ARN}A:1", f"{ARN}L:2", f"{ARN}B:1")
    assert (step.before, step.after, step.revision) == ("L:1", "L:2", "revision-f")


def test_attach_puts_a_new_layer_last():
    [step] = planning.attach([function("f", "A:1")], f"{ARN}L:2").steps

    assert step.layers == (f"{ARN}A:1", f"{ARN}L:2")
    assert step.before == "none"


def test_layer_whose_name_begins_alike_is_another_layer():
    [step] = planning.attach([function("f", "L-dev:7")], f"{ARN}L:2").steps

    assert step.layers == (f"{ARN}L-dev:7", f"{ARN}L:2")


def test_rollback_never_moves_a_function_forward():
    every = [function("new", "L:3"), function("old", "L:1"), function("none", "A:1")]

    plan = planning.roll_back(every, f"{ARN}L:2")

    assert [step.name for step in plan.steps] == ["new"]
    assert plan.settled == ("old", "none")


def test_rollback_goes_below_the_newest_in_use():
    """Half-way done, 3 is still in use: the target is the same as at first."""
    half = [function("moved", "L:2"), function("left", "L:3")]
    versions = [version(4), version(3), version(2), version(1)]

    assert planning.rollback_target(half, versions, "L", None).number == 2
    assert planning.rollback_target(half[:1], versions, "L", None).number == 1
    assert planning.rollback_target(half, versions, "L", 1).number == 1


def test_rollback_skips_deleted_versions():
    target = planning.rollback_target([function("f", "L:3")], [version(3), version(1)], "L", None)

    assert target.number == 1


def test_parameters_that_have_their_value_are_left_alone():
    wanted = [Parameter("/p/arn", f"{ARN}L:2"), Parameter("/p/version", "2")]

    steps = planning.parameter_steps(wanted, {"/p/arn": f"{ARN}L:1", "/p/version": "2"})

    assert steps == (SetParameter(Parameter("/p/arn", f"{ARN}L:2"), "L:1"),)
    assert steps[0].after == "L:2"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("odd")])
def test_whatever_stops_it_what_was_done_is_reported(error):
    steps = [UpdateFunction(name, (), "", "L:1", "L:2") for name in "abc"]

    def fail_at_b(step):
        if step.name == "b":
            raise error

    outcome = doing.carry_out(steps, fail_at_b)

    assert outcome.done == (steps[0],)
    assert outcome.failed == steps[1]
    assert outcome.left == (steps[2],)
    assert "stopped at b: " in str(doing.stop_error(outcome))
    assert "(1 of 3 steps are done; the same command does the rest)" in str(
        doing.stop_error(outcome)
    )


def test_update_that_fails_is_a_failure():
    """As AWS reports it; the emulator's updates never fail."""
    aws = Aws(region="eu-west-1")
    failed = {"Configuration": {"LastUpdateStatus": "Failed", "FunctionName": "f"}}

    with Stubber(aws.functions) as stub:
        stub.add_response("update_function_configuration", {})
        stub.add_response("get_function", failed)
        outcome = doing.carry_out(
            [UpdateFunction("f", (f"{ARN}L:2",), "r", "L:1", "L:2")],
            lambda step: doing.do(aws, step),
        )

    assert outcome.done == ()
    assert "look at the function's last update, then run it again" in outcome.reason
