"""A CloudFormation template whose code is beside it: `Code: ./folder`, as `aws cloudformation package` takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .code import Code
from .includes import with_includes
from .parameters import check_names, parameters_of, settle_parameters
from .project import BUCKET, Project, ProjectError, Stack
from .template_text import read_template
from .values import Values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .project import ProjectOptions, Template

__all__ = ["code_place", "place_code", "read_cloudformation", "stack_name", "transforms_of"]

_LANGUAGE = "AWS::LanguageExtensions"
# What of a resource holds its code, by its type.
_PLACES = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}


def read_cloudformation(path: Path, options: ProjectOptions) -> Project:
    """Return the one stack of a template, named after its folder."""
    template = with_includes(read_template(path), path.parent)
    if others := [name for name in transforms_of(template) if name != _LANGUAGE]:
        raise ProjectError(
            f"{path} wants the macro {others[0]}, which only your account has: give the template that it makes"
        )
    name = stack_name(path.parent)
    check_names(options.parameters, {name: template})
    given = parameters_of(name, template, options.parameters)
    values = Values(template, settle_parameters(template, given, ssm_names(template)), name)
    code = Code(options.install)
    for logical_id, resource in template["Resources"].items():
        if logical_id not in options.leave_out and values.holds(resource.get("Condition")):
            place_code(logical_id, resource, path.parent, code, values)
    stack = Stack(name, template, code.archives, given)
    watched = (path, *code.watched)
    return Project((stack,), watched, tuple(code.notes), is_whole=path.is_file)


def place_code(
    name: str,
    resource: dict[str, Any],
    folder: Path,
    code: Code,
    values: Values,
    *,
    built: bool = False,
) -> None:
    """Pack what a function or layer has on this machine, and put its key in place of the path.

    ProjectError if its code is in a bucket of AWS.
    """
    place = code_place(resource)
    if place is None:
        return
    properties, key = place
    local = properties[key]
    if isinstance(local, str) and not local.startswith("s3://"):
        runtime = str(values.value(properties.get("Runtime")) or "")
        added = code.add(name, folder / local, runtime, built=built)
        properties[key] = {"S3Bucket": BUCKET, "S3Key": added}
    elif isinstance(local, str) or "S3Key" in local:
        raise ProjectError(
            f"{name} has its code in a bucket: give {key} as a path on this machine, or --leave-out {name}"
        )


def code_place(resource: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    """Return the properties of a function or layer and which of them is its code; None for others."""
    properties, key = resource.get("Properties", {}), _PLACES.get(resource["Type"])
    return None if key is None or not properties.get(key) else (properties, key)


def ssm_names(template: Template) -> Iterator[str]:
    """Yield the names of the parameters of Systems Manager that a template makes."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::SSM::Parameter":
            yield str(resource.get("Properties", {}).get("Name"))


def transforms_of(template: Template) -> list[str]:
    """Return the names of the transforms that a template asks for."""
    asked = template.get("Transform") or []
    asked = asked if isinstance(asked, list) else [asked]
    return [one["Name"] if isinstance(one, dict) else str(one) for one in asked]


def stack_name(folder: Path) -> str:
    """Return a name that CloudFormation takes, for the stack of a folder."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", folder.resolve().name).strip("-")
    return name[:100] if name[:1].isalpha() else f"stack-{name}"[:100].strip("-")
