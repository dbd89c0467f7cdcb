"""Carries out steps one after the other, and knows what was done when one of them fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerctl import fleet, parameters
from layerctl.aws import explain
from layerctl.errors import StoppedError
from layerctl.planning import SetParameter, Step, UpdateFunction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from layerctl.aws import Aws

__all__ = ["StepsResult", "carry_out", "do", "stop_error"]


@dataclass(frozen=True, slots=True)
class StepsResult:
    """What became of the steps. `failed` was tried, and its effect is not known for certain."""

    done: tuple[Step, ...]
    failed: Step | None = None
    reason: str = ""
    left: tuple[Step, ...] = ()


def carry_out(steps: Sequence[Step], do: Callable[[Step], None]) -> StepsResult:
    """Do the steps in their order; stop at the first that fails, or at Ctrl-C."""
    for index, step in enumerate(steps):
        try:
            do(step)
        except KeyboardInterrupt:
            reason = "interrupted"
        except Exception as error:  # whatever it is, what was done must be told
            explained = explain(error)
            reason = str(explained or repr(error))
        else:
            continue
        return StepsResult(tuple(steps[:index]), step, reason, tuple(steps[index + 1 :]))
    return StepsResult(tuple(steps))


def do(aws: Aws, step: Step) -> None:
    """Do one step and wait until AWS says that it is in effect."""
    match step:
        case UpdateFunction(name, layers, revision):
            fleet.update_layers(aws, name, layers, revision)
        case SetParameter(parameter):
            parameters.write(aws, parameter)


def stop_error(outcome: StepsResult) -> StoppedError:
    """Return the error that an outcome with a failed step ends in."""
    total = len(outcome.done) + 1 + len(outcome.left)
    name = outcome.failed.name if outcome.failed else ""
    return StoppedError(
        f"stopped at {name}: {outcome.reason} ({len(outcome.done)} of {total} steps are done; "
        "the same command does the rest)"
    )
