"""How large is the zip, with the bytecode of one Python version and of all that are here?

Needs no peers. An interpreter counts if running it works: a version manager's shim may not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from _harness import LAYER_SOURCE, Report, fail, parse_options

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
ONE, FURTHER = 100 * 1024, 45 * 1024
MAX_SOURCE = 110_000
BUILD = LAYER_SOURCE.parent / "build.sh"


_REFUSED = re.compile(r"the zip has ([0-9,]+) bytes")


def size_of(versions: list[str]) -> int | None:
    """Return the zip's bytes, also when the build refuses them; None if a version is not here."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "layer.zip"
        command = [str(BUILD), "--python", ",".join(versions), "--output", str(archive)]
        environment = {**os.environ, "PYTHON": sys.executable}
        build = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if not build.returncode:
            return archive.stat().st_size
    if "not on this machine" in build.stderr:
        return None
    refused = _REFUSED.search(build.stderr) or fail(build.stderr)
    return int(refused[1].replace(",", ""))


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
        budget = ONE + FURTHER * (len(here) - 1)
        report.judge(
            f"zip for {', '.join(here)}, bytes", f"{budget:,}", f"{size:,}", size <= budget
        )
    source = sum(path.stat().st_size for path in (LAYER_SOURCE / "shared_utils").glob("*.py"))
    report.judge(
        "source of the layer, bytes", f"{MAX_SOURCE:,}", f"{source:,}", source <= MAX_SOURCE
    )
    report.print()


if __name__ == "__main__":
    main()
