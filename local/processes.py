"""Child processes that end when we do, however we end.

A process and whatever it starts form one process group with a guard, a shell that waits for our
end of a pipe to close and then kills the group. So the group ends when we close it and also when
we die, even by SIGKILL.
"""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GuardedProcess"]

_GUARD = ["/bin/sh", "-c", "read -r _; kill -s KILL 0"]


class GuardedProcess:
    """A command in a process group of its own; keywords are those of `subprocess.Popen`."""

    def __init__(self, command: Sequence[str], **popen: Any) -> None:
        with contextlib.ExitStack() as undo:
            self._guard = undo.enter_context(
                subprocess.Popen(
                    _GUARD,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    process_group=0,
                )
            )
            self.popen = subprocess.Popen(command, process_group=self._guard.pid, **popen)
            undo.pop_all()

    def end(self) -> int:
        """Kill the process and all that it started, and return its exit status."""
        with self._guard:  # closes its pipe, then waits for it
            self.popen.kill()
        return self.popen.wait()
