"""Makes `python -m pytest tests/` work with nothing but pytest and hypothesis installed."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "python"))

# How fast an example runs says something about the machine, nothing about the layer.
settings.register_profile(
    "layer", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("layer")
