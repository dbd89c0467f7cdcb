"""What `osls package`, or `serverless package`, leaves in `.serverless`: a template, zips, and the names of service and stage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .cloudformation import code_place
from .code import Code
from .parameters import check_names, parameters_of, settle_parameters
from .project import BUCKET, Project, ProjectError, Stack
from .template_text import read_template
from .values import Values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .project import ProjectOptions

__all__ = ["PACKAGE", "read_serverless"]

_TEMPLATE = "cloudformation-template-update-stack.json"
_STATE = "serverless-state.json"
#: What packages a service, in words for a person.
PACKAGE = "run `osls package` or `serverless package`"
# What the framework reads, any of them:
# https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml
_SOURCES = (
    "serverless.yml",
    "serverless.yaml",
    "serverless.json",
    "serverless.js",
    "serverless.ts",
)


def read_serverless(folder: Path, options: ProjectOptions) -> Project:
    """Return the one stack of a `.serverless` folder, with the name that the framework gives it."""
    state = _state(folder / _STATE)
    if not (folder / _TEMPLATE).is_file():
        raise ProjectError(f"{folder / _TEMPLATE} is not there: {PACKAGE}")
    template = read_template(folder / _TEMPLATE)
    name = _stack_name(state["service"])
    check_names(options.parameters, {name: template})
    given = parameters_of(name, template, options.parameters)
    values = Values(template, settle_parameters(template, given), name)
    code, given_archives = Code(options.install), _given_archives(state["service"], folder.parent)
    for logical_id, resource in template["Resources"].items():
        place = code_place(resource)
        if place is None or logical_id in options.leave_out:
            continue
        properties, key = place
        if "S3Key" in properties[key] and values.holds(resource.get("Condition")):
            file = str(properties[key]["S3Key"]).rpartition("/")[2]
            archive = given_archives.get(file, folder / file)
            if not archive.is_file():
                raise ProjectError(
                    f"{logical_id} has its code in {archive}, which is not there: {PACKAGE}"
                )
            added = code.add(logical_id, archive, built=True)
            properties[key] = {"S3Bucket": BUCKET, "S3Key": added}
    stack = Stack(name, template, code.archives, given)
    needed = (folder / _STATE, folder / _TEMPLATE)
    return Project(
        (stack,),
        (folder,),
        (*_build_notes(folder), *code.notes),
        is_whole=lambda: all(path.is_file() for path in needed),
        build=folder,
    )


def _build_notes(folder: Path) -> Iterator[str]:
    yield f"the project is run from {folder}: {PACKAGE} after a change of a source"
    packaged_at = (folder / _STATE).stat().st_mtime
    for source in (folder.parent / name for name in _SOURCES):
        if source.is_file() and source.stat().st_mtime > packaged_at:
            yield f"{source} is newer than what was packaged: {PACKAGE}"


def _state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text())
        if isinstance(state["service"], dict):
            return dict(state)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        pass
    raise ProjectError(f"{path} is not what the Serverless Framework writes: {PACKAGE}")


def _given_archives(service: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Return the zips that the service names as they are, by file name: the framework leaves them where they lie.

    `package.artifact`, from the service's folder on:
    https://www.serverless.com/framework/docs/providers/aws/guide/layers
    """
    places = (service, service.get("initialServerlessConfig") or {})  # one refers to the other
    parts = [place.get(kind) or {} for place in places for kind in ("layers", "functions")]
    rows = [row for part in parts for row in part.values() if isinstance(row, dict)]
    named = [(row.get("package") or {}).get("artifact") for row in rows]
    paths = [folder / name for name in named if name]
    return {path.name: path for path in paths}


def _stack_name(service: dict[str, Any]) -> str:
    """Return the stack's name: https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml"""
    provider = service.get("provider") or {}
    return str(
        provider.get("stackName")
        or f"{service.get('service', 'service')}-{provider.get('stage', 'dev')}"
    )
