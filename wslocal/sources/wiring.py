"""What a template refers to and does not have, or in a circle: CloudFormation refuses it before it makes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .project import ProjectError
from .references import depends_on, referred

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .project import Template
    from .resources import Resources

__all__ = ["check_wiring"]


def check_wiring(resources: Resources) -> None:
    """Raise ProjectError, with the resource's name, for what is not there, and for a circle."""
    template = resources.template
    known = {*template["Resources"], *(template.get("Parameters") or {})}
    for name, one in _referring(template):
        for missing in _missing(one, known):
            raise ProjectError(
                f"{name} refers to {missing}, which is neither a resource nor a parameter of the template: "
                "correct the name"
            )
        for condition in _conditions(one):
            if condition not in (template.get("Conditions") or {}):
                raise ProjectError(
                    f"{name} has the condition {condition}, which is not in the template's Conditions: "
                    "correct the name"
                )
    for name, resource in resources.active().items():
        for at in _not_mapped(resources.chosen_below(resource.get("Properties", {})), resources):
            raise ProjectError(
                f"{name} takes {at} from the template's Mappings, where it is not: add it, "
                "or give another parameter with --parameter"
            )
    if circle := _circle(resources):
        raise ProjectError(
            f"{' refers to '.join(circle)}: CloudFormation can make none of them first, so take one reference out"
        )


def _referring(template: Template) -> Iterator[tuple[str, Any]]:
    """Yield what may refer to something, by its name."""
    for section in ("Resources", "Outputs"):
        for name, one in (template.get(section) or {}).items():
            parts = ("Condition", "DependsOn", "Properties", "Value", "Export")
            yield name, {key: one[key] for key in parts if key in one}
    yield from (template.get("Conditions") or {}).items()


def _missing(one: Any, known: set[str]) -> Iterator[str]:
    for name in [*referred(one), *depends_on(one if isinstance(one, dict) else {})]:
        # With language extensions a name may be a function: the emulator makes it.
        if name not in known and not name.startswith(("AWS::", "{")):
            yield name


def _conditions(value: Any) -> Iterator[str]:
    """Yield the conditions that a value names, at any depth."""
    if isinstance(value, list):
        for one in value:
            yield from _conditions(one)
    elif isinstance(value, dict):
        match value:
            case {"Fn::If": [str(condition), *_]} if len(value) == 1:
                yield condition
            # Among other names it is a property, such as that of a policy's statement.
            case {"Condition": str(condition)}:
                yield condition
        for one in value.values():
            yield from _conditions(one)


def _not_mapped(value: Any, resources: Resources) -> Iterator[str]:
    """Yield what is looked up in mappings and is not there."""
    if isinstance(value, list):
        for one in value:
            yield from _not_mapped(one, resources)
    elif isinstance(value, dict):
        match value:
            case {"Fn::FindInMap": [_, _, _] as path}:
                keys = resources.values.value(path)
                if None not in keys and resources.values.value(value) is None:
                    yield ".".join(map(str, keys))
        for one in value.values():
            yield from _not_mapped(one, resources)


def _circle(resources: Resources) -> list[str]:
    """Return resources of which each refers to the next and the last is the first; none if there are no such."""
    active = resources.active()
    ways = {
        name: {*referred(resources.chosen_below(one.get("Properties", {}))), *depends_on(one)}
        for name, one in active.items()
    }
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for other in sorted(ways[name] & ways.keys()):
                if found := follow(other, [*path, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in ways if (found := follow(name, []))), [])
