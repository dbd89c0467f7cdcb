"""One way to try every way to adopt the layer: a copy of the example beside the files of a release.

Commands run with what an empty machine has: a PATH, and a home folder without settings.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import shared_utils
from wslocal.client import WebSocketClient

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wslocal.testing import LocalProject

ROOT = Path(__file__).resolve().parent.parent.parent
ADOPT = ROOT / "examples" / "adopt"
PYTHON_FOLDER = Path(sys.executable).parent
VERSION = shared_utils.__version__
NEXT = "99.0.0"  # the release after it
# For what takes two seconds on a machine that has nothing else to do.
PATIENCE_SECONDS = 120.0


def build_zip(dist: Path, version: str) -> None:
    """Add the layer's zip to `dist`, as the release of a version has it."""
    source = dist.parent / f"sources-{version}"
    unwanted = shutil.ignore_patterns("tests", "__pycache__", "*.zip", ".*")
    shutil.copytree(ROOT / "shared-layer", source, ignore=unwanted)
    replace_version(source / "python" / "shared_utils" / "__init__.py", VERSION, version)
    output = dist / f"shared-layer-{version}.zip"
    python = f"3.{sys.version_info.minor}"
    run(source / "build.sh", "--python", python, "--output", output, cwd=source)


def build_wheel(source: Path, dist: Path) -> None:
    """Add the wheel of a folder with a pyproject.toml to `dist`."""
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", dist)
    run(sys.executable, "-m", "pip", "--no-input", "wheel", *options, source, cwd=dist.parent)


def write_digests(dist: Path) -> None:
    """Write SHA256SUMS of what is in `dist`."""
    digests = {path.name: hashlib.sha256(path.read_bytes()) for path in sorted(dist.iterdir())}
    lines = [f"{digest.hexdigest()}  {name}\n" for name, digest in digests.items()]
    (dist / "SHA256SUMS").write_text("".join(lines))


def copied(example: str, dist: Path, folder: Path) -> Path:
    """Make `folder` the example as somebody has it: its files, `dist/`, and nothing else; return it."""
    unwanted = shutil.ignore_patterns("__pycache__", ".*", "node_modules")
    shutil.copytree(ADOPT / example, folder, ignore=unwanted)
    shutil.copytree(dist, folder / "dist")
    return folder


def replace_version(file: Path, old: str, new: str) -> None:
    """Do what the READMEs say of another release: write its version in place of this one's."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Return what a command prints that must succeed."""
    empty = {"PATH": f"{PYTHON_FOLDER}:/usr/local/bin:/usr/bin:/bin", "HOME": str(cwd)}
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**empty, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Process:
    """A command that runs in a `with` block; after PATIENCE_SECONDS it is killed."""

    def __init__(self, command: Sequence[str | Path], folder: Path, **variables: str) -> None:
        self._popen = subprocess.Popen(
            [*map(str, command)],
            cwd=folder,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._limit = threading.Timer(PATIENCE_SECONDS, self._popen.kill)

    def __enter__(self) -> Self:
        self._limit.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.send_signal(signal.SIGINT)
        self._popen.communicate()
        self._limit.cancel()

    def line(self, text: str) -> str:
        """Return the next line that has the text; AssertionError if the command ends before."""
        assert self._popen.stdout is not None
        seen = []
        for line in self._popen.stdout:
            if text in line:
                return line
            seen.append(line)
        raise AssertionError(f"{text!r} did not come:\n{''.join(seen)}")

    def write(self, line: str) -> None:
        """Write a line to the command's standard input."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(f"{line}\n")
        self._popen.stdin.flush()


def blocks(example: str, kind: str) -> list[str]:
    """Return the blocks of an example's README whose fence says `kind`, such as `sh`."""
    text = (ADOPT / example / "README.md").read_text()
    found = re.findall(r"^```(.*?)\n(.*?)^```$", text, re.M | re.S)
    return [block for fence, block in found if fence == kind]


def shown(example: str) -> list[tuple[Any, Any]]:
    """Return what a client sends and gets, as the README shows it: lines that begin with > and <."""
    [block] = [text for text in blocks(example, "") if text.startswith("> ")]
    sent, got = (re.findall(rf"^{sign} (.+)$", block, re.M) for sign in (">", "<"))
    return [(json.loads(one), json.loads(two)) for one, two in zip(sent, got, strict=True)]


def exchange(client: WebSocketClient, example: str) -> list[tuple[Any, Any]]:
    """Send what the README shows, and return what comes, with the timestamps that it shows."""
    done = []
    for sent, expected in shown(example):
        client.send(sent)
        got = client.receive(30)
        assert got["timestamp"] > expected["timestamp"]
        done.append((sent, got | {"timestamp": expected["timestamp"]}))
    return done


def layer_version(line: str) -> str:
    """Return the layer's version from the first line of an environment."""
    return json.loads(line)["context"]["environment"]["layerVersion"]


def namespaces(api: LocalProject) -> list[str]:
    """Return CloudWatch's namespace of each metric of a note that was added."""
    found = []
    for one in api.metrics():
        if "NotesAdded" in one:
            assert one["NotesAdded"] == 1
            found += [directive["Namespace"] for directive in one["_aws"]["CloudWatchMetrics"]]
    return found


def new_layer_version(api: LocalProject, known: Collection[str]) -> str:
    """Return the layer's version from the first environment whose first line is none of those known."""
    line = api.wait_for_log(
        lambda text: '"layerVersion"' in text and text not in known, timeout=PATIENCE_SECONDS
    )
    return layer_version(line)
