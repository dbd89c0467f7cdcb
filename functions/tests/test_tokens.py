import re

import pytest

from broadcast.tokens import Family, digest_of, is_token_of, new_token, participant_id_of
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
        *[("none", ""), ("", ""), (".x", ""), ("a.b.c", "a.b")],
        *[("wsr_", ""), ("wsr_.x", ""), ("wsr_a.b.c", "a.b"), ("WSR_a.b", "WSR_a")],
    ],
)
def test_what_is_no_token_of_ours_names_what_is_before_its_last_dot(token, participant_id):
    assert participant_id_of(token) == participant_id


def test_token_that_was_given_out_before_there_was_a_prefix_names_its_connection():
    token = "R0oXAdfD0kwCH6w=.c2VjcmV0"

    assert participant_id_of(token) == PARTICIPANT_ID
    assert not is_token_of(f"wsr_{token}", digest_of(token))


def test_logs_recognise_a_token():
    with capture_lines() as lines:
        get_structured_logger("Tokens").info(f"Refused {new_token(PARTICIPANT_ID)}, again")

    assert [line["message"] for line in lines] == ["Refused [REDACTED], again"]


A, B, C, D = ("wsr_p.a", "wsr_p.b", "wsr_p.c", "wsr_p.d")


def test_use_of_the_newest_token_makes_it_the_one_before():
    after = Family(((digest_of(A), "p"),)).after(A, digest_of(B), "p-2", 5000)

    assert after == Family(((digest_of(B), "p-2"),), (digest_of(A),), 5000)
    assert (after.is_newest(B), after.is_before(A)) == (True, True)
    assert (after.is_newest(A), after.is_before(B), after.has(C)) == (False, False, False)


def test_use_of_the_token_before_adds_one_to_the_newest_at_the_time_of_the_first():
    after = Family(((digest_of(B), "p-2"),), (digest_of(A),), 5000).after(
        A, digest_of(C), "p-3", 9000
    )

    assert after.newest == ((digest_of(C), "p-3"), (digest_of(B), "p-2"))
    assert (after.before, after.rotated_at) == ((digest_of(A),), 5000)
    assert after.connection_ids == ["p-3", "p-2"]


def test_use_of_one_of_several_newest_tokens_makes_all_of_them_those_before():
    several = Family(((digest_of(C), "p-2"), (digest_of(B), "p-2")), (digest_of(A),), 5000)

    after = several.after(B, digest_of(D), "p-3", 9000)

    assert after.newest == ((digest_of(D), "p-3"),)
    assert [after.is_before(token) for token in (A, B, C)] == [False, True, True]
    assert after.rotated_at == 9000


def test_only_eight_of_the_newest_tokens_are_kept():
    family = Family((("0", "p"),), (digest_of(A),), 5000)

    for number in range(1, 9):
        family = family.after(A, str(number), "p", 6000)

    assert [digest for digest, _ in family.newest] == list("87654321")
