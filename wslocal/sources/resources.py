"""The resources of one stack, with what of them the template and its parameters already say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .parameters import values_of
from .references import target_of
from .values import Values

if TYPE_CHECKING:
    from .project import Stack, Template

__all__ = ["Resources"]


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of a template that is being fitted. `values` knows its parameters."""

    template: Template
    values: Values

    @classmethod
    def of(cls, stack: Stack, template: Template) -> Resources:
        """Return those of a template, which is the stack's own or a copy of it."""
        known = values_of(template, stack.parameters)
        return cls(template, Values(template, known, stack.name))

    def active(self) -> dict[str, dict[str, Any]]:
        """Return the resources by name, without those whose condition does not hold."""
        return {
            name: resource
            for name, resource in self.template["Resources"].items()
            if self.values.holds(resource.get("Condition"))
        }

    def value(self, resource: dict[str, Any], name: str) -> Any:
        """Return a property, None if it is not there or only a deployed resource knows it."""
        return self.values.value(resource.get("Properties", {}).get(name))

    def chosen(self, value: Any) -> Any:
        """Return a value, or of an `Fn::If` the one that its condition chooses."""
        match value:
            case {"Fn::If": [str(condition), first, second]}:
                return self.chosen(first if self.values.holds(condition) else second)
        return value

    def chosen_below(self, value: Any) -> Any:
        """Return a value with what conditions choose in place of each `Fn::If`, at any depth."""
        value = self.chosen(value)
        if isinstance(value, list):
            return [self.chosen_below(one) for one in value]
        if isinstance(value, dict):
            return {key: self.chosen_below(one) for key, one in value.items()}
        return value

    def type_of(self, value: Any) -> str | None:
        """Return the type of the one resource that a value is about; None if it is about no one."""
        target = target_of(value)
        resource = self.template["Resources"].get(target, {}) if target is not None else {}
        kind = resource.get("Type")
        return kind if kind is None else str(kind)

    def leads_to_function(self, value: Any) -> bool:
        """Return whether an ARN, or what holds one, is that of a Lambda function."""
        kind = self.type_of(value) or ""
        texts = json.dumps([value, self.values.value(value)])
        return kind.startswith("AWS::Lambda::") or ":lambda:" in texts

    def is_websocket(self, resource: dict[str, Any]) -> bool:
        """Return whether a part of an API belongs to a WebSocket API, or to one that is not in this stack."""
        api = self.template["Resources"].get(
            target_of(resource.get("Properties", {}).get("ApiId")), {}
        )
        return not api or self.is_websocket_api(api)

    def is_websocket_api(self, resource: dict[str, Any]) -> bool:
        """Return whether a resource is a WebSocket API."""
        protocol = self.value(resource, "ProtocolType")
        return bool(resource["Type"] == "AWS::ApiGatewayV2::Api" and protocol == "WEBSOCKET")
