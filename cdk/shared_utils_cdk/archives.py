"""The layer's zips that came in the wheel, and what a zip says of itself.

The wheel has one zip for each Python that it was built with, and one with the bytecode of all of them.
Nothing here imports the CDK.
"""

from __future__ import annotations

import ast
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FOLDER", "LayerArchive", "LayerArgumentError", "bundled_archive", "read_archive"]

# Where hatch_build.py puts the zips in the wheel.
FOLDER = Path(__file__).parent / "archives"

_PACKAGE = "python/shared_utils"


class LayerArgumentError(ValueError):
    """An argument that no layer can be made from; `argument` is its name."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument


class LayerArchive(NamedTuple):
    """A zip of the layer: its package's version, the digest of its sources, whose bytecode it has."""

    path: Path
    version: str
    build: str
    pythons: tuple[str, ...]


def bundled_archive(pythons: Sequence[str] = ()) -> LayerArchive:
    """Return the smallest zip of the wheel with bytecode for these Pythons, such as 3.13; of none, for all."""
    archives = [read_archive(path) for path in sorted(FOLDER.glob("*.zip"))]
    if not archives:
        raise LayerArgumentError(
            "archive", "must be given: this shared_utils_cdk has no zips, as its wheel has"
        )
    there = max((archive.pythons for archive in archives), key=len)
    wanted = set(pythons or there)
    fitting = [archive for archive in archives if wanted <= set(archive.pythons)]
    if not fitting:
        missing = ", ".join(sorted(wanted - set(there)))
        raise LayerArgumentError(
            "pythons",
            f"must be of {', '.join(there)}, which this wheel was built with; got {missing}",
        )
    return min(fitting, key=lambda archive: len(archive.pythons))


def read_archive(path: Path) -> LayerArchive:
    """Return what a zip says of itself; raise `LayerArgumentError` for what is no zip of the layer."""
    try:
        with zipfile.ZipFile(path) as content:
            module = ast.parse(content.read(f"{_PACKAGE}/__init__.py"))
            names = content.namelist()
    except (OSError, KeyError, SyntaxError, zipfile.BadZipFile) as error:
        raise LayerArgumentError(
            "archive", f"must be a zip with {_PACKAGE}/__init__.py in it, got {path}"
        ) from error
    stated = {
        node.targets[0].id: str(node.value.value)
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    if not {"__version__", "__build__"} <= stated.keys():
        raise LayerArgumentError(
            "archive", f"must say its version and build, as build.sh has it: {path}"
        )
    compiled = re.compile(rf"{_PACKAGE}/__pycache__/\w+\.cpython-3([0-9]+)\.pyc")
    minors = {int(found[1]) for name in names if (found := compiled.fullmatch(name))}
    pythons = tuple(f"3.{minor}" for minor in sorted(minors))
    return LayerArchive(path, stated["__version__"], stated["__build__"], pythons)
