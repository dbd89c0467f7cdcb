"""The issuer's keys, kept as long as the environment lives.

They are read again after an hour, and for a token that names a key which is not among them: then at most
once in 30 seconds, so that tokens of no value do not make us call the issuer. While it does not answer, the
known keys serve for up to a day: a key that was withdrawn in that time is taken for as long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from issuer_documents import Key, KeysUnavailable, read_keys
from refusals import TokenRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["IssuerKeys"]

# All ours.
_FRESH_SECONDS = 3600
_STALE_SECONDS = 24 * 3600
_AGAIN_SECONDS = 30
_AFTER_FAILURE_SECONDS = 10


class IssuerKeys:
    """The keys of one issuer. `clock` gives seconds, and goes on while the environment is frozen.

    `report` gets each failure to read the keys anew that the known ones make up for.
    """

    def __init__(
        self,
        issuer: str,
        *,
        report: Callable[[KeysUnavailable], object],
        read: Callable[[str], Sequence[Key]] = read_keys,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._report = report
        self._read = read
        self._clock = clock
        self._keys: Sequence[Key] = ()
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._failure: KeysUnavailable | None = None

    def read_first(self) -> None:
        """Read what the issuer publishes, unless its keys are known; else raise why they are not.

        Before that no token can be called good or bad: if the issuer's name is wrong in the settings,
        the good ones look as if they were another issuer's. As often as in `find`, whatever comes.
        """
        if not self._keys:
            self._refresh(_FRESH_SECONDS)
        if not self._keys and self._failure:
            raise self._failure.with_traceback(None)

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Return the key that a token names; one that names none may have the one key that fits.

        A new key that signs within 30 seconds of the last reading is unknown until they are over.
        """
        self._refresh(_FRESH_SECONDS)
        found = self._matching(kid)
        if not found:
            self._refresh(_AGAIN_SECONDS)
            found = self._matching(kid)
        if not found and self._failure:
            # Whether the issuer has the key by now, nobody knows.
            raise self._failure.with_traceback(None)
        if not found:
            raise TokenRefused("unknownKey")
        fitting = [key for key in found if algorithm in key.algorithms]
        if len(fitting) != 1:
            raise TokenRefused("unknownKey" if fitting else "algorithm")
        return fitting[0]

    def _matching(self, kid: str | None) -> list[Key]:
        return [key for key in self._keys if kid is None or key.kid == kid]

    def _refresh(self, max_age_seconds: float) -> None:
        """Read the keys if they are older, unless that has just failed."""
        now = self._clock()
        wait_seconds = _AFTER_FAILURE_SECONDS if self._failure else max_age_seconds
        if now - self._read_at > max_age_seconds and now - self._tried_at > wait_seconds:
            self._tried_at = now
            try:
                self._keys, self._failure, self._read_at = self._read(self._issuer), None, now
            except KeysUnavailable as failure:
                self._failure = failure
                if self._keys:
                    self._report(failure)
        if now - self._read_at > _STALE_SECONDS:
            self._keys = ()
