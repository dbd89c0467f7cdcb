"""How large is the zip, with the bytecode of one Python version and of all that are here?

Needs no peers. An interpreter counts if running it works: a version manager's shim may not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _harness import LAYER_SOURCE, Report, fail, parse_options

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
MAX_FOR_ONE = 260_000
BUILD = LAYER_SOURCE.parent / "build.sh"


def size_of(versions: list[str]) -> int | None:
    """Return the zip's bytes, or None if a version is not on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "layer.zip"
        command = [str(BUILD), "--python", ",".join(versions), "--output", str(archive)]
        environment = {**os.environ, "PYTHON": sys.executable}
        build = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if not build.returncode:
            return archive.stat().st_size
    return None if "not on this machine" in build.stderr else fail(build.stderr)


def main() -> None:
    options = parse_options(__doc__ or "")
    report = Report("The zip", options)
    here: list[str] = []
    for version in VERSIONS:
        size = size_of([*here, version])
        if size is None:
            report.notes.append(f"CPython {version} is not on this machine")
            continue
        here.append(version)
        budget = f"{MAX_FOR_ONE:,}" if len(here) == 1 else "-"
        is_within = len(here) > 1 or size <= MAX_FOR_ONE
        report.judge(f"zip for {', '.join(here)}, bytes", budget, f"{size:,}", is_within)
    source = sum(path.stat().st_size for path in (LAYER_SOURCE / "shared_utils").glob("*.py"))
    report.judge("source of the layer, bytes", "-", f"{source:,}", True)
    report.print()


if __name__ == "__main__":
    main()
