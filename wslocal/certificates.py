"""TLS on this machine: a certificate authority made for one run, and a certificate for each name it serves.

The authority's key stays in memory; that of a name is in a file, for its owner only, while OpenSSL reads it.
What is left are the authority's certificate, for clients, and a bundle of it with those that the system
trusts, for functions.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Certificates"]

_OWN_NAMES = ("127.0.0.1", "::1", "localhost")
# Ours: longer than a run lasts.
_DAYS = 30
# Ours: names that are remembered at a time; the one that was made first goes first.
_MAX_NAMES = 200
# Where systems keep what they trust, if OpenSSL does not say: Debian, Fedora, Alpine.
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class Certificates:
    """Serves TLS as `context` says: this machine's own names, and each name that `serves` knows.

    `folder` gets the files; it should be the user's own. A name's certificate is made when a client first
    asks for it (by SNI).
    """

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(organization_name="wslocal, for one run on this machine")
        self._named: dict[str, ssl.SSLContext] = {}
        self.ca_file = folder / "ca.pem"
        self.bundle_file = folder / "ca-bundle.pem"
        own = self._authority.cert_pem.bytes()
        self.ca_file.write_bytes(own)
        self.bundle_file.write_bytes(b"\n".join([_system_bundle(), own]))

    def context(self, serves: Callable[[str], bool] = lambda name: False) -> ssl.SSLContext:
        """Return what a server needs, for asyncio's `ssl=`."""

        def choose(
            connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext
        ) -> int | None:
            if name is None or not serves(name.lower()):
                return None
            try:
                connection.context = self._of_name(name.lower())
            except ValueError:  # no name that a certificate can have
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            return None

        context = self._issue(*_OWN_NAMES)
        context.sni_callback = choose
        return context

    def _of_name(self, name: str) -> ssl.SSLContext:
        if name not in self._named:
            if len(self._named) >= _MAX_NAMES:
                del self._named[next(iter(self._named))]
            self._named[name] = self._issue(name)
        return self._named[name]

    def _issue(self, *names: str) -> ssl.SSLContext:
        until = datetime.now(UTC) + timedelta(days=_DAYS)
        certificate = self._authority.issue_cert(*names, not_after=until)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        certificate.configure_cert(context)
        return context


def _system_bundle() -> bytes:
    """Return the certificates that this machine trusts; without any, functions trust the run's alone."""
    found = ssl.get_default_verify_paths().cafile
    for path in (found, *_SYSTEM_BUNDLES):
        if path is not None and Path(path).is_file():
            return Path(path).read_bytes()
    return b""
