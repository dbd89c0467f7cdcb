"""Zips of code: the same bytes for the same files, whenever and wherever they are made."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from typing import TYPE_CHECKING

from .project import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["pack"]

# The quota of a function or layer, unzipped, 250 MB:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_BYTES = 250 * 1024 * 1024

_LEFT_OUT = {".git", ".aws-sam", "__pycache__"}
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
_FILE = 0o644
_PROGRAM = 0o755


def pack(path: Path, *, below: str = "", beside: Sequence[Path] = ()) -> bytes:
    """Return a zip of a folder or of one file; one that is a zip (or a jar) is returned as it is.

    Its names are put below `below`, and the content of the folders `beside` is added where it has no file
    of that name. Links are followed, as SAM and the AWS CLI do. ProjectError if it cannot be read, or is
    larger than Lambda takes.
    """
    try:
        if path.is_file() and zipfile.is_zipfile(path):
            return path.read_bytes()
        if path.is_file() and path.suffix in {".zip", ".jar"}:
            raise ProjectError(f"{path} is no zip: build it again, or name its folder")
        return _zip([path, *beside], below)
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror or error}") from error


def _zip(roots: Sequence[Path], below: str) -> bytes:
    buffer, seen, size = io.BytesIO(), set(), 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for root in roots:
            for name, file in sorted(_files(root)):
                if name in seen:
                    continue
                seen.add(name)
                content = file.read_bytes()
                size += len(content)
                if size > _MAX_BYTES:
                    raise ProjectError(
                        f"{roots[0]} has more than 250 MB, which Lambda does not take: name a smaller folder"
                    )
                archive.writestr(_entry(below + name, file), content)
    return buffer.getvalue()


def _entry(name: str, file: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, whose modes these are
    mode = _PROGRAM if file.stat().st_mode & stat.S_IXUSR else _FILE
    entry.external_attr = (stat.S_IFREG | mode) << 16
    return entry


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file with its name below `root`."""
    if root.is_file():
        yield root.name, root
        return
    if not root.is_dir():
        raise ProjectError(f"{root} is not there")
    parents: dict[str, tuple[str, ...]] = {str(root): ()}
    for folder, folders, files in os.walk(root, followlinks=True):
        above = (*parents.pop(folder), os.path.realpath(folder))
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        # A link to a folder above would lead around for ever.
        folders[:] = [
            name for name in folders if os.path.realpath(os.path.join(folder, name)) not in above
        ]
        parents |= {os.path.join(folder, name): above for name in folders}
        for name in files:
            file = root / os.path.relpath(os.path.join(folder, name), root)
            if file.is_file():  # neither a socket nor a link that leads nowhere
                yield file.relative_to(root).as_posix(), file
