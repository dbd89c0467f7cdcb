"""What a command would change, as values; and what stands against it. Nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerctl.errors import COMMAND, RefusedError, WrongInputError
from layerctl.versions import layer_of, number_of, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from layerctl.fleet import FunctionConfiguration
    from layerctl.parameters import Parameter
    from layerctl.versions import LayerVersion

__all__ = [
    "MAX_LAYERS",
    "Plan",
    "SetParameter",
    "Step",
    "UpdateFunction",
    "attach",
    "attached",
    "parameter_steps",
    "refuse_owned",
    "refuse_unfit",
    "roll_back",
    "rollback_target",
]

# https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html
MAX_LAYERS = 5


@dataclass(frozen=True, slots=True)
class UpdateFunction:
    """Give a function other layers, if it is still at `revision`."""

    name: str
    layers: tuple[str, ...]
    revision: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SetParameter:
    """Give an SSM parameter another value."""

    parameter: Parameter
    before: str

    @property
    def name(self) -> str:
        """Return the parameter's name."""
        return self.parameter.name

    @property
    def after(self) -> str:
        """Return its new value, shortened if it is a version's ARN."""
        return _brief(self.parameter.value)


Step = UpdateFunction | SetParameter


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order, and the names of functions that need none."""

    steps: tuple[Step, ...]
    settled: tuple[str, ...] = ()


def attached(function: FunctionConfiguration, layer_arn: str) -> str:
    """Return the version of this layer that the function has, as its ARN, else ''."""
    return next((arn for arn in function.layers if arn.rpartition(":")[0] == layer_arn), "")


def attach(functions: Iterable[FunctionConfiguration], version_arn: str) -> Plan:
    """Plan to give each function this version: in the place of another one, else after the rest."""
    moves = [(function, _moved(function.layers, version_arn)) for function in functions]
    return Plan(
        tuple(
            _update(function, layers, version_arn)
            for function, layers in moves
            if layers != function.layers
        ),
        tuple(function.name for function, layers in moves if layers == function.layers),
    )


def roll_back(functions: Iterable[FunctionConfiguration], version_arn: str) -> Plan:
    """Plan to give this version to each function that has a newer one; no other one moves."""
    layer_arn, number = version_arn.rpartition(":")[0], number_of(version_arn)
    every = list(functions)
    newer = [one for one in every if (arn := attached(one, layer_arn)) and number_of(arn) > number]
    plan = attach(newer, version_arn)
    return Plan(plan.steps, tuple(one.name for one in every if one not in newer))


def rollback_target(
    functions: Sequence[FunctionConfiguration],
    versions: Sequence[LayerVersion],
    layer: str,
    to: int | None,
) -> LayerVersion:
    """Return the version to go back to: `to`, else the newest one below the newest in use.

    So a rollback that stopped half-way picks the same version when it is run again.
    """
    used = [arn for one in functions for arn in one.layers if layer_of(arn) == _name(layer)]
    if not used:
        have = sorted({short(arn) for one in functions for arn in one.layers}) or ["no layer"]
        raise WrongInputError(
            f"nothing to roll back: no function here has {layer}, but {', '.join(have)}; "
            "name the layer with --layer"
        )
    newest = max(map(number_of, used))
    older = [one for one in versions if (one.number == to if to else one.number < newest)]
    if not older:
        wanted = f"version {to}" if to else f"version before {newest}"
        raise WrongInputError(f"{layer} has no {wanted}: `{COMMAND} versions` lists those it has")
    return older[0]


def parameter_steps(wanted: Iterable[Parameter], values: Mapping[str, str]) -> tuple[Step, ...]:
    """Return a step for each parameter that has another value, or none."""
    return tuple(
        SetParameter(parameter, _brief(values.get(parameter.name, "")) or "none")
        for parameter in wanted
        if values.get(parameter.name) != parameter.value
    )


def refuse_owned(what: str, owner: str, stage: str, version: str = "") -> None:
    """Raise RefusedError if a CloudFormation stack owns `what`; name the way that lasts."""
    if not owner:
        return
    why = (
        "whose next deployment would undo this"
        if version
        else "which publishes the layer from its own sources"
    )
    context = [f"-c stage={stage}"] * bool(stage) + [f"-c layer_version_arn={version}"] * bool(
        version
    )
    command = " ".join(["cdk deploy", *context])
    raise RefusedError(
        f"{what} belongs to the stack {owner}, {why}: run `{command}`, or --force to do it now "
        "all the same"
    )


def refuse_unfit(
    functions: Iterable[FunctionConfiguration], version: LayerVersion, force: bool
) -> None:
    """Raise if one of the functions cannot have the version, or would not work with it."""
    layer_arn = version.arn.rpartition(":")[0]
    for function in functions:
        if function.package_type != "Zip":
            raise WrongInputError(
                f"{function.name} is a container image, which takes no layers: "
                "copy the package into the image"
            )
        if not attached(function, layer_arn) and len(function.layers) >= MAX_LAYERS:
            raise WrongInputError(
                f"{function.name} has {len(function.layers)} layers, and Lambda allows "
                f"{MAX_LAYERS}: detach one or merge two"
            )
        if not force and version.runtimes and function.runtime not in version.runtimes:
            raise RefusedError(
                f"{function.name} runs {function.runtime}, and {short(version.arn)} is for "
                f"{', '.join(version.runtimes)}: publish a version for it with "
                f"--runtime {function.runtime}, or --force"
            )


def _moved(layers: tuple[str, ...], version_arn: str) -> tuple[str, ...]:
    layer_arn = version_arn.rpartition(":")[0]
    ours = [arn for arn in layers if arn.rpartition(":")[0] == layer_arn]
    if not ours:
        return (*layers, version_arn)
    return tuple(version_arn if arn == ours[0] else arn for arn in layers if arn not in ours[1:])


def _update(
    function: FunctionConfiguration, layers: tuple[str, ...], version_arn: str
) -> UpdateFunction:
    before = attached(function, version_arn.rpartition(":")[0])
    return UpdateFunction(
        name=function.name,
        layers=layers,
        revision=function.revision,
        before=short(before) if before else "none",
        after=short(version_arn),
    )


def _brief(value: str) -> str:
    return short(value) if value.startswith("arn:") and value.count(":") == 7 else value


def _name(layer: str) -> str:
    return layer.split(":")[6] if layer.startswith("arn:") else layer
