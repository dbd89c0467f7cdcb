"""What a folder of code asks for and does not hold: its `requirements.txt` or `package.json`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from .project import ProjectError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["missing_packages", "missing_requirements"]

# What Lambda's own Python has: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
_IN_LAMBDA = {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def missing_requirements(folder: Path) -> list[str]:
    """Return what `requirements.txt` names that neither the folder nor Lambda's own Python has.

    A package is in the folder if its metadata or a module of its name is.
    """
    wanted = {_normal(name) for name in _names(folder / "requirements.txt")}
    here = {_normal(path.name.partition("-")[0]) for path in folder.glob("*-*.dist-info")}
    here |= {_normal(path.stem) for path in folder.glob("*") if path.suffix in {"", ".py"}}
    return sorted(wanted - here - _IN_LAMBDA)


def _names(path: Path) -> list[str]:
    """Return the names in a file of requirements; the name of a file that it includes as `-r`."""
    if not path.is_file():
        return []
    names = []
    for line in path.read_text(errors="replace").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith(("-r", "--requirement")):
            included = path.parent / text.split(maxsplit=1)[-1].removeprefix("-r").strip()
            names += _names(included) if included != path else []
        elif match := _NAME.match(text):
            names.append(match[0])
    return names


def _normal(name: str) -> str:
    """Return a name as https://packaging.python.org/en/latest/specifications/name-normalization/ has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def missing_packages(folder: Path) -> list[str]:
    """Return the dependencies in `package.json` that are in no `node_modules` of the folder."""
    path = folder / "package.json"
    if not path.is_file():
        return []
    try:
        wanted = json.loads(path.read_text(errors="replace")).get("dependencies") or {}
        return sorted(name for name in wanted if not (folder / "node_modules" / name).is_dir())
    except (AttributeError, TypeError, json.JSONDecodeError) as error:
        raise ProjectError(f"{path} is no package.json: {error}") from error
