"""A context value is checked before anything is built, and its mistake is named."""

import subprocess
import sys

import pytest

from broadcast.settings import BroadcastSettings
from infrastructure.settings import LIMITS, LOCAL_RUN, SettingsError, StageSettings
from shared_utils import ApplicationError


def test_settings_have_defaults():
    settings = StageSettings.from_context({})

    assert settings.stage == "dev"
    assert settings.python == "3.13"
    assert settings.log_retention_days == 30
    assert settings.limits == LIMITS


def test_settings_take_what_the_context_says():
    settings = StageSettings.from_context(
        {
            "stage": "prod2",
            "log_retention_days": 90,
            "RATE_LIMIT_AUDIO_CHUNKS": "20",
            "SESSION_MAX_DURATION_HOURS": 1.5,
        }
    )

    assert settings.stage == "prod2"
    assert settings.log_retention_days == 90
    assert settings.limits["RATE_LIMIT_AUDIO_CHUNKS"] == "20"
    assert settings.limits["SESSION_MAX_DURATION_HOURS"] == "1.5"
    assert settings.limits["MAX_LISTENERS_PER_SESSION"] == "500"


def test_settings_of_a_stage_hold_unless_the_command_line_says_otherwise():
    stages = {"prod": {"log_level": "WARN", "log_retention_days": 90}, "dev": {"python": "3.14"}}

    settings = StageSettings.from_context(
        {"stages": stages, "stage": "prod", "log_retention_days": "7"}
    )

    assert settings.log_level == "WARN"
    assert settings.log_retention_days == 7
    assert settings.python != "3.14"


def test_settings_take_what_json_calls_true():
    """In cdk.json it is no text."""
    context = {
        "stages": {"dev": {"LISTENERS_NEED_TOKEN": True}},
        "SPEAKER_ISSUER": "https://login.example.com",
        "SPEAKER_AUDIENCE": "talks",
    }

    assert StageSettings.from_context(context).limits["LISTENERS_NEED_TOKEN"] == "true"


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example.com",
        "https://login.example.com/",
        "https://login.example.com:8443/realms/talks",
        "https://8.8.8.8",
    ],
)
def test_issuers_of_a_deployment_are_https_on_the_internet(issuer):
    settings = StageSettings.from_context({"SPEAKER_ISSUER": issuer, "SPEAKER_AUDIENCE": "talks"})

    assert settings.limits["SPEAKER_ISSUER"] == issuer


LOOPBACK = (
    "http://127.0.0.1:4011",
    "http://127.8.8.8",
    "http://localhost:4011/",
    "http://[::1]:4011",
    "https://localhost",
)


@pytest.mark.parametrize("issuer", LOOPBACK)
def test_issuer_on_this_machine_is_for_the_local_run_alone(issuer):
    """On AWS the authorizer would look for it in its own environment, and refuse every token."""
    context = {"SPEAKER_ISSUER": issuer, "SPEAKER_AUDIENCE": "talks"}

    with pytest.raises(SettingsError, match="SPEAKER_ISSUER must be an https address on the inter"):
        StageSettings.from_context(context)

    local = StageSettings.from_context({**context, LOCAL_RUN: "true"})
    assert local.limits["SPEAKER_ISSUER"] == issuer


@pytest.mark.parametrize("issuer", ["http://login.example.com", "https://..", "http://10.0.0.1"])
def test_local_run_takes_no_other_issuer(issuer):
    context = {"SPEAKER_ISSUER": issuer, "SPEAKER_AUDIENCE": "talks", LOCAL_RUN: "true"}

    with pytest.raises(SettingsError) as refused:
        StageSettings.from_context(context)

    assert str(refused.value) == (
        "SPEAKER_ISSUER must be an https address without query or fragment, or an http one of this"
        f" machine, got {issuer!r}"
    )


def test_local_run_offers_no_pool():
    with pytest.raises(SettingsError) as refused:
        StageSettings.from_context({"LISTENERS_NEED_TOKEN": "true", LOCAL_RUN: "true"})

    assert str(refused.value) == "LISTENERS_NEED_TOKEN needs SPEAKER_ISSUER"


@pytest.mark.parametrize(
    "listed",
    [
        "https://Example.org/",
        " https://a.example , HTTPS://B.EXAMPLE:8443//",
        "chrome-extension://abc",
        "https://a.example,https://A.example/",
        "",
        " , ",
    ],
)
def test_origins_are_those_of_the_functions(listed):
    settings = StageSettings.from_context({"ALLOWED_ORIGINS": listed})

    read = BroadcastSettings.read({"ALLOWED_ORIGINS": listed})
    assert sorted(settings.origins) == sorted(read.allowed_origins)


@pytest.mark.parametrize("listed", ["example.org", "https://a.example/app", "*", "https://", "/"])
def test_origins_that_the_functions_refuse_stop_the_synthesis(listed):
    with pytest.raises(ApplicationError, match="ALLOWED_ORIGINS must be origins such as"):
        BroadcastSettings.read({"ALLOWED_ORIGINS": listed})

    with pytest.raises(SettingsError, match="ALLOWED_ORIGINS must be origins such as"):
        StageSettings.from_context({"ALLOWED_ORIGINS": listed})


@pytest.mark.parametrize(
    ("context", "urls"),
    [
        ({"page_url": "https://example.org/speak"}, ["https://example.org/speak"]),
        ({"page_url": "https://Example.org/Speak"}, ["https://example.org/Speak"]),
        ({"page_url": "https://example.org"}, ["https://example.org/"]),
        ({"ALLOWED_ORIGINS": "https://Example.org/"}, ["https://example.org/"]),
        ({"ALLOWED_ORIGINS": "https://a.example,https://A.example/"}, ["https://a.example/"]),
        (
            {"ALLOWED_ORIGINS": "https://a.example, http://localhost:8000"},
            ["https://a.example/", "http://localhost:8000/"],
        ),
        (
            {"ALLOWED_ORIGINS": "https://a.example", "page_url": "https://b.example/speak"},
            ["https://b.example/speak"],
        ),
    ],
    ids=[
        "page",
        "page-in-capitals",
        "page-without-path",
        "origin-with-capitals-and-slash",
        "one-origin-twice",
        "origins",
        "page-wins",
    ],
)
def test_sign_in_leads_back_to_the_page_as_its_browser_names_it(context, urls):
    """Cognito compares letter by letter what the page says with what it has."""
    settings = StageSettings.from_context({"speaker_pool": "create", **context})

    assert settings.callback_urls == urls


ISSUER = {"SPEAKER_ISSUER": "https://login.example.com", "SPEAKER_AUDIENCE": "talks"}
POOL = {"speaker_pool": "create", "page_url": "https://example.org/"}


@pytest.mark.parametrize(
    ("context", "wanted"),
    [
        pytest.param(
            {"SPEAKER_ISSUER": "https://login.example.com"},
            "SPEAKER_ISSUER needs SPEAKER_AUDIENCE",
            id="issuer-alone",
        ),
        pytest.param(
            {"SPEAKER_AUDIENCE": "talks"},
            "SPEAKER_AUDIENCE needs SPEAKER_ISSUER",
            id="audience-alone",
        ),
        pytest.param(
            {"SPEAKER_SCOPE": "speak"}, "SPEAKER_SCOPE needs SPEAKER_ISSUER", id="scope-alone"
        ),
        pytest.param(
            {"LISTENERS_NEED_TOKEN": "true"},
            "LISTENERS_NEED_TOKEN needs SPEAKER_ISSUER",
            id="listeners-without-issuer",
        ),
        pytest.param(
            {"LISTENERS_NEED_TOKEN": "yes"},
            "LISTENERS_NEED_TOKEN must be true or false, got 'yes'",
            id="neither-true-nor-false",
        ),
        *(
            pytest.param(
                {**ISSUER, "SPEAKER_ISSUER": issuer},
                "SPEAKER_ISSUER must be an https address",
                id=name,
            )
            for name, issuer in {
                "http": "http://login.example.com",
                "looks-like-this-machine": "http://127.0.0.1.example.com",
                "query": "https://login.example.com?tenant=a",
                "fragment": "https://login.example.com/#a",
                "user": "https://user@login.example.com",
                "no-host": "https://",
                "dots": "https://..",
                "port-of-six-digits": "https://login.example.com:100000",
                "port-too-high": "https://login.example.com:65536",
                "label-with-hyphen-first": "https://-login.example.com",
                "ip-address-that-is-none": "https://10.0.0.999",
                "one-word": "https://login",
                "private-address": "https://10.0.0.1",
                "metadata-of-the-machine": "https://169.254.169.254",
                "newline": "https://login.example.com\n",
                "space": "https://login.example.com/ ",
                "no-url": "login.example.com",
            }.items()
        ),
        pytest.param(
            {**ISSUER, "SPEAKER_AUDIENCE": "two words"},
            "SPEAKER_AUDIENCE must be up to 256 characters without spaces",
            id="audience-of-two-words",
        ),
        pytest.param(
            {**ISSUER, "SPEAKER_SCOPE": "speak listen"},
            "SPEAKER_SCOPE must be one scope",
            id="two-scopes",
        ),
        pytest.param({**ISSUER, **POOL}, "SPEAKER_ISSUER is the pool's", id="pool-and-issuer"),
        pytest.param(
            {**POOL, "SPEAKER_SCOPE": "speak"}, "SPEAKER_SCOPE is the pool's", id="pool-and-scope"
        ),
        pytest.param(
            {"speaker_pool": "create"},
            "speaker_pool=create needs page_url, or",
            id="pool-without-page",
        ),
        pytest.param({"speaker_pool": "yes"}, "speaker_pool must be create or none", id="no-pool"),
        pytest.param(
            {"page_url": "https://example.org/"},
            "needs speaker_pool=create",
            id="page-without-pool",
        ),
        pytest.param(
            {**POOL, "page_url": "http://example.org/"},
            "page_url must be an https address",
            id="page-by-http",
        ),
        pytest.param(
            {**POOL, "page_url": "https://../speak"},
            "page_url must be an https address",
            id="page-of-dots",
        ),
        pytest.param(
            {
                "speaker_pool": "create",
                "ALLOWED_ORIGINS": "https://a.example,http://127.0.0.1:8000",
            },
            "ALLOWED_ORIGINS must be an https address, or http://localhost, got 'http://127.0.0.1:8000/'",
            id="origin-by-http",
        ),
        pytest.param(
            {**POOL, "stage": "aws2"},
            "stage stands in the pool's sign-in address, where Cognito refuses 'aws'",
            id="stage-of-cognito",
        ),
        *(
            pytest.param(
                {"encryption_key_arn": arn},
                "encryption_key_arn must be the ARN of a KMS key",
                id=name,
            )
            for name, arn in {
                "alias": "arn:aws:kms:eu-west-1:123456789012:alias/audio",
                "key-id": "1234abcd-12ab-34cd-56ef-1234567890ab",
                "any-key": "arn:aws:kms:eu-west-1:123456789012:key/*",
            }.items()
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused_by_name(context, wanted):
    with pytest.raises(SettingsError) as refused:
        StageSettings.from_context(context)

    assert wanted in str(refused.value)


def test_settings_leave_the_cdk_its_own_keys():
    context = {"@aws-cdk/core:newStyle": True, "aws:cdk:version-reporting": True, "cdk-migrate": 1}

    assert StageSettings.from_context(context) == StageSettings()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        pytest.param("stgae", "prod", "unknown context stgae; known are stage", id="misspelt"),
        pytest.param("stage", "", "stage must be 1 to 16 lower-case", id="stage-empty"),
        pytest.param("stage", "Prod", "stage must be", id="stage-capital"),
        pytest.param("stage", "dev\n", "stage must be", id="stage-newline"),
        pytest.param("stage", "a" * 17, "stage must be", id="stage-too-long"),
        pytest.param("python", "3.10", "python must be one of 3.11, 3.12", id="python-too-old"),
        pytest.param("python", "3x11", "python must be one of", id="python-no-version"),
        pytest.param(
            "layer_version_arn",
            "arn:aws:lambda:eu-west-1:123456789012:layer:SharedUtilsLayer",
            "with its number",
            id="layer-without-version",
        ),
        pytest.param("log_level", "info", "log_level must be one of TRACE", id="level-case"),
        pytest.param("log_retention_days", "31", "log_retention_days must be one of", id="days"),
        pytest.param("RATE_LIMIT_AUDIO_CHUNKS", "0", "whole number from 1, got '0'", id="zero"),
        pytest.param("SESSION_MAX_DURATION_HOURS", "1h", "a number, got '1h'", id="hours"),
        pytest.param("MAX_LISTENERS_PER_SESSION", "many", "got 'many'", id="no-number"),
        pytest.param("stages", {"dev": {"lgo": 1}}, "unknown context lgo", id="misspelt-in-stage"),
        pytest.param(
            "stages", {"dev": {"stage": "x"}}, "stages must look like", id="stage-in-stage"
        ),
        pytest.param("stages", "prod", "stages must look like", id="stages-no-table"),
        pytest.param("alarm_email", "nobody", "an e-mail address, got 'nobody'", id="no-address"),
    ],
)
@pytest.mark.threat("wrong-setting")
def test_settings_refuse(name, value, wanted):
    with pytest.raises(SettingsError) as refused:
        StageSettings.from_context({name: value})

    assert wanted in str(refused.value)


def test_settings_do_not_load_the_cdk():
    """A mistake is reported at once, not after the seconds that the CDK takes to load."""
    script = "import sys, infrastructure.settings; sys.exit('aws_cdk' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
