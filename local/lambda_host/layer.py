"""Unpacks a layer's zip to where a function finds it, as `/opt` is on Lambda: read-only."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["unpack_layer"]


def unpack_layer(archive: Path, into: Path) -> Path:
    """Unpack `archive` into the new folder `into`, take the right to write away, return it.

    Root may write all the same; a test compares the files before and after.
    """
    into.mkdir(parents=True)
    with zipfile.ZipFile(archive) as layer:
        layer.extractall(into)
    for path in into.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    into.chmod(0o555)
    return into
