"""What kind of function something is, and a block around each call of one.

Flags of the code object tell, as `inspect` reads them; `inspect` itself costs milliseconds.
"""

from __future__ import annotations

from functools import partial
from types import FunctionType, MethodType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

# https://docs.python.org/3/library/inspect.html#code-objects-bit-flags
_KINDS = {0x20: "generator", 0x80: "async def", 0x200: "async generator"}
GENERATORS = ("generator", "async generator")


def kind_of(function: Any) -> str:
    """Return "def", "async def", "generator", "async generator", or "" for what is not callable."""
    if not callable(function):
        return ""
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    flags = getattr(code, "co_flags", 0) & 0x2A0
    return _KINDS.get(flags, "def")


_TAKES_MORE = 0x04  # the flag of `*args`


def misfit(function: Any, count: int) -> str:
    """Return what a function takes if that is not `count` arguments by position, else "".

    What is no function or method fits: a partial, a class, or a decorator's object, which shows
    the code of another function than it calls.
    """
    bound = type(function) is MethodType  # its first argument is given
    function = function.__func__ if bound else function
    if type(function) is not FunctionType:
        return ""
    code = function.__code__
    most = max(code.co_argcount - bound, 0)
    least = max(most - len(function.__defaults__ or ()), 0)
    if code.co_flags & _TAKES_MORE:
        if count < least:
            return f"{least} or more"
    elif not least <= count <= most:
        return f"{most}" if least == most else f"{least} to {most}"
    names = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
    needed = [f"{name}=" for name in names if name not in (function.__kwdefaults__ or ())]
    return f"{', '.join(needed)} besides" if needed else ""


def name_of(function: object) -> str:
    """Return a function's name, or that of its class if it has none."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def wrap(function: Any, block: Callable[..., AbstractContextManager[object]], what: str) -> Any:
    """Return `function` with each call inside of `block(*args, **kwargs)`; `what` decorates.

    What a coroutine function becomes is one, too. A generator is a TypeError: its body would run
    after the block.
    """
    kind = kind_of(function)
    if kind in GENERATORS:
        raise TypeError(f"{what} cannot wrap {name_of(function)}, which is a generator")
    wrapper: Any = (
        _asynchronous(function, block) if kind == "async def" else _plain(function, block)
    )
    wrapper.__name__ = getattr(function, "__name__", "handler")
    wrapper.__doc__ = function.__doc__
    wrapper.__wrapped__ = function
    return wrapper


def _plain(function: Any, block: Any) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with block(*args, **kwargs):
            return function(*args, **kwargs)

    return wrapper


def _asynchronous(function: Any, block: Any) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with block(*args, **kwargs):
            return await function(*args, **kwargs)

    return wrapper
