"""Takes resources out of a template, and out of it whatever only made sense with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .project import ProjectError
from .references import depends_on, refers_to

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .resources import Resources

__all__ = ["remove"]

_FUNCTION = "AWS::Lambda::Function"
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")
_API = "AWS::ApiGatewayV2::Api"
_AUTHORIZER = "AWS::ApiGatewayV2::Authorizer"
# A route leads to an integration, and that to a function.
_WAY_TO_A_FUNCTION = {"AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route"}
_API_PARTS = {_API, _AUTHORIZER, "AWS::ApiGatewayV2::Stage", *_WAY_TO_A_FUNCTION}
# What only serves a function, and goes with it.
_SERVES = {"AWS::Lambda::Permission", "AWS::Logs::LogGroup"}


def remove(
    resources: Resources, gone: Mapping[str, str], chosen: Collection[str]
) -> dict[str, str]:
    """Take the resources `gone` out of the template, and return those that went with them, with the reason.

    Policies lose their statements about them, outputs and `DependsOn` are dropped, and what refers to them
    otherwise goes too. ProjectError if that is a function, or a part of a WebSocket API, unless the person
    has `chosen` to leave out what the part leads to.
    """
    template = resources.template
    more: dict[str, str] = {}
    out = set(gone)
    types = {name: resource["Type"] for name, resource in template["Resources"].items()}
    providers = _providers(template["Resources"], out)
    while True:
        for name in out & template["Resources"].keys():
            del template["Resources"][name]
        found = _next_to_go(resources, out, chosen, types) or _unused(
            template["Resources"], providers
        )
        if not found:
            break
        more |= found
        out |= found.keys()
    for resource in template["Resources"].values():
        if kept := [name for name in depends_on(resource) if name not in out]:
            resource["DependsOn"] = kept
        else:
            resource.pop("DependsOn", None)
    template["Outputs"] = {
        name: output
        for name, output in (template.get("Outputs") or {}).items()
        if refers_to(output, out) is None
    }
    return more


def _next_to_go(
    resources: Resources, out: Collection[str], chosen: Collection[str], types: Mapping[str, str]
) -> dict[str, str]:
    """Return the resources that refer to what is out, with the reason why they go too."""
    going = {}
    for name, resource in resources.active().items():
        if resource["Type"].startswith("AWS::IAM::"):
            resource["Properties"] = _without_statements(resource.get("Properties", {}), out)
        if resource["Type"] == _FUNCTION:
            _drop_layers(resource.get("Properties", {}), chosen)
        missing = refers_to(resource.get("Properties", {}), out)
        if missing is not None:
            if resource["Type"] in _API_PARTS and resources.is_websocket(resource):
                _refuse_api_part(name, resource["Type"], missing, types[missing], chosen)
            if resource["Type"] == _FUNCTION:
                _refuse_function(name, resource.get("Properties", {}), missing)
            going[name] = f"it refers to {missing}, which is left out"
    return going


def _drop_layers(properties: dict[str, Any], chosen: Collection[str]) -> None:
    """Take the layers that a person has chosen to leave out from a function."""
    layers = properties.get("Layers")
    if isinstance(layers, list):
        properties["Layers"] = [one for one in layers if refers_to(one, chosen) is None]


def _refuse_function(name: str, properties: Mapping[str, Any], missing: str) -> None:
    variables = properties.get("Environment", {}).get("Variables", {})
    named = [key for key, value in variables.items() if refers_to(value, {missing})]
    what = (
        f"give its variable yourself with --env {named[0]}=VALUE"
        if named
        else f"--leave-out {name} if you can do without"
    )
    raise ProjectError(f"{name} refers to {missing}, which is left out: {what}")


def _refuse_api_part(
    name: str, kind: str, missing: str, missing_kind: str, chosen: Collection[str]
) -> None:
    """Raise ProjectError unless a route goes with its integration or function, or all with their API."""
    if missing in chosen and missing_kind == _API:
        return
    if chosen and kind in _WAY_TO_A_FUNCTION and missing_kind not in {_API, _AUTHORIZER}:
        return
    raise ProjectError(
        f"{name}, a part of the API, refers to {missing}, which is left out: keep {missing}"
    )


def _without_statements(value: Any, out: Collection[str]) -> Any:
    """Return a value without the statements, and resources of statements, that are about what is out."""
    if isinstance(value, list):
        return [kept for one in value if (kept := _narrowed(one, out)) is not None]
    if isinstance(value, dict) and not (
        {"Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join"} & value.keys()
    ):
        return {key: _without_statements(one, out) for key, one in value.items()}
    return value


def _narrowed(one: Any, out: Collection[str]) -> Any:
    """Return a statement for the rest of its resources, or a policy with the rest of its statements.

    None for what is about nothing but what is out.
    """
    if refers_to(one, out) is None:
        return one
    if isinstance(one, dict) and "Effect" in one:
        named = one.get("Resource")
        rest = _without_statements(named, out) if isinstance(named, list) else []
        one = one | {"Resource": rest}
        return one if rest and refers_to(one, out) is None else None
    kept = _without_statements(one, out)
    return kept if refers_to(kept, out) is None else None


def _providers(all_of_them: Mapping[str, dict[str, Any]], out: Collection[str]) -> set[str]:
    """Return the functions that make the custom resources which are left out."""
    return {
        name
        for one in out
        if one in all_of_them and all_of_them[one]["Type"].startswith(_CUSTOM)
        for name, resource in all_of_them.items()
        if resource["Type"] == _FUNCTION
        and refers_to(all_of_them[one].get("Properties", {}).get("ServiceToken"), {name})
    }


def _unused(
    all_of_them: Mapping[str, dict[str, Any]], providers: Collection[str]
) -> dict[str, str]:
    """Return those of the functions that nothing is left for."""
    return {
        name: "nothing is left that it would make"
        for name in providers
        if name in all_of_them
        and not any(
            refers_to(resource.get("Properties", {}), {name})
            for other, resource in all_of_them.items()
            if other != name and resource["Type"] not in _SERVES
        )
    }
