"""Keys of a session: the one that a speaker asks listeners for, and the one for its interpreters.

A listener key is kept as `<salt>.<hash>` only, an interpreter key, which is made here, as a fast hash.

People make up keys, so a fast hash would let whoever reads the table try out all that people think
of. Nothing here remembers, logs or shows a key.
"""

from __future__ import annotations

import hashlib
import hmac
import os

__all__ = ["SHORT_KEY", "hash_of_key", "is_key_of", "is_short", "new_key"]

# Ours: below so many characters that can be seen a key that a person made up can be guessed.
SHORT_KEY = 12
# Seen by nobody, though Unicode says that they can be printed: joiners, fillers, variation selectors.
# https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point, and the blank of Braille
_BLANK = frozenset(
    map(
        chr,
        [
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ],
    )
)

_SALT_BYTES = 16
# 4 MB and 9 ms of a whole vCPU, which each join of a session with a key pays, and whoever guesses ids.
# https://www.rfc-editor.org/rfc/rfc7914#section-2
_COST, _BLOCK_SIZE, _PARALLEL = 2**12, 8, 1
# Looked at when there is no session, so that this takes as long as a wrong key does.
_OF_NO_KEY = f"{bytes(_SALT_BYTES).hex()}.{bytes(32).hex()}"


def new_key() -> str:
    """Return a key for interpreters: 128 random bits."""
    import secrets  # 3 ms, which only the function that makes keys pays, at its start

    return secrets.token_urlsafe(16)


def hash_of_key(key: str) -> str:
    """Return what is stored of a key."""
    salt = os.urandom(_SALT_BYTES)
    return f"{salt.hex()}.{_digest(key, salt).hex()}"


def is_key_of(key: str | None, stored: str | None) -> bool:
    """Return whether a key has this hash; no key and no hash are as wrong, and as slow, as any other."""
    salt, _, digest = (stored or _OF_NO_KEY).partition(".")
    found = _digest(key or "", bytes.fromhex(salt))
    return hmac.compare_digest(found, bytes.fromhex(digest)) and None not in (key, stored)


def is_short(key: str) -> bool:
    """Return whether a key can be guessed: white space and what is invisible make none longer."""
    return sum(map(_is_visible, _normal(key))) < SHORT_KEY


def _is_visible(character: str) -> bool:
    return character.isprintable() and not character.isspace() and character not in _BLANK


def _digest(key: str, salt: bytes) -> bytes:
    text = _normal(key).encode()
    return hashlib.scrypt(text, salt=salt, n=_COST, r=_BLOCK_SIZE, p=_PARALLEL, dklen=32)


def _normal(key: str) -> str:
    """Return a key so that it does not depend on the keyboard: é is one character, or e and an accent."""
    if key.isascii():
        return key
    import unicodedata  # half a millisecond, which only such keys pay

    return unicodedata.normalize("NFC", key)
