"""How commands write: as the terminal can show it, and on when nobody reads it any more: nothing is said of that."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["all_is_written", "make_console", "quiet_stderr"]

_PLAIN_WIDTH = 160
# A pipe without a reader, and a terminal that is gone: nobody wants to read any more.
_UNREAD = {errno.EPIPE, errno.EIO}


@contextlib.contextmanager
def all_is_written() -> Iterator[None]:
    """Have what the block writes to stdout be all that it is for: OSError if stdout is closed, or cannot take it.

    Whoever reads a pipe may stop: that is no error.
    """
    if sys.stdout is None:
        raise OSError("nothing can be written: stdout is closed")
    yield
    sys.stdout.flush()
    error = getattr(sys.stdout, "error", None)
    if error is not None and error.errno not in _UNREAD:
        raise OSError(f"stdout cannot be written: {error.strerror}")


def make_console(*, soft_wrap: bool = False) -> Console:
    """Return what writes to stdout; with `soft_wrap`, a terminal may break a line, but we do not: paths stay whole.

    Colours are as NO_COLOR, FORCE_COLOR and TERM ask for. FORCE_COLOR makes no terminal of a pipe: only where
    a person watches, the console is interactive.
    """
    if sys.stdout is not None and sys.stdout.isatty():
        return Console(highlight=False, markup=False, soft_wrap=soft_wrap)
    return Console(
        highlight=False,
        markup=False,
        soft_wrap=soft_wrap,
        width=_PLAIN_WIDTH,
        force_interactive=False,
    )


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what C libraries write to stderr away from there: the command says it in a sentence."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
