"""Whose address it is: what a limit per address counts by."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton  # `socket` itself takes 2 ms to load

__all__ = ["network_of"]

# One subscriber gets this much of IPv6, and may use any address of it:
# https://www.rfc-editor.org/rfc/rfc6177
_SUBSCRIBER_BYTES = 8
# An IPv4 address in IPv6's form: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
_MAPPED = bytes(10) + b"\xff\xff"


def network_of(address: str) -> str:
    """Return an IPv4 address as it is, of an IPv6 address its subscriber's network."""
    packed = _packed(address)
    if len(packed) == 16 and packed.startswith(_MAPPED):
        packed = packed[len(_MAPPED) :]
    if len(packed) == 4:
        return inet_ntop(AF_INET, packed)
    if not packed:
        return "unknown"
    network = packed[:_SUBSCRIBER_BYTES].ljust(16, b"\0")
    return f"{inet_ntop(AF_INET6, network)}/{8 * _SUBSCRIBER_BYTES}"


def _packed(address: str) -> bytes:
    """Return the bytes of an address, none of what is no address. `ipaddress` would take 2 ms to load."""
    for family in (AF_INET, AF_INET6):
        try:
            return inet_pton(family, address)
        except (OSError, ValueError):  # ValueError: a character that no text in C can hold
            pass
    return b""
