"""What makes a deployed event source, destination or schedule one that cannot be played here."""

from __future__ import annotations

__all__ = ["EventError"]


class EventError(Exception):
    """One sentence: the resource by name, what is wrong, what to do."""
