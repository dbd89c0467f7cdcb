"""Names of tables: where they come from, what is refused; and the tables' keys."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import table_names
from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.table_names import TABLES, TableIndex, TableSchema, get_table_name

VARIABLES = [
    ("SESSIONS_TABLE_NAME", "SESSIONS_TABLE", "Sessions"),
    ("CONNECTIONS_TABLE_NAME", "CONNECTIONS_TABLE", "Connections"),
    ("RATE_LIMITS_TABLE_NAME", "RATE_LIMITS_TABLE", "RateLimits"),
    ("TRANSLATION_CACHE_TABLE_NAME", "TRANSLATION_CACHE_TABLE", "TranslationCache"),
]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    unset = [name for variable, fallback, _ in VARIABLES for name in (variable, fallback)]
    [monkeypatch.delenv(name, raising=False) for name in (*unset, "ROOMS_TABLE_NAME")]


def refusal_of(*args):
    with pytest.raises(ApplicationError) as caught:
        get_table_name(*args)
    return caught.value


# --- constants and schemas --------------------------------------------------------------------


@pytest.mark.parametrize(("constant", "_", "base_name"), VARIABLES)
def test_constant_holds_the_base_name(constant, _, base_name):
    assert getattr(table_names, constant) == base_name


@pytest.mark.parametrize(
    ("base_name", "variable", "partition_key", "ttl_attribute"),
    [
        ("Sessions", "SESSIONS_TABLE_NAME", ("sessionId", "S"), "expiresAt"),
        ("Connections", "CONNECTIONS_TABLE_NAME", ("connectionId", "S"), "ttl"),
        ("RateLimits", "RATE_LIMITS_TABLE_NAME", ("identifier", "S"), "expiresAt"),
        ("TranslationCache", "TRANSLATION_CACHE_TABLE_NAME", ("cacheKey", "S"), "ttl"),
    ],
)
def test_table_has_its_key_and_ttl(base_name, variable, partition_key, ttl_attribute):
    table = TABLES[base_name]

    assert isinstance(table, TableSchema)
    assert table.base_name == base_name
    assert table.variable == variable
    assert table.partition_key == partition_key
    assert table.ttl_attribute == ttl_attribute


def test_there_are_four_tables():
    assert list(TABLES) == ["Sessions", "Connections", "RateLimits", "TranslationCache"]


def test_connections_are_indexed_by_session_and_language():
    (index,) = TABLES["Connections"].indexes

    assert isinstance(index, TableIndex)
    assert index.name == "sessionId-targetLanguage-index"
    assert index.name == table_names.SESSION_LISTENERS_INDEX_NAME
    assert index.partition_key == ("sessionId", "S")
    assert index.sort_key == ("targetLanguage", "S")


@pytest.mark.parametrize("base_name", ["Sessions", "RateLimits", "TranslationCache"])
def test_other_tables_have_no_index(base_name):
    assert TABLES[base_name].indexes == ()


def test_tables_cannot_be_replaced():
    with pytest.raises(TypeError):
        TABLES["Sessions"] = None


def test_table_cannot_be_changed():
    with pytest.raises(AttributeError, match=r"^TableSchema\.ttl_attribute cannot be changed$"):
        TABLES["Sessions"].ttl_attribute = "ttl"

    assert TABLES["Sessions"].ttl_attribute == "expiresAt"


def test_table_cannot_lose_an_attribute():
    with pytest.raises(AttributeError, match=r"^TableSchema\.base_name cannot be deleted$"):
        del TABLES["Sessions"].base_name

    assert TABLES["Sessions"].base_name == "Sessions"


def test_table_takes_no_further_attribute():
    with pytest.raises(AttributeError):
        TABLES["Sessions"].sort_key = ("createdAt", "N")


def test_index_cannot_be_changed():
    (index,) = TABLES["Connections"].indexes

    with pytest.raises(AttributeError, match=r"^TableIndex\.name cannot be changed$"):
        index.name = "other"


# --- get_table_name ---------------------------------------------------------------------------


@pytest.mark.parametrize(("variable", "_", "base_name"), VARIABLES)
def test_name_comes_from_the_variable_by_either_key(monkeypatch, variable, _, base_name):
    monkeypatch.setenv(variable, "Table-dev")

    assert get_table_name(variable) == "Table-dev"
    assert get_table_name(base_name) == "Table-dev"


@pytest.mark.parametrize(("variable", "fallback", "_"), VARIABLES)
def test_name_comes_from_the_key_that_ends_in_table(monkeypatch, variable, fallback, _):
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(fallback, "Table-dev")

    assert get_table_name(variable) == "Table-dev"


@pytest.mark.parametrize(
    ("name", "fallback", "default", "expected"),
    [
        pytest.param("First", "Second", "Third", "First", id="variable-first"),
        pytest.param("", "Second", "Third", "Second", id="fallback-second"),
        pytest.param("", "", "Third", "Third", id="default-last"),
    ],
)
def test_empty_variable_counts_as_unset(monkeypatch, name, fallback, default, expected):
    monkeypatch.setenv("SESSIONS_TABLE_NAME", name)
    monkeypatch.setenv("SESSIONS_TABLE", fallback)

    assert get_table_name("SESSIONS_TABLE_NAME", default) == expected


def test_default_serves_when_nothing_is_set():
    assert get_table_name("SESSIONS_TABLE_NAME", "Sessions-dev") == "Sessions-dev"


@pytest.mark.parametrize(("variable", "_", "base_name"), VARIABLES)
def test_table_of_the_system_has_its_own_name_without_a_default(variable, _, base_name):
    assert get_table_name(variable) == base_name
    assert get_table_name(base_name) == base_name


@pytest.mark.parametrize("key", ["ROOMS_TABLE_NAME", "ROOMS_TABLE", "rooms", "Räume", "R" * 255])
def test_table_of_ones_own_is_found_by_any_key(monkeypatch, key):
    assert get_table_name(key, "Rooms") == "Rooms"

    monkeypatch.setenv(key, "Rooms-dev")

    assert get_table_name(key) == get_table_name(key, "Rooms") == "Rooms-dev"


def test_table_of_ones_own_is_found_by_the_variable_that_ends_in_table(monkeypatch):
    monkeypatch.setenv("ROOMS_TABLE", "Rooms-dev")

    assert get_table_name("ROOMS_TABLE_NAME", "Rooms") == "Rooms-dev"


def test_other_ending_has_no_second_variable(monkeypatch):
    """FUNCTION, say, is no name of a table when FUNCTION_NAME is not set."""
    monkeypatch.setenv("FUNCTION", "not-a-table")

    assert (
        refusal_of("FUNCTION_NAME").message
        == WANTED.replace("SESSIONS_TABLE_NAME or SESSIONS_TABLE", "FUNCTION_NAME") + "nothing"
    )


WANTED = (
    "SESSIONS_TABLE_NAME or SESSIONS_TABLE must be 3 to 255 characters of a-z A-Z 0-9 _ . -, got "
)


@pytest.mark.parametrize(
    ("default", "got"), [("", "a text of length 0"), (5, "int"), ("ab", "a text of length 2")]
)
def test_unusable_default_is_a_configuration_error_that_names_the_variable(default, got):
    error = refusal_of("SESSIONS_TABLE_NAME", default)

    assert error.message == WANTED + got
    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR


def test_nothing_to_go_by_is_a_configuration_error_that_names_the_variables():
    error = refusal_of("ROOMS_TABLE_NAME")

    assert error.message == WANTED.replace("SESSIONS", "ROOMS") + "nothing"
    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR


@pytest.mark.parametrize("name", ["abc", "a" * 255, "A-b_c.9", "..."])
def test_name_that_dynamodb_accepts_is_returned(monkeypatch, name):
    monkeypatch.setenv("SESSIONS_TABLE_NAME", name)

    assert get_table_name("SESSIONS_TABLE_NAME") == name


@pytest.mark.parametrize(
    ("name", "length"),
    [
        pytest.param("ab", 2, id="2-characters"),
        pytest.param("a" * 256, 256, id="256-characters"),
        pytest.param("my table", 8, id="space"),
        pytest.param("   ", 3, id="blank"),
        pytest.param("Sessions\n", 9, id="trailing-newline"),
        pytest.param("S\u00e9ssions", 8, id="accent"),
        pytest.param("Sessions\u0663", 9, id="arabic-digit"),
    ],
)
def test_name_that_dynamodb_refuses_is_refused_by_its_length(monkeypatch, name, length):
    """A bad variable is an error, not a reason to look further; what it holds may be a secret."""
    monkeypatch.setenv("SESSIONS_TABLE_NAME", name)
    monkeypatch.setenv("SESSIONS_TABLE", "Good")

    assert refusal_of("SESSIONS_TABLE_NAME", "Good").message == f"{WANTED}a text of length {length}"


@pytest.mark.parametrize(
    ("key", "got"),
    [
        ("", "a text of length 0"),
        ("R" * 256, "a text of length 256"),
        ("ROOMS\n", "a text of length 6"),
        ("ROOMS\0", "a text of length 6"),
        ("\ud800", "a text of length 1"),
        (None, "nothing"),
        (7, "int"),
        ([], "list"),
    ],
)
def test_key_that_can_be_no_variable_is_refused(key, got):
    error = refusal_of(key, "Rooms")

    assert error.message == f"table_key must be the name of an environment variable, got {got}"
    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR


def result_of(default):
    try:
        return get_table_name("SESSIONS_TABLE_NAME", default)
    except ApplicationError:
        return None


@given(st.text() | st.text("aZ9_.-", min_size=2, max_size=257))
def test_default_is_returned_or_refused_by_dynamodbs_rule(default):
    accepted = re.compile(r"\A[a-zA-Z0-9_.\-]{3,255}\Z").match(default) is not None

    assert result_of(default) == (default if accepted else None)
