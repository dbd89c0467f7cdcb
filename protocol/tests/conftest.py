"""A stranger's modules can be imported; nothing of them is known to the package."""

import sys
from pathlib import Path

STRANGER = Path(__file__).parent / "stranger"
sys.path.insert(0, str(STRANGER))
