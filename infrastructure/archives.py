"""The zips of the layer, the functions and the authorizer, as `shared-layer/build.sh` makes them of the sources."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infrastructure.settings import SettingsError

__all__ = ["build_authorizer", "build_functions", "build_layer"]

_ROOT = Path(__file__).resolve().parent.parent

# What a function runs, and nothing that only tests or this machine need.
_PACKAGES = ("handlers", "broadcast")


@functools.cache
def build_layer(pythons: tuple[str, ...]) -> Path:
    """Build the layer's zip with bytecode for these versions; once in a process."""
    return _build("shared-layer.zip", pythons)


@functools.cache
def build_functions(python: str) -> Path:
    """Build the zip that all functions share, with bytecode for this version; once in a process."""
    packages = [_ROOT / "functions" / name for name in _PACKAGES]
    return _build("functions.zip", (python,), "--function", *packages)


@functools.cache
def build_authorizer(python: str, architecture: str) -> Path:
    """Build the authorizer's zip: its modules, and what the wheels of its lock file hold.

    `architecture` is `arm64`: `make dev` has fetched the wheels for it, by `tools/environments.py`.
    """
    wheels = _ROOT / ".cache" / "wheels" / "authorizer" / f"{architecture}-{python}"
    if not wheels.is_dir():
        raise SettingsError(
            f"the authorizer's wheels for Python {python} on {architecture} are not in .cache/wheels; "
            "make dev fetches those for arm64"
        )
    modules = sorted((_ROOT / "authorizer").glob("*.py"))
    pinned = ("--wheels", wheels, "--lock", _ROOT / "requirements" / "authorizer.txt")
    return _build("authorizer.zip", (python,), "--function", *modules, *pinned)


def _build(name: str, pythons: tuple[str, ...], *arguments: str | Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="archives-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    archive = folder / name
    build = [str(_ROOT / "shared-layer" / "build.sh"), "--python", ",".join(pythons)]
    run = subprocess.run(
        [*build, *arguments, "--output", archive], capture_output=True, text=True, check=False
    )
    if run.returncode:
        ours = f"-c python=3.{sys.version_info.minor} would use the Python that runs this"
        raise SettingsError(f"{run.stderr.strip()}; {ours}")
    return archive
