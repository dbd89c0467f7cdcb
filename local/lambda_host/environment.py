"""One execution environment: a runtime process, its Runtime API and its output.

An environment ends, with all that it started, when we close it and also when we die.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import selectors
import subprocess
import threading
from typing import IO, TYPE_CHECKING, cast

from local.processes import GuardedProcess

from .output import Output
from .runtime_api import Exited, RuntimeApi, TimedOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .runtime_api import Message, Work

__all__ = ["Environment"]


class Environment:
    """A process that takes one piece of work after the other. Not for two threads at once."""

    def __init__(self, command: Sequence[str], cwd: Path, variables: Mapping[str, str]) -> None:
        self._outbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        with contextlib.ExitStack() as undo:
            self._api = RuntimeApi(self._outbox, self._pull)
            undo.callback(self._api.close)
            self._process = GuardedProcess(
                command,
                cwd=cwd,
                env={**variables, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            undo.pop_all()
        self._life = os.pidfd_open(self._process.popen.pid)  # readable once the process has ended
        self.stdout = Output(cast("IO[bytes]", self._process.popen.stdout))
        self.stderr = Output(cast("IO[bytes]", self._process.popen.stderr))
        self._watcher = threading.Thread(target=self._watch, name="environment", daemon=True)
        self._watcher.start()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        poll = select.poll()
        poll.register(self._life, select.POLLIN)
        return not poll.poll(0)

    def next_message(self, timeout_seconds: float) -> Message:
        """Wait for what happens next: `Ready` first, and after each answer."""
        try:
            return self._outbox.get(timeout=timeout_seconds)
        except queue.Empty:
            return TimedOut(timeout_seconds)

    def offer(self, work: Work) -> None:
        """Hand `work` to a process that is ready."""
        self._api.offer(work)

    def end(self) -> None:
        """Kill the process and all that it started; its last output can still be taken."""
        self._process.end()
        self._watcher.join()
        self._api.close()

    def close(self) -> None:
        """End, and give everything back."""
        self.end()
        self.stdout.close()
        self.stderr.close()
        os.close(self._life)

    def _pull(self) -> None:
        self.stdout.pull()
        self.stderr.pull()

    def _watch(self) -> None:
        """Keep the pipes from filling up until the process ends, and report its end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._life, selectors.EVENT_READ)
            for output in (self.stdout, self.stderr):
                selector.register(output, selectors.EVENT_READ, output)
            while self._serve_pipes(selector):
                pass
        self._pull()
        self._outbox.put(Exited(self._process.popen.wait()))

    @staticmethod
    def _serve_pipes(selector: selectors.BaseSelector) -> bool:
        """Wait for something to happen; return False when the process has ended."""
        alive = True
        for key, _ in selector.select():
            output = cast("Output | None", key.data)
            if output is None:
                alive = False
            elif not output.pull():
                selector.unregister(key.fileobj)
        return alive
