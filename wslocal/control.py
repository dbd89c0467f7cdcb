"""What a run does for other processes of its user, on a socket that only this user can open.

A client sends one line of JSON, `{"command": NAME, ...}`, and gets lines of JSON. What a command has
begun ends with its client's connection, so also when the client is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from .state import RunNotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator
    from pathlib import Path

__all__ = ["Command", "Reply", "answering", "ask"]

#: Sends a line of JSON, a mapping, to the client that asked.
Reply = Callable[[Mapping[str, Any]], Awaitable[None]]
#: Gets the request, how to reply with a line (again and again), and what is set when the client has gone.
Command = Callable[[Mapping[str, Any], Reply, asyncio.Event], Awaitable[None]]


_MAX_REQUEST_BYTES = 8 << 20  # an event has at most 6 MB


@contextlib.asynccontextmanager
async def answering(path: Path, commands: Mapping[str, Command]) -> AsyncIterator[None]:
    """Serve the socket at `path` during the block."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(commands, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_unix_server(accept, path, limit=_MAX_REQUEST_BYTES)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(
    commands: Mapping[str, Command], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    async def reply(document: Mapping[str, Any]) -> None:
        writer.write(json.dumps(document).encode() + b"\n")
        await writer.drain()

    gone = asyncio.Event()
    try:
        try:
            request = json.loads(await reader.readline())
            command = commands[request["command"]]
        except (ValueError, KeyError, TypeError):  # of another version, or nobody of ours
            sentence = "this run does not know the command: is it of another version?"
            await reply({"error": sentence})
            return
        waiting = asyncio.create_task(_wait_for_end(reader, gone))
        try:
            await command(request, reply, gone)
        finally:
            waiting.cancel()
    except OSError:
        pass  # the client has gone
    finally:
        writer.close()


async def _wait_for_end(reader: asyncio.StreamReader, gone: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(1024):
            pass
    gone.set()


def ask(path: Path, request: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
    """Send a request to the run at `path`, and yield its replies; RunNotFoundError if it does not answer."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
            client.sendall(json.dumps(request).encode() + b"\n")
            with client.makefile("rb") as lines:
                for line in lines:
                    yield json.loads(line)
        except OSError as error:
            raise RunNotFoundError(f"the run does not answer: {error.strerror or error}") from error
