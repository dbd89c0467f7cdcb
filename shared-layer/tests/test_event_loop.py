"""Coroutines for a caller that is none: contexts, tasks that are left, threads and forks."""

import asyncio
import contextvars
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared_utils import _event_loop

seen = contextvars.ContextVar("seen", default="nothing")


def run(coroutine):
    return _event_loop.run(coroutine, contextvars.copy_context())


async def loop():
    return asyncio.get_running_loop()


def test_result_is_returned():
    async def answer():
        await asyncio.sleep(0)
        return 42

    assert run(answer()) == 42


def test_error_is_raised():
    async def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(fail())


def test_coroutine_runs_in_the_very_context():
    context = contextvars.copy_context()

    async def change():
        seen.set("changed")

    _event_loop.run(change(), context)

    assert context[seen] == "changed"
    assert seen.get() == "nothing"


def test_thread_keeps_its_loop():
    assert run(loop()) is run(loop())


def test_another_thread_has_another_loop_which_ends_with_it():
    loops = [run(loop())]
    thread = threading.Thread(target=lambda: loops.append(run(loop())))
    thread.start()
    thread.join()

    assert loops[0] is not loops[1]
    assert not loops[0].is_closed()
    assert loops[1].is_closed()


FORK = """
import contextvars, os
from shared_utils import _event_loop

async def loop():
    return id(asyncio.get_running_loop())

asyncio = _event_loop.asyncio
run = lambda: _event_loop.run(loop(), contextvars.copy_context())
before = run()
child = os.fork()
print(run() == before, flush=True)
if child:
    os.waitpid(child, 0)
    print(run() == before)
"""


def test_forked_process_has_a_loop_of_its_own():
    """The parent's loop waits for the parent's sockets, which both would then read."""
    assert sorted(run_python(FORK).split()) == ["False", "True", "True"]


def test_running_loop_is_seen():
    async def is_running():
        return _event_loop.is_running()

    assert run(is_running()) is True
    assert _event_loop.is_running() is False


# --- tasks that are left


def leave(*coroutines, seconds=1.0):
    """Start tasks, then cancel them; return what `cancel_tasks` does, and the tasks."""

    async def start():
        tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
        await asyncio.sleep(0)
        return await _event_loop.cancel_tasks(seconds), tasks

    return run(start())


def test_no_task_is_left():
    assert leave() == ((0, None), [])


def test_tasks_that_are_left_are_cancelled():
    found, tasks = leave(asyncio.sleep(60), asyncio.sleep(60))

    assert found == (2, None)
    assert [task.cancelled() for task in tasks] == [True, True]


def test_task_that_fails_when_it_is_cancelled_says_why():
    async def fail():
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("in the end")

    (count, error), _ = leave(fail(), asyncio.sleep(60))

    assert count == 2
    assert repr(error) == "ValueError('in the end')"


def test_task_that_is_cancelled_but_ends_well_is_no_error():
    async def end():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

    assert leave(end())[0] == (1, None)


async def refuse_to_end():
    for _ in range(2):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass


def test_loop_with_a_task_that_refuses_to_end_is_not_used_again():
    before = run(loop())

    found, (task,) = leave(refuse_to_end(), seconds=0.01)

    assert found == (1, None)
    assert run(loop()) is not before
    task.get_coro().close()
    task._log_destroy_pending = False  # Python would report it, as it should: nobody else does


def test_loop_of_before_a_fork_is_forgotten_but_not_closed():
    before = run(loop())

    _event_loop._forget_parents()

    assert run(loop()) is not before
    assert not before.is_closed()


def test_caller_that_was_cancelled_waits_no_longer():
    async def cancelled():
        task = asyncio.create_task(asyncio.sleep(60))
        asyncio.current_task().cancel()
        return await _event_loop.cancel_tasks(1), task

    (count, error), task = run(cancelled())

    assert count == 1
    assert type(error) is asyncio.CancelledError
    del task


def test_task_that_leaves_the_process_cancels_the_coroutine():
    async def leave_process():
        raise SystemExit(3)

    async def wait():
        task = asyncio.create_task(leave_process())
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            return error.args, task.exception().code

    assert run(wait()) == (("SystemExit",), 3)


# --- a loop that is stopped


def test_loop_that_was_stopped_is_not_used_again():
    async def stop():
        asyncio.get_running_loop().stop()
        return asyncio.get_running_loop()

    async def answer():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    stopped = run(stop())

    assert run(answer()) is not stopped
    assert stopped.is_closed()
    assert run(loop()) is run(loop())


def test_coroutine_that_stops_the_loop_and_waits_is_cancelled():
    async def stop():
        asyncio.get_running_loop().stop()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            return error.args

    assert run(stop()) == ("RuntimeError",)
    assert run(asyncio.sleep(0, "served")) == "served"


# --- tasks that fail


async def fail(text="no"):
    raise ValueError(text)


def errors_after(start):
    """Return the errors that are left once `start()` has run."""

    async def call():
        await start()
        return [repr(error) for error in _event_loop.failed_tasks()]

    return run(call())


async def forget():
    asyncio.create_task(fail())  # noqa: RUF006
    await asyncio.sleep(0)


async def wait():
    await asyncio.wait([asyncio.create_task(fail("a")), asyncio.create_task(fail("b"))])


async def keep():
    kept.append(asyncio.create_task(fail()))
    await asyncio.sleep(0)


async def gather():
    await asyncio.gather(fail(), fail(), return_exceptions=True)


async def cancel():
    asyncio.create_task(asyncio.sleep(60)).cancel()
    await asyncio.sleep(0)


async def succeed():
    await asyncio.create_task(asyncio.sleep(0))


kept = []


@pytest.mark.parametrize(
    ("start", "errors"),
    [
        (forget, ["ValueError('no')"]),
        (wait, ["ValueError('a')", "ValueError('b')"]),
        (keep, ["ValueError('no')"]),
        (gather, []),
        (cancel, []),
        (succeed, []),
    ],
)
def test_error_that_nobody_asked_for_is_found_once(start, errors):
    assert errors_after(start) == errors
    assert errors_after(succeed) == []


def test_process_ends_quietly():
    code = """
import contextvars
from shared_utils import _event_loop

async def nothing(): pass

_event_loop.run(nothing(), contextvars.copy_context())
"""

    assert run_python(code) == ""


def run_python(code):
    """Return what a fresh interpreter prints that complains about whatever it can."""
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        env={"PYTHONPATH": str(Path(_event_loop.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout
