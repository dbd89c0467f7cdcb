"""One way to try every way to adopt the layer: a copy of the example beside the files of a release.

Commands run with what an empty machine has: a PATH, and a home folder without settings.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import shared_utils
from wslocal.client import WebSocketClient

ROOT = Path(__file__).resolve().parent.parent.parent
ADOPT = ROOT / "examples" / "adopt"
PYTHON_FOLDER = Path(sys.executable).parent
VERSION = shared_utils.__version__
NEXT = "99.0.0"  # the release after it


def build_release(dist: Path, version: str, *, wheel: bool = False) -> None:
    """Add the layer's zip of a version to `dist`, its wheel if it is asked for, and the file of digests."""
    source = dist.parent / f"sources-{version}"
    unwanted = shutil.ignore_patterns("tests", "__pycache__", "*.zip", ".*")
    shutil.copytree(ROOT / "shared-layer", source, ignore=unwanted, dirs_exist_ok=True)
    init = source / "python" / "shared_utils" / "__init__.py"
    text = init.read_text()
    init.write_text(text.replace(f'__version__ = "{VERSION}"', f'__version__ = "{version}"'))
    dist.mkdir(exist_ok=True)
    output = dist / f"shared-layer-{version}.zip"
    python = f"3.{sys.version_info.minor}"
    run(source / "build.sh", "--python", python, "--output", output, cwd=source)
    if wheel:
        options = ("--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", dist)
        run(sys.executable, "-m", "pip", "--no-input", "wheel", *options, source, cwd=source)
    files = sorted(path for path in dist.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (dist / "SHA256SUMS").write_text("".join(sums))


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


def layer_versions(lines: list[str]) -> list[str]:
    """Return the layer's version from the first line of each environment that wrote these lines."""
    documents = [json.loads(line) for line in lines if line.startswith("{")]
    environments = [one.get("context", {}).get("environment") for one in documents]
    return [one["layerVersion"] for one in environments if one]
