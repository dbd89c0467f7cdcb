"""Runs the harnesses, one on each core: `python -m fuzz [--seconds 60] [NAME ...]`.

New inputs go to `.cache/fuzz`, and are where the next run begins. Ends with 1 if something was
found, with the path of the input that shows it; `--input FILE NAME` tries one again.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from fuzz import HARNESSES, corpora
from fuzz.paths import ROOT, add_paths

CACHE = ROOT / ".cache" / "fuzz"
_TARGET = (sys.executable, "-m", "fuzz.target")
_LIMITS = ("-timeout=30", "-rss_limit_mb=2048", "-max_len=4096")
# A machine that is busy may need so long beyond the time that was asked for.
_GRACE_SECONDS = 300.0
_END_LINES = 25


class Report(NamedTuple):
    """What came of one harness; `reproducer` is the file with the input of a finding, if any."""

    name: str
    executions: int
    coverage: int
    exit_code: int
    reproducer: str
    text: str


def main() -> int:
    """Run what the command line asks for, and return the exit code."""
    options = _options()
    if options.input:
        return _try_again(options.input, options.names)
    names = options.names or list(HARNESSES)

    def run_one(name: str) -> Report:
        return fuzz(name, options.seconds, options.keep)

    with ThreadPoolExecutor(os.cpu_count()) as processes:
        reports = list(processes.map(run_one, names))
    for report in reports:
        print(line_of(report))
    return 1 if any(report.exit_code for report in reports) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(HARNESSES))
    parser.add_argument("--seconds", type=int, default=60, help="for each harness")
    parser.add_argument("--keep", action="store_true", help="write the minimised corpora")
    parser.add_argument("--input", type=Path, help="try this file's input once")
    options = parser.parse_args()
    if unknown := set(options.names) - set(HARNESSES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(HARNESSES)}")
    if options.seconds < 1:
        parser.error("--seconds must be at least 1")
    if options.input and (len(options.names) != 1 or not options.input.is_file()):
        parser.error("--input wants a file, and the name of one harness")
    return options


def _try_again(path: Path, names: list[str]) -> int:
    """Try an input without the fuzzer, so that a debugger can follow it."""
    add_paths()
    import_module(f"fuzz.{names[0]}").try_input(path.read_bytes())
    print("nothing was found")
    return 0


def fuzz(name: str, seconds: int, keep: bool = False) -> Report:
    """Run one harness for so many seconds, from its corpus and what the cache has."""
    cache = CACHE / name
    cache.mkdir(parents=True, exist_ok=True)
    findings = CACHE / "findings"
    findings.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        kept = _unpacked(name, Path(folder))
        ends = (f"-max_total_time={seconds}", f"-artifact_prefix={findings}/{name}-")
        command = [
            *_TARGET,
            name,
            "fuzz",
            *_LIMITS,
            *ends,
            "-print_final_stats=1",
            str(cache),
            str(kept),
        ]
        report = run(name, command, seconds + _GRACE_SECONDS)
        if keep and not report.exit_code:
            _keep(name, cache, kept)
    return report


def _unpacked(name: str, folder: Path) -> Path:
    for number, one in enumerate(corpora.read(name)):
        (folder / f"{number:04}").write_bytes(one)
    return folder


def run(name: str, command: list[str], seconds: float) -> Report:
    """Run a command of libFuzzer's, and return what its output says."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return Report(name, 0, 0, 1, "", f"{name} did not end in {seconds:g} s")
    text = done.stderr.decode("utf-8", "replace") + done.stdout.decode("utf-8", "replace")
    return read_report(name, text, done.returncode)


def read_report(name: str, text: str, exit_code: int) -> Report:
    """Return what libFuzzer has written."""
    executions = re.findall(r"^stat::number_of_executed_units: (\d+)", text, re.M)
    coverage = re.findall(r"\bcov: (\d+)", text)
    found = re.findall(r"Test unit written to (\S+)", text)
    return Report(
        name,
        int(executions[-1]) if executions else 0,
        int(coverage[-1]) if coverage else 0,
        exit_code,
        found[-1] if found else "",
        text,
    )


def line_of(report: Report) -> str:
    """Return what a person is shown of a report."""
    if not report.exit_code:
        numbers = f"{report.executions:,} executions, {report.coverage:,} branches covered"
        return f"{report.name}: {numbers}"
    end = "\n".join(report.text.splitlines()[-_END_LINES:])
    if not report.reproducer:
        return f"{end}\n{report.name}: ended with {report.exit_code}"
    again = f"python -m fuzz {report.name} --input {report.reproducer}"
    return f"{_finding(report.text)}\n{report.name}: found something, see it again with: {again}"


def _finding(text: str) -> str:
    """Return the exception's part of the output, else the end of it."""
    found = re.search(r"=== Uncaught Python exception: ===\n(.*?)\n==", text, re.S)
    return found[1] if found else "\n".join(text.splitlines()[-_END_LINES:])


def _keep(name: str, cache: Path, kept: Path) -> None:
    """Write the corpus anew: the inputs that are needed for all that is covered."""
    with tempfile.TemporaryDirectory() as home:
        program, folder = Path(home, "program"), Path(home, "merged")
        folder.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.join(_TARGET)} {name} {program} "$@"\n')
        program.chmod(0o700)
        command = [str(program), *_LIMITS, "-merge=1", str(folder), str(kept), str(cache)]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        merged = [path.read_bytes() for path in folder.iterdir()]
    corpora.write(name, corpora.choose(merged))


if __name__ == "__main__":
    sys.exit(main())
