"""What can be wrong with a zip's entries, whoever made them: rights, links, and files nobody meant.

Decided by names and modes. Only scripts are read, since one with Windows' line ends does not start.
"""

from __future__ import annotations

import re
import stat
from collections import defaultdict
from posixpath import join, normpath
from typing import TYPE_CHECKING

from layerctl.archive import BUILD
from layerctl.findings import error, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from layerctl.archive import Archive, Entry
    from layerctl.findings import Finding

__all__ = ["BUILD", "check_entries", "is_left_behind"]

# 644 for files, 755 for folders and programs:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-deploy-functions.html
_READ, _ENTER, _RUN = stat.S_IROTH, stat.S_IROTH | stat.S_IXOTH, stat.S_IROTH | stat.S_IXOTH

_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)")
# macOS: AppleDouble and the Finder. Emacs: locks, unsaved and former files. Vim: swap files. Windows.
_LEFT_BEHIND = re.compile(
    r"(.*/)?(__MACOSX|\._[^/]*|\.DS_Store|\.#[^/]*|#[^/]*#|[^/]*~|\.[^/]+\.sw[a-p]"
    r"|Thumbs\.db|desktop\.ini)(/.*)?"
)
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
_PROGRAM = re.compile(r"bootstrap|extensions/[^/]+")


def is_left_behind(path: str) -> bool:
    """Return whether a path is that of what systems and editors leave behind."""
    return _LEFT_BEHIND.fullmatch(path) is not None


def check_entries(archive: Archive, subject: str) -> Iterator[Finding]:
    """Check what is in a zip without a look at what it is for."""
    for level, code, found, effect, remedy in _faults(archive):
        if found:
            names = sorted({entry.path for entry in found})
            yield level(
                subject,
                code,
                f"{archive.origin} has {_entries(len(names))} that {effect}, like {names[0]}",
                remedy,
            )
    yield from _check_copies(archive, subject)


def _faults(
    archive: Archive,
) -> Iterator[tuple[Callable[..., Finding], str, Sequence[Entry], str, str]]:
    files, everything = archive.files, (*archive.folders, *archive.files)
    programs = [entry for entry in files if _PROGRAM.fullmatch(entry.path)]
    yield (
        error,
        "unreadable-files",
        [entry for entry in files if not entry.is_open(_READ) and not entry.is_link],
        "Lambda may not read",
        f"chmod -R a+rX before zipping, or {BUILD}",
    )
    yield (
        error,
        "closed-folders",
        [entry for entry in archive.folders if not entry.is_open(_ENTER)],
        "Lambda may not enter, so nothing below is found",
        f"chmod -R a+rX before zipping, or {BUILD}",
    )
    yield (
        error,
        "not-executable",
        [entry for entry in programs if entry.mode is None or not entry.is_open(_RUN)],
        "Lambda may not run",
        "chmod a+rx and zip it on Linux or macOS, since zips of Windows have no such right",
    )
    yield (
        error,
        "script-with-crlf",
        [entry for entry in files if _is_script(entry) and _has_crlf(archive, entry)],
        "end their first line as Windows does, so Linux looks for a program with that name",
        "save with LF line ends; `*.sh text eol=lf` in .gitattributes keeps them in a checkout",
    )
    yield (
        error,
        "encrypted",
        [entry for entry in files if entry.is_encrypted],
        "need a password, and Lambda has none",
        "zip it without encryption",
    )
    yield (
        error,
        "backslash-in-name",
        [entry for entry in everything if "\\" in entry.path],
        "are no files in folders on Lambda: the backslash is part of the name",
        "zip with a tool that writes /, like `python -m zipfile -c` or 7-Zip",
    )
    yield (
        error,
        "path-outside",
        [entry for entry in everything if _OUTSIDE.match(entry.path)],
        "would be unpacked outside of the folder that Lambda unpacks to",
        "zip from inside the folder, with relative paths",
    )
    yield (
        error,
        "dangling-link",
        [entry for entry in files if entry.is_link and _leads_nowhere(archive, entry)],
        "are links to nothing in it",
        "zip without `--symlinks`, which puts what links lead to in their place",
    )
    yield (
        warning,
        "link-outside",
        [entry for entry in files if entry.is_link and _OUTSIDE.match(_target(archive, entry))],
        "are links that lead out of it, to what this machine has and Lambda may not",
        "zip without `--symlinks`, which puts what links lead to in their place",
    )
    yield (
        warning,
        "name-unclear",
        [entry for entry in everything if not entry.is_named_clearly],
        "have a name that is neither ASCII nor marked as UTF-8, so that tools read it differently",
        "rename them in ASCII",
    )
    yield (
        warning,
        "left-behind",
        [entry for entry in files if is_left_behind(entry.path)],
        "a system or an editor left behind, of no use on Lambda",
        f"leave them out (`zip -x '*/._*' '*/.DS_Store' '*~'`), or {BUILD}",
    )


def _check_copies(archive: Archive, subject: str) -> Iterator[Finding]:
    """Find names that are there twice, or that some file systems take for one."""
    same: dict[str, set[int]] = defaultdict(set)
    alike: dict[str, set[str]] = defaultdict(set)
    for entry in archive.files:
        same[entry.path].add(entry.checksum)
        alike[entry.path.casefold()].add(entry.path)
    if twice := archive.repeated:
        differ = [path for path in twice if len(same[path]) > 1]
        yield (error if differ else warning)(
            subject,
            "name-twice",
            f"{archive.origin} has {_entries(len(twice))} more than once, like {(differ or twice)[0]}"
            + (", with other content each time: one of them wins" if differ else ""),
            "make the zip anew instead of adding to it",
        )
    if clashes := sorted(min(paths) for paths in alike.values() if len(paths) > 1):
        names = " and ".join(sorted(alike[clashes[0].casefold()]))
        yield warning(
            subject,
            "names-differ-in-case",
            f"{archive.origin} has {names}, which are one file on macOS and Windows",
            "rename one of them",
        )


def _is_script(entry: Entry) -> bool:
    return bool(_PROGRAM.fullmatch(entry.path)) or entry.path.endswith(".sh")


def _has_crlf(archive: Archive, entry: Entry) -> bool:
    first = b"" if entry.is_encrypted else archive.read(entry.path).partition(b"\n")[0]
    return first.startswith(b"#!") and first.endswith(b"\r")


def _target(archive: Archive, entry: Entry) -> str:
    """Return where a link leads, seen from the zip's root."""
    target = archive.read(entry.path).decode(errors="replace")
    return target if target.startswith("/") else normpath(join(entry.path, "..", target))


def _leads_nowhere(archive: Archive, entry: Entry) -> bool:
    target = _target(archive, entry)
    there = target in archive or any(archive.below(f"{target}/"))
    return not there and not _OUTSIDE.match(target)


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
