"""Runs the tests of a tier: `quick`, `test` or `long`; further arguments go to pytest.

The layer's tests run by themselves, as its README says, with nothing but pytest and hypothesis: under
this Python in `quick`, under the newest CPython up to 3.14 too in `test`, under every one from 3.11 on in
`long`. Beyond the first one `test` leaves out what is marked `slow` (threads, sockets, generated input),
which has never shown a difference between two Pythons; `long` leaves out nothing, and has 3.14 in WebAssembly
where the machine has no other. All other tests run under this one.
Ends with one closing line for all.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

import wasm_python
from environments import (
    MINOR_VERSIONS,
    ROOT,
    Python,
    ensure,
    ensure_hypothesis_for_wasm,
    find_pythons,
    probe,
)

REST = (
    "tests",
    "authorizer/tests",
    "cdk/tests",
    "examples",
    "functions/tests",
    "infrastructure/tests",
    "layerctl/tests",
    "protocol/tests",
    "wslocal/tests",
)
# By tier: what of the layer's tests under the first Python, under the others, and what of the rest.
CHOICES = {
    "quick": ("not slow and not long", None, "not slow and not long and not system"),
    "test": ("not long", "not slow", "not long"),
    "long": ("", "", ""),
}
# What stays together, conftest.py says; in the order of collection, which has the longest first.
SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses", "4", "--no-loadscope-reorder")


class PytestRun(NamedTuple):
    """What one run of pytest counted."""

    name: str
    passed: int
    failed: int
    skipped: int
    exit_code: int


def main() -> int:
    """Run them all, also after a failure; return 0 only if every run passed."""
    if len(sys.argv) < 2 or sys.argv[1] not in CHOICES:
        sys.exit(__doc__)
    tier, arguments = sys.argv[1], sys.argv[2:]
    first, others, rest = CHOICES[tier]
    if tier == "long":
        arguments = ["--hypothesis-profile=long", *arguments]
    here = probe(sys.executable)
    if here is None:
        sys.exit(f"{sys.executable} cannot make virtual environments: install its venv package")
    runs = [run("all but the layer", sys.executable, ROOT, (*REST, "-m", rest, *arguments))]
    runs.append(run_layer(here, first, arguments))
    pythons = {} if others is None else find_pythons()
    for minor, python in pythons.items():
        if minor != here.minor and (tier == "long" or minor == max(pythons)):
            runs.append(run_layer(python, others or "", arguments))
    if tier == "long" and 14 not in pythons:
        runs.append(run_layer_in_wasm(sys.argv[2:]))
    missing = [f"3.{minor}" for minor in MINOR_VERSIONS if minor not in pythons]
    if others is not None:
        print(f"\nnot found here: CPython {', '.join(missing) or 'none'}")
    return summarise(runs)


def run_layer(python: Python, chosen: str, arguments: list[str]) -> PytestRun:
    """Run the layer's tests in an environment with pytest and hypothesis, and nothing else of ours."""
    interpreter = ensure(f"test-3.{python.minor}", python, lock="test")
    name = f"the layer on CPython {python.version}"
    return run(name, interpreter, ROOT / "shared-layer", ("tests/", "-m", chosen, *arguments))


def run_layer_in_wasm(arguments: list[str]) -> PytestRun:
    """Run what of the layer's tests needs no process, thread or socket under CPython 3.14 in WebAssembly."""
    name = "the layer on CPython 3.14 in WebAssembly"
    print(f"\n{name}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        folders = {
            "/project": ROOT,
            "/packages": Path(pytest.__file__).parent.parent,
            "/wheels": ensure_hypothesis_for_wasm(sys.executable),
            "/report": Path(directory),
        }
        options = ["-q", "-rs", "--junitxml=/report/report.xml", "-m", "not slow", *arguments]
        script = "/project/tools/wasm_layer_tests.py"
        search = ("/wheels", "/packages", "/project/shared-layer/python")
        done = wasm_python.run(
            script, *options, "tests/", folders=folders, search=search, capture=False
        )
        return PytestRun(name, *count(Path(directory) / "report.xml"), done.returncode)


def run(name: str, interpreter: str, folder: Path, arguments: tuple[str, ...]) -> PytestRun:
    """Run pytest in a folder, as many tests side by side as there are cores."""
    print(f"\n{name}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        options = ["-q", "-rs", "--no-fold-skipped", f"--junitxml={report}", *SIDE_BY_SIDE]
        done = subprocess.run(
            [interpreter, "-m", "pytest", *options, *arguments],
            cwd=folder,
            check=False,
        )
        return PytestRun(name, *count(report), done.returncode)


def count(report: Path) -> tuple[int, int, int]:
    """Return how many tests passed, failed and were skipped; a run without a report failed."""
    if not report.exists():
        return 0, 1, 0
    suite = ElementTree.parse(report).getroot()[0].attrib  # noqa: S314 - pytest wrote it just now
    failed = int(suite["failures"]) + int(suite["errors"])
    skipped = int(suite["skipped"])
    return int(suite["tests"]) - failed - skipped, failed, skipped


def summarise(runs: list[PytestRun]) -> int:
    """Say how each run ended, close with the totals, and return the worst exit code."""
    for done in runs:
        verdict = "passed" if done.exit_code == 0 else f"failed, exit code {done.exit_code}"
        print(f"{done.name}: {verdict}")
    passed = sum(done.passed for done in runs)
    failed = sum(done.failed for done in runs)
    skipped = sum(done.skipped for done in runs)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return max(done.exit_code for done in runs)


if __name__ == "__main__":
    sys.exit(main())
