"""Refresh tokens: `wsr_<connection id>.<secret>`, for one use, kept as a hash only.

A token names the participant's id, which is the first connection's, and so does each next one when
the participant is on another connection. The prefix lets logs, and whoever searches files for
secrets, recognise it.

A token that is used becomes one of those before the newest, and stays good for a while, because the
answer with the next one may have been lost. Each such use gives one more of the newest tokens. The
first of these that is used makes all of them those before the newest.
"""

from __future__ import annotations

import hashlib
import hmac

from shared_utils.error_codes import ApplicationError, ErrorCode

from .values import Value

__all__ = [
    "GRACE_MS",
    "Family",
    "TokenReusedError",
    "digest_of",
    "invalid_token",
    "is_token_of",
    "new_token",
    "participant_id_of",
]

# Ours: an answer that was lost is asked for again within seconds.
GRACE_MS = 30_000

_PREFIX = "wsr_"
_SECRET_BYTES = 32
# Ours: a request that is sent more often without an answer leaves its first answers behind.
_MAX_NEWEST = 8


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


class Family(Value):
    """A participant's tokens, as hashes.

    `newest` has those that were given last, the latest first, each with the connection it was given
    to; `before` those whose use brought these, at `rotated_at`, milliseconds since the epoch.
    """

    newest: tuple[tuple[str, str], ...]
    before: tuple[str, ...] = ()
    rotated_at: int = 0
    is_revoked: bool = False

    @property
    def connection_ids(self) -> list[str]:
        """The connections that got one of the newest tokens."""
        return list(dict.fromkeys(name for _, name in self.newest))

    def is_newest(self, token: str) -> bool:
        """Return whether a token is one of the newest."""
        return _is_one_of(token, [digest for digest, _ in self.newest])

    def is_before(self, token: str) -> bool:
        """Return whether a token is one of those before the newest."""
        return _is_one_of(token, self.before)

    def has(self, token: str) -> bool:
        """Return whether a token is known at all."""
        return self.is_newest(token) or self.is_before(token)

    def after(self, token: str, digest: str, connection_id: str, now_ms: int) -> Family:
        """Return the tokens after the use of one, which brought another one, with this digest."""
        given = (digest, connection_id)
        if self.is_newest(token):
            return Family((given,), tuple(digest for digest, _ in self.newest), now_ms)
        return self.replace(newest=(given, *self.newest)[:_MAX_NEWEST])


def _is_one_of(token: str, digests: tuple[str, ...] | list[str]) -> bool:
    """Return whether a token has one of these digests, in a time that does not depend on which."""
    return sum([is_token_of(token, digest) for digest in digests]) > 0


def invalid_token() -> ApplicationError:
    """Return the refusal of a token, which says nothing of why."""
    return ApplicationError(ErrorCode.AUTH_TOKEN_INVALID)


class TokenReusedError(ApplicationError):
    """A token was used again after its time: somebody has a copy. No token of the participant is good now.

    `connection_ids` are those that the participant is on and has been on, as far as they are open.
    """

    def __init__(self, connection_ids: list[str]) -> None:
        super().__init__(ErrorCode.AUTH_TOKEN_INVALID)
        self.connection_ids = connection_ids
