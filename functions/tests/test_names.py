from broadcast.names import ADJECTIVES, ANIMALS, new_session_id
from shared_utils.validators import validate_session_id_format


def test_id_is_made_of_what_is_chosen():
    assert new_session_id(choose=lambda options: options[-1]) == "zesty-zebra-999"


def test_every_word_makes_a_valid_id():
    ids = [f"{word}-bat-000" for word in ADJECTIVES] + [f"able-{word}-000" for word in ANIMALS]

    assert [validate_session_id_format(name) for name in ids] == ids


def test_no_word_is_there_twice_and_there_are_tens_of_millions_of_ids():
    assert len(set(ADJECTIVES)) == len(ADJECTIVES)
    assert len(set(ANIMALS)) == len(ANIMALS)
    assert len(ADJECTIVES) * len(ANIMALS) * 1000 > 30_000_000


def test_ids_are_drawn_at_random():
    assert len({new_session_id() for _ in range(50)}) > 45
