"""Says whether a token gives access, and whose it is.

By its signature first, with a key of the issuer; the claims of RFC 9068 and those of Cognito:
https://www.rfc-editor.org/rfc/rfc9068
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import jwt

from issuer_documents import ALGORITHMS
from refusals import TokenRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from issuer_keys import IssuerKeys
    from token_settings import TokenSettings

__all__ = ["SKEW_SECONDS", "TokenHolder", "check_token"]

# Ours: by so much an issuer's clock may differ from ours.
SKEW_SECONDS = 60

# NumericDate is a number of seconds: https://www.rfc-editor.org/rfc/rfc7519#section-2. How long a token lasts is
# the issuer's to say, so ours is only the end of the year 9999: beyond it are milliseconds, which never end.
_LAST_SECOND = 253_402_300_799

# The compact form, unpadded; the signature of `none` is empty: https://www.rfc-editor.org/rfc/rfc7515
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
# At most 255 characters: https://openid.net/specs/openid-connect-core-1_0.html#IDToken
_MAX_SUBJECT_CHARS = 255
# https://www.rfc-editor.org/rfc/rfc6749#section-3.3
_SCOPE = re.compile(r"[!#-\[\]-~]+")

# The nearest first; whatever else the library finds is a malformed token.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "notYetValid"),
    (jwt.InvalidIssuerError, "wrongIssuer"),
    (jwt.InvalidAlgorithmError, "algorithm"),
    (jwt.InvalidSignatureError, "signature"),
)


class TokenHolder(NamedTuple):
    """Who connects, as the issuer calls them, and what their token is for."""

    subject: str
    scopes: tuple[str, ...]


def check_token(token: str, keys: IssuerKeys, settings: TokenSettings) -> TokenHolder:
    """Return whose access token it is; TokenRefused says what is wrong with it.

    KeysUnavailable, and no judgement, as long as the issuer's document has never been read.

    A token's end does not cut the connection that it opened: it is looked at on `$connect` only, and API
    Gateway closes a connection after two hours.
    """
    keys.read_first()
    header, claims = _unverified(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused("algorithm")
    if claims.get("iss") != settings.issuer:  # its keys are not ours, and need not be looked for
        raise TokenRefused("wrongIssuer")
    _check_times(claims)
    key = keys.find(header.get("kid"), algorithm)
    options: Any = {"verify_aud": False, "require": ["iss", "sub", "exp"]}
    try:
        claims = jwt.decode(
            token,
            key.public,
            algorithms=key.algorithms,
            issuer=settings.issuer,
            leeway=SKEW_SECONDS,
            options=options,
        )
    except jwt.PyJWTError as error:
        raise _refusal_of(error) from None
    _check_use(header, claims)
    _check_audience(claims, settings.audience)
    return TokenHolder(_subject_of(claims), _scopes_of(claims))


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token that anybody may have written."""
    if not _FORM.fullmatch(token):
        raise TokenRefused("malformed")
    try:
        read = jwt.decode_complete(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise TokenRefused("malformed") from None
    return read["header"], read["payload"]


def _check_times(claims: Mapping[str, Any]) -> None:
    """Refuse a time that is no number: the library takes whatever `int` does, a text too."""
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name, 0)
        if type(value) not in (int, float) or not 0 <= value <= _LAST_SECOND:
            raise TokenRefused("malformed")


def _refusal_of(error: jwt.PyJWTError) -> TokenRefused:
    reasons = (reason for kind, reason in _REASONS if isinstance(error, kind))
    return TokenRefused(next(reasons, "malformed"))


def _check_use(header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Refuse a token that says who logged in, or is for something else than access.

    An ID token says so in Cognito (`token_use`) and in Keycloak (`typ`). Elsewhere it is known by the
    claims of a login, `nonce` or a hash, without a scope; and mostly by its audience, the client's id.
    """
    use = claims.get("token_use")
    has_scope = "scope" in claims or "scp" in claims
    is_of_a_login = not claims.keys().isdisjoint(("nonce", "at_hash", "c_hash"))
    if use == "id" or claims.get("typ") == "ID" or (is_of_a_login and not has_scope):
        raise TokenRefused("idToken")
    kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    if kind not in ("jwt", "at+jwt") or use not in (None, "access"):
        raise TokenRefused("notAccessToken")


def _check_audience(claims: Mapping[str, Any], audience: str) -> None:
    """Refuse a token for somebody else; Cognito's have no `aud`, and name the client instead."""
    given = claims["aud"] if "aud" in claims else [claims.get("client_id")]
    if audience not in (given if isinstance(given, list) else [given]):
        raise TokenRefused("wrongAudience")


def _subject_of(claims: Mapping[str, Any]) -> str:
    subject: str = claims["sub"]
    if not 1 <= len(subject) <= _MAX_SUBJECT_CHARS or not subject.isprintable():
        raise TokenRefused("malformed")
    return subject


def _scopes_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the scopes, each once, from a text or a list."""
    given = claims.get("scope", claims.get("scp"))
    scopes = (given or "").split() if isinstance(given, str | None) else given
    if not isinstance(scopes, list):
        raise TokenRefused("malformed")
    if not all(isinstance(scope, str) and _SCOPE.fullmatch(scope) for scope in scopes):
        raise TokenRefused("malformed")
    return tuple(dict.fromkeys(scopes))
