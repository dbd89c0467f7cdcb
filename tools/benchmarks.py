"""Runs the benchmarks with the peers, on this Python and on the system's 3.11 if that is another.

Each `benchmarks/<name>.py` answers one question; names on the command line pick some.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from environments import ROOT, Python, ensure, probe

# Debian's build is 15 to 30 % faster per operation than one without profile-guided optimisation,
# so a ratio has to hold on both.
SYSTEM_PYTHON = "/usr/bin/python3.11"
# They measure the whole local system, which is in .venv/dev alone, and have no peers.
OF_THE_SYSTEM = {"handler_cold_start", "local_load"}


def main() -> int:
    """Run what was asked for under each Python; return 0 only if every run ended well."""
    scripts = pick(sys.argv[1:])
    failed = [
        f"{script.stem} on {python.version}"
        for python, interpreter in environments()
        for script in scripts
        if run(script, python, interpreter) != 0
    ]
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall benchmarks ended well")
    return 1 if failed else 0


def pick(names: list[str]) -> list[Path]:
    """Return the scripts with these names, all of them when none is given."""
    found = {
        path.stem: path
        for path in sorted((ROOT / "benchmarks").glob("*.py"))
        if not path.stem.startswith("_") and path.stem not in OF_THE_SYSTEM
    }
    unknown = [name for name in names if name not in found]
    if unknown or not found:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(found) or 'none'}")
    return [found[name] for name in names or found]


def environments() -> list[tuple[Python, str]]:
    """Return each Python to measure on, with the interpreter that has the peers."""
    here, system = probe(sys.executable), probe(SYSTEM_PYTHON)
    if here is None:
        sys.exit(f"{sys.executable} cannot make virtual environments: install its venv package")
    made = [(here, ensure(f"bench-{here.version}", here, lock="bench"))]
    if system and system.version != here.version:
        made.append((system, ensure(f"bench-{system.version}", system, lock="bench")))
    return made


def run(script: Path, python: Python, interpreter: str) -> int:
    """Run one benchmark from its own folder."""
    print(f"\n{script.stem} on CPython {python.version} ({python.executable})", flush=True)
    return subprocess.run([interpreter, script.name], cwd=script.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
