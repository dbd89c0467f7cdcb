"""Reads what an issuer publishes about itself: its name, and the keys that its tokens are signed with.

Whatever goes wrong is `KeysUnavailable`. A redirect is not followed, and no proxy is asked.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import jwt

from shared_utils.error_codes import ApplicationError, ErrorCode
from token_settings import is_safe

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from typing import Any

__all__ = ["ALGORITHMS", "Key", "KeysUnavailable", "read_keys"]

# What a key of a type may sign with, by `kty` and `crv`. No HS*: a public key is no secret.
_BY_TYPE: dict[tuple[object, object], tuple[str, ...]] = {
    ("RSA", None): ("RS256", "PS256"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
ALGORITHMS = frozenset(name for names in _BY_TYPE.values() for name in names)

# Ours: an issuer answers within half a second, and a client waits for both documents.
_TIMEOUT_SECONDS = 3.0
# Ours: a key set has a few thousand bytes.
_MAX_BYTES = 256 * 1024


class Key(NamedTuple):
    """A public key of the issuer, and what it may have signed with."""

    kid: str | None
    algorithms: tuple[str, ...]
    public: Any


class KeysUnavailable(ApplicationError):  # noqa: N818 - what is the matter, as TokenRefused
    """The issuer's keys cannot be had: an outage, or a mistake in the settings, and no client's fault."""

    def __init__(self, what: str, code: ErrorCode = ErrorCode.INTERNAL_SERVER_ERROR) -> None:
        super().__init__(code, f"The keys of SPEAKER_ISSUER cannot be read: {what}")


def read_keys(issuer: str) -> list[Key]:
    """Return the keys that are in the issuer's key set now; at least one."""
    # https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationRequest
    document = _get_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != issuer:
        what = "its document is another issuer's: SPEAKER_ISSUER must be as the document has it"
        raise KeysUnavailable(what, ErrorCode.INTERNAL_CONFIGURATION_ERROR)
    address = document.get("jwks_uri")
    if not isinstance(address, str) or not is_safe(address):
        raise KeysUnavailable("jwks_uri must be https", ErrorCode.INTERNAL_CONFIGURATION_ERROR)
    rows = _get_json(address).get("keys")
    keys = [key for row in rows if (key := _key(row))] if isinstance(rows, list) else []
    if not keys:
        raise KeysUnavailable("the key set has no key that may sign tokens")
    return keys


def _key(row: object) -> Key | None:
    """Return a key that may sign tokens; None for one that encrypts, is too short, or is not known."""
    if not isinstance(row, dict) or row.get("use", "sig") != "sig":
        return None
    kind = row.get("kty"), None if row.get("kty") == "RSA" else row.get("crv")
    try:
        algorithms = _BY_TYPE.get(kind, ())
        key = jwt.PyJWK(row, algorithms[0]) if algorithms else None
    except (jwt.PyJWTError, TypeError, ValueError):
        return None
    if key is None or key.Algorithm.check_key_length(key.key):
        return None
    named = row.get("alg")
    algorithms = tuple(name for name in algorithms if named in (None, name))
    return Key(key.key_id, algorithms, key.key) if algorithms else None


def _get_json(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    host = urlsplit(url).hostname
    try:
        content = _get(url, deadline)
    except (OSError, HTTPException, ValueError) as error:
        raise KeysUnavailable(f"{type(error).__name__} at {host}") from error
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise KeysUnavailable(f"no JSON object at {host}")
    return value


def _get(url: str, deadline: float) -> bytes:
    """Return what a URL answers before `deadline`, by the monotonic clock."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    with closing(connection):
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": "application/json"})
        with connection.getresponse() as response:
            if response.status != 200:
                raise KeysUnavailable(f"status {response.status} at {parts.hostname}")
            return _read(response, deadline)


def _read(response: HTTPResponse, deadline: float) -> bytes:
    content = b""
    while chunk := response.read1(_MAX_BYTES):
        content += chunk
        if len(content) > _MAX_BYTES:
            raise KeysUnavailable(f"the answer has more than {_MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return content
