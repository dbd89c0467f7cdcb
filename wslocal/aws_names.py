"""Which names are AWS's, so that what asks for them on this machine may be answered.

Nobody else can have such a name lead here (DNS rebinding): the zones are AWS's own.
"""

from __future__ import annotations

from .http1 import LOOPBACK

__all__ = ["AWS_SUFFIXES", "AwsNames"]

# https://docs.aws.amazon.com/general/latest/gr/rande.html
AWS_SUFFIXES = (".amazonaws.com", ".api.aws")


class AwsNames:
    """Contains the names of AWS and of this machine, and those of `custom`: custom domains."""

    def __init__(self) -> None:
        self.custom: set[str] = set()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (
            name in LOOPBACK or name in self.custom or name.endswith(AWS_SUFFIXES)
        )
