"""Makes the release of a tag: wheels, zips, their digests, bills of materials and the changes.

    python tools/release.py v0.2.0 [--output dist] [--python 3.11] [--check]

It builds from the tag's tree and never from the working tree, without the network, and the same tag
gives the same bytes in any folder: dates are the commit's. The zips depend on the interpreters' patch
versions and on zlib too. The output is replaced as a whole, by a rename, once everything has been made
and checked.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from environments import MINOR_VERSIONS, ROOT, find_pythons

try:
    from hatchling.metadata.core import ProjectMetadata
    from hatchling.plugin.manager import PluginManager

    from sbom import SbomError, pins, write_sbom
except ModuleNotFoundError as error:
    sys.exit(f"release: {sys.executable} has no {error.name}: run `make release TAG=v0.2.0`")

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ReleaseError", "main"]

_TAG = re.compile(r"v([0-9]+\.[0-9]+\.[0-9]+)")
SUMS = "SHA256SUMS"
# What makes a release, apart from what is in it: it has to be the tag's, too.
_MAKERS = ("tools/release.py", "tools/sbom.py", "tools/environments.py", "requirements/dev.txt")


class ReleaseError(Exception):
    """The release cannot be made; the text says why, and what to do."""


class Tag(NamedTuple):
    """A tag of this repository, the version that it names, and when its commit was made."""

    name: str
    version: str
    when: datetime


class _Source(NamedTuple):
    """What a tag holds: its files, what changed, and the folder and the version of each package."""

    tree: Path
    changes: str
    folders: list[Path]
    versions: dict[str, str]


def main(arguments: list[str]) -> None:
    """Make the release that the command line asks for, and list it; end with one sentence if it cannot."""
    parser = argparse.ArgumentParser(prog="make release", description="Make the release of a tag.")
    parser.add_argument("tag", help="such as v0.2.0")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "dist", help="the folder that gets it"
    )
    parser.add_argument(
        "--python", action="append", metavar="3.X", help="zips for these only, not for all here"
    )
    parser.add_argument(
        "--check", action="store_true", help="only read the tag, its versions and its changelog"
    )
    options = parser.parse_args(arguments)
    output = options.output.resolve()
    try:
        said = _release(options.tag, None if options.check else output, options.python or [])
    except (ReleaseError, SbomError) as error:
        sys.exit(f"release: {error}")
    except OSError as error:
        sys.exit(f"release: {error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(f"release: stopped; {output} is as it was")
    print(*said, sep="\n")


def _release(name: str, output: Path | None, wanted: list[str]) -> list[str]:
    """Make the release, or only read the tag if there is no output; return what to say of it."""
    tag = _read_tag(name)
    _refuse_other_makers(tag)
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        source = _read_source(tag, Path(temporary, "tree"))
        if output is None:
            return [f"{name} has one version and a section of the changelog"]
        pythons, missing = _interpreters(wanted)
        with _stage(output) as stage:
            _build(tag, source, stage, pythons)
            _put_in_place(stage, output)
    sizes = [f"{path.stat().st_size:>9,}  {path.name}" for path in sorted(output.iterdir())]
    return [*sizes, *missing]


def _build(tag: Tag, source: _Source, stage: Path, pythons: dict[str, str]) -> None:
    """Write everything that a release has."""
    (stage / "CHANGES.md").write_text(source.changes)
    environ = _environment(tag, pythons)
    _make_zips(tag, source.tree, stage, pythons, environ)
    for folder in source.folders:
        # hatchling puts it in; its text goes with every copy
        shutil.copy(source.tree / "LICENSE", folder)
        command = ["-m", "hatchling", "build", "--target", "wheel", "--directory", str(stage)]
        _run([sys.executable, *command], folder, environ)
    pinned = pins((source.tree / "requirements" / "dev.txt").read_text())
    for artefact in sorted([*stage.glob("*.whl"), *stage.glob("*.zip")]):
        write_sbom(artefact, tag.version, pinned, source.versions, tag.when)
    _write_sums(stage)


def _read_tag(name: str) -> Tag:
    form = _TAG.fullmatch(name)
    if form is None:
        raise ReleaseError(f"a tag looks like v0.2.0, got {name!r}: make release TAG=v0.2.0")
    if not _git("for-each-ref", f"refs/tags/{name}"):
        raise ReleaseError(f"there is no tag {name} here: git tag {name}, or git fetch --tags")
    seconds = _git("log", "-1", "--format=%ct", f"refs/tags/{name}^{{commit}}", "--")
    return Tag(name, form[1], datetime.fromtimestamp(int(seconds), UTC))


def _refuse_other_makers(tag: Tag) -> None:
    changed = _git("diff", "--name-only", f"refs/tags/{tag.name}", "--", *_MAKERS).split()
    if changed:
        raise ReleaseError(
            f"{', '.join(changed)} would make it and is not as in {tag.name}: git checkout {tag.name}"
        )


def _read_source(tag: Tag, tree: Path) -> _Source:
    """Write the tag's files to a new folder; refuse one that names no version, or several."""
    archive = tree.with_suffix(".zip")
    _git("archive", "--format=zip", f"--output={archive}", f"refs/tags/{tag.name}")
    with zipfile.ZipFile(archive) as content:
        content.extractall(tree)
    changes = _section(tag, (tree / "CHANGELOG.md").read_text())
    folders = sorted(project.parent for project in tree.glob("*/pyproject.toml"))
    return _Source(tree, changes, folders, _versions(tag, folders))


@contextlib.contextmanager
def _stage(output: Path) -> Iterator[Path]:
    """Give a new folder on the output's file system; refuse before the build what cannot be written after it."""
    _refuse_foreign_output(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        beside = tempfile.TemporaryDirectory(prefix=".release-", dir=output.parent)
    except OSError as error:
        raise ReleaseError(
            f"nothing can be written to {output.parent} ({error.strerror}): name another folder with --output"
        ) from None
    with beside:
        stage = Path(beside.name, "dist")
        stage.mkdir()  # with the user's mode: that of a temporary folder lets nobody else read it
        yield stage


def _refuse_foreign_output(output: Path) -> None:
    """Refuse to delete what no release has made."""
    if not output.exists():
        return
    if not output.is_dir():
        raise ReleaseError(f"{output} is no folder: name one with --output")
    sums = output / SUMS
    rows = sums.read_text(errors="replace").splitlines() if sums.is_file() else []
    made = {row.partition("  ")[2] for row in rows} | ({SUMS} if rows else set())
    foreign = sorted(path.name for path in output.iterdir() if path.name not in made)
    if foreign:
        more = f" and {len(foreign) - 1} more" if foreign[1:] else ""
        raise ReleaseError(
            f"{output} holds {foreign[0]}{more}, which no release made: "
            "move it away, or name another folder with --output"
        )


def _put_in_place(stage: Path, output: Path) -> None:
    """Put a finished release in the place of the last one, which goes away with the temporary folder."""
    _refuse_foreign_output(output)  # the build took a minute
    if output.exists():
        output.rename(stage.with_name("replaced"))
    stage.rename(output)


def _interpreters(wanted: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return an interpreter for each Python version, oldest first, and a sentence for each without one."""
    found = {f"3.{minor}": python.executable for minor, python in find_pythons().items()}
    versions = wanted or [f"3.{minor}" for minor in MINOR_VERSIONS]
    missing = [version for version in versions if version not in found]
    if missing and (wanted or len(missing) == len(versions)):
        raise ReleaseError(f"there is no CPython {' and no '.join(missing)} here: install it")
    said = [f"no CPython {version} here, so no zip with bytecode for it" for version in missing]
    for sentence in said:  # now, while nothing is made yet; main says it again at the end
        print(sentence, file=sys.stderr)
    return {version: found[version] for version in versions if version in found}, said


def _section(tag: Tag, changelog: str) -> str:
    """Return what the changelog says of this version, under its heading with a date."""
    heading = rf"## {re.escape(tag.version)} - [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\n"
    found = re.search(rf"^{heading}.*?(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ReleaseError(
            f"CHANGELOG.md of {tag.name} has no section `## {tag.version} - YEAR-MONTH-DAY`: write it, "
            "and move the tag"
        )
    return found[0].rstrip() + "\n"


def _versions(tag: Tag, folders: list[Path]) -> dict[str, str]:
    """Return the version of each folder's package by the package's name: each has to be the tag's."""
    packages = [ProjectMetadata(str(folder), PluginManager()) for folder in folders]
    versions = {package.name: package.version for package in packages}
    others = [f"{name} {version}" for name, version in versions.items() if version != tag.version]
    if others:
        raise ReleaseError(
            f"{tag.name} holds {', '.join(others)}: raise the version, and move the tag"
        )
    return versions


def _environment(tag: Tag, pythons: dict[str, str]) -> dict[str, str]:
    """Return the variables of what builds: the commit's time, and where the interpreters are."""
    folders = [str(Path(executable).parent) for executable in pythons.values()]
    return {
        **os.environ,
        "LAYER_PYTHONS": ",".join(pythons),  # of the wheel that has the layer's zips in it
        "PATH": os.pathsep.join([*folders, os.environ.get("PATH", "")]),
        "SOURCE_DATE_EPOCH": f"{tag.when.timestamp():.0f}",
    }


def _make_zips(
    tag: Tag, tree: Path, stage: Path, pythons: dict[str, str], environ: dict[str, str]
) -> None:
    """Make the layer's zip with the bytecode of all these Pythons, and one for each."""
    names = {f"-python{version}": version for version in pythons} | {"": ",".join(pythons)}
    for suffix, versions in names.items():
        output = stage / f"shared-layer-{tag.version}{suffix}.zip"
        command = ["-I", "build.py", "--python", versions, "--output", str(output)]
        _run([sys.executable, *command], tree / "shared-layer", environ)


def _write_sums(stage: Path) -> None:
    """Write the digests of all files in the form that `sha256sum -c` reads."""
    rows = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(stage.iterdir())
    ]
    (stage / SUMS).write_text("".join(rows))


def _run(command: list[str], folder: Path, environ: dict[str, str]) -> None:
    run = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    if run.returncode:
        last = (run.stderr or run.stdout).strip().splitlines()[-1:] or ["it wrote nothing"]
        raise ReleaseError(f"{folder.name} was not built by {' '.join(command[1:3])}: {last[0]}")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ReleaseError("there is no git on PATH: install it") from None
    if run.returncode:
        # The first line says what is wrong, and the last one, where there are several, what to run.
        lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
        said = "; ".join(dict.fromkeys([*lines[:1], *lines[-1:]]))
        raise ReleaseError(f"git {arguments[0]} ended with {run.returncode}: {said}")
    return run.stdout.strip()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(sys.argv[1:])
