"""Runs the layer's own tests under CPython 3.14 in WebAssembly; arguments go to pytest.

What needs a process, a thread or a socket is skipped, and says so. The event loop is asyncio's own
without its sockets. Not from the lock file: orjson, a second reader of each written line, has no such wheel.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import types
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

# By what an error says: why a test cannot run here.
_MISSING = {
    "does not support processes": "needs a process",
    "can't start new thread": "needs a thread",
    "_fallback_socketpair": "needs a socket",
}
# Pipes have no end here, so they are never full.
_FULL_PIPES = (
    "test_a_full_pipe_is_waited_for",
    "test_a_pipe_that_stays_full",
    "test_a_line_that_is_given_up_in_its_midst",
)


class Waiting:
    """What asyncio waits with between two callbacks: no socket can wake it."""

    def select(self, timeout: float | None) -> list[Any]:
        """Sleep until the next timer is due."""
        if timeout is None:
            raise RuntimeError("can't start new thread, and nothing else would wake this loop")
        time.sleep(timeout)
        return []


class Loop(asyncio.BaseEventLoop):
    """asyncio's loop with its tasks, timers and callbacks, but without sockets."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = Waiting()

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks of the files that do not run here."""
    for mark in ("threat", "fault", "system"):
        config.addinivalue_line("markers", mark)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what never ends where a pipe is never full."""
    for item in items:
        if item.name.startswith(_FULL_PIPES):
            item.add_marker(pytest.mark.skip(reason="needs a pipe that can be full"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    """Skip a test whose fixtures cannot be made here."""
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """Skip a test that cannot run here."""
    return (yield from _skipping())


def _skipping() -> Generator[None, Any, Any]:
    try:
        return (yield)
    except Exception as error:
        if reason := _reason(error):
            pytest.skip(reason)
        raise


def _reason(error: BaseException | None) -> str:
    """Return why the test cannot run here, from the error or one that it came of; '' if it can."""
    if error is None:
        return ""
    frames, places = error.__traceback__, []
    while frames:
        places.append(frames.tb_frame.f_code.co_name)
        frames = frames.tb_next
    for sign, reason in _MISSING.items():
        if sign in str(error) or sign in places:
            return reason
    causes = (error.__cause__, error.__context__, *getattr(error, "exceptions", ()))
    return next(filter(None, map(_reason, causes)), "")


def main() -> int:
    """Take Pyodide's loop away, put what is missing in its place, and run pytest."""
    asyncio._set_running_loop(None)
    asyncio.new_event_loop = asyncio.events.new_event_loop = Loop
    time.thread_time = time.process_time  # there is one thread
    reader: Any = types.ModuleType("orjson")
    reader.loads = json.loads
    sys.modules["orjson"] = reader
    os.chdir("/project/shared-layer")
    quiet = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"]
    # Of servers whose thread did not start.
    quiet += [
        "-W",
        "ignore::ResourceWarning",
        "-W",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    ]
    options = ["--confcutdir=.", "--ignore=tests/test_wheel.py", *quiet]
    return int(pytest.main([*options, *sys.argv[1:]], plugins=[sys.modules[__name__]]))


if __name__ == "__main__":
    sys.exit(main())
