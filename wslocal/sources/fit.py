"""Fits a stack to the emulator: leaves out what is not needed, refuses by name what is and cannot be had."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .api_parts import check_api_part, fit_api_part, with_endpoints
from .event_sources import check_event_source, fit_event_source
from .functions import check_function, fit_function, variables_of
from .imports import check_imports
from .kept import keep
from .left_out import NOT_MISSED, not_played, why_left_out
from .policies import fit_role
from .project import ProjectError
from .removal import remove
from .required import check_required
from .resources import Resources
from .typed import settle_types
from .wiring import check_wiring

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from .project import Stack, Template

__all__ = ["Fitted", "LeftOut", "fit"]

_FUNCTION = "AWS::Lambda::Function"
_PERMISSION = "AWS::Lambda::Permission"  # it goes with what it permits
_ROLE = "AWS::IAM::Role"
_ROUTE_RESPONSE = "AWS::ApiGatewayV2::RouteResponse"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A resource, or a part of it, that is not deployed or not played, and why: the end of a sentence."""

    name: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A template for the emulator, what it lacks, and the properties of its route responses.

    In it event source mappings and the schedules of functions are disabled, for the emulator alone:
    what their authors have disabled is not in it.
    """

    template: Template
    left_out: tuple[LeftOut, ...]
    route_responses: tuple[Mapping[str, Any], ...]


def fit(
    stack: Stack, *, environment: Mapping[str, str] | None = None, leave_out: Collection[str] = ()
) -> Fitted:
    """Return a stack as the emulator can have it; ProjectError for what is needed and cannot be had.

    `environment` wins over the variables of every function. `leave_out` has logical ids, properties as
    `NAME.Property`, and names of layers of others; what is not in this stack is passed over.
    """
    template = copy.deepcopy(stack.template)
    resources = Resources.of(stack, template)
    check_wiring(resources)
    apis = [name for name, one in resources.active().items() if resources.is_websocket_api(one)]
    for section in ("Resources", "Outputs"):
        template[section] = with_endpoints(template.get(section) or {}, apis)
    listed = [*_leave_out_properties(resources, leave_out)]
    for name, resource in template["Resources"].items():
        if resource["Type"] == _FUNCTION and environment:
            variables_of(name, resource, resources).update(environment)
    responses = [
        resource.get("Properties", {})
        for resource in resources.active().values()
        if resource["Type"] == _ROUTE_RESPONSE
    ]
    chosen = {name for name in leave_out if name in template["Resources"]}
    gone = dict.fromkeys(sorted(chosen), "you chose so")
    refused: dict[str, ProjectError] = {}
    for name, resource in resources.active().items():
        if name in gone:
            continue
        try:
            if (reason := _reason(name, resource, resources)) is not None:
                gone[name] = reason
                continue
            changes = [*_change(name, resource, resources, leave_out)]
        except ProjectError as error:
            refused[name] = error
        else:
            listed += [LeftOut(name, resource["Type"], what) for what in changes]
    _raise_first(refused)
    types = {name: resource["Type"] for name, resource in template["Resources"].items()}
    gone |= remove(resources, gone, chosen)
    if stack.elsewhere is not None:
        check_imports(resources, stack.elsewhere)
    keep(resources)
    listed += [
        LeftOut(name, types[name], reason)
        for name, reason in gone.items()
        if types[name] not in NOT_MISSED and (types[name] != _PERMISSION or name in chosen)
    ]
    return Fitted(template, tuple(listed), tuple(responses))


def _raise_first(refused: Mapping[str, ProjectError]) -> None:
    """Raise the first refusal, with the names of what else is refused: they need not be found one by one."""
    if refused:
        (_, first), *others = refused.items()
        more = f" (refused too: {', '.join(name for name, _ in others)})" if others else ""
        raise ProjectError(f"{first}{more}") from first


def _leave_out_properties(resources: Resources, leave_out: Collection[str]) -> Iterator[LeftOut]:
    for name, _, key in (one.partition(".") for one in sorted(leave_out)):
        resource = resources.template["Resources"].get(name)
        if resource is not None and resource.get("Properties", {}).pop(key, None) is not None:
            yield LeftOut(name, resource["Type"], f"its {key}: you chose so")


def _reason(name: str, resource: dict[str, Any], resources: Resources) -> str | None:
    """Return why a resource is left out, None if it is kept; ProjectError if it is refused."""
    if resource["Type"] in NOT_MISSED:
        return "nothing is lost"
    if resource["Type"] == _FUNCTION:
        check_function(name, resource, resources)
    check_required(name, resource, resources)
    settle_types(name, resource, resources)
    reason = check_event_source(name, resource, resources) or why_left_out(name, resource)
    if reason is None:
        check_api_part(name, resource, resources)
    return reason


def _change(
    name: str, resource: dict[str, Any], resources: Resources, leave_out: Collection[str]
) -> Iterator[str]:
    """Change a resource for the emulator, and yield what is to be said of it."""
    resource.pop("UpdatePolicy", None)
    fit_api_part(resource)
    fit_event_source(resource, resources)
    if resource["Type"] == _FUNCTION:
        yield from fit_function(name, resource, resources, leave_out)
    if resource["Type"] == _ROLE:
        yield from fit_role(resource, resources)
    if (reason := not_played(resource, resources)) is not None:
        yield reason
