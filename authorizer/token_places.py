"""Where a client may put its token: a page has no header of its own, a program has.

A sub-protocol `bearer.<token>`, the query's `access_token`, or `Authorization: Bearer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from refusals import TokenRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

__all__ = ["MAX_TOKEN_CHARS", "token_of"]

# Ours: API Gateway takes 10,240 bytes of headers in all, and an access token has one or two thousand. In the
# query it comes with fewer: API Gateway takes 4,096 characters of a URL.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_TOKEN_CHARS = 8192

_SUBPROTOCOL = "bearer."
_SCHEME = "bearer "


def token_of(event: Mapping[str, Any]) -> str | None:
    """Return the token of a REQUEST event, None if it has none; it may be said twice, if it is the same."""
    found = {*_in_subprotocols(event), *_in_query(event), *_in_authorization(event)}
    if len(found) > 1:
        raise TokenRefused("severalTokens")
    token = found.pop() if found else None
    if token is not None and len(token) > MAX_TOKEN_CHARS:
        raise TokenRefused("tooLong")
    return token


def _in_subprotocols(event: Mapping[str, Any]) -> Iterator[str]:
    for value in _values(event, "headers", "multiValueHeaders", "sec-websocket-protocol"):
        for name in value.split(","):
            if name.strip().startswith(_SUBPROTOCOL):
                yield name.strip().removeprefix(_SUBPROTOCOL)


def _in_query(event: Mapping[str, Any]) -> Iterator[str]:
    one, several = "queryStringParameters", "multiValueQueryStringParameters"
    yield from _values(event, one, several, "access_token")


def _in_authorization(event: Mapping[str, Any]) -> Iterator[str]:
    """Yield what follows `Bearer`; what follows another scheme is for somebody else."""
    for value in _values(event, "headers", "multiValueHeaders", "authorization"):
        if value[: len(_SCHEME)].lower() == _SCHEME:
            yield value[len(_SCHEME) :].strip()


def _values(event: Mapping[str, Any], one: str, several: str, wanted: str) -> Iterator[str]:
    """Yield the values under a name, whose case does not matter; API Gateway writes all and the last."""
    for name, value in (event.get(one) or {}).items():
        if name.lower() == wanted:
            yield value
    for name, values in (event.get(several) or {}).items():
        if name.lower() == wanted:
            yield from values
