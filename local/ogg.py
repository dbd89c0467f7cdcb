"""Whether an Ogg file is whole: libsndfile decodes what it can of it, and says nothing of the rest.

https://www.rfc-editor.org/rfc/rfc3533#section-6 has the layout of a page.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OggPages", "is_ogg"]

_CAPTURE = b"OggS"
# Up to the number of segments: version, flags, position, stream, number, checksum.
_HEADER = struct.Struct("<4sBBqIIIB")
_FIRST, _LAST = 0x02, 0x04
_NO_POSITION = -1
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL_ONES = 0xFFFFFFFF


def is_ogg(descriptor: int) -> bool:
    """Return whether the file begins as one."""
    return os.pread(descriptor, len(_CAPTURE), 0) == _CAPTURE


class OggPages:
    """Reads pages one after the other, and notes what they say of the file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = 0
        self.position = (
            0  # samples until the end of the last page that is good, at the codec's rate
        )
        self.is_damaged = False  # bytes are there that are no page, or not as they were written
        self.is_cut = False  # it ends before the last page
        self.has_more = False  # another recording follows the first

    def __iter__(self) -> Iterator[None]:
        """Yield after each page; stop where nothing good follows."""
        has_sound, is_over = False, False
        while page := self._read():
            flags, position = page
            if flags & _FIRST and has_sound:
                self.has_more = True
                return
            has_sound = has_sound or not flags & _FIRST
            is_over = bool(flags & _LAST)
            if position != _NO_POSITION:
                self.position = position
            yield
        self.is_damaged = (
            self.is_damaged and not is_over
        )  # what follows the last page is no sound, such as tags
        self.is_cut = not (is_over or self.is_damaged)

    def _read(self) -> tuple[int, int] | None:
        """Return the flags and the position of the next page; None if there is none, or only a part of it."""
        head = os.pread(self._descriptor, _HEADER.size, self._at)
        if len(head) < _HEADER.size:
            return None
        capture, _, flags, position, _, _, checksum, num_segments = _HEADER.unpack(head)
        if capture != _CAPTURE:
            self.is_damaged = True
            return None
        lengths = os.pread(self._descriptor, num_segments, self._at + len(head))
        size = len(head) + num_segments + sum(lengths)
        page = os.pread(self._descriptor, size, self._at)
        if len(page) < size:
            return None
        if _checksum(page[:22] + bytes(4) + page[26:]) != checksum:
            self.is_damaged = True
            return None
        self._at += size
        return flags, position


def _checksum(page: bytes) -> int:
    """Return the CRC of Ogg: zlib's polynomial, but each byte and the result the other way round, and begun with 0."""
    backwards = zlib.crc32(page.translate(_REVERSED), _ALL_ONES) ^ _ALL_ONES
    return int(f"{backwards:032b}"[::-1], 2)
