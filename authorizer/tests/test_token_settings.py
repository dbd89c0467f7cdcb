"""What the variables say, and which ones stop the start."""

import pytest

from shared_utils.error_codes import ApplicationError, ErrorCode
from token_settings import TokenSettings, is_safe

GIVEN = {"SPEAKER_ISSUER": "https://login.example.com", "SPEAKER_AUDIENCE": "websocket-audio"}


def test_issuer_and_audience_are_enough():
    wanted = ("https://login.example.com", "websocket-audio", "", False)

    assert TokenSettings.read(GIVEN) == wanted
    assert TokenSettings.read({**GIVEN, "SPEAKER_SCOPE": " ", "LISTENERS_NEED_TOKEN": ""}) == wanted


def test_all_four_are_read():
    more = {"SPEAKER_SCOPE": " audio/speak ", "LISTENERS_NEED_TOKEN": "true"}

    assert TokenSettings.read(GIVEN | more)[2:] == ("audio/speak", True)


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example.com/",
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
        "https://login.example.com:8443/realms/audio",
        "http://127.0.0.1:5000",
        "http://localhost",
        "http://[::1]:5000/realms/audio",
    ],
)
def test_issuer_is_https_or_on_this_machine_and_kept_as_it_is(issuer):
    assert TokenSettings.read({**GIVEN, "SPEAKER_ISSUER": issuer}).issuer == issuer


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("SPEAKER_ISSUER", "", "must be a URL such as https://login.example.com, got ''"),
        ("SPEAKER_ISSUER", "login.example.com", "must be a URL"),
        ("SPEAKER_ISSUER", "http://login.example.com", "must be a URL"),
        ("SPEAKER_ISSUER", "http://127.0.0.1.example.com", "must be a URL"),
        ("SPEAKER_ISSUER", "http://localhost@example.com", "must be a URL"),
        ("SPEAKER_ISSUER", "https://user:word@example.com", "must be a URL"),
        ("SPEAKER_ISSUER", "https://example.com?a=b", "must be a URL"),
        ("SPEAKER_ISSUER", "https://example.com/#a", "must be a URL"),
        ("SPEAKER_ISSUER", "https://example.com/\nx", "must be a URL"),
        ("SPEAKER_AUDIENCE", "", "must be given with SPEAKER_ISSUER, got ''"),
        ("SPEAKER_SCOPE", "speak listen", "must be one scope, without spaces, got 'speak listen'"),
        ("SPEAKER_SCOPE", 'a"b', "must be one scope"),
        ("LISTENERS_NEED_TOKEN", "yes", "must be true or false, got 'yes'"),
        ("LISTENERS_NEED_TOKEN", "True", "must be true or false, got 'True'"),
    ],
)
def test_variable_that_cannot_be_meant_stops_the_start(variable, text, message):
    with pytest.raises(ApplicationError) as refused:
        TokenSettings.read({**GIVEN, variable: text})

    assert refused.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert str(refused.value).startswith(f"{variable} {message}")


def test_neither_issuer_nor_audience_names_the_issuer():
    with pytest.raises(ApplicationError, match="SPEAKER_ISSUER must be"):
        TokenSettings.read({})


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://keys.example.com/jwks?p=1", True),
        ("http://127.0.0.1:5000/jwks", True),
        ("http://keys.example.com/jwks", False),
        ("file:///etc/passwd", False),
        ("https://user@example.com/", False),
        ("", False),
    ],
)
@pytest.mark.threat("steered-requests", "read-on-the-way")
def test_address_of_keys_is_https_or_on_this_machine(url, safe):
    assert is_safe(url) is safe
