"""A stage for each browser, which its tests share: a browser takes seconds to start."""

import pytest

from tests import browser as b
from tests.page_faults.chromium import Chromium
from tests.page_faults.firefox import Firefox, firefox
from tests.page_faults.results import Results, version
from tests.page_faults.sound import WITHOUT_PULSEAUDIO, pulseaudio
from tests.page_faults.stage import Stage

BROWSERS = {"Chromium": Chromium, "Firefox": Firefox}
FOUND = {"Chromium": b.chromium, "Firefox": firefox}


def skip_without(name):
    if not FOUND[name]():
        pytest.skip(f"not run, for want of a {name}")
    if not pulseaudio():
        pytest.skip(WITHOUT_PULSEAUDIO)


@pytest.fixture(scope="module")
def stage(request, running):
    """Return a stage with browsers of one name; without it, or without PulseAudio, its tests are not run."""
    skip_without(request.param)
    with Stage(BROWSERS[request.param], running) as stage:
        yield stage


@pytest.fixture(scope="session")
def results():
    """Return what keeps the numbers."""
    return Results({name: version(path) for name, found in FOUND.items() if (path := found())})
