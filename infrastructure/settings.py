"""What `-c name=value` may say about a deployment, checked before anything is built.

Nothing here imports the CDK, which takes seconds: a mistake is reported at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infrastructure.addresses import browser_url, is_callback, parse_address, plain_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LIMITS", "LOCAL_RUN", "PYTHONS", "RETENTION_DAYS", "SettingsError", "StageSettings"]

# What the layer is built and tested for, and Lambda has a runtime for.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# docs/decisions/README.md says why.
DEFAULT_PYTHON = "3.13"

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
    "RATE_LIMIT_CAPTIONS": "20",  # a second, per connection
    "RATE_LIMIT_SESSION_CREATION": "5",  # a minute, per address
    "RATE_LIMIT_INVALID_MESSAGES": "20",  # a minute, per connection
    "RATE_LIMIT_CONNECTIONS": "600",  # new ones a minute, per address
    "RATE_LIMIT_FAILED_JOINS": "10",  # a minute, per address
    "RATE_LIMIT_WRONG_KEYS": "100",  # a minute, per session
    "SPEAKER_ISSUER": "",  # anyone may speak
    "SPEAKER_AUDIENCE": "",
    "SPEAKER_SCOPE": "",  # any token will do
    "LISTENERS_NEED_TOKEN": "false",
}
_TIMES = ("SESSION_MAX_DURATION_HOURS", "CONNECTION_REFRESH_MINUTES", "CONNECTION_WARNING_MINUTES")

# Those of CloudWatch Logs that make sense here:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 180, 365)

# Said by the local run alone (local/assembly.py): what is made runs on this machine, not on AWS.
LOCAL_RUN = "websocket-audio:local-run"

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SYSTEM_LEVELS = ("DEBUG", "INFO", "WARN")
# A key by its own ARN: CloudWatch Logs takes no alias.
_KEY = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_ISSUER_WANTED = "an https address on the internet, without query or fragment"
_LOCAL_ISSUER_WANTED = "an https address without query or fragment, or an http one of this machine"
# As functions/broadcast/settings.py has it, which refuses to start with any other.
_ORIGIN = r"[a-z][a-z0-9+.-]*://[^/?#@\s*]+"
_CALLBACK_WANTED = "an https address, or http://localhost"
_LAYER_VERSION = r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[a-zA-Z0-9_-]{1,140}:[0-9]+"


class SettingsError(Exception):
    """A context value that no deployment can be made from."""


@dataclass(frozen=True)
class StageSettings:
    """One deployment: a stage, and how it differs from the usual one."""

    stage: str = "dev"
    python: str = DEFAULT_PYTHON
    layer_version_arn: str = ""
    alarm_email: str = ""
    api_gateway_log_role: str = "create"
    log_level: str = "INFO"
    system_log_level: str = "WARN"
    log_retention_days: int = 30
    speaker_pool: str = "none"
    page_url: str = ""
    encryption_key_arn: str = ""
    limits: Mapping[str, str] = field(default_factory=lambda: dict(LIMITS))

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> StageSettings:
        """Return what the context says; raise `SettingsError` for what it cannot mean.

        `stages` has what always holds for a stage, by its name; it is at home in cdk.json. The
        CDK's own keys have a colon, a slash or a hyphen. Any other unknown key is refused: a
        misspelt `-c stgae=prod` would deploy another stage.
        """
        given = {name: _text(value) for name, value in context.items() if _is_ours(name)}
        given.pop("stages", None)
        given = {**_always(context, given.get("stage", cls.stage)), **given}
        if unknown := sorted(given.keys() - _CHECKS.keys() - LIMITS.keys()):
            known = ", ".join([*_CHECKS, *LIMITS])
            raise SettingsError(f"unknown context {', '.join(unknown)}; known are {known}")
        values = {name: _checked(name, text) for name, text in given.items() if name not in LIMITS}
        limits = {name: _limit(name, given.get(name, usual)) for name, usual in LIMITS.items()}
        days = int(values.pop("log_retention_days", str(cls.log_retention_days)))
        settings = cls(**values, log_retention_days=days, limits=limits)
        settings._check_origins()
        settings._check_speakers(is_local=_text(context.get(LOCAL_RUN)) == "true")
        return settings

    @property
    def makes_pool(self) -> bool:
        """Whether the stack makes the user pool whose tokens let somebody speak."""
        return self.speaker_pool == "create"

    @property
    def origins(self) -> list[str]:
        """Whose pages may connect, as the functions compare them; an empty list is any."""
        listed = filter(None, map(str.strip, self.limits["ALLOWED_ORIGINS"].split(",")))
        return list(dict.fromkeys(map(plain_origin, listed)))

    @property
    def callback_urls(self) -> list[str]:
        """Where a sign-in may lead back to: the page, else the root of each origin that may connect."""
        if self.page_url:
            return [browser_url(self.page_url)]
        return [f"{origin}/" for origin in self.origins]

    def _check_origins(self) -> None:
        for origin in self.origins:
            if not re.fullmatch(_ORIGIN, origin):
                wanted = "origins such as https://audio.example.com"
                raise SettingsError(f"ALLOWED_ORIGINS must be {wanted}, got {origin[:80]!r}")

    def _check_speakers(self, *, is_local: bool) -> None:
        issuer = self.limits["SPEAKER_ISSUER"]
        for name in ("SPEAKER_ISSUER", "SPEAKER_AUDIENCE", "SPEAKER_SCOPE"):
            if self.limits[name] and self.makes_pool:
                raise SettingsError(
                    f"{name} is the pool's with speaker_pool=create: give one or the other"
                )
        if bool(issuer) != bool(self.limits["SPEAKER_AUDIENCE"]):
            given, missing = ("SPEAKER_ISSUER", "SPEAKER_AUDIENCE")[:: 1 if issuer else -1]
            raise SettingsError(f"{given} needs {missing}: the two say together which tokens count")
        if issuer:
            _check_issuer(issuer, is_local=is_local)
        if self.makes_pool:
            self._check_pool()
        elif self.page_url:
            raise SettingsError(
                "page_url is where a sign-in leads back to, and needs speaker_pool=create"
            )
        elif not issuer:
            for name, usual in (("SPEAKER_SCOPE", ""), ("LISTENERS_NEED_TOKEN", "false")):
                if self.limits[name] != usual:
                    pool = "" if is_local else ", or speaker_pool=create"  # the local run has none
                    raise SettingsError(f"{name} needs SPEAKER_ISSUER{pool}")

    def _check_pool(self) -> None:
        # https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html
        if taken := re.search("aws|amazon|cognito", self.stage):
            raise SettingsError(
                f"stage stands in the pool's sign-in address, where Cognito refuses {taken[0]!r}"
            )
        if not self.callback_urls:
            raise SettingsError("speaker_pool=create needs page_url, or ALLOWED_ORIGINS")
        name = "page_url" if self.page_url else "ALLOWED_ORIGINS"
        for url in [self.page_url] if self.page_url else self.callback_urls:
            if not is_callback(url):
                raise SettingsError(f"{name} must be {_CALLBACK_WANTED}, got {url[:80]!r}")


def _check_issuer(issuer: str, *, is_local: bool) -> None:
    """Refuse an issuer whose keys the authorizer could not read: it runs on AWS, in no VPC."""
    address = parse_address(issuer)
    if address is not None and is_local:
        good = address.scheme == "https" or address.is_this_machine
    else:
        good = address is not None and address.scheme == "https" and address.is_on_the_internet
    if not good:
        wanted = _LOCAL_ISSUER_WANTED if is_local else _ISSUER_WANTED
        raise SettingsError(f"SPEAKER_ISSUER must be {wanted}, got {issuer[:80]!r}")


_CHECKS = {
    # Stands in names of tables, functions and the API's stage.
    "stage": (r"[a-z][a-z0-9]{0,15}", "1 to 16 lower-case letters or digits, a letter first"),
    "python": ("|".join(map(re.escape, PYTHONS)), f"one of {', '.join(PYTHONS)}"),
    "layer_version_arn": (_LAYER_VERSION, "the ARN of a layer version, with its number"),
    "alarm_email": (r"[^@\s]+@[^@\s]+", "an e-mail address"),
    "api_gateway_log_role": ("create|existing", "create or existing"),
    "log_level": ("|".join(_LEVELS), f"one of {', '.join(_LEVELS)}"),
    "system_log_level": ("|".join(_SYSTEM_LEVELS), f"one of {', '.join(_SYSTEM_LEVELS)}"),
    "speaker_pool": ("create|none", "create or none"),
    "page_url": (".*", _CALLBACK_WANTED),  # _check_pool looks closer
    "encryption_key_arn": (_KEY, "the ARN of a KMS key, with its id and no alias"),
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
    return {name: _text(value) for name, value in settings.items()}


def _text(value: object) -> str:
    """Return a value of cdk.json as the command line would have it: true, not Python's True."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_ours(name: str) -> bool:
    return re.fullmatch(r"\w+", name) is not None


def _checked(name: str, text: str) -> str:
    pattern, wanted = _CHECKS[name]
    if not re.fullmatch(pattern, text, re.ASCII):
        raise SettingsError(f"{name} must be {wanted}, got {text[:80]!r}")
    return text


_TEXT_LIMITS = {
    "SUPPORTED_LANGUAGES": (".*", "a list"),
    "ALLOWED_ORIGINS": (".*", "a list"),
    "SPEAKER_ISSUER": (".*", "an address"),  # _check_issuer looks closer
    "SPEAKER_AUDIENCE": (r"[!-~]{0,256}", "up to 256 characters without spaces"),
    # One scope token: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
    "SPEAKER_SCOPE": (r"[!#-\[\]-~]{0,256}", "one scope of up to 256 characters"),
    "LISTENERS_NEED_TOKEN": ("true|false", "true or false"),
    **dict.fromkeys(_TIMES, (r"[0-9]{1,5}(\.[0-9]{1,5})?", "a number")),
}
_WHOLE = ("[1-9][0-9]{0,8}", "a whole number from 1")


def _limit(name: str, text: str) -> str:
    """Return a limit that is of its kind at all; the functions know its range, and refuse to start."""
    pattern, wanted = _TEXT_LIMITS.get(name, _WHOLE)
    if not re.fullmatch(pattern, text, re.ASCII | re.DOTALL):
        raise SettingsError(f"{name} must be {wanted}, got {text[:80]!r}")
    return text
