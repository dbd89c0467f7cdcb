"""What can be wrong with a layer's zip, whether it is a file or published."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from layerctl.archive import import_roots
from layerctl.bytecode import MAGIC, Verdict, judge, pythons_of
from layerctl.check_entries import BUILD, check_entries, is_left_behind
from layerctl.check_shadows import check_standard_names, modules_of
from layerctl.check_sources import check_sources
from layerctl.findings import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerctl.archive import Archive
    from layerctl.findings import Finding

__all__ = ["MAX_UNPACKED_BYTES", "check_bytecode", "check_zip", "holds", "misplaced"]

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNPACKED_BYTES = 250 * 1024 * 1024
MAX_UPLOAD_BYTES = 50 * 1024 * 1024


def check_zip(archive: Archive, package: str) -> Iterator[Finding]:
    """Check a zip by itself: for every Python that it could serve."""
    subject = archive.origin
    if any(entry.is_encrypted for entry in archive.files):
        yield from check_entries(archive, subject)
        return
    if archive.unpacked_bytes <= MAX_UNPACKED_BYTES and (damage := archive.damage()):
        yield error(subject, "damaged", damage, f"copy it again, or {BUILD}")
        return
    if any(re.fullmatch(r"[^/]+\.dist-info/WHEEL", entry.path) for entry in archive.files):
        yield error(
            subject,
            "wheel",
            f"{archive.origin} is a wheel, which pip installs; a layer is a zip with python/ at its root",
            "take shared-layer-VERSION.zip of the release",
        )
        return
    place = misplaced(archive, package)
    if place or not any(archive.below("python/")):
        found = f"{package} is at {place} instead" if place else f"{package} is not in it either"
        yield error(
            subject,
            "no-python-folder",
            f"{package} is not below python/ at the zip's root, so nothing finds it: {found}",
            f"zip the folder that holds python/, or {BUILD}",
        )
    elif not any(holds(archive, package, python) for python in _served(archive)):
        there = any(archive.below(f"{root}{package}/") for root in _roots(archive))
        yield error(
            subject,
            "package-missing",
            f"{package} has no __init__.py in it" if there else f"there is no {package} in it",
            f"{BUILD}, or name another package with --package",
        )
    for root in _roots(archive):
        if package in archive.modules(root):
            yield from check_sources(archive, root, package, subject)
    yield from _check_twice(archive, package)
    yield from check_entries(archive, subject)
    modules = {
        name: path
        for python in _served(archive)
        for name, path in modules_of(archive, python).items()
    }
    yield from check_standard_names(archive.origin, modules, subject)
    yield from check_size(archive)
    for python in pythons_of(archive) or ["3.11"]:
        yield from check_bytecode(archive, package, python, subject)


def check_size(archive: Archive) -> Iterator[Finding]:
    """Check a layer's zip against what Lambda takes."""
    biggest = ", ".join(
        f"{name} {_megabytes(size)}" for name, size in archive.sizes("python/").most_common(3)
    )
    if archive.unpacked_bytes > MAX_UNPACKED_BYTES:
        yield error(
            archive.origin,
            "too-large",
            f"it unpacks to {_megabytes(archive.unpacked_bytes)}, and Lambda allows 250 MB for a "
            f"function with all its layers; the largest are {biggest}",
            "leave the largest out, or use a container image",
        )
    elif len(archive.content) > MAX_UPLOAD_BYTES:
        yield warning(
            archive.origin,
            "too-large-to-upload",
            f"the zip has {_megabytes(len(archive.content))}; direct uploads end at 50 MB",
            "publish it from S3, as `cdk deploy` does",
        )


def check_bytecode(archive: Archive, package: str, python: str, subject: str) -> Iterator[Finding]:
    """Check the package's bytecode for one Python."""
    root = holds(archive, package, python)
    if root is None or python not in MAGIC:
        return
    rows = [
        row for row in judge(archive, f"{root}{package}/", python) if not is_left_behind(row.source)
    ]
    counts = Counter(row.verdict for row in rows)
    for verdict, (level, code, effect) in _BYTECODE.items():
        if counts[verdict]:
            example = next(row.source for row in rows if row.verdict is verdict)
            yield level(
                subject,
                code,
                f"{_files(counts[verdict])} of {archive.origin}, like {example}, {effect} "
                f"({python})",
                f"publish the zip of a release that is for Python {python}, or one that you build with "
                f"`shared-layer/build.sh --python {python}`",
            )


_BYTECODE = {
    Verdict.TREACHEROUS: (
        error,
        "bytecode-not-of-source",
        "have unchecked bytecode of other sources, which runs in their place",
    ),
    Verdict.FOREIGN: (
        warning,
        "bytecode-foreign",
        "have bytecode of another Python under this one's name: compiled at each cold start",
    ),
    Verdict.OUTDATED: (
        warning,
        "bytecode-outdated",
        "have bytecode of older sources: compiled at each cold start",
    ),
    Verdict.DATED: (
        warning,
        "bytecode-dated",
        "have bytecode that is valid only while file dates are kept",
    ),
    Verdict.MISSING: (
        warning,
        "bytecode-missing",
        "have no bytecode: compiled at each cold start",
    ),
}


def holds(archive: Archive, package: str, python: str) -> str | None:
    """Return the folder from which this Python would import the package, else None."""
    roots = import_roots(python)
    return next((root for root in roots if package in archive.modules(root)), None)


def misplaced(archive: Archive, package: str) -> str:
    """Return where in the zip the package is, if no Python finds it there; else ''."""
    known = re.compile(r"python/(lib/python3\.\d+/site-packages/)?")
    wanted = re.compile(rf"(.*/)?{re.escape(package)}(/__init__)?\.py")
    places = [match for entry in archive.files if (match := wanted.fullmatch(entry.path))]
    found = [known.fullmatch(match[1] or "") for match in places]
    return "" if any(found) or not places else places[0][0].removesuffix("/__init__.py")


def _check_twice(archive: Archive, package: str) -> Iterator[Finding]:
    """Find modules in both folders that a Python searches: one hides the other."""
    for python in _served(archive):
        first, second = (archive.modules(root) for root in import_roots(python))
        for name in sorted(first.keys() & second.keys()):
            yield (error if name == package else warning)(
                archive.origin,
                "in-both-folders",
                f"{archive.origin} has {first[name]} and {second[name]}: under Python {python} the first "
                "hides the other",
                f"remove one of them, or {BUILD}",
            )


def _roots(archive: Archive) -> list[str]:
    """Return the folders from which some Python would import."""
    return list(dict.fromkeys(root for python in _served(archive) for root in import_roots(python)))


def _served(archive: Archive) -> list[str]:
    named = {
        match[1]
        for entry in archive.files
        if (match := re.match(r"python/lib/python(3\.\d+)/", entry.path))
    }
    return sorted(named) or ["3.11"]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:.1f} MB"
