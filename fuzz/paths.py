"""Where the modules are that harnesses import."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["ROOT", "add_paths"]

ROOT = Path(__file__).resolve().parent.parent


def add_paths() -> None:
    """Let the layer and the tools be imported by their names."""
    sys.path[:0] = [str(ROOT / "shared-layer" / "python"), str(ROOT / "tools"), str(ROOT)]
