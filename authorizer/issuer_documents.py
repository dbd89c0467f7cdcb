"""Reads what an issuer publishes about itself: its name, and the keys that its tokens are signed with.

Whatever goes wrong is `KeysUnavailable`. A redirect is not followed, and no proxy is asked.
"""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import jwt

from shared_utils.error_codes import ApplicationError, ErrorCode
from timed_http import get
from token_settings import is_safe

if TYPE_CHECKING:
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

# Ours, for each document: an issuer answers within half a second, and a client waits for both.
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
        if str(document.get("issuer")).rstrip("/") == issuer.rstrip("/"):
            what += ", and only the slash at the end differs"
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
    host = urlsplit(url).hostname
    try:
        status, content = get(url, _TIMEOUT_SECONDS, _MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise KeysUnavailable(f"{type(error).__name__} at {host}") from error
    if status != 200:
        raise KeysUnavailable(f"status {status} at {host}")
    if len(content) > _MAX_BYTES:
        raise KeysUnavailable(f"the answer has more than {_MAX_BYTES} bytes")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise KeysUnavailable(f"no JSON object at {host}")
    return value
