"""Credentials as this machine gives them out."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Issued"]


@dataclass(frozen=True, slots=True)
class Issued:
    """Credentials of a function's role, or of the account's root; `expires_at` in epoch seconds."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    role_arn: str
    session_arn: str
    expires_at: float
