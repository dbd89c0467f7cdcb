"""Runs pip and npm for what no build has installed, once for each list, into a folder that is kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .project import ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PackageInstaller"]


@dataclass(frozen=True, slots=True)
class PackageInstaller:
    """An `Installer`. `python_of` returns the interpreter of a runtime such as `python3.12`, and `npm` the
    command that npm is on this machine, such as `["npm"]`. `report` gets a sentence before each run.
    """

    cache: Path
    python_of: Callable[[str], Path]
    npm_of: Callable[[str], Sequence[str]]
    report: Callable[[str], object] = lambda sentence: None

    def python(self, runtime: str, requirements: Path) -> Path:
        """Return a folder with what a file of requirements names, for this runtime."""
        interpreter = str(self.python_of(runtime))
        pip = [interpreter, "-m", "pip"]
        if _fails([*pip, "--version"]):  # such as Debian's, which comes without
            pip = [sys.executable, "-m", "pip", "--python", interpreter]

        def install(folder: Path) -> None:
            self.report(f"pip installs {requirements} for {runtime}")
            options = ["--no-input", "--disable-pip-version-check", "--quiet", "--no-compile"]
            _run([*pip, "install", *options, "-r", requirements, "--target", folder], requirements)

        return self._kept(f"{runtime} {interpreter}", [requirements], install)

    def node(self, runtime: str, package: Path) -> Path:
        """Return a folder with the `node_modules` that a `package.json` asks for."""
        npm = self.npm_of(runtime)
        lists = [package, *package.parent.glob("package-lock.json")]

        def install(folder: Path) -> None:
            self.report(f"npm installs {package}")
            for path in lists:
                shutil.copy(path, folder)
            how = "ci" if len(lists) > 1 else "install"
            # Packages that are folders are packed: a link to them would not survive the zip.
            options = ["--omit=dev", "--install-links", "--no-audit", "--no-fund"]
            _run([*npm, how, *options], package, cwd=folder)
            for name in ("package.json", "package-lock.json"):
                (folder / name).unlink(missing_ok=True)

        return self._kept(runtime, lists, install)

    def _kept(self, why: str, lists: Sequence[Path], install: Callable[[Path], None]) -> Path:
        """Return the folder of these lists of packages; `install` fills it if it is not there."""
        digest = hashlib.sha256(why.encode())
        for path in lists:
            digest.update(path.read_bytes())
        kept = self.cache / digest.hexdigest()[:32]
        if not kept.is_dir():
            self.cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=self.cache) as temporary:
                made = Path(temporary) / "made"
                made.mkdir()
                install(made)
                if not kept.is_dir():  # another process may have been faster
                    made.rename(kept)
        return kept


def _environment() -> dict[str, str]:
    """Return the user's variables, for the index and proxies, without those of our own Python."""
    return {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}


def _fails(command: Sequence[str]) -> bool:
    try:
        run = subprocess.run(command, check=False, capture_output=True, env=_environment())
    except OSError:
        return True
    return run.returncode != 0


def _run(command: Sequence[str | Path], what: Path, cwd: Path | None = None) -> None:
    try:
        run = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=cwd, env=_environment()
        )
    except OSError as error:
        raise ProjectError(
            f"{what} cannot be installed: {command[0]} does not start, {error.strerror}"
        ) from error
    if run.returncode:
        lines = [line for line in (run.stderr or run.stdout).splitlines() if line.strip()]
        why = next((line for line in lines if "error" in line.lower()), "it gave no reason")
        raise ProjectError(f"{what} cannot be installed: {why.strip()}")
