"""Makes `python -m pytest tests/` work with nothing but pytest and hypothesis installed."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "python"))

# How fast an example runs says something about the machine, nothing about the layer.
settings.register_profile(
    "layer", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("layer")


def pytest_configure(config):
    """Declare the mark of what a quick run leaves out, and runs under other Pythons."""
    config.addinivalue_line("markers", "slow: takes long; left out with -m 'not slow'")
    config.addinivalue_line("markers", "long: takes minutes; left out with -m 'not long'")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Generated input takes long, and shows the same under each Python."""
    for item in items:
        if getattr(item.function, "is_hypothesis_test", False):
            item.add_marker("slow")
