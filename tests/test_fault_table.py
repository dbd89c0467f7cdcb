"""The tables of web/README.md on the page's faults have a row for each test that measures one."""

import json

import pytest

import fault_table
from tests.page_faults.results import FILE, NAMES

ROW = {
    "shown": ["No sound arrives at the moment.", "Live."],
    "before_ms": 410.0,
    "after_ms": 420.0,
    "live_again_seconds": 1.5,
    "silent_seconds": 10.2,
    "lost_seconds": 10.0,
    "seams": 0,
}
RUN = {
    "date": "2026-11-30",
    "cores": 2,
    "system": "Linux x86_64",
    "load": [1.0, 2.5],
    "versions": {"Chromium": "Chromium 156", "Firefox": "Mozilla Firefox 153"},
}


def tables(tmp_path, **measured):
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"run": RUN, "measured": measured}))
    return fault_table.table(file)


def test_row_says_what_is_shown_and_heard(tmp_path):
    text = tables(tmp_path, Firefox={"the network is gone for 10 s: listener": ROW})

    assert "Last run on 2026-11-30, with Chromium 156 and Mozilla Firefox 153, on Linux" in text
    assert text.splitlines()[-1] == (
        "| the network is gone for 10 s | listener | “No sound arrives at the moment.” “Live.” "
        "| 10.2 s of silence, 10 s lost, clean | 410 ms, 420 ms | within 1.5 s |"
    )


@pytest.mark.parametrize(
    ("changed", "cells"),
    [
        pytest.param({"shown": []}, "| nothing new |", id="nothing-shown"),
        pytest.param({"seams": 1}, ", 1 click |", id="click"),
        pytest.param(
            {"lost_seconds": 0.0, "silent_seconds": 0.0},
            "| no silence, nothing lost, clean |",
            id="nothing-lost",
        ),
        pytest.param(
            {"after_ms": None, "live_again_seconds": None},
            "| 410 ms, none | no |",
            id="never-again",
        ),
    ],
)
def test_cells(tmp_path, changed, cells):
    assert cells in tables(tmp_path, Chromium={"the page is reloaded: speaker": {**ROW, **changed}})


def test_there_is_a_row_for_each_test():
    """`python -m tests.page_faults` measures what is missing."""
    measured = json.loads(FILE.read_text())["measured"]

    assert {browser: tuple(rows) for browser, rows in measured.items()} == NAMES
