"""Whose address it is: what a limit per address counts by."""

from __future__ import annotations

import ipaddress

__all__ = ["network_of"]

# One subscriber gets this much of IPv6, and may use any address of it:
# https://www.rfc-editor.org/rfc/rfc6177
_IPV6_PREFIX = 64


def network_of(address: str) -> str:
    """Return an IPv4 address as it is, of an IPv6 address its subscriber's network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), _IPV6_PREFIX), strict=False))
    return str(parsed)
