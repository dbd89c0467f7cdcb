"""Reads answers of HTTP/1 from bytes as they arrive.

Nothing here knows a socket. What is no answer raises `ValueError`, with nothing of it in the text.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    Answer = tuple[int, bytes, bytes, bool]  # status, head, body, whether the socket may be kept

__all__ = ["date_of", "header", "parse"]


def parse(data: bytearray | bytes, ended: bool) -> Answer | int:
    """Return the answer in `data`; while it is incomplete, how many bytes it has at least.

    `ended` says that no more will come. Raise ValueError if `data` is no answer.
    """
    status, start = 0, 0
    while status < 200:  # 100 Continue and 103 Early Hints come before the answer
        end = data.find(b"\r\n\r\n", start)
        if end < 0 and b"HTTP/1.".startswith(data[start : start + 7]):
            return len(data) + 1
        head = bytes(data[start : end if end >= 0 else start + 9])
        if not re.match(rb"http/1\.[01] [1-9][0-9][0-9]", head, re.IGNORECASE):
            raise ValueError("the answer is not HTTP/1")
        status, start = int(head[9:12]), end + 4
    keep = head[5:8] == b"1.1" and b"close" not in header(head, b"connection").lower()
    if header(head, b"transfer-encoding"):
        body, end = _unchunk(data, start)
    elif status in (204, 304):
        body, end = b"", start
    elif length := header(head, b"content-length"):
        if not length.isdigit() or len(length) > 9:
            raise ValueError("the answer has no valid length")
        end = start + int(length)
        body = bytes(data[start:end])
    else:  # the end of the connection is the end of the answer
        body, end, keep = bytes(data[start:]), len(data) if ended else len(data) + 1, False
    return (status, head, body, keep and end == len(data)) if end <= len(data) else end


def header(head: bytes, name: bytes) -> bytes:
    """Return a header's value as it came, empty if it is absent; `name` is lower-case."""
    found = head.lower().find(b"\r\n%b:" % name)
    if found < 0:
        return b""
    return head[found + len(name) + 3 :].partition(b"\r\n")[0].strip()


def _unchunk(data: bytearray | bytes, at: int) -> tuple[bytes, int]:
    """Return the body and where it ends: beyond `data` while it is incomplete."""
    body = bytearray()
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size = data[at:line_end].partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,7}", size):
            raise ValueError("the answer has a chunk without a valid size")
        at, end = line_end + 2, line_end + 2 + int(size, 16)
        if end == at:  # the last chunk, then trailers, then an empty line
            end = data.find(b"\r\n\r\n", line_end)
            return bytes(body), end + 4 if end >= 0 else len(data) + 1
        if not b"\r\n".startswith(data[end : end + 2]):
            raise ValueError("the answer has a chunk longer than its size")
        body += data[at:end]
        at = end + 2
    return bytes(body), len(data) + 1


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
