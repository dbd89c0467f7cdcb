"""Runs the benchmarks with the peers, on this Python and on the system's 3.11 if that is another.

Each `benchmarks/<name>.py` answers one question; names on the command line pick some.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from environments import ROOT, Python, ensure, find_pythons, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

# Debian's build is 15 to 30 % faster per operation than one without profile-guided optimisation,
# so a ratio has to hold on both.
SYSTEM_PYTHON = "/usr/bin/python3.11"
# It measures the whole local system, which is in .venv/dev alone, and has no peers.
OF_THE_SYSTEM = {"local_load"}
# They need the emulator, which is in .venv/dev.
WITH_EMULATOR = {"dynamodb", "handler_cold_start"}
# They are also measured on the newest Python: a peer wants 3.12.
ON_NEWEST = {"dynamodb"}


def main() -> int:
    """Run what was asked for under each Python; return 0 only if every run ended well."""
    scripts = pick(sys.argv[1:])
    failed = [
        f"{script.stem} on {python.version}"
        for python, interpreter, measured in environments(scripts)
        for script in measured
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


def environments(scripts: list[Path]) -> Iterator[tuple[Python, str, list[Path]]]:
    """Yield each Python to measure on, the interpreter that has the peers, and what runs there."""
    here = probe(sys.executable)
    if here is None:
        sys.exit(f"{sys.executable} cannot make virtual environments: install its venv package")
    if any(script.stem in WITH_EMULATOR for script in scripts):
        ensure("dev", here)
    plan = [(here, scripts), (probe(SYSTEM_PYTHON), scripts)]
    found = find_pythons()
    plan.append((found[max(found)], [script for script in scripts if script.stem in ON_NEWEST]))
    made = set()
    for python, measured in plan:
        if python and measured and python.version not in made:
            made.add(python.version)
            yield python, ensure(f"bench-{python.version}", python, lock="bench"), measured


def run(script: Path, python: Python, interpreter: str) -> int:
    """Run one benchmark from its own folder."""
    print(f"\n{script.stem} on CPython {python.version} ({python.executable})", flush=True)
    return subprocess.run([interpreter, script.name], cwd=script.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
