"""A context value is checked before anything is built, and its mistake is named."""

import subprocess
import sys

import pytest

from infrastructure.settings import LIMITS, SettingsError, StageSettings


def test_settings_have_defaults():
    settings = StageSettings.from_context({})

    assert settings.stage == "dev"
    assert settings.python == f"3.{sys.version_info.minor}"
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
def test_settings_refuse(name, value, wanted):
    with pytest.raises(SettingsError) as refused:
        StageSettings.from_context({name: value})

    assert wanted in str(refused.value)


def test_settings_do_not_load_the_cdk():
    """A mistake is reported at once, not after the seconds that the CDK takes to load."""
    script = "import sys, infrastructure.settings; sys.exit('aws_cdk' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
