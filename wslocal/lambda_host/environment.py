"""One execution environment: a runtime process, its Runtime API and its output.

An environment ends, with all that it started, when we close it and also when we die.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
from functools import partial
from typing import IO, TYPE_CHECKING, cast

from wslocal.processes import GuardedProcess

from .memory import MemoryWatch
from .output import Output
from .runtime_api import Answered, Exited, RuntimeApi, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .runtime_api import Message, Work

__all__ = ["Environment"]

# A runtime client has at most two messages waiting: its answer, and that it asks for more. A process
# that sends without end, past its client, is ended.
_MAX_MESSAGES = 16


class Environment:
    """A process that takes one piece of work after the other. Not for two callers at once.

    `on_line` gets each line that the process writes, as soon as it is finished. `on_exit` is called when
    the process has ended by itself. A process that uses more than `memory_bytes` is killed; None: as much
    as it likes.
    """

    stdout: Output
    stderr: Output

    def __init__(
        self,
        on_line: Callable[[str], None],
        on_exit: Callable[[], None] = lambda: None,
        memory_bytes: int | None = None,
    ) -> None:
        self._memory_bytes = memory_bytes
        self._memory: MemoryWatch | None = None
        self._on_line = on_line
        self._on_exit = on_exit
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outputs: tuple[Output, ...] = ()  # a quick process reports before we watch it
        self._api = RuntimeApi(self._report)
        self._loop = asyncio.get_running_loop()

    async def start(self, command: Sequence[str], cwd: Path, variables: Mapping[str, str]) -> None:
        """Start the process; its first message tells how that went."""
        address = await self._api.start()
        run = partial(
            GuardedProcess,
            command,
            cwd=cwd,
            env={**variables, "AWS_LAMBDA_RUNTIME_API": address},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        starting = asyncio.ensure_future(asyncio.to_thread(run))
        try:
            self._process = await asyncio.shield(starting)
        except BaseException:
            self._api.close()
            await asyncio.to_thread(_discard, await starting)  # raises what kept it from starting
            raise
        try:
            self._watch()
        except OSError:  # no more descriptors
            self._api.close()
            await asyncio.to_thread(_discard, self._process)
            raise

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        poll = select.poll()
        poll.register(self._life, select.POLLIN)
        return not poll.poll(0)

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that the process has used, as far as it was seen; None where memory has no limit."""
        return None if self._memory is None else self._memory.peak_bytes

    async def next_message(self, timeout_seconds: float) -> Message:
        """Wait for what happens next: `Ready` first, and after each answer."""
        if not self._outbox.empty():
            return self._outbox.get_nowait()
        if self._memory is None:
            return await self._wait(timeout_seconds)
        self._memory.begin()
        try:
            message = await self._wait(timeout_seconds)
        finally:
            self._memory.end()
        if isinstance(message, Answered) and self._memory.is_exceeded():
            return Exited(-signal.SIGKILL)  # on Lambda it would not have come to an answer
        return message

    async def _wait(self, timeout_seconds: float) -> Message:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._outbox.get()
        except TimeoutError:
            return TimedOut(timeout_seconds)

    def offer(self, work: Work) -> None:
        """Hand `work` to a process that is ready."""
        self._api.offer(work)

    def kill(self) -> None:
        """Kill the process and nothing else, as if it had crashed."""
        self._process.popen.kill()

    async def end(self) -> None:
        """Kill the process and all that it started; its last output can still be taken."""
        await asyncio.to_thread(self._process.end)
        self._pull()

    async def close(self) -> None:
        """End, and give everything back."""
        try:
            await self.end()
        finally:
            for watched in (self._life, self.stdout, self.stderr):
                self._loop.remove_reader(watched)
            self._api.close()
            self.stdout.close()
            self.stderr.close()
            os.close(self._life)

    def _watch(self) -> None:
        popen = self._process.popen
        if self._memory_bytes is not None:
            self._memory = MemoryWatch(popen.pid, self._memory_bytes, self.kill)
        self._life = os.pidfd_open(popen.pid)  # readable once the process has ended
        self._loop.add_reader(self._life, self._exited)
        self.stdout = Output(cast("IO[bytes]", popen.stdout), self._on_line)
        self.stderr = Output(cast("IO[bytes]", popen.stderr), self._on_line)
        self._outputs = self.stdout, self.stderr
        for output in self._outputs:
            self._loop.add_reader(output, self._readable, output)

    def _report(self, message: Message) -> None:
        # The process waits for our answer, so all that it wrote for this work is in its pipes.
        self._pull()
        if self._outbox.qsize() < _MAX_MESSAGES:
            self._outbox.put_nowait(message)
        else:
            self._process.popen.kill()

    def _exited(self) -> None:
        self._loop.remove_reader(self._life)
        self._pull()
        self._outbox.put_nowait(Exited(self._process.popen.wait()))
        self._on_exit()

    def _readable(self, output: Output) -> None:
        if not output.pull():
            self._loop.remove_reader(output)

    def _pull(self) -> None:
        for output in self._outputs:
            output.pull()


def _discard(process: GuardedProcess) -> None:
    """End a process whose output nobody takes, and give its pipes back."""
    process.end()
    for pipe in (process.popen.stdout, process.popen.stderr):
        if pipe is not None:
            pipe.close()
