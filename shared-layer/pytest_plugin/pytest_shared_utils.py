"""Fixtures for the tests of functions that use the layer; pytest finds them once the wheel is installed.

The wheel has this file beside the package, the zip does not: nothing on Lambda runs tests. The
layer is imported by the fixtures only, so that tests without them do not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from shared_utils.testing import CapturedLines, FakeConnections, FakeContext


@pytest.fixture
def lambda_context() -> FakeContext:
    """Lambda's context, with 10 seconds left."""
    from shared_utils.testing import FakeContext

    return FakeContext()


@pytest.fixture
def connections() -> FakeConnections:
    """Connections that keep what is sent in `sent` and `closed`, for a handler's `connections`."""
    from shared_utils.testing import FakeConnections

    return FakeConnections()


@pytest.fixture
def log_lines() -> Iterator[CapturedLines]:
    """The layer's lines, decoded, as soon as they are written; what else is printed is pytest's."""
    from shared_utils.testing import capture_lines

    with capture_lines() as lines:
        yield lines


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Go on with `log_lines`: pytest puts its own stdout back between a test's set-up and its call."""
    lines = getattr(item, "funcargs", {}).get("log_lines")
    if lines is None:
        return (yield)
    from shared_utils.testing import capture_lines

    with capture_lines(lines):
        return (yield)
