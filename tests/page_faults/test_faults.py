"""Faults on purpose, in both browsers, with real sound: what is shown, what is heard, and how late."""

from __future__ import annotations

import json
import os

import pytest

from tests.page_faults.faults import FAULTS
from tests.page_faults.play import play

pytestmark = pytest.mark.long

ROWS = [(fault, role) for fault in FAULTS for role in fault.roles]


@pytest.mark.parametrize(
    ("fault", "role"),
    [pytest.param(fault, role, id=f"{role}-{fault.happens.__name__}") for fault, role in ROWS],
)
def test_fault(stage, fault, role):
    result, shown = play(stage, fault, role)
    row = {
        "browser": stage.browser_class.name,
        "fault": fault.what,
        "role": role,
        "shown": shown,
        **result._asdict(),
    }
    with open(os.environ.get("FAULTS_OUT", "/tmp/faults.jsonl"), "a") as file:
        file.write(json.dumps(row, default=float) + "\n")
    row.pop("pairs")
    print(row)
