"""Calls that block are made beside the loop, and nobody waits for one that was given up."""

import asyncio
import threading

import pytest

from wslocal.events.in_threads import in_thread


def test_result():
    thread = asyncio.run(in_thread(threading.current_thread))

    assert thread is not threading.current_thread()
    assert thread.daemon


def test_error():
    def fail():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(in_thread(fail))


def test_call_that_is_given_up_ends_unheard():
    go, ended = threading.Event(), threading.Event()

    def call():
        go.wait(20)
        ended.set()

    async def give_up():
        task = asyncio.create_task(in_thread(call))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert not ended.is_set()
    go.set()
    assert ended.wait(20)
