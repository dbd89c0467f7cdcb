"""What the long tests measured, in a file from which tools/fault_table.py makes the tables of web/README.md.

A run keeps what it did not measure. It writes only if asked to: beside other tests the numbers say how busy a machine is.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.page_faults.faults import rows_of

__all__ = ["FILE", "NAMES", "Results", "version"]

FILE = Path(__file__).parent / "results.json"
# Names the file to write to; `python -m tests.page_faults` sets it.
ASKED = "PAGE_FAULTS_RESULTS"
# What is measured with each browser, and with Chromium alone; in the order of the tables.
OF_CHROMIUM = ("ten minutes", "twenty listeners")
NAMES = {
    browser: (*(fault.key(role) for fault, role in rows_of(browser)), "microphone to ear", *more)
    for browser, more in (("Chromium", OF_CHROMIUM), ("Firefox", ()))
}


class Results:
    """The numbers of one run."""

    def __init__(self):
        self._new = {}
        self._loads = []

    def add(self, name, browser, values):
        """Keep the numbers of one test with one browser."""
        self._new.setdefault(browser, {})[name] = values
        self._loads.append(round(os.getloadavg()[0], 1))

    def write(self, versions):
        """Put them into the file, if this run was asked to."""
        if ASKED not in os.environ or not self._new:
            return
        file = Path(os.environ[ASKED])
        kept = json.loads(file.read_text()) if file.exists() else {"measured": {}}
        for browser, new in self._new.items():
            known = {**kept["measured"].get(browser, {}), **new}
            kept["measured"][browser] = {
                name: known[name] for name in NAMES[browser] if name in known
            }
        kept["run"] = {
            "date": datetime.now(UTC).date().isoformat(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "load": [min(self._loads), max(self._loads)],
            "versions": {**kept.get("run", {}).get("versions", {}), **versions},
        }
        file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def version(executable):
    """Return what a browser says it is."""
    said = subprocess.run(
        [executable, "--version"], capture_output=True, text=True, check=True
    ).stdout
    return said.strip().split(" built on")[0]
