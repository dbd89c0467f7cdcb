"""Puts the layer's zips into the wheel: one for each Python of this machine, and one for all of them.

`LAYER_PYTHONS=3.11,3.13` names the Pythons; one that is not here is an error then. The zips are those of
`shared-layer/build.py`, so that the same sources and Pythons give the same wheel.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


class LayerArchivesHook(BuildHookInterface[Any]):
    """Builds the zips before the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the zips, and have them in the wheel; in an editable installation there are none."""
        if version == "editable":
            return
        build = Path(self.root).parent / "shared-layer" / "build.py"
        if not build.exists():
            raise SystemExit(f"shared-utils-cdk is built in its repository: {build} is not there")
        folder = Path(tempfile.mkdtemp(prefix="archives-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        asked = os.environ.get("LAYER_PYTHONS", "")
        pythons = asked.split(",") if asked else find_pythons(build)
        whole = f"shared-layer-{self.metadata.version}"
        wanted = {f"{whole}.zip": pythons}
        if len(pythons) > 1:
            wanted |= {f"{whole}-python{python}.zip": [python] for python in pythons}
        for name, compiled in wanted.items():
            archive = folder / name
            command = [sys.executable, "-I", str(build), "--python", ",".join(compiled)]
            subprocess.run([*command, "--output", archive], check=True, stdout=sys.stderr)
            build_data["force_include"][str(archive)] = f"shared_utils_cdk/archives/{name}"


def find_pythons(build: Path) -> list[str]:
    """Return the Pythons of this machine that `build.py` finds."""
    find_interpreter = runpy.run_path(str(build))["find_interpreter"]
    found = []
    for python in PYTHONS:
        with contextlib.suppress(SystemExit):  # there is none
            find_interpreter(python)
            found.append(python)
    return found
