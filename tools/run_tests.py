"""Runs the tests of a tier: `quick`, `test` or `long`; further arguments go to pytest.

The layer's tests run by themselves, as its README says, with nothing but pytest and hypothesis: under
this Python in `quick`, under the newest CPython up to 3.14 too in `test`, under every one from 3.11 on in
`long`. Beyond the first one `test` leaves out what is marked `slow` (threads, sockets, generated input),
which has never shown a difference between two Pythons; `long` leaves out nothing, and has 3.14 in WebAssembly
where the machine has no other. All other tests run under this one.

A run in which three tests or fewer failed has these run once more, with nothing beside them: what a busy
machine disturbed passes then, and does not fail the whole. The closing lines name each test that failed,
and each that passed only alone.
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
ALONE = ("--last-failed", "--last-failed-no-failures", "none")
# More failures than these are no disturbance.
FEW = 3
# So many names of failed tests stand in the closing lines.
SHOWN = 20


class Counted(NamedTuple):
    """What a report of pytest counts: what failed is named, each with the first line of why."""

    passed: int
    failed: tuple[str, ...]
    skipped: int


class PytestRun(NamedTuple):
    """How one run of pytest ended, and which of its tests passed only when they were run again alone."""

    name: str
    counted: Counted
    exit_code: int
    disturbed: tuple[str, ...] = ()


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
        return PytestRun(name, count(Path(directory) / "report.xml"), done.returncode)


def run(name: str, interpreter: str, folder: Path, arguments: tuple[str, ...]) -> PytestRun:
    """Run pytest in a folder, as many tests side by side as there are cores; a few that fail, again alone."""
    print(f"\n{name}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        options = ["-q", "-rs", "--no-fold-skipped", f"--junitxml={report}"]
        # What failed in this run alone, not what a run before it left.
        options += ["-o", f"cache_dir={directory}/cache"]

        def run_pytest(*chosen: str) -> tuple[Counted, int]:
            report.unlink(missing_ok=True)
            command = [interpreter, "-m", "pytest", *options, *chosen, *arguments]
            done = subprocess.run(command, cwd=folder, check=False)
            return count(report), done.returncode

        counted, exit_code = run_pytest(*SIDE_BY_SIDE)
        failed = counted.failed
        if exit_code != pytest.ExitCode.TESTS_FAILED or not 0 < len(failed) <= FEW:
            return PytestRun(name, counted, exit_code)
        print(f"\n{name}: what failed, again alone", flush=True)
        again, _ = run_pytest(*ALONE)
        # To be skipped is not to pass.
        if again.failed or again.skipped or not again.passed:
            return PytestRun(name, counted, exit_code)
        passed = Counted(counted.passed + len(failed), (), counted.skipped)
        return PytestRun(name, passed, int(pytest.ExitCode.OK), failed)


def count(report: Path) -> Counted:
    """Return what pytest's report says; a run without a report failed."""
    if not report.exists():
        return Counted(0, ("the run ended without a report",), 0)
    suite = ElementTree.parse(report).getroot()[0]  # noqa: S314 - pytest wrote it just now
    failed = sorted(
        f"{case.get('classname')}.{case.get('name')}: {why.get('message', '').partition(chr(10))[0]}"
        for case in suite
        for why in (*case.iter("failure"), *case.iter("error"))
    )
    skipped = int(suite.attrib["skipped"])
    return Counted(int(suite.attrib["tests"]) - len(failed) - skipped, tuple(failed), skipped)


def summarise(runs: list[PytestRun]) -> int:
    """Say how each run ended and name what failed, close with the totals, and return the worst exit code."""
    for done in runs:
        verdict = "passed" if done.exit_code == 0 else f"failed, exit code {done.exit_code}"
        print(f"{done.name}: {verdict}")
        for name in done.counted.failed[:SHOWN]:
            print(f"  failed: {name}")
        for name in done.disturbed:
            print(f"  passed only alone: {name}")
    passed = sum(done.counted.passed for done in runs)
    failed = sum(len(done.counted.failed) for done in runs)
    skipped = sum(done.counted.skipped for done in runs)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return max(done.exit_code for done in runs)


if __name__ == "__main__":
    sys.exit(main())
