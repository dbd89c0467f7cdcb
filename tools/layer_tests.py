"""Runs the layer's tests under every CPython from 3.11 to 3.14 that this machine has.

Ends with the interpreters that ran, those that are not here, and one closing line for all.
Arguments go to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from environments import MINOR_VERSIONS, ROOT, Python, ensure, find_pythons


class PytestRun(NamedTuple):
    """What one run of pytest counted."""

    python: Python
    passed: int
    failed: int
    skipped: int
    exit_code: int


def main() -> int:
    """Run them all, also after a failure; return 0 only if every run passed.

    One core is left to the tests that `make test` runs beside these.
    """
    pythons = find_pythons()
    if not pythons:
        sys.exit("no CPython from 3.11 to 3.14 runs here")
    with ThreadPoolExecutor(max_workers=max((os.cpu_count() or 1) - 1, 1)) as pool:
        outcomes = list(pool.map(lambda python: run_tests(python, sys.argv[1:]), pythons.values()))
    missing = [f"3.{minor}" for minor in MINOR_VERSIONS if minor not in pythons]
    print_summary(outcomes, missing)
    return max(outcome.exit_code for outcome in outcomes)


def run_tests(python: Python, arguments: list[str]) -> PytestRun:
    """Run the tests as the layer's README says, in an environment with pytest and hypothesis."""
    interpreter = ensure(f"test-3.{python.minor}", python, lock="test")
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        run = subprocess.run(
            [interpreter, "-m", "pytest", "tests/", "-q", f"--junitxml={report}", *arguments],
            cwd=ROOT / "shared-layer",
            check=False,
            capture_output=True,
            text=True,
        )
        print(f"\nlayer tests on CPython {python.version}\n{run.stdout}{run.stderr}", flush=True)
        return PytestRun(python, *count(report), run.returncode)


def count(report: Path) -> tuple[int, int, int]:
    """Return how many tests passed, failed and were skipped; a run without a report failed."""
    if not report.exists():
        return 0, 1, 0
    suite = ElementTree.parse(report).getroot()[0].attrib  # noqa: S314 - pytest wrote it just now
    failed = int(suite["failures"]) + int(suite["errors"])
    skipped = int(suite["skipped"])
    return int(suite["tests"]) - failed - skipped, failed, skipped


def print_summary(outcomes: list[PytestRun], missing: list[str]) -> None:
    """Name the interpreters that ran and those that did not; close with the totals."""
    ran = ", ".join(f"{outcome.python.version} ({_verdict(outcome)})" for outcome in outcomes)
    print(f"\nlayer tests ran on CPython {ran}; not found here: {', '.join(missing) or 'none'}")
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")


def _verdict(outcome: PytestRun) -> str:
    return "passed" if outcome.exit_code == 0 else f"failed, exit code {outcome.exit_code}"


if __name__ == "__main__":
    sys.exit(main())
