"""Why a token is refused: a closed set of reasons, each with the code that stands on its line."""

from __future__ import annotations

from shared_utils.error_codes import ApplicationError, ErrorCode

__all__ = ["REASONS", "TokenRefused"]

REASONS = {
    "missing": ErrorCode.AUTH_MISSING_TOKEN,
    "severalTokens": ErrorCode.AUTH_TOKEN_INVALID,
    "tooLong": ErrorCode.AUTH_TOKEN_INVALID,
    "malformed": ErrorCode.AUTH_TOKEN_INVALID,
    "algorithm": ErrorCode.AUTH_TOKEN_INVALID,
    "unknownKey": ErrorCode.AUTH_TOKEN_INVALID,
    "signature": ErrorCode.AUTH_TOKEN_INVALID,
    "wrongIssuer": ErrorCode.AUTH_TOKEN_INVALID,
    "wrongAudience": ErrorCode.AUTH_TOKEN_INVALID,
    "expired": ErrorCode.AUTH_TOKEN_EXPIRED,
    "notYetValid": ErrorCode.AUTH_TOKEN_INVALID,
    "idToken": ErrorCode.AUTH_TOKEN_INVALID,
    "notAccessToken": ErrorCode.AUTH_TOKEN_INVALID,
}


class TokenRefused(ApplicationError):  # noqa: N818 - as SilentRefusal
    """A client's mistake: it holds the reason, one of REASONS, and nothing of the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason])
        self.args = (reason,)
        self.reason = reason
