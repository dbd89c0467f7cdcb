"""Asks whether anything that a lock file pins has a known vulnerability: pip-audit and `npm audit`.

A finding fails the run. A service that does not answer is reported, and fails nothing: what can be
asked depends on where this runs, and an answer that is missing says nothing about the packages.

Python packages are looked up in https://osv.dev, which has PyPI's own advisories and GitHub's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments import ROOT, ensure, find_pythons
from node import NODE, NPM, WEB

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Answer", "main", "read_npm_audit", "read_pip_audit"]

OSV = "https://api.osv.dev/v1/query"
# pip-audit asks once a package; the largest lock file has some 150.
_SECONDS = 600
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Answer:
    """What is known about the packages of one lock file.

    Without an answer: `not_run` says why the service gave none, `broken` what else went wrong.
    """

    packages: int = 0
    findings: tuple[str, ...] = ()
    not_run: str = ""
    broken: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing was found, and nothing but a service was missing."""
        return not self.findings and not self.broken

    def lines(self, name: str) -> list[str]:
        """Return what a person reads about it."""
        if self.not_run:
            return [f"{name}: not run: {self.not_run}"]
        if self.broken:
            return [f"{name}: failed: {self.broken}"]
        if not self.findings:
            return [f"{name}: nothing is known against its {self.packages} packages"]
        return [f"{name}: {finding}" for finding in self.findings]


def main(arguments: list[str]) -> int:
    """Print what is known about each lock file; return 1 for a vulnerable package, else 0."""
    parser = argparse.ArgumentParser(prog="audit.py", description=main.__doc__)
    parser.add_argument("--osv-url", default=OSV, help="another address of the OSV database")
    parser.add_argument("--registry", help="another npm registry")
    parser.add_argument("--only", choices=("python", "npm"))
    options = parser.parse_args(arguments)
    answers = []
    if options.only != "npm":
        answers += audit_python(options.osv_url)
    if options.only != "python":
        answers.append(("web/package-lock.json", audit_npm(options.registry)))
    for name, answer in answers:
        print("\n".join(answer.lines(name)))
    return int(not all(answer.is_good for _, answer in answers))


def audit_python(osv_url: str) -> list[tuple[str, Answer]]:
    """Return what is known about each lock file in `requirements/`."""
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    names = [str(lock.relative_to(ROOT)) for lock in locks]
    try:
        python = ensure("audit", find_pythons()[sys.version_info.minor])
    except subprocess.CalledProcessError:
        missing = Answer(not_run="pip-audit could not be installed")
        return [(name, missing) for name in names]
    return [
        (name, audit_lock(python, lock, osv_url)) for name, lock in zip(names, locks, strict=True)
    ]


def audit_lock(python: str, lock: Path, osv_url: str) -> Answer:
    """Return what OSV knows about one lock file."""
    # The file names every package with its hash: nothing is resolved or downloaded.
    command = [python, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip"]
    service = ["--vulnerability-service", "osv", "--osv-url", osv_url]
    return read_pip_audit(
        *_run(*command, *service, "--format", "json", "--progress-spinner", "off")
    )


def audit_npm(registry: str | None) -> Answer:
    """Return what the npm registry knows about `web/package-lock.json`."""
    asked = ["--registry", registry] if registry else []
    quiet = ["--package-lock-only", "--no-update-notifier"]
    return read_npm_audit(*_run(str(NODE), str(NPM), "audit", "--json", *quiet, *asked))


def _run(*command: str) -> tuple[str, str]:
    """Return both outputs of a program; both mark a finding and a failure with the same exit code."""
    try:
        run = subprocess.run(
            command,
            cwd=WEB,
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
    except subprocess.TimeoutExpired:
        return "", f"requests.exceptions.Timeout: no answer in {_SECONDS} s"
    return run.stdout, run.stderr


def read_pip_audit(output: str, errors: str) -> Answer:
    """Return what pip-audit found; it writes JSON only if the service answered about all packages."""
    if not output.strip():
        reason = _reason(errors)
        is_service = re.search(r"^(requests\.exceptions|pip_audit\._service)\.", reason)
        return Answer(not_run=reason) if is_service else Answer(broken=reason)
    packages = json.loads(output)["dependencies"]
    findings = tuple(
        f"{package['name']} {package['version']}: {known['id']}, {_fixed(known['fix_versions'])}"
        for package in packages
        for known in package.get("vulns", [])
    )
    return Answer(len(packages), findings)


def _fixed(versions: list[str]) -> str:
    return f"fixed in {', '.join(versions)}" if versions else "not fixed yet"


def read_npm_audit(output: str, errors: str) -> Answer:
    """Return what npm found; it writes a failure as JSON too, and says whose it is beside it."""
    report = json.loads(output or "{}")
    if "vulnerabilities" not in report:
        reason = report.get("message") or _reason(errors)
        is_service = "audit endpoint returned an error" in errors
        return Answer(not_run=reason) if is_service else Answer(broken=reason)
    known, counted = report["vulnerabilities"], report["metadata"]["dependencies"]["total"]
    findings = tuple(
        f"{name}: {row['severity']}, {_causes(row['via'])}" for name, row in known.items()
    )
    return Answer(counted, findings)


def _causes(via: list[str | dict[str, str]]) -> str:
    """Return the advisories, or the packages through which they come."""
    return ", ".join(cause if isinstance(cause, str) else cause["url"] for cause in via)


def _reason(errors: str) -> str:
    """Return the last line that says what went wrong."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    useful = [line for line in lines if "complete log of this run" not in line]
    return next(reversed(useful), "it said nothing")[:_LONGEST_REASON]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
