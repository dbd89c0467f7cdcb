"""The parameters of templates: which values they get, and who may give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .constraints import broken_constraint
from .project import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .project import Template

__all__ = ["check_names", "parameters_of", "settle_parameters", "values_of"]

# Its value is the name of a parameter of Systems Manager, whose value the template gets:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
_FROM_SSM = "AWS::SSM::Parameter::Value<"


def check_names(given: Mapping[str, str], templates: Mapping[str, Template]) -> None:
    """Raise ProjectError for a parameter that none of the stacks has; `templates` by a stack's name."""
    known = {name for template in templates.values() for name in template.get("Parameters") or {}}
    known |= {
        f"{stack}:{name}"
        for stack, template in templates.items()
        for name in template.get("Parameters") or {}
    }
    for name in given:
        if name not in known:
            raise ProjectError(f"there is no parameter {name}: the template has {_named(known)}")


def parameters_of(stack: str, template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """Return what of `given` is for this stack: by its own name, or as `STACK:NAME`, which wins."""
    names = template.get("Parameters") or {}
    own = {name: given[name] for name in names if name in given}
    return own | {name: given[f"{stack}:{name}"] for name in names if f"{stack}:{name}" in given}


def settle_parameters(
    template: Template, given: Mapping[str, str], ssm_names: Iterable[str] = ()
) -> dict[str, str]:
    """Return the value of each parameter: the one given, else its `Default`.

    ProjectError, by name, for one that has neither, for one that its template does not allow,
    and for one that Systems Manager would have to know: `ssm_names` are those that the project makes.
    A value that is given for such a parameter is the value itself, and changes its type in `template`.
    """
    parameters, values = template.get("Parameters") or {}, values_of(template, given)
    if missing := [name for name in parameters if name not in values]:
        given_so = " ".join(f"--parameter {name}=VALUE" for name in missing)
        raise ProjectError(
            f"the template wants a value for {_named(missing)}: give it with {given_so}"
        )
    for name, value in values.items():
        parameter = parameters[name]
        if str(parameter.get("Type", "String")).startswith(_FROM_SSM):
            _settle_ssm(name, parameter, value, name in given, frozenset(ssm_names))
        allowed = [_text(one) for one in parameter.get("AllowedValues") or []]
        wanted = f"one of {_named(allowed)}" if allowed and value not in allowed else None
        if wanted := wanted or broken_constraint(parameter, value):
            raise ProjectError(
                f"parameter {name} must be {wanted}: give it with --parameter {name}=VALUE"
            )
    return values


def values_of(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each parameter that is given or has a `Default`, unchecked."""
    return {
        name: _text(given.get(name, parameter.get("Default")))
        for name, parameter in (template.get("Parameters") or {}).items()
        if name in given or "Default" in parameter
    }


def _settle_ssm(
    name: str, parameter: dict[str, Any], value: str, given: bool, ssm_names: frozenset[str]
) -> None:
    if given:
        parameter["Type"] = parameter["Type"].removeprefix(_FROM_SSM).removesuffix(">")
    elif value not in ssm_names:
        raise ProjectError(
            f"parameter {name} is that of Systems Manager named {value}, which is not on this machine: "
            f"give its value with --parameter {name}=VALUE"
        )


def _text(value: object) -> str:
    """Return a value as CloudFormation writes it: `true`, not `True`; lists with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_text(one) for one in value)
    return "" if value is None else str(value)


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
