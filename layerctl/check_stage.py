"""What can be wrong between the functions of a stage, and between them and its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerctl.check_function import holder
from layerctl.errors import COMMAND
from layerctl.findings import warning
from layerctl.versions import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from layerctl.findings import Finding, FunctionFacts

__all__ = ["check_stage"]


def check_stage(
    stage: str,
    facts: Sequence[FunctionFacts],
    package: str,
    prefix: str,
    values: Mapping[str, str],
) -> Iterator[Finding]:
    """Check that all functions use one version, the one that the parameters name."""
    used = sorted({layer.arn for one in facts if (layer := holder(one, package))})
    if len(used) > 1:
        yield warning(
            stage,
            "versions-differ",
            f"its functions use {', '.join(map(short, used))}",
            f"{COMMAND} attach --stage {stage}, or rollback",
        )
    told = values.get(f"{prefix}/arn", "")
    if not told:
        yield warning(
            stage,
            "parameter-missing",
            f"{prefix}/arn does not say which version to use",
            f"deploy the stack, or {COMMAND} attach --stage {stage}",
        )
    elif used and told not in used:
        yield warning(
            stage,
            "parameter-differs",
            f"{prefix}/arn names {told}, and its functions use {', '.join(map(short, used))}",
            f"deploy the stack, or {COMMAND} attach --stage {stage}",
        )
    if told and values.get(f"{prefix}/version") != told.rpartition(":")[2]:
        yield warning(
            stage,
            "parameters-disagree",
            f"{prefix}/version is {values.get(f'{prefix}/version', 'not there')}, and "
            f"{prefix}/arn names {told}",
            f"deploy the stack, or {COMMAND} attach --stage {stage}",
        )
