"""The layer's zips that came in the wheel, and what a zip says of itself.

The wheel has one zip for each Python that it was built with, and one with the bytecode of all of them.
Nothing here imports the CDK.
"""

from __future__ import annotations

import ast
import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FOLDER", "LayerArchive", "LayerArgumentError", "bundled_archive", "read_archive"]

# Where hatch_build.py puts the zips in the wheel.
FOLDER = Path(__file__).parent / "archives"

_PACKAGE = "python/shared_utils"
_INIT = f"{_PACKAGE}/__init__.py"


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
    """Return what a zip says of itself; raise `LayerArgumentError` for what is no whole zip of the layer."""
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "is not there"
        raise LayerArgumentError("archive", f"must be the path of a zip: {path} {problem}")
    try:
        with zipfile.ZipFile(path) as content:
            names = content.namelist()
            whole = _is_whole(content)
            module = ast.parse(content.read(_INIT) if whole else b"")
    except (OSError, KeyError, SyntaxError, ValueError, zipfile.BadZipFile) as error:
        raise LayerArgumentError(
            "archive", f"must be a zip with {_INIT} in it, got {path}"
        ) from error
    if not whole:
        raise LayerArgumentError("archive", f"must be a whole zip, and {path} is damaged")
    stated = {
        node.targets[0].id: str(node.value.value)
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    if not {"__version__", "__build__"} <= stated.keys():
        raise LayerArgumentError(
            "archive", f"must say its version and build, as a zip of a release does: {path}"
        )
    compiled = re.compile(rf"{_PACKAGE}/__pycache__/\w+\.cpython-3([0-9]+)\.pyc")
    minors = {int(found[1]) for name in names if (found := compiled.fullmatch(name))}
    pythons = tuple(f"3.{minor}" for minor in sorted(minors))
    return LayerArchive(path, stated["__version__"], stated["__build__"], pythons)


def _is_whole(content: zipfile.ZipFile) -> bool:
    """Return whether each file in the zip can be read, and is what its checksum says."""
    try:
        return content.testzip() is None
    # What the standard library raises for contents that are no longer what was written; the
    # last two for a compression or an encryption that is not there.
    except (zlib.error, EOFError, NotImplementedError, RuntimeError):
        return False
