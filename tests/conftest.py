"""The built layer, unpacked as Lambda does it."""

import subprocess
import sys
from pathlib import Path

import pytest

from wslocal import unpack_layer

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def layer(tmp_path_factory):
    """Return the read-only folder that stands where `/opt` would be."""
    folder = tmp_path_factory.mktemp("layer")
    archive = folder / "shared-layer.zip"
    subprocess.run(
        [
            *(ROOT / "shared-layer" / "build.sh", "--output", archive),
            *("--python", f"3.{sys.version_info.minor}"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return unpack_layer(archive, folder / "opt")
