"""How often something is worth a line: once a minute for each kind of it and each network it comes from."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QuietLines", "network_of"]

# All ours.
_SECONDS = 60
_MAX_REMEMBERED = 10_000
# One subscriber gets this much of IPv6, and may use any address of it: https://www.rfc-editor.org/rfc/rfc6177
_SUBSCRIBER_BITS = 64


class QuietLines:
    """Remembers of what a line was written, in this environment's memory.

    `clock` gives seconds, and goes on while the environment is frozen. Of more than 10,000 kinds and networks
    the one that began first is forgotten, and has a line again.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # By kind and network: when its line was written, and how many came since without one.
        self._written: dict[tuple[str, str], tuple[float, int]] = {}

    def count(self, kind: str, network: str) -> int:
        """Count one; return how many a line stands for that is to be written now, 0 if none is."""
        now = self._clock()
        written_at, held_back = self._written.get((kind, network), (float("-inf"), 0))
        # A clock that was set back must not silence anything for longer.
        if 0 <= now - written_at < _SECONDS:
            self._written[kind, network] = (written_at, held_back + 1)
            return 0
        # Taken out and put back last, so that the first one is the oldest.
        self._written.pop((kind, network), None)
        self._written[kind, network] = (now, 0)
        if len(self._written) > _MAX_REMEMBERED:
            self._written.pop(next(iter(self._written)))
        return held_back + 1


def network_of(address: object) -> str:
    """Return an IPv4 address as it is, of an IPv6 address its subscriber's network."""
    try:
        ip = ip_address(address if isinstance(address, str) else "")
    except ValueError:
        return "unknown"
    if isinstance(ip, IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(IPv6Network((int(ip), _SUBSCRIBER_BITS), strict=False))
