"""Faults on purpose, in both browsers, with real sound: what is shown, what is heard, and how late."""

from __future__ import annotations

import math

import pytest

from tests.page_faults.faults import rows_of
from tests.page_faults.play import play

pytestmark = pytest.mark.long

# Nobody's ear on a machine at rest; a busy machine's browser stumbles by itself.
SETTLES_WITHIN_MS = 500


CASES = [
    pytest.param(browser, fault, role, id=f"{browser}-{role}-{fault.happens.__name__}")
    for browser in ("Chromium", "Firefox")
    for fault, role in rows_of(browser)
]


@pytest.mark.parametrize(("stage", "fault", "role"), CASES, indirect=["stage"])
def test_fault(stage, results, fault, role):
    result, shown = play(stage, fault, role)
    results.add(fault.key(role), stage.browser_class.name, {"shown": shown, **result.numbers()})

    assert result.live_again_seconds is not None
    assert math.isnan(result.before_ms) or result.after_ms < result.before_ms + SETTLES_WITHIN_MS
