"""Addresses that somebody gives to a deployment: whether they are any, and who can reach them.

Nothing here asks a name server: an address can be good in form and still lead nowhere.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Address", "browser_url", "is_callback", "parse_address", "plain_origin"]

# No user, query or fragment: https://openid.net/specs/openid-connect-discovery-1_0.html#IssuerDiscovery
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:(?P<port>[0-9]{1,5}))?"
    r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?",
    re.ASCII,
)
# https://www.rfc-editor.org/rfc/rfc1123#section-2.1
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"({_LABEL}\.)*{_LABEL}", re.ASCII)
_MAX_NAME = 253
_MAX_PORT = 65535


class Address(NamedTuple):
    """Of a web address what says where it leads; the host is in lower case and without brackets."""

    scheme: str
    host: str

    @property
    def is_this_machine(self) -> bool:
        """Whether it leads to the machine that asks."""
        ip = _ip(self.host)
        return self.host == "localhost" if ip is None else ip.is_loopback

    @property
    def is_on_the_internet(self) -> bool:
        """Whether a function outside any network of one's own can reach it, as far as the form tells."""
        ip = _ip(self.host)
        if ip is not None:
            return ip.is_global
        return "." in self.host and not self.host.endswith(".localhost")


def parse_address(url: str) -> Address | None:
    """Return where a web address leads; None for what is no address, or has more than a path."""
    found = _ADDRESS.fullmatch(url)
    if found is None or not 0 < int(found["port"] or 1) <= _MAX_PORT:
        return None
    host = found["host"].lower().strip("[]")
    if found["host"].startswith("[") != (":" in host):  # brackets are for IPv6
        return None
    is_name = _NAME.fullmatch(host) and len(host) <= _MAX_NAME
    # What ends in a number is meant as an IP address: https://url.spec.whatwg.org/#ends-in-a-number-checker
    if _ip(host) is None and (not is_name or host.rpartition(".")[2].isdecimal()):
        return None
    return Address(found["scheme"], host)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_callback(url: str) -> bool:
    """Return whether Cognito leads back to this address after a sign-in.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
    """
    address = parse_address(url)
    if address is None:
        return False
    return address.scheme == "https" or address.host == "localhost"


def browser_url(url: str) -> str:
    """Return an address as a browser names the page that it shows: Cognito compares letter by letter."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.lower(), path=parts.path or "/").geturl()


def plain_origin(origin: str) -> str:
    """Return an origin as the functions compare it: in lower case, without a slash at its end."""
    return origin.strip().lower().rstrip("/")
