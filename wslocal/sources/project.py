"""What a source gives: stacks of CloudFormation with the code they deploy, and what a person may choose."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "BUCKET",
    "Installer",
    "Project",
    "ProjectError",
    "ProjectOptions",
    "Stack",
    "Template",
    "key_of",
    "with_archives",
]

#: A CloudFormation template, as a dict.
Template = dict[str, Any]

# The bucket of the emulator that templates take zips from. Whoever deploys a stack makes it and puts them there.
BUCKET = "local-assets"


class ProjectError(Exception):
    """A project cannot be read or run: one sentence with the file or resource, and what to do."""


class Installer(Protocol):
    """Installs what a project needs and no build has installed, each list once."""

    def python(self, runtime: str, requirements: Path) -> Path:
        """Return a folder with the packages of a `requirements.txt`; ProjectError if pip fails."""
        ...

    def node(self, runtime: str, package: Path) -> Path:
        """Return a folder with the `node_modules` of a `package.json`; ProjectError if npm fails."""
        ...


@dataclass(frozen=True, slots=True)
class ProjectOptions:
    """What a person chooses.

    `parameters` are the template's, by name, or as `STACK:NAME` if there are several stacks.
    `stage` is one of several stages of a CDK app. Without `install`, nothing is installed.
    `leave_out` are resources by logical id; a source does not pack their code.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    install: Installer | None = None
    leave_out: frozenset[str] = frozenset()
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """A template, SAM already transformed, with zips by the keys that it has for them in BUCKET.

    `elsewhere` is what the stacks before it export and keep, if that is known.
    """

    name: str
    template: Template
    archives: Mapping[str, bytes]
    parameters: Mapping[str, str]
    elsewhere: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """Stacks in the order in which they are deployed.

    When one of the files and folders in `watched` changes, the project has to be read anew, once it `is_whole`:
    while something builds it, it is not. Folders below these whose names are in `not_watched` do not count.
    `notes` are sentences for a person. What is not run from its sources has a folder `build`.
    """

    stacks: tuple[Stack, ...]
    watched: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    not_watched: frozenset[str] = frozenset()
    is_whole: Callable[[], bool] = field(default=lambda: True, compare=False)
    build: Path | None = None


def with_archives(stack: Stack, archives: Mapping[str, bytes]) -> Stack:
    """Return a stack whose template takes other zips: `archives` has them by the keys of those they replace."""
    keys = {old: key_of(new) for old, new in archives.items()}
    kept = {key: archive for key, archive in stack.archives.items() if key not in keys}
    renewed = {keys[old]: new for old, new in archives.items()}
    template: Template = _renamed(stack.template, keys)
    return replace(stack, template=template, archives=kept | renewed)


def _renamed(value: Any, keys: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(one, keys) for name, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, keys) for one in value]
    return keys.get(value, value) if isinstance(value, str) else value


def key_of(archive: bytes) -> str:
    """Return the S3 key of a zip. It holds a digest: CloudFormation sees a change by the key alone."""
    return f"{hashlib.sha256(archive).hexdigest()[:32]}.zip"
