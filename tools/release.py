"""Makes the release of a tag: wheels, zips, their digests, bills of materials and the changes.

    python tools/release.py v0.2.0 [--output dist] [--python 3.11]

It builds from the tag's tree and never from the working tree, without the network, and the same tag
gives the same bytes in any folder: dates are the commit's. The zips depend on the interpreters' patch
versions and on zlib too. The output is replaced as a whole, once everything has been made and checked.
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
from typing import NamedTuple

from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

from environments import MINOR_VERSIONS, ROOT, find_pythons
from sbom import SbomError, pins, write_sbom

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
    options = parser.parse_args(arguments)
    try:
        made = _release(options.tag, options.output.resolve(), options.python or [])
    except (ReleaseError, SbomError) as error:
        sys.exit(f"release: {error}")
    for path in made:
        print(f"{path.stat().st_size:>9,}  {path.name}")


def _release(name: str, output: Path, wanted: list[str]) -> list[Path]:
    tag = _read_tag(name)
    _refuse_other_makers(tag)
    _refuse_foreign_output(output)
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        tree, stage = Path(temporary, "tree"), Path(temporary, "dist")
        stage.mkdir()
        _export(tag, tree)
        (stage / "CHANGES.md").write_text(_section(tag, (tree / "CHANGELOG.md").read_text()))
        folders = sorted(project.parent for project in tree.glob("*/pyproject.toml"))
        ours = _versions(tag, folders)
        pythons = _interpreters(wanted)
        environ = _environment(tag, pythons)
        _make_zips(tag, tree, stage, pythons, environ)
        for folder in folders:
            shutil.copy(
                tree / "LICENSE", folder
            )  # hatchling puts it in; its text goes with every copy
            command = ["-m", "hatchling", "build", "--target", "wheel", "--directory", str(stage)]
            _run([sys.executable, *command], folder, environ)
        pinned = pins((tree / "requirements" / "dev.txt").read_text())
        for artefact in sorted([*stage.glob("*.whl"), *stage.glob("*.zip")]):
            write_sbom(artefact, tag.version, pinned, ours, tag.when)
        _write_sums(stage)
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(stage, output)
    return sorted(output.iterdir())


def _read_tag(name: str) -> Tag:
    form = _TAG.fullmatch(name)
    if form is None:
        raise ReleaseError(f"a tag looks like v0.2.0, got {name!r}: make release TAG=v0.2.0")
    try:
        seconds = _git("log", "-1", "--format=%ct", f"refs/tags/{name}", "--")
    except subprocess.CalledProcessError:
        raise ReleaseError(
            f"there is no tag {name} here: git tag {name}, or git fetch --tags"
        ) from None
    return Tag(name, form[1], datetime.fromtimestamp(int(seconds), UTC))


def _refuse_other_makers(tag: Tag) -> None:
    changed = _git("diff", "--name-only", tag.name, "--", *_MAKERS).split()
    if changed:
        raise ReleaseError(
            f"{', '.join(changed)} would make it and is not as in {tag.name}: git checkout {tag.name}"
        )


def _refuse_foreign_output(output: Path) -> None:
    """Refuse to delete what no release has made."""
    if output.exists() and not (output / SUMS).exists() and any(output.iterdir()):
        raise ReleaseError(
            f"{output} holds other things than a release: name a new folder with --output"
        )


def _interpreters(wanted: list[str]) -> dict[str, str]:
    """Return an interpreter for each Python version, oldest first; say which there are none of."""
    found = {f"3.{minor}": python.executable for minor, python in find_pythons().items()}
    versions = wanted or [f"3.{minor}" for minor in MINOR_VERSIONS]
    missing = [version for version in versions if version not in found]
    if missing and (wanted or len(missing) == len(versions)):
        raise ReleaseError(f"there is no CPython {' and no '.join(missing)} here: install it")
    for version in missing:
        print(f"no CPython {version} here, so no zip with bytecode for it", file=sys.stderr)
    return {version: found[version] for version in versions if version in found}


def _export(tag: Tag, tree: Path) -> None:
    """Write the tag's files to a new folder."""
    archive = tree.with_suffix(".zip")
    _git("archive", "--format=zip", f"--output={archive}", tag.name)
    with zipfile.ZipFile(archive) as content:
        content.extractall(tree)


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
    git = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(sys.argv[1:])
