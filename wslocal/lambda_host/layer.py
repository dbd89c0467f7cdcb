"""Unpacks zips to where a function finds them: its code, and its layers, read-only, as in `/opt`."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["unpack_code", "unpack_layer"]


def unpack_layer(archive: Path, into: Path) -> Path:
    """Unpack `archive` into the new folder `into`, take the right to write away, return it.

    Root may write all the same; a test compares the files before and after.
    """
    return unpack_code([archive], into)


def unpack_code(
    archives: Sequence[Path | IO[bytes]],
    into: Path,
    *,
    after_file: Callable[[], object] = lambda: None,
) -> Path:
    """Unpack zips over each other, in their order, into the new folder `into`, read-only.

    `after_file` is called for each file. After an error, also of that call, there is no `into`.
    """
    into.mkdir(parents=True)
    try:
        for archive in archives:
            with zipfile.ZipFile(archive) as files:
                for entry in files.infolist():
                    _unpack(files, entry, into)
                    after_file()
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        raise
    for path in into.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o555)
    into.chmod(0o555)
    return into


def _unpack(files: zipfile.ZipFile, entry: zipfile.ZipInfo, into: Path) -> None:
    """Unpack one file, which stays a program or a link if it was packed as one, as on Lambda."""
    mode = entry.external_attr >> 16
    parts = [part for part in PurePosixPath(entry.filename).parts if part not in {"/", ".."}]
    target, root = into.joinpath(*parts), into.resolve()
    if not target.parent.resolve().is_relative_to(root):
        raise zipfile.BadZipFile(f"{entry.filename} leads out of its folder")
    if not entry.is_dir() and (target.is_symlink() or target.is_file()):
        target.unlink()  # of an archive before
    if stat.S_ISLNK(mode):
        leads_to = files.read(entry).decode()
        inside = (target.parent / leads_to).resolve()
        if inside != root and inside.is_relative_to(root):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(leads_to)
            return
    unpacked = Path(files.extract(entry, into))
    if not entry.is_dir():
        unpacked.chmod(0o444 | mode & 0o111)
