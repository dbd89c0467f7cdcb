import re
from itertools import pairwise

import pytest

from broadcast.items import family_of
from broadcast.tokens import (
    Family,
    digest_of,
    is_token_of,
    new_token,
    next_token,
    participant_id_of,
)
from shared_utils import get_structured_logger
from shared_utils.testing import capture_lines

PARTICIPANT_ID = "R0oXAdfD0kwCH6w="


@pytest.mark.threat("guessed-refresh-token")
def test_token_names_its_connection_and_has_a_secret_of_256_bits():
    token = new_token(PARTICIPANT_ID)

    assert re.fullmatch(r"wsr_R0oXAdfD0kwCH6w=\.[A-Za-z0-9_-]{43}", token)
    assert participant_id_of(token) == PARTICIPANT_ID


def test_tokens_differ():
    assert new_token(PARTICIPANT_ID) != new_token(PARTICIPANT_ID)


def test_next_token_has_the_same_stem_and_128_bits_of_its_own():
    tokens = {next_token(f"wsr_a.b.{'x' * 20}y{'z' * 22}") for _ in range(2)}

    assert len(tokens) == 2
    for token in tokens:
        assert re.fullmatch(r"wsr_a\.b\.x{20}y[A-Za-z0-9_-]{22}", token)
        assert next_token(token)[:-22] == token[:-22]


@pytest.mark.threat("table-tokens")
def test_digest_is_sha256_and_says_nothing_of_the_token():
    assert digest_of("a.b") == "2e7336dc8eba87ef472df568c35482abf2575dc3e5eac0c5c62b8ffaeac2c934"


@pytest.mark.parametrize("other", ["", "a.c", "a.b ", "A.b", "\u00e9", "a.b" * 1000])
def test_only_the_token_itself_has_its_digest(other):
    assert is_token_of("a.b", digest_of("a.b"))
    assert not is_token_of(other, digest_of("a.b"))


@pytest.mark.parametrize(
    ("token", "participant_id"),
    [
        *[("none", ""), ("", ""), (".x", ""), ("a.b.c", ""), ("WSR_a.b", "")],
        *[("wsr_", ""), ("wsr_.x", ""), ("wsr_a.b.c", "a.b")],
    ],
)
def test_only_a_token_with_the_prefix_names_what_is_before_its_last_dot(token, participant_id):
    assert participant_id_of(token) == participant_id


def test_logs_recognise_a_token():
    with capture_lines() as lines:
        get_structured_logger("Tokens").info(f"Refused {new_token(PARTICIPANT_ID)}, again")

    assert [line["message"] for line in lines] == ["Refused [REDACTED], again"]


A, B, C, D = ("wsr_p.a", "wsr_p.b", "wsr_p.c", "wsr_p.d")
STEM = digest_of("a")


def given(token: str, name: str) -> tuple[str, str]:
    return digest_of(token), name


def test_use_of_the_newest_token_makes_it_the_one_before():
    after = Family((given(A, "p"),)).after(A, digest_of(B), "p-2", ["p"], 5000)

    assert after == Family((given(B, "p-2"),), (digest_of(A),), 5000, unheard=1, stem=STEM)
    assert (after.is_newest(B), after.is_before(A)) == (True, True)
    assert (after.is_newest(A), after.is_before(B), after.has(C)) == (False, False, False)


def test_use_of_the_token_before_adds_one_to_the_newest_at_the_time_of_the_first():
    after = Family((given(B, "p-2"),), (digest_of(A),), 5000).after(
        A, digest_of(C), "p-3", [], 9000
    )

    assert after.newest == (given(C, "p-3"), given(B, "p-2"))
    assert (after.before, after.rotated_at) == ((digest_of(A),), 5000)
    assert after.connection_ids == ["p-3", "p-2"]
    assert after.unheard == 2


def test_use_of_one_of_several_newest_tokens_makes_all_of_them_those_before():
    several = Family((given(C, "p-2"), given(B, "p-2")), (digest_of(A),), 5000, unheard=2)

    after = several.after(B, digest_of(D), "p-3", [], 9000)

    assert after.newest == (given(D, "p-3"),)
    assert [after.is_before(token) for token in (A, B, C)] == [False, True, True]
    assert (after.rotated_at, after.unheard) == (9000, 3)


def test_those_that_were_given_to_other_connections_than_the_one_that_was_heard_are_not_before():
    several = Family((given(C, "p-3"), given(B, "p-2")), (digest_of(A),), 5000, unheard=2)

    after = several.after(B, digest_of(D), "p-4", ["p-2"], 9000)

    assert (after.before, after.unheard) == ((digest_of(B),), 1)


def test_token_with_the_stem_of_the_others_is_known_for_good():
    tokens = [f"wsr_p.{'s' * 21}{letter * 22}" for letter in "abcd"]
    family = Family((given(tokens[0], "p"),))
    assert not family.has(tokens[1])
    for token, following in pairwise(tokens):
        family = family.after(token, digest_of(following), "p", ["p"], 5000)

    assert [family.has(token) for token in tokens] == [True] * 4
    assert not family.has(f"wsr_p.{'t' * 21}{'d' * 22}")
    assert not family.is_good(tokens[0], "p-2", False, [], 5000)


# "p-2" and "p-3" got one of the newest each.
TWO = Family((given(C, "p-3"), given(B, "p-2")), (digest_of(A),), 5000, unheard=2)


@pytest.mark.parametrize(
    ("heard", "good"),
    [((), (B, C, A)), (("p-2",), (B,)), (("p-3",), (C,)), (("p-2", "p-3"), ())],
)
def test_tokens_that_are_good_are_those_of_the_only_connection_that_was_heard(heard, good):
    found = {token: TWO.is_good(token, "p-4", False, heard, 6000) for token in (A, B, C, D)}

    assert found == {token: token in good for token in (A, B, C, D)}


@pytest.mark.parametrize(("now_ms", "is_good"), [(34_999, True), (35_000, False)])
def test_token_before_is_good_for_half_a_minute_and_on_the_connection_itself_for_longer(
    now_ms, is_good
):
    assert TWO.is_good(A, "p-4", False, [], now_ms) is is_good
    assert TWO.is_good(A, "p-3", True, [], now_ms)
    assert TWO.is_good(A, "p-3", True, ["p-3"], now_ms)
    assert not TWO.is_good(A, "p-3", True, ["p-2"], now_ms)


@pytest.mark.parametrize("heard", [[], ["p-2"]])
@pytest.mark.parametrize(("unheard", "is_good"), [(7, True), (8, False)])
def test_ninth_token_without_anything_heard_is_one_too_many(unheard, is_good, heard):
    family = TWO.replace(unheard=unheard)

    assert family.is_good(B, "p-4", False, heard, 6000) is (is_good or bool(heard))
    assert family.is_good(A, "p-4", False, [], 6000) is is_good
    assert family.is_good(A, "p-2", True, heard, 6000) is is_good


def test_tokens_of_an_item_that_an_earlier_version_has_written_are_all_unheard():
    rotation = {
        "newest": [{"tokenHash": digest_of(token), "connectionId": "p-2"} for token in (B, C)],
        "before": [digest_of(A)],
        "at": 5000,
    }

    family = family_of({"connectionId": "p", "refreshTokenHash": "", "rotation": rotation})

    assert (family.unheard, family.has(A), family.has(D)) == (2, True, False)
