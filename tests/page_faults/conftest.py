"""A stage for each browser, which its tests share: a browser takes seconds to start."""

import pytest

from tests import browser as b
from tests.page_faults.chromium import Chromium
from tests.page_faults.firefox import Firefox, firefox
from tests.page_faults.sound import pulseaudio
from tests.page_faults.stage import Stage

BROWSERS = (Chromium, Firefox)
FOUND = {"Chromium": b.chromium, "Firefox": firefox}


@pytest.fixture(scope="module", params=BROWSERS, ids=lambda browser: browser.name)
def browser_class(request):
    """Return one of the browsers; without it, or without PulseAudio, its tests are not run."""
    if not FOUND[request.param.name]():
        pytest.skip(f"not run, for want of a {request.param.name}")
    if not pulseaudio():
        pytest.skip("not run, for want of PulseAudio")
    return request.param


@pytest.fixture(scope="module")
def stage(browser_class, running):
    """Return a stage, whose browsers are one brand."""
    with Stage(browser_class, running) as stage:
        yield stage
