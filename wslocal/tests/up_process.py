"""The real command `wslocal up` in a process of its own, and what a test asks of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent.parent
PROJECTS = Path(__file__).parent / "projects"
# Ours: for what takes a second or two on a machine that has nothing else to do.
PATIENCE_SECONDS = 60.0


def command(*arguments: str) -> list[str]:
    """Return the command line of `wslocal` with these arguments."""
    return [sys.executable, "-m", "wslocal", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """Return variables with which the command finds this package, wherever it is run."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def run(*arguments, cwd=None, stdin=None, **more: str) -> subprocess.CompletedProcess:
    """Run `wslocal` to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**more),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class Up:
    """`wslocal up`, running in a `with` block; `lines` are what it has written so far."""

    def __init__(self, *arguments, cwd=None, program=None, **more: str) -> None:
        self.process = subprocess.Popen(
            [*(program or command()), "up", *map(str, arguments)],
            cwd=cwd,
            env=environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._came = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream,))
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        try:
            self.wait_for("Ctrl-C")
        except BaseException:
            self.end(signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGINT)

    @property
    def urls(self) -> list[str]:
        """The addresses, ws:// and wss:// of one API after the other."""
        return [line.split()[0] for line in self.lines if line.startswith(("ws://", "wss://"))]

    def wait_for(self, text: str, count: int = 1) -> str:
        """Return the line in which the text comes for so many times; it may have come already."""
        until = time.monotonic() + PATIENCE_SECONDS
        with self._came:
            while True:
                found = [line for line in self.lines if text in line]
                if len(found) >= count:
                    return found[count - 1]
                ended = not any(reader.is_alive() for reader in self._readers)
                if ended or not self._came.wait(max(until - time.monotonic(), 0)):
                    raise AssertionError(f"{text!r} did not come:\n" + "\n".join(self.lines))

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        for reader in self._readers:
            reader.join(PATIENCE_SECONDS)
        return code

    def _read(self, stream) -> None:
        with stream:
            for line in stream:
                with self._came:
                    self.lines.append(line.rstrip("\n"))
                    self._came.notify_all()
        with self._came:
            self._came.notify_all()
