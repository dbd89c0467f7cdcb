"""Attacks on the running system, played by clients on real sockets."""

import pytest

from tests.end_to_end.conftest import Live


@pytest.fixture(scope="session")
def live(running):
    return Live(running.loop, running.system)
