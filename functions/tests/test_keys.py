"""Listener keys: what is stored, what is taken for the same key, and what is too short."""

import hashlib
import hmac

import pytest

from broadcast import keys
from broadcast.keys import hash_of_key, is_key_of, is_short

KEY = "k7Qm-wT3x-Rz9"
COMPOSED, DECOMPOSED = "caf\u00e9-caf\u00e9-9", "cafe\u0301-cafe\u0301-9"
EMOJI = "\U0001f389" * 8


@pytest.mark.threat("table-keys")
def test_stored_is_a_salt_and_a_hash_of_it_and_the_key():
    salt, _, digest = hash_of_key(KEY).partition(".")

    expected = hashlib.scrypt(
        KEY.encode(), salt=bytes.fromhex(salt), n=4096, r=8, p=1, dklen=32
    ).hex()
    assert digest == expected
    assert len(bytes.fromhex(salt)) == 16


@pytest.mark.threat("table-keys")
def test_same_key_is_stored_in_another_way_each_time():
    assert hash_of_key(KEY) != hash_of_key(KEY)


@pytest.mark.parametrize(
    ("key", "said", "is_right"),
    [
        pytest.param(KEY, KEY, True, id="right"),
        pytest.param(KEY, KEY + " ", False, id="space"),
        pytest.param(KEY, KEY.lower(), False, id="case"),
        pytest.param(KEY, "", False, id="empty"),
        pytest.param(KEY, None, False, id="none"),
        pytest.param("a" * 8, "a" * 8, True, id="8-characters"),
        pytest.param("a" * 64, "a" * 64, True, id="64-characters"),
        pytest.param("a" * 64, "a" * 63, False, id="63-characters"),
        pytest.param(EMOJI * 8, EMOJI * 8, True, id="64-emoji"),
        pytest.param(COMPOSED, DECOMPOSED, True, id="said-decomposed"),
        pytest.param(DECOMPOSED, COMPOSED, True, id="kept-decomposed"),
        pytest.param(COMPOSED, "cafe-cafe-9", False, id="without-accents"),
        # Both forms have at most 64 code points, which is what a message may have.
        pytest.param("\u00e9" * 32, "e\u0301" * 32, True, id="32-in-both-forms"),
        # Becomes two that stay two: NFC may be longer than what was typed.
        pytest.param("\u0344" * 8, "\u0308\u0301" * 8, True, id="never-composed"),
        pytest.param("\ud55c" * 8, "\u1112\u1161\u11ab" * 8, True, id="hangul"),
        # These look alike, and are no other spelling of the same: that would be NFKC.
        pytest.param("file-file", "\ufb01le-\ufb01le", False, id="ligature"),
    ],
)
def test_key_that_is_said(key, said, is_right):
    assert is_key_of(said, hash_of_key(key)) is is_right


@pytest.mark.parametrize("said", [None, "", KEY], ids=["none", "empty", "a-key"])
def test_no_session_has_no_key_and_is_looked_at_all_the_same(monkeypatch, said):
    hashed, compared = [], []
    scrypt, compare = hashlib.scrypt, hmac.compare_digest
    monkeypatch.setattr(keys.hashlib, "scrypt", lambda *a, **b: hashed.append(b) or scrypt(*a, **b))
    monkeypatch.setattr(
        keys.hmac, "compare_digest", lambda *a: compared.append(map(len, a)) or compare(*a)
    )

    assert is_key_of(said, None) is False
    assert is_key_of("another-key", hash_of_key(KEY)) is False

    costs = [{name: call[name] for name in ("n", "r", "p", "dklen")} for call in hashed]
    assert costs == [{"n": 4096, "r": 8, "p": 1, "dklen": 32}] * 3
    assert [[*lengths] for lengths in compared] == [[32, 32], [32, 32]]


@pytest.mark.parametrize(
    ("key", "short"),
    [
        pytest.param("a" * 8, True, id="8"),
        pytest.param("a" * 11, True, id="11"),
        pytest.param("a" * 12, False, id="12"),
        pytest.param("a" * 64, False, id="64"),
        pytest.param(EMOJI, True, id="8-emoji"),
        pytest.param("\U0001f389" * 12, False, id="12-emoji"),
        pytest.param(DECOMPOSED, True, id="11-and-two-accents"),
        pytest.param("\u00e9" * 12, False, id="12-composed"),
        pytest.param("e\u0301" * 11, True, id="11-decomposed"),
        pytest.param("e\u0301" * 12, False, id="12-decomposed"),
        pytest.param(" " * 8, True, id="8-spaces"),
        pytest.param(" " * 64, True, id="64-spaces"),
        pytest.param("a" * 11 + " ", True, id="11-and-a-space"),
        pytest.param("four words make one", False, id="words"),
        *(
            pytest.param("a" * 11 + one * 50, True, id=f"11-and-50-of-{ord(one):x}")
            # A tab, NUL, DEL, no-break space, zero-width space and joiner, a mark of direction, a soft
            # hyphen, grapheme joiner, Hangul filler, the blank of Braille, variation selectors, a tag.
            for one in "\t\0\x7f\u00a0\u200b\u200d\u202e\u00ad\u034f\u3164\u2800\ufe0f\U000e0101\U000e0041"
        ),
    ],
)
def test_key_that_can_be_guessed(key, short):
    assert is_short(key) is short
