"""What is being done is said to those who wait, and only to them."""

from __future__ import annotations

import asyncio

from wslocal.progress import Progress


def said(patience_seconds, *steps):
    """Return what is written while the steps are done, each in a turn of the loop."""
    written: list[str] = []

    async def work():
        with Progress(written.append, patience_seconds) as progress:
            for step in steps:
                progress(step)
                await asyncio.sleep(0)
                await asyncio.sleep(0)

    asyncio.run(work())
    return written


def test_nothing_is_said_of_what_is_quick():
    assert said(60, "reading", "deploying") == []


def test_what_is_being_done_is_said_from_the_moment_on():
    assert said(0, "reading", "deploying") == ["reading ...", "deploying ..."]


def test_nothing_is_said_before_there_is_something():
    assert said(0) == []
