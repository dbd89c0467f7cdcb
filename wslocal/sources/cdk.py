"""A cloud assembly, which is what `cdk synth` leaves in `cdk.out`: stacks, in their order, with their assets."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wslocal.emulator import ACCOUNT, REGION

from .cloudformation import code_place, ssm_names
from .code import Code
from .parameters import check_names, parameters_of, settle_parameters
from .project import BUCKET, Project, ProjectError, Stack
from .template_text import read_template
from .values import Values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .project import ProjectOptions, Template

__all__ = ["read_cdk"]

_MANIFEST = "manifest.json"  # the CDK writes it last
_STACK = "aws:cloudformation:stack"
_ASSETS = "cdk:asset-manifest"
_NESTED = "cdk:cloud-assembly"
# `aws://ACCOUNT/REGION`; either may be unknown.
_ENVIRONMENT = re.compile(r"aws://([^/]+)/(.+)")


@dataclass(frozen=True, slots=True)
class _Artifact:
    id: str
    folder: Path
    properties: Mapping[str, Any]
    dependencies: tuple[str, ...]
    environment: str


def read_cdk(folder: Path, options: ProjectOptions) -> Project:
    """Return the stacks of an assembly, and of one of its stages if it has some.

    An account and a region that a stack is fixed to are replaced by the emulator's.
    """
    artifacts = list(_stacks(folder, options.stage))
    if not artifacts:
        raise ProjectError(f"{folder} has no stack: run `cdk synth`")
    templates = {_name(one): _template(one) for one in artifacts}
    check_names(options.parameters, templates)
    code = Code(options.install)
    made = [name for template in templates.values() for name in ssm_names(template)]
    stacks = tuple(
        _stack(one, templates[_name(one)], options, code, made) for one in _in_order(artifacts)
    )
    # With `cdk synth --no-staging` assets are the sources themselves, and a change is seen at once.
    sources = [path for path in code.watched if not path.is_relative_to(folder)]
    what = "the app" if sources else "a source"
    return Project(
        stacks,
        (folder, *sources),
        (
            f"the project is run from {folder}: run `cdk synth` after a change of {what}",
            *code.notes,
        ),
        is_whole=(folder / _MANIFEST).is_file,
        build=folder,
    )


def _stack(
    artifact: _Artifact, template: Template, options: ProjectOptions, code: Code, made: list[str]
) -> Stack:
    name = _name(artifact)
    own = {key: str(text) for key, text in (artifact.properties.get("parameters") or {}).items()}
    # It says where the bootstrap stack keeps its version; nothing here was bootstrapped.
    own.pop("BootstrapVersion", None)
    template.get("Parameters", {}).pop("BootstrapVersion", None)
    template.pop("Rules", None)
    given = own | parameters_of(name, template, options.parameters)
    values = Values(template, settle_parameters(template, given, made), name)
    assets, keys = dict(_assets(artifact)), set()
    for logical_id, resource in template["Resources"].items():
        place = code_place(resource)
        if place is None or logical_id in options.leave_out:
            continue
        properties, key = place
        if "S3Key" in properties[key] and values.holds(resource.get("Condition")):
            asset = assets.get(str(properties[key]["S3Key"]))
            if asset is None:
                raise ProjectError(
                    f"{logical_id} has code that {artifact.folder} does not hold: "
                    "synthesize with the default synthesizer, and bundling on"
                )
            added = code.add(logical_id, asset, built=True)
            keys.add(added)
            properties[key] = {"S3Bucket": BUCKET, "S3Key": added}
    archives = {key: code.archives[key] for key in keys}
    return Stack(name, template, archives, given)


def _stacks(folder: Path, stage: str | None, *, inside: bool = False) -> Iterator[_Artifact]:
    """Yield the stacks of an assembly and of the assembly in it that `stage` names; `inside` is that one's own."""
    artifacts = _manifest(folder).get("artifacts") or {}
    nested = {name: one["properties"] for name, one in artifacts.items() if one["type"] == _NESTED}
    for name, one in artifacts.items():
        if one["type"] == _STACK:
            yield _Artifact(
                name,
                folder,
                one["properties"],
                tuple(one.get("dependencies") or ()),
                str(one.get("environment", "")),
            )
    named = {
        str(one.get("displayName", name)).rpartition("/")[2]: one for name, one in nested.items()
    }
    if stage is not None and stage not in named and not inside:
        there = f"it has {', '.join(sorted(named))}" if named else "leave out --cdk-stage"
        raise ProjectError(f"{folder} has no stage {stage}: {there}")
    if len(named) > 1 and stage not in named:
        raise ProjectError(
            f"{folder} has the stages {', '.join(sorted(named))}: choose one with --cdk-stage NAME"
        )
    for name, one in named.items():
        if len(named) == 1 or name == stage:
            yield from _stacks(folder / one["directoryName"], stage, inside=True)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ProjectError(f"{path} cannot be read: run `cdk synth`") from error


def _assets(artifact: _Artifact) -> Iterator[tuple[str, Path]]:
    """Yield the S3 key and the path of each file that a stack publishes."""
    artifacts = _manifest(artifact.folder)["artifacts"]
    for name in artifact.dependencies:
        if artifacts.get(name, {}).get("type") == _ASSETS:
            published = json.loads(
                (artifact.folder / artifacts[name]["properties"]["file"]).read_text()
            )
            for file in published.get("files", {}).values():
                for destination in file["destinations"].values():
                    yield (
                        destination["objectKey"],
                        artifact.folder / str(file["source"].get("path")),
                    )


def _name(artifact: _Artifact) -> str:
    return str(artifact.properties.get("stackName", artifact.id))


def _template(artifact: _Artifact) -> Template:
    path = artifact.folder / artifact.properties["templateFile"]
    template = read_template(path)
    found = _ENVIRONMENT.fullmatch(artifact.environment)
    if found is None:
        return template
    fixed = {found[1]: ACCOUNT, found[2]: REGION}
    here = {name: to for name, to in fixed.items() if not name.startswith("unknown-")}
    return dict(_replaced(template, here)) if here else template


def _replaced(value: Any, words: Mapping[str, str]) -> Any:
    """Return a value with whole words replaced in all its texts."""
    if isinstance(value, dict):
        return {key: _replaced(one, words) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, words) for one in value]
    if isinstance(value, str):
        pattern = "|".join(re.escape(word) for word in words)
        return re.sub(rf"(?<![\w-])({pattern})(?![\w-])", lambda found: words[found[1]], value)
    return value


def _in_order(artifacts: list[_Artifact]) -> list[_Artifact]:
    """Return the stacks so that each comes after those that it depends on."""
    by_id = {one.id: one for one in artifacts}
    ordered: dict[str, _Artifact] = {}

    def add(one: _Artifact) -> None:
        if one.id not in ordered:
            for name in one.dependencies:
                if name in by_id and name != one.id:
                    add(by_id[name])
            ordered[one.id] = one

    for one in artifacts:
        add(one)
    return list(ordered.values())
