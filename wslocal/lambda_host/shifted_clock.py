"""Runs a module, such as the runtime client, with a clock that is off by a number of seconds.

`python shifted_clock.py SECONDS MODULE ARGUMENTS` is `python -m MODULE ARGUMENTS`, except that `time`
and `datetime` show another time. Only what Python code sees is off; monotonic clocks are as they were.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

__all__ = ["shift", "shifted"]


def shifted(command: Sequence[str], seconds: float) -> tuple[str, ...]:
    """Return the command that does what `python ... -m module ...` does, with a shifted clock.

    Also that of `node ... file.mjs`, where `Date` is off.
    """
    if "-m" in command:
        before, after = command[: command.index("-m")], command[command.index("-m") + 1 :]
        return (*before, __file__, repr(float(seconds)), *after)
    if not command[-1].endswith(".mjs"):
        raise ValueError(f"only `python -m` and Node have a clock to shift, got {command[1]!r}")
    node, *rest = command
    return (node, "--require", __file__.removesuffix("py") + "cjs", *rest, repr(float(seconds)))


def shift(seconds: float) -> None:
    """Have this process's `time` and `datetime` show a time that is off."""
    now, now_ns = time.time, time.time_ns
    get, get_ns, realtime = time.clock_gettime, time.clock_gettime_ns, time.CLOCK_REALTIME
    nanoseconds = int(seconds * 1_000_000_000)
    localtime = time.localtime

    def current() -> float:
        return now() + seconds

    def current_struct() -> time.struct_time:
        return localtime(current())

    replaced: dict[str, Callable[..., Any]] = {
        "time": current,
        "time_ns": lambda: now_ns() + nanoseconds,
        "clock_gettime": lambda clock: get(clock) + (seconds if clock == realtime else 0),
        "clock_gettime_ns": lambda clock: get_ns(clock) + (nanoseconds if clock == realtime else 0),
        "gmtime": _given(time.gmtime, 0, current),
        "localtime": _given(localtime, 0, current),
        "ctime": _given(time.ctime, 0, current),
        "asctime": _given(time.asctime, 0, current_struct),
        "strftime": _given(time.strftime, 1, current_struct),
    }
    for name, function in replaced.items():
        setattr(time, name, function)
    _shift_datetime()


def _given(function: Callable[..., Any], place: int, current: Callable[[], Any]) -> Any:
    """Return `function`, which takes a time at that place, or else the current one."""

    def given(*arguments: Any) -> Any:
        if arguments[place:] in ((), (None,)):
            return function(*arguments[:place], current())
        return function(*arguments)

    return given


def _shift_datetime() -> None:
    """Have `datetime` ask `time`; `date.today` and `datetime.today` do so already."""
    import datetime

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            # Those that were made before, or by C code, are of the class that was replaced.
            return (
                isinstance(value, cls.__mro__[1])
                if cls is DateTime
                else super().__instancecheck__(value)
            )

    class DateTime(datetime.datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> DateTime:
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> DateTime:
            utc = datetime.timezone.utc  # noqa: UP017 - functions may run under Python 3.10
            return cls.fromtimestamp(time.time(), utc).replace(tzinfo=None)

    DateTime.__name__ = DateTime.__qualname__ = "datetime"
    DateTime.__module__ = "datetime"
    datetime.datetime = DateTime  # type: ignore[misc]


if __name__ == "__main__":
    # First of all: what is in our folder must not be found by its name.
    sys.path[0] = os.getcwd()
    shift(float(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
