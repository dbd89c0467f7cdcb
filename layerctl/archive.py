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

__all__ = ["BUILD", "Archive", "Entry", "code_sha256", "import_roots"]

#: Where a zip that works comes from, for remedies.
BUILD = "take the zip of a release, or build one with shared-layer/build.sh"

_EXTENSIONS = (".py", ".so", ".pyc")
# Of an entry's general flags: its content is encrypted; its name is UTF-8. APPNOTE 4.4.4:
# https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
_ENCRYPTED, _UTF8 = 0x1, 0x800


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder in a zip: its path, bytes when unpacked, and its Unix mode if the zip has one."""

    path: str
    size: int
    mode: int | None
    checksum: int
    flags: int

    def is_open(self, rights: int) -> bool:
        """Whether a user who owns nothing of it has these rights, bits of `stat.S_IRWXO`."""
        return self.mode is None or self.mode & rights == rights

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link; its content is then where it leads."""
        return self.mode is not None and stat.S_ISLNK(self.mode)

    @property
    def is_encrypted(self) -> bool:
        """Whether a password is needed to read it."""
        return bool(self.flags & _ENCRYPTED)

    @property
    def is_named_clearly(self) -> bool:
        """Whether every tool reads its name alike: it is ASCII, or marked as UTF-8."""
        return self.path.isascii() or bool(self.flags & _UTF8)


class Archive:
    """A zip held in memory. `origin` is how messages call it."""

    def __init__(self, content: bytes, origin: str) -> None:
        self.content = content
        self.origin = origin
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise WrongInputError(f"{origin} is not a zip ({error}): {BUILD}") from error
        entries = [_entry(info) for info in self._zip.infolist()]
        self.folders = tuple(entry for entry in entries if entry.path.endswith("/"))
        self.files = tuple(entry for entry in entries if not entry.path.endswith("/"))
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
    def repeated(self) -> list[str]:
        """Return the paths that are in it more than once; `read` gives the last one's bytes."""
        counts = Counter(entry.path for entry in self.files)
        return sorted(path for path, count in counts.items() if count > 1)

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
            elif (
                len(parts) == 2
                and parts[1].partition(".")[0] == "__init__"
                and parts[1].endswith(_EXTENSIONS)
            ):
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


def _entry(info: zipfile.ZipInfo) -> Entry:
    """Return an entry; one made on Windows has no Unix mode, and Lambda then lets everybody read it.

    Nobody may run it, though: https://github.com/aws/aws-sam-cli/pull/2193
    """
    unix, mode = 3, info.external_attr >> 16
    return Entry(
        info.filename,
        info.file_size,
        mode if info.create_system == unix and mode else None,
        info.CRC,
        info.flag_bits,
    )
