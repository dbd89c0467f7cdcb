"""A loop in a thread, used from outside."""

import asyncio
import contextlib
import threading

import pytest

from wslocal.loop import LoopThread


async def answer(value):
    return value


async def fail():
    raise ValueError("no")


def test_work_is_done_on_another_thread():
    async def where():
        return threading.current_thread()

    with LoopThread() as loop:
        assert loop.run(where()) is not threading.current_thread()


def test_what_work_raises_is_raised_here():
    with LoopThread() as loop:
        with pytest.raises(ValueError, match="no"):
            loop.run(fail())

        assert loop.run(answer(1)) == 1


def test_what_was_entered_is_left_in_reverse():
    left = []

    @contextlib.asynccontextmanager
    async def manager(name):
        yield name
        left.append(name)

    with LoopThread() as loop:
        names = [loop.enter(manager(name)) for name in "ab"]

    assert names == ["a", "b"]
    assert left == ["b", "a"]


def test_what_interrupts_the_wait_cancels_the_work(monkeypatch):
    cancelled = threading.Event()

    async def wait_forever():
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def interrupt(future, timeout=None):
        raise KeyboardInterrupt

    with LoopThread() as loop:
        monkeypatch.setattr("concurrent.futures.Future.result", interrupt)
        with pytest.raises(KeyboardInterrupt):
            loop.run(wait_forever())
        monkeypatch.undo()

        assert cancelled.wait(20)


def test_closing_twice_does_nothing():
    with LoopThread() as loop:
        before = threading.active_count()
        loop.close()
        loop.close()

    assert threading.active_count() < before
