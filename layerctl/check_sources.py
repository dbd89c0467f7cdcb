"""Whether a package in a zip is whole: its sources compile, and the modules that they import are there."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from functools import lru_cache
from posixpath import dirname
from typing import TYPE_CHECKING

from layerctl.bytecode import pythons_of
from layerctl.check_entries import BUILD, is_left_behind
from layerctl.findings import error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerctl.archive import Archive
    from layerctl.findings import Finding

__all__ = ["check_sources", "modules_below"]

# Where a statement has others.
_BLOCKS = ("body", "handlers", "cases", "orelse", "finalbody")


def check_sources(archive: Archive, root: str, package: str, subject: str) -> Iterator[Finding]:
    """Check the package in the folder `root` of the zip, such as `python/`; nothing of it is run."""
    broken, missing = {}, _without_source(archive, f"{root}{package}/")
    for path in _sources(archive, f"{root}{package}/"):
        problem, modules = _read(archive.read(path), path, path.removeprefix(root), package)
        if problem:
            broken[path] = problem
        for module in modules:
            name = f"{root}{module.replace('.', '/')}"
            if not any(entry.path.startswith((f"{name}.", f"{name}/")) for entry in archive.files):
                missing.setdefault(f"{name}.py", f"{path} imports")
    for path, why in sorted(missing.items())[:1]:
        yield error(
            subject,
            "module-missing",
            f"{archive.origin} has no {path}, which {why}{_more(len(missing))}",
            BUILD,
        )
    for path, why in sorted(broken.items())[:1] if _is_for_this_python(archive) else ():
        yield error(
            subject,
            "does-not-compile",
            f"{path} of {archive.origin} does not compile: {why}{_more(len(broken))}",
            f"correct it, or {BUILD}",
        )


def modules_below(archive: Archive, root: str, package: str) -> list[str]:
    """Return the names of all modules of the package that have a source, but for `__main__`."""
    paths = [path for path in _sources(archive, f"{root}{package}/") if path.endswith(".py")]
    names = [
        path.removeprefix(root).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in paths
    ]
    return sorted(
        name
        for name in names
        if all(part.isidentifier() for part in name.split(".")) and not name.endswith(".__main__")
    )


def _sources(archive: Archive, folder: str) -> list[str]:
    """Return the sources below a folder, and the types of a module that are in a file of their own."""
    return sorted(
        {
            entry.path
            for entry in archive.below(folder)
            if entry.path.endswith((".py", ".pyi")) and not is_left_behind(entry.path)
        }
    )


def _without_source(archive: Archive, folder: str) -> dict[str, str]:
    """Return the sources that are not there though their bytecode is: Python runs none without its source."""
    found = {}
    for entry in archive.below(folder):
        if match := re.fullmatch(r"(.*/)__pycache__/([^/.]+)\.[^/]+\.pyc", entry.path):
            source = f"{match[1]}{match[2]}.py"
            if source not in archive:
                found[source] = "has bytecode that nothing runs without it"
    return found


@lru_cache(maxsize=1024)  # the functions of a stage mostly have one layer
def _read(source: bytes, path: str, inner: str, package: str) -> tuple[str, tuple[str, ...]]:
    """Return why a source does not compile, '' if it does, and the modules of the package it imports."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source, path)
            if path.endswith(".py"):
                compile(tree, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as problem:  # ValueError: it has a null byte
        return " ".join(str(problem).split()), ()
    return "", tuple(_imported(tree, inner, package))


def _is_for_this_python(archive: Archive) -> bool:
    """Return whether this Python knows all that a Python knows for which the zip is."""
    minors = [int(python.partition(".")[2]) for python in pythons_of(archive)]
    return min(minors, default=0) <= sys.version_info.minor


def _imported(node: ast.AST, path: str, package: str) -> Iterator[str]:
    """Yield the modules of the package that a source of it imports, wherever a failure is not expected.

    A name in `from . import name` may be any attribute, so it says nothing.
    """
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = path
        for _ in range(node.level):
            above = dirname(above)
        parts = [above.replace("/", ".")] if node.level else []
        names = [".".join([*parts, node.module])] if node.module else []
    else:
        names = []
        may_fail = isinstance(node, ast.Try) and node.handlers
        for block in _BLOCKS[1:] if may_fail else _BLOCKS:
            for statement in getattr(node, block, ()):
                yield from _imported(statement, path, package)
    yield from (name for name in names if name.startswith(f"{package}."))


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
