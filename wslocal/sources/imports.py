"""What a stack takes from elsewhere: exports of other stacks, and values that AWS looks up."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .parameters import values_of
from .project import ProjectError
from .values import Values

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from .project import Stack
    from .resources import Resources

__all__ = ["check_imports", "with_elsewhere"]

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
_LOOKED_UP = re.compile(r"\{\{resolve:(ssm|secretsmanager)(?:-secure)?:([^:}]+)[^}]*\}\}")
_MADE = {"AWS::SSM::Parameter": "ssm", "AWS::SecretsManager::Secret": "secretsmanager"}
_ANY_EXPORT = "export of any name"  # of a stack with an export whose name only AWS knows


def with_elsewhere(stacks: Iterable[Stack]) -> Iterator[Stack]:
    """Yield the stacks, each with what those before it export and keep."""
    known: set[str] = set()
    for stack in stacks:
        yield replace(stack, elsewhere=frozenset(known))
        values = Values(stack.template, values_of(stack.template, stack.parameters), stack.name)
        for output in (stack.template.get("Outputs") or {}).values():
            if "Export" in output:
                name = values.value(output["Export"].get("Name"))
                known.add(_ANY_EXPORT if name is None else f"export {name}")
        known |= set(_made(stack.template["Resources"], values))


def _made(resources: dict[str, Any], values: Values) -> Iterator[str]:
    for resource in resources.values():
        if resource["Type"] in _MADE:
            name = values.value(resource.get("Properties", {}).get("Name"))
            yield f"{_MADE[resource['Type']]} {name}"


def check_imports(resources: Resources, elsewhere: Collection[str]) -> None:
    """Raise ProjectError, with the resource's name, for what is neither `elsewhere` nor in the stack.

    What only a deployed resource knows is left to the emulator.
    """
    known = {*elsewhere, *_made(resources.active(), resources.values)}
    for name, resource in resources.active().items():
        properties = resource.get("Properties", {})
        for value in _imports(properties):
            export = resources.values.value(value)
            if isinstance(export, str) and not known & {f"export {export}", _ANY_EXPORT}:
                raise _missing(name, properties, export, "exports of other stacks")
        for service, looked_up in _LOOKED_UP.findall(str(properties)):
            if "${" not in looked_up and f"{service} {looked_up}" not in known:
                raise _missing(name, properties, looked_up, service)


def _missing(name: str, properties: dict[str, Any], what: str, service: str) -> ProjectError:
    variables = properties.get("Environment", {}).get("Variables", {})
    named = [key for key, value in variables.items() if what in str(value)]
    do = (
        f"give its variable yourself with --env {named[0]}=VALUE"
        if named
        else f"--leave-out {name}"
    )
    return ProjectError(f"{name} takes {what} from {service}, which are not on this machine: {do}")


def _imports(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _imports(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "Fn::ImportValue":
                yield one
            else:
                yield from _imports(one)
