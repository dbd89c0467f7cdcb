"""Runs each of the layer's test files alone and wants it to cover its module fully.

`tests/test_validators.py` has to reach every line and branch of `validators.py` without help from
another file. Runs in the development environment.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

LAYER = Path(__file__).resolve().parent.parent / "shared-layer"
PACKAGE = LAYER / "python" / "shared_utils"


def main() -> int:
    """Check every module that has a test file of its name, and name those that have none."""
    modules = sorted(path.stem for path in PACKAGE.glob("*.py"))
    short = [module for module in modules if not is_covered(module)]
    print(f"not covered by its own test file: {', '.join(short) or 'none'}, of {len(modules)}")
    return 1 if short else 0


def is_covered(module: str) -> bool:
    """Run the module's test file; print what pytest said only if something is missing."""
    test = LAYER / "tests" / f"test_{module.strip('_')}.py"
    if not test.exists():
        print(f"{module}: no {test.name}")
        return False
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "coveragerc"
        config.write_text(
            f"[run]\nbranch = true\ndata_file = {folder}/data\ninclude = */shared_utils/{module}.py\n"
            "[report]\nfail_under = 100\nshow_missing = true\nexclude_also =\n    if TYPE_CHECKING:\n"
        )
        coverage = [sys.executable, "-m", "coverage"]
        options = [f"--rcfile={config}"]
        tests = ["-m", "pytest", "-q", f"tests/{test.name}"]
        steps = [[*coverage, "run", *options, *tests], [*coverage, "report", *options]]
        for step in steps:
            run = subprocess.run(step, cwd=LAYER, capture_output=True, text=True, check=False)
            if run.returncode != 0:
                print(f"{module}:\n{run.stdout[-3000:]}{run.stderr[-2000:]}")
                return False
    print(f"{module}: covered")
    return True


if __name__ == "__main__":
    sys.exit(main())
