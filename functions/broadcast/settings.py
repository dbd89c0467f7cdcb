"""What the environment variables say, checked once at start.

A value that cannot be read stops the start with INTERNAL_CONFIGURATION_ERROR and the variable's
name; an absent or empty one is its default.
"""

from __future__ import annotations

from shared_utils.error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["audio_chunks_per_second"]


def audio_chunks_per_second(environ: Mapping[str, str]) -> int:
    """Return how many audio chunks a speaker may send in a second."""
    return _whole_number(environ, "RATE_LIMIT_AUDIO_CHUNKS", default=50, highest=10_000)


def _whole_number(environ: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = environ.get(name, "").strip() or str(default)
    if text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= highest:
        return int(text)
    raise ApplicationError(
        ErrorCode.INTERNAL_CONFIGURATION_ERROR,
        f"{name} must be a whole number from 1 to {highest}, got {text[:40]!r}",
    )
