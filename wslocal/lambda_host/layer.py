"""Unpacks zips to where a function finds them: its code, and its layers, read-only, as in `/opt`."""

from __future__ import annotations

import shutil
import zipfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

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
                for name in files.namelist():
                    files.extract(name, into)
                    after_file()
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        raise
    for path in into.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    into.chmod(0o555)
    return into
