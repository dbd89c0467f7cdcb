"""Has a scenario played in the one running system, and shows what was measured at the end."""

import asyncio
import contextlib

import pytest

from tests import browser
from tests.reliability.traffic import Traffic

SECONDS = 240.0


@pytest.fixture
def play(running):
    """Return a function that runs `scenario(Traffic)` on the loop of the one running system."""
    return player(running)


@pytest.fixture
def play_afresh():
    """The same, in a system that has just started: no function has run."""
    with browser.Running() as running:
        yield player(running)


def player(running):
    def play(scenario):
        async def main():
            async with contextlib.AsyncExitStack() as stack, asyncio.timeout(SECONDS):
                traffic = Traffic(running.system, stack)
                await traffic.begin()
                return await scenario(traffic)

        return running.loop.run(main())

    return play


@pytest.fixture
def measured(record_property):
    """Return a function that keeps numbers for the report of the run."""

    def measured(**numbers):
        for name, value in numbers.items():
            record_property(name, _rounded(value))

    return measured


def _rounded(value):
    if isinstance(value, tuple):
        return tuple(map(_rounded, value))
    return round(value, 3) if isinstance(value, float) else value


def pytest_terminal_summary(terminalreporter):
    """Show what each test has measured."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.when == "call" and report.user_properties:
            numbers = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {numbers}")
