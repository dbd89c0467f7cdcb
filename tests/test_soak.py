"""What the soak measures and how it judges; the soak itself, for some minutes."""

import asyncio
import os
import subprocess
import sys

import pytest

from tests.soak import (
    TOLERANCES,
    Load,
    Samples,
    Tolerance,
    descendants,
    judge,
    main,
    report,
    soak,
    usage,
)

NONE = Tolerance(0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "tolerance", "is_flat"),
    [
        pytest.param([9, 9, 5, 5, 5, 5], NONE, True, id="as-it-was"),
        pytest.param([1, 1, 5, 5, 6, 6], NONE, False, id="more"),
        pytest.param([1, 1, 5, 5, 4, 4], NONE, True, id="less"),
        pytest.param([1, 1, 100, 100, 110, 110], Tolerance(0.1, 0.0), True, id="within-the-share"),
        pytest.param([1, 1, 100, 100, 111, 111], Tolerance(0.1, 0.0), False, id="beyond-the-share"),
        pytest.param([1, 1, 5, 5, 8, 8], Tolerance(0.0, 3.0), True, id="within-the-amount"),
        pytest.param([1, 1, 1, 5, 5, 5, 5, 900, 5], NONE, True, id="one-moment"),
    ],
)
def test_last_third_is_judged_by_the_middle_one(values, tolerance, is_flat):
    assert judge("a", values, tolerance).is_flat is is_flat


def test_leak_of_memory_makes_the_exit_code_1_whoever_has_it(capsys):
    samples = Samples()
    for number in range(12):
        samples.note("gateway", "memory MB", 80.0)
        samples.note("functions", "memory MB", 300.0 + 10 * number)
        samples.note("emulator", "memory MB", 90.0 + 50 * number)

    assert report(samples, Load()) == 1
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in table if "memory" in line] == ["judged", "grows", "flat"]


def test_run_without_a_measure_is_none(capsys):
    assert report(Samples(), Load()) == 1
    assert "nothing was measured" in capsys.readouterr().out


def test_process_is_measured_as_it_is():
    before = usage(os.getpid())
    files = [open(os.devnull) for _ in range(20)]  # noqa: SIM115
    held = usage(os.getpid())
    for file in files:
        file.close()

    assert held["descriptors"] - before["descriptors"] == 20
    assert before["threads"] >= 1
    assert before["memory MB"] > 10


def test_process_that_is_gone_holds_nothing():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in descendants(os.getpid())

    assert usage(child.pid) == {}


@pytest.mark.parametrize("minutes", ["0.5", "x", "-1", "nan"])
def test_minutes_that_are_none_are_refused(minutes):
    with pytest.raises(SystemExit) as caught:
        main([minutes])

    assert str(caught.value) == f"minutes must be a number from 1 to 1440, got {minutes!r}"


@pytest.mark.long
def test_system_holds_no_more_in_the_end_than_in_the_middle():
    """Its delay is not judged beside other tests."""
    samples, load = asyncio.run(soak(3.0))

    rows = samples.judgements()
    judged = [row for row in rows if not row.name.startswith(("emulator", "audio"))]
    assert {row.name.partition(": ")[2] for row in judged} == {*TOLERANCES} - {"delay ms, p95"}
    assert [row for row in judged if not row.is_flat] == []
    assert load.heard > load.sent > 1000
