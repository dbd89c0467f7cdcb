"""How tests are run together: tiers, groups that share what is slow to start, and no silent skip.

The layer's tests must also pass alone with nothing but pytest and hypothesis, so that nothing else is
imported here.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# What uses the fixture `running`, or real sound. One after the other: they look at times, and browsers beside
# them take a core of two.
SYSTEM = (
    *("tests/test_browser", "tests/end_to_end/", "tests/reliability/", "tests/security/"),
    *("tests/page_faults/", "tests/test_playing.py"),
)
# What starts systems of its own, as commands.
COMMANDS = "tests/end_to_end/test_up.py"

# `make long` asks for it: three times what a test usually tries, and nine times where one example takes long.
settings.register_profile(
    "long", max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

# The first synthesis of a process takes ten seconds, and each further one half a second.
TEMPLATES = ("cdk/tests", "infrastructure/tests")
# What is slow as a whole, files by how their names begin: nearly each test starts a process or an emulator,
# or tries thousands of cases.
SLOW_FOLDERS = (*TEMPLATES, "layerctl/tests")
SLOW_FILES = {
    "authorizer/tests": "access_tokens issuer_documents timed_http token_authorizer",
    "functions/tests": "calls channel_costs counters guesses interpreter lost_answers refresh_tokens "
    "start states store_stalls stuck",
    "tests": "attributes_against audit client decoding demo deploy document_examples dynamodb_against "
    "dynamodb_gaps extending fuzz interpret issuer migrating mutate page python_3_14 reliability "
    "run_tests supervision talk threats",
    "wslocal/tests": "aws_front gateway_tls project pytest_plugin readme run_options testing watching "
    "wrong_inputs",
}
SLOW = (
    *SLOW_FOLDERS,
    *(f"{folder}/test_{name}" for folder, names in SLOW_FILES.items() for name in names.split()),
)

# Side by side, tests that wait for the running system and look at its times go before those that only
# compute: of a core that both want, the former get three quarters.
NICENESS = 5

# Marks of tests that a document names.
PROMISES = {"fault": "docs/reliability.md", "threat": "docs/security.md"}

# A reason that may skip such a test where CI is not true: what has to be installed by hand.
LOCAL_SKIPS = frozenset({"not run, for want of a Chromium"})

# Reasons that may skip a test where CI=true: what is missing there cannot be installed.
ACCEPTED_SKIPS = frozenset(
    {
        "a statement of Python 3.12",
        "no other CPython here",
        "miniaudio has no wheel for this machine",
    }
)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    config.addinivalue_line("markers", "slow: takes long; left out by `make quick`")
    config.addinivalue_line(
        "markers", "long: takes minutes, or repeats a proof with more values; only in `make long`"
    )
    config.addinivalue_line("markers", "system: uses a running system that others use, too")
    row = "fault(what=, speaker=, listeners=, log=, heals=)"
    config.addinivalue_line("markers", f"{row}: a row of docs/reliability.md")
    config.addinivalue_line("markers", "threat(*ids): shows these rows of docs/security.md")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over files of which `make quick` runs nothing: to import them takes as long as what it runs."""
    chosen = config.option.markexpr
    if "not slow" not in chosen or "not system" not in chosen or collection_path.is_dir():
        return None
    file = collection_path.relative_to(config.rootpath).as_posix()
    return file.startswith((*SLOW, *SYSTEM)) or None


def uses_system(file: str) -> bool:
    """Return whether a file's tests use the system that runs once for all of them."""
    return file.startswith(SYSTEM) and file != COMMANDS


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and put the tests of the running system first: they take longest."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        if uses_system(file):
            item.add_marker(pytest.mark.system)
        if file.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Keep a file's tests in one process, all tests of the running system in one, and those of templates."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            together = next((folder for folder in TEMPLATES if file.startswith(folder)), None)
            if uses_system(file):
                return "the running system"
            return together or file

    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give a test that only computes, and all that it starts, less of a core that others want."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        niceness = 0 if item.get_closest_marker("system") else NICENESS
        # Only root may take it back, which matters to none: the running system comes first.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, niceness)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Make a failure of a skip: where CI=true of all that are not accepted, of a promise always."""
    outcome = yield
    report = outcome.get_result()
    if not report.skipped:
        return
    is_ci = os.environ.get("CI") == "true"
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    promised = [name for mark, name in PROMISES.items() if item.get_closest_marker(mark)]
    if promised and (is_ci or reason not in LOCAL_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and {promised[0]} promises what it shows"
    elif is_ci and reason not in ACCEPTED_SKIPS and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and CI accepts no such skip: {reason}"
