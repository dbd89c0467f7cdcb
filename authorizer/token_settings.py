"""What the environment variables say about tokens, checked once at start.

`functions/broadcast/settings.py` reads the same four: the functions decide by them what a subject and
its scopes are needed for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from shared_utils.error_codes import ApplicationError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TokenSettings", "is_safe"]

# An issuer is https, or on this machine: https://openid.net/specs/openid-connect-discovery-1_0.html
_SAFE = r"(https://[^/?#@\s]+|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?)"
_PATH = r"(/[^?#\s]*)?"
# https://www.rfc-editor.org/rfc/rfc6749#section-3.3
_SCOPE = r"[!#-\[\]-~]+"


class TokenSettings(NamedTuple):
    """Whose tokens are taken, and for whom; `scope` is empty for any."""

    issuer: str
    audience: str
    scope: str = ""
    listeners_need_token: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> TokenSettings:
        """Return the settings of an environment; without an issuer there is no authorizer."""
        issuer = _text(environ, "SPEAKER_ISSUER")
        if not re.fullmatch(_SAFE + _PATH, issuer):
            raise _unreadable("SPEAKER_ISSUER", "a URL such as https://login.example.com", issuer)
        audience = _text(environ, "SPEAKER_AUDIENCE")
        if not audience:
            raise _unreadable("SPEAKER_AUDIENCE", "given with SPEAKER_ISSUER", "")
        scope = _text(environ, "SPEAKER_SCOPE")
        if scope and not re.fullmatch(_SCOPE, scope):
            raise _unreadable("SPEAKER_SCOPE", "one scope, without spaces", scope)
        everybody = _text(environ, "LISTENERS_NEED_TOKEN") or "false"
        if everybody not in ("true", "false"):
            raise _unreadable("LISTENERS_NEED_TOKEN", "true or false", everybody)
        return cls(issuer, audience, scope, everybody == "true")


def is_safe(url: str) -> bool:
    """Return whether nobody on the way can change what a URL answers: https, or on this machine."""
    return re.fullmatch(_SAFE + r"(/[^#\s]*)?", url) is not None


def _text(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _unreadable(name: str, wanted: str, text: str) -> ApplicationError:
    message = f"{name} must be {wanted}, got {text[:40]!r}"
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)
