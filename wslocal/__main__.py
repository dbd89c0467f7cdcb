"""The process of `wslocal`, which `python -m wslocal` is, too: what has to be so before anything is imported."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]

_OF_AWS = "AWS_"


def main() -> None:
    """Do what the command line says."""
    # Ctrl-C before there is something to end in order, as while the rest is imported, ends it without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _forget_the_account()
    from wslocal.cli import main as command

    command()


def _forget_the_account() -> None:
    """Start again without the user's variables of AWS, of which nothing here uses any.

    Each function could read them in /proc/PID/environ of its parent, this process, which has what it was
    started with there, whatever becomes of os.environ.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_OF_AWS)}
    if kept != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)  # noqa: S606 - itself


if __name__ == "__main__":
    main()
