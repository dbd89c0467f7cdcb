"""`python -m wslocal` is the same as `wslocal`."""

from __future__ import annotations

import signal

# Ctrl-C before there is something to end in order, as while the rest is imported, ends it without a traceback.
if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from wslocal.cli import main

    main()
