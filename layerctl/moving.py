"""`attach` and `rollback`: choose functions and a version, plan, carry out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerctl import doing, fleet, ownership, parameters, planning, show
from layerctl.errors import COMMAND, WrongInputError
from layerctl.planning import Plan, SetParameter
from layerctl.versions import list_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layerctl.aws import Aws
    from layerctl.fleet import FunctionConfiguration
    from layerctl.options import Names
    from layerctl.planning import Step
    from layerctl.versions import LayerVersion

__all__ = ["Move", "carry_out", "plan_attach", "plan_rollback", "select"]


@dataclass(frozen=True, slots=True)
class Move:
    """A plan and the ARN of the version that it moves to."""

    plan: Plan
    version: str


def plan_attach(
    aws: Aws, names: Names, chosen: Sequence[str], number: int | None, force: bool
) -> Move:
    """Plan to give the functions version `number`, else the newest."""
    functions = select(aws, names, chosen)
    rows = _versions(aws, names.layer)
    found = [row for row in rows if number in (None, row.number)]
    if not found:
        raise WrongInputError(
            f"{names.layer} has no version {number}: `{COMMAND} versions` lists them"
        )
    planning.refuse_unfit(functions, found[0], force)
    plan = planning.attach(functions, found[0].arn)
    return _finish(aws, names, functions, plan, found[0], force)


def plan_rollback(
    aws: Aws, names: Names, chosen: Sequence[str], number: int | None, force: bool
) -> Move:
    """Plan to move functions that have a newer version back to `number`, else to the one before."""
    functions = select(aws, names, chosen)
    rows = _versions(aws, names.layer)
    target = planning.rollback_target(functions, rows, names.layer, number)
    plan = planning.roll_back(functions, target.arn)
    planning.refuse_unfit([one for one in functions if one.name not in plan.settled], target, force)
    return _finish(aws, names, functions, plan, target, force)


def select(aws: Aws, names: Names, chosen: Sequence[str]) -> list[FunctionConfiguration]:
    """Return the functions that are named, or all of the stage."""
    if bool(chosen) == bool(names.stage):
        raise WrongInputError("name either functions (--function NAME) or a stage (--stage NAME)")
    if chosen:
        return [fleet.read_function(aws, name) for name in dict.fromkeys(chosen)]
    return fleet.functions_of_stage(aws, names.function_prefix)


def carry_out(aws: Aws, plan: Plan) -> None:
    """Do the plan's steps and show what was done; raise StoppedError if one failed."""
    report = show.progress(plan.steps)

    def act(step: Step) -> None:
        doing.do(aws, step)
        report("done", step)

    outcome = doing.carry_out(plan.steps, act)
    if outcome.failed:
        report("failed", outcome.failed)
        for step in outcome.left:
            report("not done", step)
        raise doing.stop_error(outcome)


def _finish(
    aws: Aws,
    names: Names,
    functions: Sequence[FunctionConfiguration],
    plan: Plan,
    version: LayerVersion,
    force: bool,
) -> Move:
    """Add the stage's parameters to the plan, and refuse what a stack owns."""
    steps = plan.steps
    if names.stage:
        wanted = parameters.in_use(names.parameters, version.arn)
        steps += planning.parameter_steps(wanted, parameters.read(aws, names.parameters))
    if not force:
        owned = {one.name: one.owner for one in functions}
        for step in steps:
            owner = (
                ownership.parameter_owner(aws, [step.name])
                if isinstance(step, SetParameter)
                else owned[step.name]
            )
            planning.refuse_owned(step.name, owner, names.stage, version.arn)
    return Move(Plan(steps, plan.settled), version.arn)


def _versions(aws: Aws, layer: str) -> list[LayerVersion]:
    rows = list_versions(aws, layer)
    if not rows:
        raise WrongInputError(
            f"there is no layer {layer} here: publish it, or name it with --layer"
        )
    return rows
