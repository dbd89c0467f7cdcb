"""The code of a project's functions and layers: taken from where its build left it, and zipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .packages import pack
from .project import ProjectError, key_of
from .requirements import missing_packages, missing_requirements

if TYPE_CHECKING:
    from pathlib import Path

    from .project import Installer

__all__ = ["Code"]


class Code:
    """Collects zips by key, the files and folders that they are made of, and what a person should know."""

    def __init__(self, install: Installer | None) -> None:
        self._install = install
        self.archives: dict[str, bytes] = {}
        self.watched: list[Path] = []
        self.notes: list[str] = []
        self._packed: dict[tuple[Path, str, tuple[Path, ...]], str] = {}

    def add(
        self, name: str, path: Path, runtime: str = "", *, built: bool = False, below: str = ""
    ) -> str:
        """Add the code of a function or layer, and return its key.

        What is `built` has all that it needs; for the rest, packages are installed if the person wishes it
        and noted as missing if not. `below` is a folder in the zip for all of it, such as `python/`.
        """
        if not path.exists():
            raise ProjectError(f"{name} has its code in {path}, which is not there")
        more = [] if built or not path.is_dir() else self._more(name, path, runtime)
        same = path, below, tuple(more)  # functions often share a folder
        if same not in self._packed:
            archive = pack(path, below=below, beside=more)
            self._packed[same] = key_of(archive)
            self.archives[self._packed[same]] = archive
        if path not in self.watched:
            self.watched.append(path)
        return self._packed[same]

    def _more(self, name: str, path: Path, runtime: str) -> list[Path]:
        if runtime.startswith("python") and (missing := missing_requirements(path)):
            if self._install is not None:
                return [self._install.python(runtime, path / "requirements.txt")]
            self._note(name, path / "requirements.txt", missing)
        if runtime.startswith("nodejs") and (missing := missing_packages(path)):
            if self._install is not None:
                return [self._install.node(runtime, path / "package.json")]
            self._note(name, path / "package.json", missing)
        return []

    def _note(self, name: str, path: Path, missing: list[str]) -> None:
        self.notes.append(
            f"{name} asks for {', '.join(missing)} in {path}, which no build has installed: "
            "build the project first, such as with `sam build`, or add --install"
        )
