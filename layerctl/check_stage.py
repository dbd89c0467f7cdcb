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
    recorded, number = values.get(f"{prefix}/arn", ""), values.get(f"{prefix}/version", "not there")
    move = f"{COMMAND} attach --stage {stage}"
    if len(used) > 1:
        message = f"its functions use {', '.join(map(short, used))}"
        yield warning(stage, "versions-differ", message, f"{move}, or rollback")
    for code, message in _parameter_faults(prefix, recorded, number, used):
        yield warning(stage, code, message, f"deploy the stack, or {move}")


def _parameter_faults(
    prefix: str, recorded: str, number: str, used: Sequence[str]
) -> Iterator[tuple[str, str]]:
    if not recorded:
        yield "parameter-missing", f"{prefix}/arn does not say which version to use"
        return
    if used and recorded not in used:
        have = ", ".join(map(short, used))
        yield "parameter-differs", f"{prefix}/arn names {recorded}, and its functions use {have}"
    if number != recorded.rpartition(":")[2]:
        yield (
            "parameters-disagree",
            f"{prefix}/version is {number}, and {prefix}/arn names {recorded}",
        )
