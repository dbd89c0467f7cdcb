"""The system as a project that `wslocal` runs: the template of AWS, with zips for this machine."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wslocal import Project, ProjectOptions, Template, read_project, with_code

from .assembly import ROOT, build_authorizer, build_functions, build_layer, synthesize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = ["Builds", "packages_in", "read_system", "read_template"]

_LAYER, _AUTHORIZER, _FUNCTIONS = (  # a file that only the zip of each has
    "python/shared_utils/__init__.py",
    "token_authorizer.py",
    "handlers/__init__.py",
)
# Whose changes become live, but for the tests among them.
_SOURCES = (
    *("authorizer", "cdk/shared_utils_cdk", "functions", "infrastructure", "shared-layer/python"),
    *("shared-layer/build.py", "shared-layer/build.sh"),
)
_NOT_DEPLOYED = frozenset({"tests", ".hypothesis"})


def read_system(
    stage: str, settings: Mapping[str, str] | None = None, builds: Builds | None = None
) -> Project:
    """Return the system as its sources are now; AssemblyError if it cannot be made.

    Of `settings` only those in TEMPLATE_SETTINGS count. `builds` has the zips of an earlier time.
    """
    builds = builds or Builds()
    with ThreadPoolExecutor() as pool:
        pool.submit(builds.layer)  # takes about as long as the template
        project = read_project(synthesize(stage, settings), ProjectOptions())
        assets = {asset for stack in project.stacks for asset in stack.archives.values()}
        built = dict(zip(assets, pool.map(builds.instead_of, assets), strict=True))
    stacks = tuple(with_code(stack, built.__getitem__) for stack in project.stacks)
    watched = tuple(ROOT / name for name in _SOURCES)
    return Project(stacks, watched, not_watched=_NOT_DEPLOYED)


def read_template(stage: str, settings: Mapping[str, str] | None = None) -> Template:
    """Return the template of a stage; AssemblyError if it cannot be made."""
    [stack] = read_project(synthesize(stage, settings), ProjectOptions()).stacks
    return stack.template


@dataclass(slots=True)
class Builds:
    """Makes the zips of the sources as they are now, each anew only if a source of it has changed."""

    _made: dict[object, tuple[str, bytes]] = field(default_factory=dict)
    _making: dict[object, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )

    def instead_of(self, asset: bytes) -> bytes:
        """Return for this machine what the CDK app has made for AWS."""
        with zipfile.ZipFile(io.BytesIO(asset)) as archive:
            names = set(archive.namelist())
        if _LAYER in names:
            return self.layer()
        if _AUTHORIZER in names:
            lock_file = ROOT / "requirements" / "authorizer.txt"
            sources = [*(ROOT / "authorizer").glob("*.py"), lock_file]
            return self._build("authorizer", sources, build_authorizer)
        return self.functions(packages_in(names)) if _FUNCTIONS in names else asset

    def layer(self) -> bytes:
        """Return the layer's zip."""
        folder = ROOT / "shared-layer"
        sources = [*(folder / "python").rglob("*.py*"), folder / "build.py"]
        return self._build("layer", sources, build_layer)

    def functions(self, packages: tuple[str, ...]) -> bytes:
        """Return the zip of the functions."""
        sources = [path for name in packages for path in (ROOT / "functions" / name).rglob("*.py*")]
        return self._build(packages, sources, lambda: build_functions(packages))

    def _build(self, what: object, sources: list[Path], build: Callable[[], bytes]) -> bytes:
        digest = hashlib.sha256()
        for path in sorted(sources):
            if "__pycache__" not in path.parts:
                digest.update(f"{path}\n".encode() + path.read_bytes())
        with self._making[what]:
            if self._made.get(what, ("",))[0] != digest.hexdigest():
                self._made[what] = digest.hexdigest(), build()
            return self._made[what][1]


def packages_in(names: Iterable[str]) -> tuple[str, ...]:
    """Return the packages of a zip of functions by the names of its files."""
    return tuple(sorted({name.partition("/")[0] for name in names}))
