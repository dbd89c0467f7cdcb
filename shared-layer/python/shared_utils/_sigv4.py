"""AWS Signature Version 4 of many requests that differ only in path and body.

A `Signer` is a value: the same request gives the same signature, whatever the clock says.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import re
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Credentials = tuple[str, str, str | None]  # access key id, secret key, session token

__all__ = ["Signer", "quote"]


@lru_cache(maxsize=4096)  # a broadcast goes to the connections of the one before
def quote(text: str) -> str:
    """Percent-encode all but RFC 3986's unreserved characters."""
    return re.sub(rb"[^A-Za-z0-9_.~-]", lambda m: b"%%%02X" % m[0][0], text.encode()).decode()


class Signer:
    """Signs for one moment, host and set of credentials.

    `amz_date` looks like 20150830T123600Z. `extra` are further headers to sign, by lower-case name;
    `headers` are the lines of all of them, up to where the signature goes. What all requests share
    is computed once.
    """

    def __init__(
        self,
        credentials: Credentials,
        region: str,
        service: str,
        host: str,
        amz_date: str,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        from hashlib import sha256

        access_key, secret_key, token = credentials
        signed = {"host": host, "x-amz-date": amz_date}
        if token:
            signed["x-amz-security-token"] = token
        if extra:
            signed = dict(sorted({**signed, **extra}.items()))
        names = ";".join(signed)
        scope = f"{amz_date[:8]}/{region}/{service}/aws4_request"
        inner, self._outer = _signing_key(secret_key, scope)
        self._inner = inner.copy()
        self._inner.update(f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n".encode())
        self._sha256 = sha256
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        self._after_path = f"\n\n{lines}\n{names}\n"
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature="
        )
        self.headers = "\r\n".join(f"{name}: {value}" for name, value in signed.items())

    def after_path(self, body: bytes) -> bytes:
        """Return what follows the path in a canonical request, which begins with method, newline, path."""
        return f"{self._after_path}{self._sha256(body).hexdigest()}".encode()

    def signature(self, canonical_request: bytes) -> bytes:
        """Return the signature as hexadecimal text."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(self._sha256(canonical_request).hexdigest().encode())
        outer.update(inner.digest())
        return bytes(outer.hexdigest(), "ascii")


@lru_cache(maxsize=4)
def _signing_key(secret_key: str, scope: str) -> tuple[Any, Any]:
    """Return the day's key as HMAC's two hashes, to be copied: a third of the cost of `hmac`."""
    inner, outer = _hmac(b"AWS4" + secret_key.encode())
    for part in scope.split("/"):
        inner.update(part.encode())
        outer.update(inner.digest())
        inner, outer = _hmac(outer.digest())
    return inner, outer


def _hmac(key: bytes) -> tuple[Any, Any]:
    from hashlib import sha256

    block = (key if len(key) <= 64 else sha256(key).digest()).ljust(64, b"\0")
    return sha256(bytes(b ^ 0x36 for b in block)), sha256(bytes(b ^ 0x5C for b in block))
