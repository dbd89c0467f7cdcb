"""Which source a path means: the file or folder itself, or the only one in a project's folder."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

from .cdk import read_cdk
from .cloudformation import read_cloudformation
from .imports import with_elsewhere
from .project import ProjectError
from .sam import is_sam, read_sam
from .serverless import PACKAGE, read_serverless
from .template_text import read_template

if TYPE_CHECKING:
    from pathlib import Path

    from .project import Project, ProjectOptions

__all__ = ["read_project"]

_TEMPLATES = ("template.yaml", "template.yml", "template.json")
# A file that a folder of this kind has, by the folder's usual name.
_FOLDERS = {"cdk.out": "manifest.json", ".serverless": "serverless-state.json"}
# What shows that a project has not been built yet, and what builds it.
_UNBUILT = {
    "cdk.json": "run `cdk synth`",
    "serverless.yml": PACKAGE,
    "serverless.yaml": PACKAGE,
    "serverless.ts": PACKAGE,
}


def read_project(path: Path, options: ProjectOptions) -> Project:
    """Return the project that a path means; ProjectError if it is none, or might be several."""
    source = _source(path.absolute())
    if source.is_dir():
        is_cdk = (source / _FOLDERS["cdk.out"]).is_file()
        project = (read_cdk if is_cdk else read_serverless)(source, options)
    else:
        project = (read_sam if is_sam(read_template(source)) else read_cloudformation)(
            source, options
        )
    _check_left_out(project, options)
    return replace(project, stacks=tuple(with_elsewhere(project.stacks)))


def _check_left_out(project: Project, options: ProjectOptions) -> None:
    """Raise ProjectError for what is to be left out and is in no stack."""
    names = {name for stack in project.stacks for name in stack.template["Resources"]}
    for name in sorted(options.leave_out):
        if name.partition(".")[0] not in names and not _names_a_layer(name, project):
            raise ProjectError(f"there is no resource {name} to leave out")


def _names_a_layer(name: str, project: Project) -> bool:
    texts = (str(stack.template["Resources"]) for stack in project.stacks)
    return any(f":layer:{name}:" in text for text in texts)


def _source(path: Path) -> Path:
    if path.is_file():
        if path.name in _FOLDERS.values():
            return path.parent
        if zipfile.is_zipfile(path):
            raise ProjectError(
                f"{path} is a zip, no project: name the template that deploys it, or the template's folder"
            )
        if path.name in _UNBUILT:
            raise ProjectError(f"{path} is not what is deployed: {_UNBUILT[path.name]} first")
        return path
    if not path.is_dir():
        raise ProjectError(f"{path} is not there")
    # An assembly has a file of this name, the project's folder a folder; other programs have manifests too.
    if (path / "cdk.out").is_file() or (path / _FOLDERS[".serverless"]).is_file():
        return path
    found = _sources_in(path)
    if len(found) > 1:
        choices = " or ".join(one.name for one in found)
        raise ProjectError(f"{path} has {choices}: name the one that is meant")
    if not found:
        raise ProjectError(_nothing(path))
    return found[0]


def _sources_in(folder: Path) -> list[Path]:
    found = [folder / name for name in _TEMPLATES if (folder / name).is_file()]
    return found + [
        folder / name for name, file in _FOLDERS.items() if (folder / name / file).is_file()
    ]


def _nothing(path: Path) -> str:
    for name, what in _UNBUILT.items():
        if (path / name).is_file():
            return f"{path} has a {name} and nothing that is deployed: {what} first"
    below = sorted(one for one in path.iterdir() if one.is_dir() and _sources_in(one))
    if below:
        return f"{path} has its templates in folders: name {' or '.join(str(one) for one in below)}"
    if any(path.glob("*.tf")):
        return (
            f"{path} is for Terraform, which is not read: write a template, or use SAM or the CDK"
        )
    looked_for = f"{', '.join(_TEMPLATES)}, {' or '.join(_FOLDERS)}"
    return f"{path} has no {looked_for}: name the project's folder or template"
