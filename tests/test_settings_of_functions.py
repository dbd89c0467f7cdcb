"""Settings that a person gives to `up` are checked by the functions' own code, before anything runs them."""

import asyncio

import pytest
from click.testing import CliRunner

from local.__main__ import main
from local.settings import UnusableSettingError, check_settings
from local.system import System
from local.up import lets_any_origin_in, sign_in_of

TEMPLATE = {
    "Resources": {
        "Audio": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Environment": {"Variables": {"LOG_LEVEL": "INFO"}}},
        },
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
    }
}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="none"),
        pytest.param({"RATE_LIMIT_SESSION_CREATION": "1000"}, id="in-range"),
        pytest.param({"RATE_LIMIT_SESSION_CREATION": ""}, id="empty-is-the-default"),
        pytest.param({"ALLOWED_ORIGINS": "https://a.example"}, id="not-in-the-template"),
        pytest.param({"LOG_LEVEL": "DEBUG"}, id="only-in-the-template"),
    ],
)
def test_settings_that_functions_take(given):
    check_settings(TEMPLATE, given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param(
            {"RATE_LIMIT_SESSION_CREATION": "10001"},
            "RATE_LIMIT_SESSION_CREATION must be a whole number from 1 to 10000, got '10001'",
            id="out-of-range",
        ),
        pytest.param(
            {"SUPPORTED_LANGUAGES": "xx-xx-xx"},
            "SUPPORTED_LANGUAGES must look like en, ",
            id="language",
        ),
        pytest.param(
            {"LOG_LEVEL": "INFO", "RATE_LIMIT": "5"},
            "no function has a variable RATE_LIMIT; they have ALLOWED_ORIGINS, ",
            id="unknown",
        ),
        pytest.param(
            {"log_level": "INFO"}, "no function has a variable log_level;", id="lower-case"
        ),
    ],
)
def test_settings_that_functions_refuse(given, sentence):
    with pytest.raises(UnusableSettingError) as refused:
        check_settings(TEMPLATE, given)

    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["RATE_LIMIT_SESSION_CREATION", "=5", ""])
def test_setting_that_is_no_pair_is_refused(text):
    result = CliRunner().invoke(main, ["up", "--set", text])

    assert result.exit_code == 2
    assert f"'--set': must be NAME=VALUE, got {text!r}" in result.output


@pytest.mark.parametrize("issuer", ["http://example.com", "http://[::1]:4011", "example.com"])
def test_issuer_that_the_page_could_not_ask_is_refused_by_its_variable(issuer):
    with pytest.raises(UnusableSettingError) as refused:
        sign_in_of({"SPEAKER_ISSUER": issuer, "SPEAKER_AUDIENCE": "talks"}, None)

    assert str(refused.value) == (
        "SPEAKER_ISSUER must be an https address without query or fragment, or an http one of this"
        f" machine by 127.0.0.1 or localhost, got {issuer!r}"
    )


@pytest.mark.parametrize(
    ("settings", "lets_in"),
    [
        pytest.param({}, False, id="open-to-all-is-said-anyway"),
        pytest.param({"SPEAKER_ISSUER": "https://i.example"}, True, id="issuer-alone"),
        pytest.param(
            {"SPEAKER_ISSUER": "https://i.example", "ALLOWED_ORIGINS": " , "}, True, id="none-named"
        ),
        pytest.param(
            {"SPEAKER_ISSUER": "https://i.example", "ALLOWED_ORIGINS": "https://a.example"},
            False,
            id="origin-named",
        ),
    ],
)
def test_up_says_when_a_token_is_asked_of_pages_of_any_origin(settings, lets_in):
    assert lets_any_origin_in(settings) is lets_in


def test_wrong_setting_is_said_before_anything_is_started(monkeypatch):
    monkeypatch.setattr("local.system.read_template", lambda stage, settings: TEMPLATE)
    monkeypatch.setattr("wslocal.Emulator.__enter__", lambda emulator: pytest.fail("started"))

    async def start():
        async with System(settings={"RATE_LIMIT": "5"}):
            pytest.fail("started")

    with pytest.raises(UnusableSettingError, match="no function has a variable RATE_LIMIT"):
        asyncio.run(start())
