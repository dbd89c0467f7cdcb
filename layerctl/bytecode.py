"""Whether the bytecode in a zip is what its Python will run.

Lambda's `/opt` is read-only: without valid bytecode every cold start compiles, and unchecked
bytecode (PEP 552) that does not belong to its source runs instead of it.
"""

from __future__ import annotations

import _imp  # `importlib.util.source_hash` knows the running interpreter's key only
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerctl.archive import Archive

__all__ = ["MAGIC", "Verdict", "judge", "pythons_of"]

# https://github.com/python/cpython/blob/main/Include/internal/pycore_magic_number.h
MAGIC = {"3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627}

_HEADER = 16
_HASHED, _CHECKED = 0b01, 0b10


class Verdict(StrEnum):
    """What becomes of a source's bytecode when it is imported on Lambda."""

    VALID = "valid"
    MISSING = "missing"
    FOREIGN = "of another Python"  # ignored, compiled at each cold start
    DATED = "dated"  # used only while the source keeps its file date
    OUTDATED = "outdated"  # checked, found wrong, compiled at each cold start
    TREACHEROUS = "not of its source"  # unchecked: runs in place of the source


@dataclass(frozen=True, slots=True)
class Bytecode:
    """A source file and the verdict on its bytecode for one Python."""

    source: str
    verdict: Verdict


def judge(archive: Archive, folder: str, python: str) -> Iterator[Bytecode]:
    """Judge each source below `folder` for one Python; nothing for a Python not in `MAGIC`."""
    if python not in MAGIC:
        return
    for entry in archive.below(folder):
        if entry.path.endswith(".py"):
            yield Bytecode(entry.path, _verdict(archive, entry.path, python))


def pythons_of(archive: Archive) -> list[str]:
    """Return the Python versions for which the zip names bytecode, oldest first."""
    tags = {
        match[1]
        for entry in archive.files
        if (match := re.search(r"\.cpython-3(\d+)\.pyc$", entry.path))
    }
    return [f"3.{minor}" for minor in sorted(tags, key=int)]


def _verdict(archive: Archive, source: str, python: str) -> Verdict:
    path = PurePosixPath(source)
    tag = f"cpython-{python.replace('.', '')}"
    compiled = str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc")
    if compiled not in archive:
        return Verdict.MISSING
    return _compare(archive.read(compiled)[:_HEADER], archive.read(source), MAGIC[python])


def _compare(header: bytes, source: bytes, magic: int) -> Verdict:
    if len(header) < _HEADER or header[:4] != magic.to_bytes(2, "little") + b"\r\n":
        return Verdict.FOREIGN
    flags = int.from_bytes(header[4:8], "little")
    if not flags & _HASHED:
        return Verdict.DATED
    if header[8:] == _imp.source_hash(int.from_bytes(header[:4], "little"), source):
        return Verdict.VALID
    return Verdict.OUTDATED if flags & _CHECKED else Verdict.TREACHEROUS
