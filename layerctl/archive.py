"""A zip as Lambda sees it: what is importable from it, and how large it is once unpacked.

Works on bytes alone, and reads sizes from the zip's directory: nothing is unpacked to look.
"""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from layerctl.errors import WrongInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Archive", "Entry", "code_sha256", "import_roots"]

_EXTENSIONS = (".py", ".so", ".pyc")
# Readable by others: Lambda runs a function as a user that owns no file of its packages.
_READABLE = stat.S_IROTH


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a zip: its path, bytes when unpacked, and its Unix mode if the zip has one."""

    path: str
    size: int
    mode: int | None

    @property
    def is_readable(self) -> bool:
        """Whether everyone may read it."""
        return self.mode is None or bool(self.mode & _READABLE)


class Archive:
    """A zip held in memory. `origin` is how messages call it."""

    def __init__(self, content: bytes, origin: str) -> None:
        self.content = content
        self.origin = origin
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise WrongInputError(
                f"{origin} is not a zip ({error}): build one with shared-layer/build.sh"
            ) from error
        self.files = tuple(
            Entry(info.filename, info.file_size, _mode(info))
            for info in self._zip.infolist()
            if not info.is_dir()
        )
        self._paths = frozenset(entry.path for entry in self.files)

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def read(self, path: str) -> bytes:
        """Return a file's bytes; the zip's checksum is checked."""
        try:
            return self._zip.read(path)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            raise WrongInputError(f"{self.origin} is damaged at {path} ({error})") from error

    def damage(self) -> str:
        """Return what is wrong with the first file that cannot be read, else ''."""
        for path in sorted(self._paths):
            try:
                self.read(path)
            except WrongInputError as error:
                return str(error)
        return ""

    def below(self, folder: str) -> Iterator[Entry]:
        """Yield the files under `folder`, which ends in a slash; all of them for ''."""
        return (entry for entry in self.files if entry.path.startswith(folder))

    @property
    def unpacked_bytes(self) -> int:
        """Return how much of Lambda's 250 MB it takes."""
        return sum(entry.size for entry in self.files)

    @property
    def digest(self) -> str:
        """Return a digest of names and contents: the same however and whenever it was zipped."""
        total = hashlib.sha256()
        for path in sorted(self._paths):
            content = self.read(path)
            total.update(f"{path}\0{len(content)}\0".encode() + content)
        return total.hexdigest()

    def modules(self, root: str) -> Mapping[str, str]:
        """Return what `import` finds at `root`: the path of each module or regular package.

        A folder without `__init__` is a namespace, which hides nothing, so it is left out.
        """
        found: dict[str, str] = {}
        for entry in self.below(root):
            parts = PurePosixPath(entry.path[len(root) :]).parts
            if len(parts) == 1 and parts[0].endswith(_EXTENSIONS):
                found.setdefault(parts[0].partition(".")[0], entry.path)
            elif len(parts) == 2 and parts[1].partition(".")[0] == "__init__":
                found[parts[0]] = entry.path.rpartition("/")[0] + "/"
        return found

    def sizes(self, root: str) -> Counter[str]:
        """Return unpacked bytes by package below `root`; metadata counts as `name.dist-info`."""
        sizes: Counter[str] = Counter()
        for entry in self.files:
            inside = entry.path.startswith(root)
            sizes[PurePosixPath(entry.path[len(root) :] if inside else entry.path).parts[0]] += (
                entry.size
            )
        return sizes


def import_roots(python: str) -> tuple[str, str]:
    """Return where a layer is searched for modules under this Python, first place first.

    https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
    """
    return f"python/lib/python{python}/site-packages/", "python/"


def code_sha256(content: bytes) -> str:
    """Return the digest of a zip in the form in which Lambda tells it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _mode(info: zipfile.ZipInfo) -> int | None:
    """Return the Unix mode; zips made on Windows have none, and Lambda then gives one."""
    unix = 3
    return (
        info.external_attr >> 16
        if info.create_system == unix and info.external_attr >> 16
        else None
    )
