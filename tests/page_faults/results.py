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
    """The numbers of one run, by `versions` of the browsers."""

    def __init__(self, versions):
        self._versions = versions

    def add(self, name, browser, values):
        """Keep the numbers of one test with one browser, if this run was asked to."""
        if ASKED not in os.environ:
            return
        file = Path(os.environ[ASKED])
        kept = json.loads(file.read_text()) if file.exists() else {"run": {}, "measured": {}}
        measured, today = kept["measured"], datetime.now(UTC).date().isoformat()
        known = {**measured.get(browser, {}), name: values}
        measured[browser] = {one: known[one] for one in NAMES[browser] if one in known}
        loads = [round(os.getloadavg()[0], 1)]
        if kept["run"].get("date") == today:
            loads += kept["run"]["load"]
        run = {
            "date": today,
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "load": [min(loads), max(loads)],
            "versions": self._versions,
        }
        kept = {"run": run, "measured": dict(sorted(measured.items()))}
        file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def version(executable):
    """Return what a browser says it is."""
    said = subprocess.run(
        [executable, "--version"], capture_output=True, text=True, check=True
    ).stdout
    return said.strip().split(" built on")[0]
