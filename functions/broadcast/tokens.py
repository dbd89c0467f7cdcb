"""Refresh tokens: `wsr_<connection id>.<secret>`, kept as a hash only.

A token belongs to a participant for the whole session. It names the participant's id, which is the
first connection's, and goes on doing so when the participant is on another connection. The prefix
lets logs, and whoever searches files for secrets, recognise it.
"""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["digest_of", "is_token_of", "new_token", "participant_id_of"]

_PREFIX = "wsr_"
_SECRET_BYTES = 32


def new_token(connection_id: str) -> str:
    """Return a token for the participant with this id."""
    import secrets  # 3 ms, which only the function that makes tokens pays, at its start

    return f"{_PREFIX}{connection_id}.{secrets.token_urlsafe(_SECRET_BYTES)}"


def participant_id_of(token: str) -> str:
    """Return the connection id that a token names; empty if it names none."""
    # A token without the prefix is a session's that began before there was one. No code gives out
    # such tokens, so that from the next release on it is to be refused: AUTH_TOKEN_INVALID.
    return token.removeprefix(_PREFIX).rpartition(".")[0]


def digest_of(token: str) -> str:
    """Return what is stored of a token. It is random: a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_token_of(token: str, digest: str) -> bool:
    """Return whether a token has this digest, in a time that does not depend on where they differ."""
    return hmac.compare_digest(digest_of(token).encode(), digest.encode())
