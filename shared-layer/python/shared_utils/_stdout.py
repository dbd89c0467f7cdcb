"""The one writer: a line in one piece to stdout, without ever raising.

A line that could not be written is counted, and the next one that gets through says how many
were lost.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from io import TextIOWrapper

from ._json import quote, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Reentrant: a signal handler, a finalizer or the stream itself may log while a line is written.
_lock = threading.RLock()
# stdout, its descriptor (-1: it is written to as a stream), and whether it has a buffer of its own.
_direct: tuple[Any, int, bool] = (None, -1, False)
dropped = 0
_unfinished = False  # whether the last line was given up in its midst

# How long a full pipe may hold a line back; then the line is given up, not the request.
_FULL_PIPE_SECONDS = 1.0


def _new_lock() -> None:
    global _lock
    _lock = threading.RLock()


# Lambda Managed Instances fork: a lock that another thread held would never be released.
os.register_at_fork(after_in_child=_new_lock)


def write(line: str) -> None:
    """Write one line, with its newline, to stdout in one piece. Never raises."""
    global dropped, _direct
    try:
        with _lock:
            if sys.stdout is not _direct[0]:
                _direct = (sys.stdout, *_descriptor_of(sys.stdout))
            if lost := dropped:
                _write(_report_of(lost))
                dropped -= lost
            _write(line)
    except (Exception, SystemExit):  # stdout is closed, full or gone, or somebody's own class
        dropped += 1


def _report_of(lost: int) -> str:
    moment = timestamp(time.time_ns())
    return (
        f'{{"timestamp":"{moment}","level":"WARN","component":"shared_utils",'
        f'"message":"Lines were dropped","context":{{"lines":{lost}}}}}\n'
    )


def _write(line: str) -> None:
    stream, descriptor, is_buffered = _direct
    if descriptor < 0:
        _write_text(stream, line)
    else:
        if is_buffered:
            stream.flush()  # what was printed before comes first
        _send(descriptor, line.encode())


def _write_text(stream: Any, line: str) -> None:
    try:
        stream.write(line)
    except UnicodeEncodeError:  # a stream that is not UTF-8: nothing of the line was written
        stream.write(re.sub("[^\0-\x7f]+", lambda match: quote(match[0])[1:-1], line))
    stream.flush()


def _descriptor_of(stream: Any) -> tuple[int, bool]:
    """Return the descriptor to write to, -1 for a stream of somebody's own, and if it has a buffer.

    Streams do not say how much of a line a pipe took that is full and does not block. The runtime
    client's stdout flushes after every `write`, so that nothing waits in a buffer.
    """
    if type(stream).__name__ == "Unbuffered" and getattr(stream, "stream", 0) is sys.__stdout__:
        return stream.fileno(), False
    if type(stream) is TextIOWrapper and stream.encoding.lower() in ("utf-8", "utf8"):
        try:
            return stream.fileno(), True
        except (OSError, ValueError):  # it writes to no file
            pass
    return -1, False


def _send(descriptor: int, data: bytes) -> None:
    """Write all of `data`, and wait for a pipe that is full."""
    if _unfinished:
        return _send_rest(descriptor, b"\n" + data, 0)
    try:
        sent = os.write(descriptor, data)
    except BlockingIOError:
        sent = 0
    if sent < len(data):
        _send_rest(descriptor, data, sent)
    return None


def _send_rest(descriptor: int, data: bytes, sent: int) -> None:
    """Write what is left of a line, as there is room, and remember one that is given up."""
    global _unfinished
    while sent < len(data):
        _unfinished = _unfinished or sent > 0  # it never ends: the next line has to stand alone
        import select

        if not select.select([], [descriptor], [], _FULL_PIPE_SECONDS)[1]:
            raise BlockingIOError
        sent += os.write(descriptor, data[sent:])
    _unfinished = False
