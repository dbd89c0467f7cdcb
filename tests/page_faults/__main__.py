"""Play all faults alone on this machine, keep the numbers, and write the tables of web/README.md: `python -m tests.page_faults`.

Further arguments go to pytest: `-k "Firefox and reload"` measures some rows anew.
"""

import os
import subprocess
import sys

from tests.page_faults.results import ASKED, FILE

ROOT = FILE.parent.parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests/page_faults", "-m", "long"]


def main():
    """Return the exit code of the tests."""
    done = subprocess.run(
        [*PYTEST, *sys.argv[1:]], cwd=ROOT, env={**os.environ, ASKED: str(FILE)}, check=False
    )
    subprocess.run([sys.executable, "tools/generate.py"], cwd=ROOT, check=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
