"""Reads answers of HTTP/1 from bytes as they arrive.

Nothing here knows a socket. No error has anything of an answer in its text.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    Answer = tuple[int, bytes, bytes, bool]  # status, head, body, whether the socket may be kept

__all__ = ["MAX_HEAD_BYTES", "AnswerReader", "date_of", "header"]

# Ours, for all heads of an answer, also those before it, and for a chunked body's trailers. API
# Gateway's and DynamoDB's have under 1 KB.
MAX_HEAD_BYTES = 64 * 1024
_MAX_SIZE_LINE_BYTES = 1024
_TOO_LONG = "the answer is too long"


class AnswerReader:
    """Reads one answer; what is understood is not looked at again, whatever the pieces.

    `max_body_bytes` counts what a body has on the wire.
    """

    _searched = 0  # up to where an empty line was looked for in vain
    _status = _num_head_bytes = _num_chunk_bytes = 0
    _head = b""
    _keep = _chunked = False
    _length = -1  # unknown

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._data = bytearray()  # what is not understood yet
        self._body = bytearray()

    def feed(self, more: bytes) -> Answer | None:
        """Return the answer if `more` completes it; `more` is empty at the connection's end.

        Raise ValueError for what is no answer, ConnectionError for one that is too long or has ended
        too early.
        """
        self._data += more
        if (self._head or self._read_head()) and self._read_body(not more):
            return self._status, self._head, bytes(self._body), self._keep and not self._data
        if not more:
            raise ConnectionError("closed before the answer was complete")
        return None

    def _read_head(self) -> bool:
        head = b""
        while self._status < 200:  # 100 Continue and 103 Early Hints come before the answer
            end = self._empty_line(0)
            if end < 0 and not b"http/1.".startswith(self._data[:7].lower()):
                raise ValueError("the answer is not HTTP/1")
            if self._num_head_bytes + (len(self._data) if end < 0 else end) > MAX_HEAD_BYTES:
                raise ConnectionError(_TOO_LONG)
            if end < 0:
                return False
            head = bytes(self._data[:end])
            if not re.match(rb"http/1\.[01] [1-9][0-9][0-9]", head, re.IGNORECASE):
                raise ValueError("the answer is not HTTP/1")
            self._status = int(head[9:12])
            self._num_head_bytes += end + 4
            del self._data[: end + 4]
        self._head = head
        self._read_framing(head)
        return True

    def _empty_line(self, start: int) -> int:
        found = self._data.find(b"\r\n\r\n", max(self._searched, start))
        self._searched = max(len(self._data) - 3, 0) if found < 0 else 0
        return found

    def _read_framing(self, head: bytes) -> None:
        """Note how the body's end is known."""
        self._keep = head[5:8] == b"1.1" and b"close" not in header(head, b"connection").lower()
        if header(head, b"transfer-encoding"):
            self._chunked = True
        elif self._status in (204, 304):
            self._length = 0
        elif length := header(head, b"content-length"):
            if not length.isdigit() or len(length) > 9:
                raise ValueError("the answer has no valid length")
            self._length = int(length)
            if self._length > self._max_body_bytes:
                raise ConnectionError(_TOO_LONG)
        else:  # the end of the connection is the end of the answer
            self._keep = False

    def _read_body(self, ended: bool) -> bool:
        """Return whether the body is complete."""
        if self._chunked:
            return self._read_chunks()
        data = self._data
        number = len(data) if self._length < 0 else min(self._length - len(self._body), len(data))
        self._body += data[:number]
        del data[:number]
        if len(self._body) > self._max_body_bytes:
            raise ConnectionError(_TOO_LONG)
        return ended if self._length < 0 else len(self._body) == self._length

    def _read_chunks(self) -> bool:
        """Take all whole chunks; return whether the last one and its trailers are there."""
        data, at, complete = self._data, 0, False
        while (line_end := data.find(b"\r\n", at, at + _MAX_SIZE_LINE_BYTES)) >= 0:
            size = data[at:line_end].partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,7}", size):
                raise ValueError("the answer has a chunk without a valid size")
            start = line_end + 2
            end = start + int(size, 16)
            if end == start:  # the last chunk, then trailers, then an empty line
                complete, at = self._read_trailers(at, line_end)
                break
            if self._num_chunk_bytes + end > self._max_body_bytes:
                raise ConnectionError(_TOO_LONG)
            if not b"\r\n".startswith(data[end : end + 2]):
                raise ValueError("the answer has a chunk longer than its size")
            if len(data) < end + 2:
                break
            self._body += data[start:end]
            at = end + 2
        else:
            if len(data) - at >= _MAX_SIZE_LINE_BYTES:
                raise ValueError("the answer has a chunk without a valid size")
        self._num_chunk_bytes += at
        self._searched = max(self._searched - at, 0)
        del data[:at]
        return complete

    def _read_trailers(self, at: int, line_end: int) -> tuple[bool, int]:
        """Return whether they are complete, and up to where all is understood."""
        end = self._empty_line(line_end)
        if (len(self._data) if end < 0 else end) - line_end > MAX_HEAD_BYTES:
            raise ConnectionError(_TOO_LONG)
        return (False, at) if end < 0 else (True, end + 4)


def header(head: bytes, name: bytes) -> bytes:
    """Return a header's value as it came, empty if it is absent; `name` is lower-case."""
    found = head.lower().find(b"\r\n%b:" % name)
    if found < 0:
        return b""
    return head[found + len(name) + 3 :].partition(b"\r\n")[0].strip()


_MONTHS = b"janfebmaraprmayjunjulaugsepoctnovdec"


def date_of(head: bytes) -> float | None:
    """Return the answer's Date as seconds since the epoch, None without a valid one.

    By hand: `email.utils` and `time.strptime` import `datetime` and more.
    https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
    """
    match = re.fullmatch(
        rb"[a-z]{3}, ([0-9]{2}) ([a-z]{3}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) gmt",
        header(head, b"date").lower(),
    )
    place = _MONTHS.find(match[2]) if match else -1
    if match is None or place < 0 or place % 3:
        return None
    day, year, hours, minutes, seconds = (int(match[n]) for n in (1, 3, 4, 5, 6))
    # Years begin in March here, so that a leap day is the last one of its year.
    month = (place // 3 + 10) % 12
    year -= month >= 10
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day
    return (days - 719469) * 86400.0 + hours * 3600 + minutes * 60 + seconds
