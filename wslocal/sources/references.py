"""What in a template refers to what: `Ref`, `Fn::GetAtt`, and the names in `Fn::Sub`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["depends_on", "referred", "refers_to", "split_sub", "target_of"]

_NAME_IN_SUB = re.compile(r"\$\{([^!}][^}]*)\}")


def referred(value: Any) -> Iterator[str]:
    """Yield the logical ids, parameters and pseudo parameters that a value refers to, at any depth."""
    if isinstance(value, list):
        for one in value:
            yield from referred(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "Ref" and isinstance(one, str):
                yield one
            elif key == "Fn::GetAtt":
                yield one.split(".")[0] if isinstance(one, str) else str(next(iter(one), ""))
            elif key == "Fn::Sub":
                yield from _names_in_sub(one)
            else:
                yield from referred(one)


def split_sub(argument: Any) -> tuple[str, dict[str, Any]]:
    """Return the text of an `Fn::Sub` and the names of its own, of which it may have none."""
    match argument:
        case str(text) | [str(text)]:
            return text, {}
        case [str(text), dict(own)]:
            return text, own
    return "", {}


def _names_in_sub(argument: Any) -> Iterator[str]:
    text, own = split_sub(argument)
    yield from referred(list(own.values()))
    for name in _NAME_IN_SUB.findall(text):
        if name not in own:
            yield name.split(".")[0].strip()


def refers_to(value: Any, names: Collection[str]) -> str | None:
    """Return the first of `names` that a value refers to, None if it refers to none of them."""
    return next((name for name in referred(value) if name in names), None)


def target_of(value: Any) -> str | None:
    """Return the logical id that a value is about, if it is about one alone."""
    found = {name for name in referred(value) if not name.startswith("AWS::")}
    return found.pop() if len(found) == 1 else None


def depends_on(resource: dict[str, Any]) -> list[str]:
    """Return what a resource names in `DependsOn`, always as a list."""
    named = resource.get("DependsOn", [])
    return [named] if isinstance(named, str) else list(named)
