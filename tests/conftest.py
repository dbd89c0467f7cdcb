"""What tests share: the built layer, unpacked as Lambda does it, and the running systems."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import browser
from tests.issuer import Issuer
from wslocal import Emulator, unpack_layer

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


@pytest.fixture(scope="module")
def emulator():
    """Return AWS's APIs on this machine, empty for each file of tests."""
    with Emulator() as running:
        yield running


@pytest.fixture(scope="session")
def running():
    """Return the system that the tests of a process share, with its page."""
    with browser.Running() as running:
        yield running


@pytest.fixture(scope="session")
def issuer():
    """Return the issuer that the tests of a process share: its address is in the template, which takes long to make."""
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def guarded(issuer):
    """The same, but it takes the tokens of an issuer."""
    settings = browser.SETTINGS | {
        "SPEAKER_ISSUER": issuer.url,
        "SPEAKER_AUDIENCE": issuer.audience,
        "RATE_LIMIT_WRONG_KEYS": "3",
    }
    with browser.Running(settings, issuer) as running:
        yield running


@pytest.fixture(scope="module")
def installed():
    """Return a Chromium's path; without one these tests are not run, but for CI, where they fail."""
    path = browser.chromium()
    if path is None:
        pytest.skip("not run, for want of a Chromium")
    return path


@pytest.fixture(scope="module")
def chromium(installed):
    """Return a running browser."""
    with browser.launched(installed) as started:
        yield started


@pytest.fixture
def tab(chromium, running):
    """Return what opens a tab for one test."""
    tabs = browser.Tabs(chromium, running.page.url)
    yield tabs
    tabs.close()


@pytest.fixture(scope="module")
def speaker(chromium, running):
    """Return the tab of one who speaks, for the tests of a file. Each leaves it as it was."""
    tabs = browser.Tabs(chromium, running.page.url)
    speaker = tabs("speak")
    speaker.speaks("recording")
    yield speaker
    tabs.close()
