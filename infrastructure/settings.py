"""What `-c name=value` may say about a deployment, checked before anything is built.

Nothing here imports the CDK, which takes seconds: a mistake is reported at once.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LIMITS", "PYTHONS", "RETENTION_DAYS", "SettingsError", "StageSettings"]

# What the layer is built and tested for, and Lambda has a runtime for.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# The functions' variables with what they mean when nobody says otherwise; an empty one is not set.
LIMITS = {
    "SESSION_MAX_DURATION_HOURS": "2",
    "MAX_LISTENERS_PER_SESSION": "500",
    "SUPPORTED_LANGUAGES": "",  # any that the validator knows
    "ALLOWED_ORIGINS": "",  # any
    "CONNECTION_IDLE_TIMEOUT_SECONDS": "120",
    "CONNECTION_REFRESH_MINUTES": "100",
    "CONNECTION_WARNING_MINUTES": "110",
    "RATE_LIMIT_AUDIO_CHUNKS": "50",  # a second, per connection
    "RATE_LIMIT_CONTROL_MESSAGES": "10",  # a second, per connection
    "RATE_LIMIT_SESSION_CREATION": "5",  # a minute, per address
    "RATE_LIMIT_INVALID_MESSAGES": "20",  # a minute, per connection
    "RATE_LIMIT_CONNECTIONS": "600",  # new ones a minute, per address
}
_TEXTS = ("SUPPORTED_LANGUAGES", "ALLOWED_ORIGINS")
_TIMES = ("SESSION_MAX_DURATION_HOURS", "CONNECTION_REFRESH_MINUTES", "CONNECTION_WARNING_MINUTES")

# Those of CloudWatch Logs that make sense here:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 180, 365)

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SYSTEM_LEVELS = ("DEBUG", "INFO", "WARN")
_LAYER_VERSION = r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[a-zA-Z0-9_-]{1,140}:[0-9]+"


class SettingsError(Exception):
    """A context value that no deployment can be made from."""


@dataclass(frozen=True)
class StageSettings:
    """One deployment: a stage, and how it differs from the usual one."""

    stage: str = "dev"
    python: str = f"3.{sys.version_info.minor}"
    layer_version_arn: str = ""
    alarm_email: str = ""
    api_gateway_log_role: str = "create"
    log_level: str = "INFO"
    system_log_level: str = "WARN"
    log_retention_days: int = 30
    limits: Mapping[str, str] = field(default_factory=lambda: dict(LIMITS))

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> StageSettings:
        """Return what the context says; raise `SettingsError` for what it cannot mean.

        `stages` has what always holds for a stage, by its name; it is at home in cdk.json. The
        CDK's own keys have a colon, a slash or a hyphen. Any other unknown key is refused: a
        misspelt `-c stgae=prod` would deploy another stage.
        """
        given = {name: str(value) for name, value in context.items() if _is_ours(name)}
        given.pop("stages", None)
        given = {**_always(context, given.get("stage", cls.stage)), **given}
        if unknown := sorted(given.keys() - _CHECKS.keys() - LIMITS.keys()):
            known = ", ".join([*_CHECKS, *LIMITS])
            raise SettingsError(f"unknown context {', '.join(unknown)}; known are {known}")
        values = {name: _checked(name, text) for name, text in given.items() if name not in LIMITS}
        limits = {name: _limit(name, given.get(name, usual)) for name, usual in LIMITS.items()}
        days = int(values.pop("log_retention_days", str(cls.log_retention_days)))
        return cls(**values, log_retention_days=days, limits=limits)


_CHECKS = {
    # Stands in names of tables, functions and the API's stage.
    "stage": (r"[a-z][a-z0-9]{0,15}", "1 to 16 lower-case letters or digits, a letter first"),
    "python": ("|".join(map(re.escape, PYTHONS)), f"one of {', '.join(PYTHONS)}"),
    "layer_version_arn": (_LAYER_VERSION, "the ARN of a layer version, with its number"),
    "alarm_email": (r"[^@\s]+@[^@\s]+", "an e-mail address"),
    "api_gateway_log_role": ("create|existing", "create or existing"),
    "log_level": ("|".join(_LEVELS), f"one of {', '.join(_LEVELS)}"),
    "system_log_level": ("|".join(_SYSTEM_LEVELS), f"one of {', '.join(_SYSTEM_LEVELS)}"),
    "log_retention_days": (
        "|".join(map(str, RETENTION_DAYS)),
        f"one of {', '.join(map(str, RETENTION_DAYS))}",
    ),
}


def _always(context: Mapping[str, object], stage: str) -> dict[str, str]:
    stages = context.get("stages", {})
    settings = stages.get(stage, {}) if isinstance(stages, dict) else None
    if not isinstance(settings, dict) or "stage" in settings:
        raise SettingsError('stages must look like {"prod": {"log_level": "WARN"}}')
    return {name: str(value) for name, value in settings.items()}


def _is_ours(name: str) -> bool:
    return re.fullmatch(r"\w+", name) is not None


def _checked(name: str, text: str) -> str:
    pattern, wanted = _CHECKS[name]
    if not re.fullmatch(pattern, text, re.ASCII):
        raise SettingsError(f"{name} must be {wanted}, got {text[:80]!r}")
    return text


def _limit(name: str, text: str) -> str:
    """Return a limit that is a number at all; the functions know its range, and refuse to start."""
    if name in _TIMES and not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,5})?", text):
        raise SettingsError(f"{name} must be a number, got {text[:80]!r}")
    if name not in (*_TEXTS, *_TIMES) and not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise SettingsError(f"{name} must be a whole number from 1, got {text[:80]!r}")
    return text
