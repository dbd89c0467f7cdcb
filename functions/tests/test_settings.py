import pytest

from broadcast.settings import BroadcastSettings, check_tables
from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.validators import ValidationError

DEFAULTS = {
    "session_hours": 2.0,
    "max_listeners": 500,
    "supported_languages": frozenset(),
    "allowed_origins": frozenset(),
    "idle_seconds": 120,
    "refresh_minutes": 100,
    "warning_minutes": 110,
    "audio_chunks_per_second": 50,
    "control_messages_per_second": 10,
    "captions_per_second": 20,
    "sessions_per_minute": 5,
    "invalid_messages_per_minute": 20,
    "connections_per_minute": 600,
    "failed_joins_per_minute": 10,
    "wrong_keys_per_minute": 100,
    "speaker_issuer": "",
    "speaker_audience": "",
    "speaker_scope": "",
    "listeners_need_token": False,
}
# Whoever asks for tokens.
ISSUER = {"SPEAKER_ISSUER": "https://login.example", "SPEAKER_AUDIENCE": "audio"}


def read(**environ: str) -> dict[str, object]:
    settings = BroadcastSettings.read(environ)
    return {name: getattr(settings, name) for name in BroadcastSettings().to_dict()}


def test_defaults_are_the_contracts():
    assert read() == DEFAULTS


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("SESSION_MAX_DURATION_HOURS", "0.5", "session_hours", 0.5),
        ("MAX_LISTENERS_PER_SESSION", "2000", "max_listeners", 2000),
        ("SUPPORTED_LANGUAGES", "en, pt-br,", "supported_languages", {"en", "pt-BR"}),
        (
            "ALLOWED_ORIGINS",
            "https://A.example/, https://b.example",
            "allowed_origins",
            {"https://a.example", "https://b.example"},
        ),
        ("CONNECTION_IDLE_TIMEOUT_SECONDS", "7200", "idle_seconds", 7200),
        ("CONNECTION_REFRESH_MINUTES", "0", "refresh_minutes", 0),
        ("CONNECTION_WARNING_MINUTES", "119", "warning_minutes", 119),
        ("RATE_LIMIT_AUDIO_CHUNKS", " 20 ", "audio_chunks_per_second", 20),
        ("RATE_LIMIT_CONTROL_MESSAGES", "1", "control_messages_per_second", 1),
        ("RATE_LIMIT_CAPTIONS", "10000", "captions_per_second", 10_000),
        ("RATE_LIMIT_SESSION_CREATION", "10000", "sessions_per_minute", 10_000),
        ("RATE_LIMIT_INVALID_MESSAGES", "10000", "invalid_messages_per_minute", 10_000),
        ("RATE_LIMIT_CONNECTIONS", "1000000", "connections_per_minute", 1_000_000),
        ("RATE_LIMIT_FAILED_JOINS", "1000", "failed_joins_per_minute", 1000),
        ("RATE_LIMIT_WRONG_KEYS", "1000000", "wrong_keys_per_minute", 1_000_000),
        ("LISTENERS_NEED_TOKEN", "false", "listeners_need_token", False),
    ],
)
def test_variable_is_read(variable, text, name, value):
    assert read(**{variable: text}) == {**DEFAULTS, name: value}


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        *(
            ("SPEAKER_ISSUER", issuer, "speaker_issuer", issuer)
            for issuer in (
                "https://login.example:8443/realms/audio/",
                "http://127.0.0.1:9000",
                "http://localhost/tenant",
                "http://[::1]:9000",
            )
        ),
        ("SPEAKER_AUDIENCE", "https://api.example", "speaker_audience", "https://api.example"),
        ("SPEAKER_SCOPE", " audio/speak ", "speaker_scope", "audio/speak"),
        ("LISTENERS_NEED_TOKEN", "true", "listeners_need_token", True),
    ],
)
def test_variable_about_tokens_is_read(variable, text, name, value):
    given = {"speaker_issuer": "https://login.example", "speaker_audience": "audio"}

    assert read(**{**ISSUER, variable: text}) == {**DEFAULTS, **given, name: value}


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        *(
            ({**ISSUER, "SPEAKER_ISSUER": issuer}, "SPEAKER_ISSUER must be a URL such as ")
            for issuer in (
                "login.example",
                "http://login.example",
                "http://127.0.0.1.evil.example",
                "http://localhost@evil.example",
                "https://me@login.example",
                "https://login.example/?a=b",
                "https://login.example/#a",
                "https://",
                "https://a b",
            )
        ),
        (
            {"SPEAKER_ISSUER": "https://login.example"},
            "SPEAKER_AUDIENCE must be given with SPEAKER_ISSUER, ",
        ),
        ({"SPEAKER_AUDIENCE": "audio"}, "SPEAKER_ISSUER must be given with SPEAKER_AUDIENCE, "),
        ({"SPEAKER_SCOPE": "speak"}, "SPEAKER_ISSUER must be given with SPEAKER_SCOPE, "),
        ({**ISSUER, "SPEAKER_SCOPE": "speak listen"}, "SPEAKER_SCOPE must be one scope, "),
        (
            {"LISTENERS_NEED_TOKEN": "true"},
            "SPEAKER_ISSUER must be given with LISTENERS_NEED_TOKEN, ",
        ),
        *(
            ({**ISSUER, "LISTENERS_NEED_TOKEN": text}, "LISTENERS_NEED_TOKEN must be true or false")
            for text in ("1", "True", "yes")
        ),
    ],
)
@pytest.mark.threat("wrong-setting")
def test_tokens_that_nobody_can_check_stop_the_start(environ, sentence):
    with pytest.raises(ApplicationError) as caught:
        BroadcastSettings.read(environ)

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("text", ["", "   "])
def test_empty_variable_is_its_default(text):
    assert read(RATE_LIMIT_AUDIO_CHUNKS=text, SUPPORTED_LANGUAGES=text) == DEFAULTS


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *(
            ("RATE_LIMIT_AUDIO_CHUNKS", text)
            for text in (
                "0",
                "10001",
                "-1",
                "1.5",
                "1e3",
                "fifty",
                "\u0665\u0660",
                "1_0",
                "9" * 5000,
            )
        ),
        ("RATE_LIMIT_CONTROL_MESSAGES", "0"),
        ("RATE_LIMIT_SESSION_CREATION", "none"),
        ("RATE_LIMIT_INVALID_MESSAGES", "0"),
        ("RATE_LIMIT_INVALID_MESSAGES", "10001"),
        ("RATE_LIMIT_CONNECTIONS", "0"),
        ("RATE_LIMIT_CONNECTIONS", "1000001"),
        ("RATE_LIMIT_FAILED_JOINS", "0"),
        ("RATE_LIMIT_FAILED_JOINS", "1001"),
        ("RATE_LIMIT_WRONG_KEYS", "0"),
        ("RATE_LIMIT_WRONG_KEYS", "1000001"),
        ("MAX_LISTENERS_PER_SESSION", "2001"),
        ("CONNECTION_IDLE_TIMEOUT_SECONDS", "7201"),
        ("CONNECTION_REFRESH_MINUTES", "120"),
        ("CONNECTION_WARNING_MINUTES", "-1"),
        *(
            ("SESSION_MAX_DURATION_HOURS", text)
            for text in ("0", "24.5", "nan", "inf", "two", "1_0", "\u0662")
        ),
        ("SUPPORTED_LANGUAGES", "en,xx"),
        *(
            ("ALLOWED_ORIGINS", text)
            for text in ("*", "a.example", "https://*.example", "https://a.example/page", "null")
        ),
    ],
)
def test_variable_that_cannot_be_read_stops_the_start_and_is_named(variable, text):
    with pytest.raises(ApplicationError) as caught:
        BroadcastSettings.read({variable: text})

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert str(caught.value).startswith(f"{variable} must b")
    assert len(str(caught.value)) < 200


TABLES = {
    "SESSIONS_TABLE_NAME": "Sessions-dev",
    "CONNECTIONS_TABLE_NAME": "Connections-dev",
    "RATE_LIMITS_TABLE": "RateLimits-dev",
}


def test_start_with_the_tables_names_goes_on():
    check_tables(TABLES)


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("SESSIONS_TABLE_NAME", "SESSIONS_TABLE_NAME"),
        ("CONNECTIONS_TABLE_NAME", "CONNECTIONS_TABLE_NAME"),
        ("RATE_LIMITS_TABLE", "RATE_LIMITS_TABLE_NAME"),
    ],
)
def test_start_without_a_tables_name_is_refused(variable, named):
    with pytest.raises(ApplicationError) as caught:
        check_tables({**TABLES, variable: ""})

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert str(caught.value) == f"{named} must be the name of a table, got ''"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://a.example", True),
        ("HTTPS://A.example", True),
        ("https://a.example:443", False),
        ("http://a.example", False),
        ("https://a.example.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
@pytest.mark.threat("other-origin", "ws-origin")
def test_only_listed_origins_are_allowed(origin, allowed):
    settings = BroadcastSettings(allowed_origins=frozenset(["https://a.example"]))

    assert settings.allows_origin(origin) is allowed


def test_any_origin_is_allowed_without_a_list():
    assert BroadcastSettings().allows_origin("")


@pytest.mark.parametrize("code", ["en", "pt-BR", "en-GB"])
def test_offered_language_passes(code):
    BroadcastSettings(supported_languages=frozenset(["en", "pt-BR"])).check_language(
        code, "targetLanguage"
    )


@pytest.mark.parametrize("code", ["pt", "pt-PT", "fr"])
def test_language_that_is_not_offered_is_refused(code):
    settings = BroadcastSettings(supported_languages=frozenset(["en", "pt-BR"]))

    with pytest.raises(ValidationError) as caught:
        settings.check_language(code, "targetLanguage")

    assert caught.value.code is ErrorCode.VALIDATION_INVALID_LANGUAGE
    assert caught.value.field == "targetLanguage"
    assert str(caught.value) == f"targetLanguage must be one of en, pt-BR, got {code}"


def test_any_language_passes_without_a_list():
    BroadcastSettings().check_language("fr", "targetLanguage")
