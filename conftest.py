"""How tests are run together: tiers, groups that share what is slow to start, and no silent skip.

The layer's tests must also pass alone with nothing but pytest and hypothesis, so that nothing else is
imported here.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

# Each of their tests stands on a synthesis or an emulator of its own.
SLOW_FOLDERS = ("infrastructure/tests", "layerctl/tests")

# A reason that may skip a test where CI=true: what is missing there cannot be installed.
ACCEPTED_SKIPS = frozenset({"a statement of Python 3.12"})  # on 3.11


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    config.addinivalue_line("markers", "slow: takes long; left out by `make quick`")
    config.addinivalue_line("markers", "long: takes minutes; only in `make long`")
    config.addinivalue_line("markers", "system: uses the one running system of its test run")
    config.addinivalue_line("markers", "xdist_group(name): these run in one process")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all tests of the running system in one; those first."""
    for item in items:
        file = item.path.relative_to(ROOT).as_posix()
        is_shared = bool({"running", "live"} & set(getattr(item, "fixturenames", ())))
        if is_shared:
            item.add_marker(pytest.mark.system)
        if file.startswith(SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)
        item.add_marker(pytest.mark.xdist_group("system" if is_shared else file))
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Where CI=true, make a failure of each skip that is not accepted."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if reason.removeprefix("Skipped: ") not in ACCEPTED_SKIPS:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped, and CI accepts no such skip: {reason}"
