"""Refresh tokens: `wsr_<connection id>.<secret>`, for one use, kept as a hash only.

A token names the participant's id, which is the first connection's, and so does each next one when
the participant is on another connection. The prefix lets logs, and whoever searches files for
secrets, recognise it.

A token that is used becomes one of those before the newest, and stays good for a while, because the
answer with the next one may have been lost. Each such use gives one more of the newest tokens.

1. As soon as something has come from a connection that got one of the newest tokens, its answer has
   arrived: from then on only the tokens that were given to that connection are good. Those that were
   given to others are spent, and so are those before, except on that connection itself, which may
   send its request twice.
2. Without anything that has come, at most `MAX_UNHEARD` tokens are given, one after the other or
   beside each other.
3. No token is forgotten: all that a participant ever got have the same stem, which is the first half
   of the secret. One that is known by nothing else is spent.

The use of a token that is spent, or that would need one too many, is a theft: somebody has a copy.
So of two who have copies of a token, the second one that is heard, or comes back, ends both; and two
who are both never heard end at the ninth token, or after half a minute.
"""

from __future__ import annotations

import hashlib
import hmac

from shared_utils.error_codes import ApplicationError, ErrorCode

from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "GRACE_MS",
    "MAX_UNHEARD",
    "Family",
    "TokenReusedError",
    "digest_of",
    "invalid_token",
    "is_token_of",
    "new_token",
    "next_token",
    "participant_id_of",
]

# Ours: an answer that was lost is asked for again within seconds.
GRACE_MS = 30_000

# Ours: a client that loses every answer asks again after 0.5, 1, 2, 4, 8 and 15 seconds: 7 times in its time.
MAX_UNHEARD = 8

_PREFIX = "wsr_"
_SECRET_BYTES = 32
# 126 bits stay and 128 are new: nobody guesses a token, also not with an older one at hand.
_STEM_CHARACTERS, _NEW_BYTES = 21, 16


def new_token(connection_id: str) -> str:
    """Return a token for the participant with this id."""
    import secrets  # 3 ms, which only the function that makes tokens pays, at its start

    return f"{_PREFIX}{connection_id}.{secrets.token_urlsafe(_SECRET_BYTES)}"


def next_token(token: str) -> str:
    """Return the token that the use of one brings: for the same participant, with the same stem."""
    import secrets

    stem = f"{_PREFIX}{participant_id_of(token)}.{_stem_of(token)}"
    return stem + secrets.token_urlsafe(_NEW_BYTES)


def _stem_of(token: str) -> str:
    return token.rpartition(".")[2][:_STEM_CHARACTERS]


def participant_id_of(token: str) -> str:
    """Return the connection id that a token names; empty if it names none."""
    if not token.startswith(_PREFIX):
        return ""
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
    `unheard` is how many were given since something was heard; `stem` is the hash of what all have
    in common, empty before the first use.

    `heard` is, in each method, those of `connection_ids` from which something has come.
    """

    newest: tuple[tuple[str, str], ...]
    before: tuple[str, ...] = ()
    rotated_at: int = 0
    is_revoked: bool = False
    unheard: int = 1
    stem: str = ""

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
        """Return whether a token is, or was at any time, one of the participant's."""
        return self.is_newest(token) + self.is_before(token) + self._has_stem_of(token) > 0

    def _has_stem_of(self, token: str) -> bool:
        return is_token_of(_stem_of(token), self.stem)

    def is_good(
        self, token: str, connection_id: str, is_here: bool, heard: Collection[str], now_ms: int
    ) -> bool:
        """Return whether one of these tokens may be used on a connection; `is_here`: the participant is on it."""
        if self.is_full(token, heard):
            return False
        if self.is_newest(token):
            given = [name for digest, name in self.newest if is_token_of(token, digest)]
            return {*heard} <= {*given}
        if is_here:  # its request was sent twice
            return {*heard} <= {connection_id}
        return self.is_before(token) and not heard and now_ms - self.rotated_at < GRACE_MS

    def is_full(self, token: str, heard: Collection[str]) -> bool:
        """Return whether the use of a token would bring one too many."""
        return self._unheard_before(token, heard) >= MAX_UNHEARD

    def _unheard_before(self, token: str, heard: Collection[str]) -> int:
        return 0 if heard and self.is_newest(token) else self.unheard

    def after(
        self, token: str, digest: str, connection_id: str, heard: Collection[str], now_ms: int
    ) -> Family:
        """Return the tokens after the use of one, which brought another one, with this digest."""
        given = (digest, connection_id)
        stem = digest_of(_stem_of(token))
        unheard = self._unheard_before(token, heard) + 1
        if not self.is_newest(token):
            return self.replace(newest=(given, *self.newest), unheard=unheard, stem=stem)
        before = [digest for digest, name in self.newest if not heard or name in heard]
        return Family((given,), tuple(before), now_ms, unheard=unheard, stem=stem)


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
