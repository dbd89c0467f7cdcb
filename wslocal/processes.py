"""Child processes and folders that end when we do, however we end.

A process and whatever it starts form one process group with a guard, a shell that waits for our
end of a pipe to close and then kills the group. So the group ends when we close it and also when
we die, even by SIGKILL. A guarded folder has such a shell too, which removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["GuardedProcess", "guarded_folder", "guarded_temporary_files"]

_GUARD = ["/bin/sh", "-c", "read -r _; kill -s KILL 0"]
# A line says that there is nothing to remove. The processes that write there are killed in the
# same moment as we die, which is why it tries again: the last of them may write while it removes.
# Unpacked layers are read-only.
_BROOM = """
read -r _ && exit
for pause in 0.1 0.3 1; do sleep $pause; chmod -R u+w -- "$1"; rm -rf -- "$1"; done
"""


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

    def stop(self) -> None:
        """Stop the process and all that it started, but not the guard, until `resume` or the end."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # all of them have ended
            os.killpg(self._guard.pid, signal.SIGSTOP)
            os.kill(self._guard.pid, signal.SIGCONT)
            # The signal is on its way only, until the kernel says so.
            os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Have them go on."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._guard.pid, signal.SIGCONT)

    def end(self) -> int:
        """Kill the process and all that it started, and return its exit status."""
        with self._guard:  # closes its pipe, then waits for it
            self.popen.kill()
        return self.popen.wait()


@contextlib.contextmanager
def guarded_folder(prefix: str) -> Iterator[Path]:
    """Give a new temporary folder, which is removed at the end of the block or of this process."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with subprocess.Popen(
        ["/bin/sh", "-c", _BROOM, "broom", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,  # a Ctrl-C at the terminal is not for it
    ) as broom:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, onerror=_remove_all_the_same)
            with contextlib.suppress(OSError):  # somebody ended the broom
                broom.communicate(b"done\n")


@contextlib.contextmanager
def guarded_temporary_files(prefix: str) -> Iterator[None]:
    """Have all that this process writes to temporary files during the block in one guarded folder."""
    before = tempfile.tempdir
    with guarded_folder(prefix) as folder:
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def _remove_all_the_same(remove: Any, path: str, _: object) -> None:
    """Remove what is in a read-only folder; what is gone already is fine."""
    with contextlib.suppress(FileNotFoundError):
        Path(path).parent.chmod(0o700)
        Path(path).chmod(0o700)
        remove(path)
