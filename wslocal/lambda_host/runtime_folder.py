"""What Lambda's Python runtime has, apart from the standard library, as one folder a version.

That is the runtime client and the SDK, with what these need:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html. For the Python that runs this, the
folder is made of links to the distributions that are installed here; none of its other packages is
in it. For another version only the runtime client, which has an extension module, is fetched.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .interpreters import home
from .results import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["cache_folder", "fetched_runtime", "made_once", "one_at_a_time", "own_runtime"]

_CLIENT, _SDK = "awslambdaric", "boto3"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def cache_folder() -> Path:
    """Return a folder of this user's that outlives a run, made if it is not there."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    user = home()
    parents = [Path(named)] if Path(named).is_absolute() else []
    parents += [user / ".cache"] if user is not None else []
    for parent in parents:
        with contextlib.suppress(OSError):
            folder = parent / "wslocal"
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    folder = Path(tempfile.gettempdir()) / f"wslocal-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise HostError(f"{folder} belongs to somebody else: name a folder with XDG_CACHE_HOME")
    return folder


@lru_cache
def own_runtime(parent: str) -> Path:
    """Return the folder for the Python that runs this, below `parent`; it goes with this process.

    It holds links alone, and is made in a moment.
    """
    folder = Path(tempfile.mkdtemp(prefix="runtime-", dir=parent))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _link(list(_closure([_CLIENT, _SDK])), folder)
    return folder


def fetched_runtime(
    cache: Path, version: str, python: str, install: Callable[[str], None] | None
) -> Path | None:
    """Return the folder for another version, such as `3.12`, run by `python`.

    None if it was not fetched before and `install`, which is called with a sentence for a person, is
    None. HostError if it cannot be fetched.
    """
    client = importlib.metadata.version(_CLIENT)
    distributions = list(_closure([_SDK]))
    shares = all(_allows(distribution, version) for distribution in distributions)
    wanted = [f"{_CLIENT}=={client}"] if shares else [_CLIENT, _SDK]
    shared = distributions if shares else []
    folder = cache / f"python{version}-{client}-{_digest(shared)}"
    if folder.exists():
        return folder
    if install is None:
        return None

    def make(folder: Path) -> None:
        _pip(python, version, wanted, folder)
        _link(shared, folder)

    with one_at_a_time(cache):
        if not folder.exists():
            install(f"installing {' and '.join(wanted)} for Python {version} to {folder}")
        return made_once(folder, make)


@contextlib.contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """Let one thread of one process install something to the cache; others wait."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return `folder`, which `make` fills under another name if it is not there; no one sees half of it."""
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make(unfinished)
        unfinished.chmod(0o755)
        with contextlib.suppress(OSError):  # somebody else has made it meanwhile
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _closure(names: list[str]) -> Iterator[importlib.metadata.Distribution]:
    """Give the distributions of these names and all that they require, as far as they are installed."""
    seen: set[str] = set()
    while names:
        name = re.sub(r"[-_.]+", "-", names.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system or version
        yield distribution
        for requirement in distribution.requires or []:
            found = _NAME.match(requirement)
            if found and "extra ==" not in requirement:
                names.append(found[0])


def _digest(distributions: list[importlib.metadata.Distribution]) -> str:
    """Return what changes when another version is installed, or the same one elsewhere."""
    where = [f"{d.name} {d.version} {d.locate_file('')}" for d in distributions]
    return hashlib.sha256("\n".join(sorted(where)).encode()).hexdigest()[:16]


def _link(distributions: list[importlib.metadata.Distribution], folder: Path) -> None:
    for distribution in distributions:
        names = {path.parts[0] for path in distribution.files or []}
        for name in names - {"..", "__pycache__"}:
            link = folder / name
            if not link.exists():  # what pip has installed for this version is the right one
                link.symlink_to(Path(str(distribution.locate_file(name))))


def _allows(distribution: importlib.metadata.Distribution, version: str) -> bool:
    least = re.search(r">=\s*3\.([0-9]+)", distribution.metadata["Requires-Python"] or "")
    return least is None or int(version.partition(".")[2]) >= int(least[1])


def _pip(python: str, version: str, wanted: list[str], folder: Path) -> None:
    command = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]
    command += [str(folder), "--only-binary=:all:", "--python-version", version, *wanted]
    runs = []
    for candidate in (python, sys.executable):  # a system's Python may have no pip
        run = subprocess.run(
            [candidate, *command], capture_output=True, text=True, errors="replace", check=False
        )
        if run.returncode == 0:
            return
        runs.append(run)
    words = (runs[-1].stderr or runs[0].stderr).strip().splitlines()
    reason = words[-1] if words else f"exit status {runs[-1].returncode}"
    raise HostError(f"pip cannot install {' and '.join(wanted)} for Python {version}: {reason}")
