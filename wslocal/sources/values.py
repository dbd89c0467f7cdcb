"""What a template's conditions and values are, as far as the template and its parameters say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wslocal.emulator import ACCOUNT, REGION

from .references import split_sub

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .project import Template

__all__ = ["Values"]

_NAME_IN_SUB = re.compile(r"\$\{([^}]+)\}")


class Values:
    """Values of one stack. What only a deployed resource knows is None."""

    def __init__(self, template: Template, parameters: Mapping[str, str], stack: str = "") -> None:
        self._mappings = template.get("Mappings") or {}
        self._conditions = template.get("Conditions") or {}
        self._known = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": stack,
            "AWS::URLSuffix": "amazonaws.com",
            **parameters,
        }

    def holds(self, condition: str | None) -> bool:
        """Return whether a condition is true; that of a resource without one is."""
        return condition is None or bool(self.value(self._conditions.get(condition)))

    def value(self, value: Any) -> Any:
        """Return a value with what can be known in place of functions; None for a function that cannot."""
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return self._known.get(argument)
            if name == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if name.startswith("Fn::"):
                try:
                    return self._function(name, argument)
                except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                    return None  # malformed: the emulator says so when it deploys it
        return {key: self.value(one) for key, one in value.items()}

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Fn::Equals":
                first, second = self.value(argument)
                return _text(first) == _text(second)
            case "Fn::And":
                return all(self.value(argument))
            case "Fn::Or":
                return any(self.value(argument))
            case "Fn::Not":
                return not self.value(argument[0])
            case "Fn::If":
                return self.value(argument[1] if self.holds(argument[0]) else argument[2])
            case "Fn::Join":
                parts = self.value(argument[1])
                whole = isinstance(parts, list) and None not in parts
                return argument[0].join(map(_text, parts)) if whole else None
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::FindInMap":
                one, two, three = self.value(argument)[:3]
                return self._mappings.get(one, {}).get(two, {}).get(three)
        return None

    def _sub(self, argument: Any) -> str | None:
        text, own = split_sub(argument)
        known = self._known | {name: self.value(one) for name, one in own.items()}
        if not text:
            return None
        names = [name for name in _NAME_IN_SUB.findall(text) if not name.startswith("!")]
        if any(known.get(name) is None for name in names):
            return None
        return _NAME_IN_SUB.sub(
            lambda found: (
                f"${{{found[1][1:]}}}" if found[1].startswith("!") else _text(known[found[1]])
            ),
            text,
        )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
