"""What the environment variables say, checked once at start.

A value that cannot be read stops the start with INTERNAL_CONFIGURATION_ERROR and the variable's
name; an absent or empty one is its default.
"""

from __future__ import annotations

import math
import re

from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.validators import ValidationError, validate_language_code

from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONNECTION_MINUTES", "MAX_LISTENERS", "BroadcastSettings", "check_tables"]

# A connection ends after two hours, whatever happens on it:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
CONNECTION_MINUTES = 120

# Ours: a counter's item has 20 bytes for each failed join of an address.
_MAX_FAILED_JOINS = 1000

# Ours: a session's item holds its listeners, 70 KB of them here, and an item may have 400 KB; and the
# 10,000 requests a second of an account are five chunks a second to so many.
MAX_LISTENERS = 2000


_NO_SUBJECT = "Connect with a token first"

# An issuer is https, or on this machine: https://openid.net/specs/openid-connect-discovery-1_0.html
_ISSUER = r"(https://[^/?#@\s]+|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?)(/[^?#\s]*)?"
# https://www.rfc-editor.org/rfc/rfc6749#section-3.3
_SCOPE = r"[!#-\[\]-~]+"


class BroadcastSettings(Value):
    """The limits of a broadcast; `supported_languages` and `allowed_origins` are empty for any.

    So is `speaker_issuer`: then sessions are open to anyone.
    """

    session_hours: float = 2.0
    max_listeners: int = 500
    supported_languages: frozenset[str] = frozenset()
    allowed_origins: frozenset[str] = frozenset()
    idle_seconds: int = 120
    refresh_minutes: float = 100
    warning_minutes: float = 110
    audio_chunks_per_second: int = 50
    control_messages_per_second: int = 10
    captions_per_second: int = 20
    sessions_per_minute: int = 5
    invalid_messages_per_minute: int = 20
    connections_per_minute: int = 600
    failed_joins_per_minute: int = 10
    wrong_keys_per_minute: int = 100
    speaker_issuer: str = ""
    speaker_audience: str = ""
    speaker_scope: str = ""
    listeners_need_token: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> BroadcastSettings:
        """Return the settings of an environment."""
        issuer, audience, scope = _speakers(environ)
        return cls(
            session_hours=_number(environ, "SESSION_MAX_DURATION_HOURS", 2, 0.001, 24),
            max_listeners=_whole(environ, "MAX_LISTENERS_PER_SESSION", 500, MAX_LISTENERS),
            supported_languages=_languages(environ, "SUPPORTED_LANGUAGES"),
            allowed_origins=_origins(environ, "ALLOWED_ORIGINS"),
            idle_seconds=_whole(environ, "CONNECTION_IDLE_TIMEOUT_SECONDS", 120, 7200),
            refresh_minutes=_number(environ, "CONNECTION_REFRESH_MINUTES", 100, 0, 119),
            warning_minutes=_number(environ, "CONNECTION_WARNING_MINUTES", 110, 0, 119),
            audio_chunks_per_second=_whole(environ, "RATE_LIMIT_AUDIO_CHUNKS", 50, 10_000),
            control_messages_per_second=_whole(environ, "RATE_LIMIT_CONTROL_MESSAGES", 10, 10_000),
            captions_per_second=_whole(environ, "RATE_LIMIT_CAPTIONS", 20, 10_000),
            sessions_per_minute=_whole(environ, "RATE_LIMIT_SESSION_CREATION", 5, 10_000),
            invalid_messages_per_minute=_whole(environ, "RATE_LIMIT_INVALID_MESSAGES", 20, 10_000),
            connections_per_minute=_whole(environ, "RATE_LIMIT_CONNECTIONS", 600, 1_000_000),
            failed_joins_per_minute=_whole(
                environ, "RATE_LIMIT_FAILED_JOINS", 10, _MAX_FAILED_JOINS
            ),
            wrong_keys_per_minute=_whole(environ, "RATE_LIMIT_WRONG_KEYS", 100, 1_000_000),
            speaker_issuer=issuer,
            speaker_audience=audience,
            speaker_scope=scope,
            listeners_need_token=_needs_token(environ, "LISTENERS_NEED_TOKEN", issuer),
        )

    def allows_origin(self, origin: str) -> bool:
        """Return whether a page of this origin may connect; no origin is none of those listed."""
        return not self.allowed_origins or plain_origin(origin) in self.allowed_origins

    def check_may_speak(self, subject: str, scopes: str) -> None:
        """Refuse a new session of somebody whom nobody vouches for, or not for this."""
        if not self.speaker_issuer:
            return
        if not subject:
            raise ApplicationError(ErrorCode.AUTH_MISSING_TOKEN, _NO_SUBJECT)
        if self.speaker_scope and self.speaker_scope not in scopes.split(" "):
            message = f"To open a session takes a token with the scope {self.speaker_scope}"
            raise ApplicationError(ErrorCode.AUTH_UNAUTHORIZED, message)

    def check_may_listen(self, subject: str) -> None:
        """Refuse a join of somebody whom nobody vouches for, if listeners need a token."""
        if self.listeners_need_token and not subject:
            raise ApplicationError(ErrorCode.AUTH_MISSING_TOKEN, _NO_SUBJECT)

    def check_language(self, code: str, field: str) -> None:
        """Refuse a language that is not offered; `pt` on the list stands for `pt-BR` too."""
        offered = self.supported_languages
        if offered and offered.isdisjoint((code, code.partition("-")[0])):
            wanted = f"{field} must be one of {', '.join(sorted(offered))[:200]}, got {code}"
            raise ValidationError(wanted, field, ErrorCode.VALIDATION_INVALID_LANGUAGE)


def check_tables(environ: Mapping[str, str]) -> None:
    """Refuse to start without the tables' names: by their constants it would find another stage's."""
    for name in ("SESSIONS_TABLE_NAME", "CONNECTIONS_TABLE_NAME", "RATE_LIMITS_TABLE_NAME"):
        if not (environ.get(name) or environ.get(name.removesuffix("_NAME"))):
            raise _unreadable(name, "the name of a table", "")


def plain_origin(origin: str) -> str:
    """Return an origin as browsers send it: in lower case, without a slash at its end."""
    return origin.strip().lower().rstrip("/")


def _number(
    environ: Mapping[str, str], name: str, default: float, lowest: float, highest: float
) -> float:
    text = environ.get(name, "").strip() or str(default)
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if lowest <= number <= highest:
        return number
    raise _unreadable(name, f"a number from {lowest} to {highest}", text)


def _whole(environ: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = environ.get(name, "").strip() or str(default)
    if text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= highest:
        return int(text)
    raise _unreadable(name, f"a whole number from 1 to {highest}", text)


def _listed(environ: Mapping[str, str], name: str) -> list[str]:
    return [entry.strip() for entry in environ.get(name, "").split(",") if entry.strip()]


def _origins(environ: Mapping[str, str], name: str) -> frozenset[str]:
    origins = [plain_origin(entry) for entry in _listed(environ, name)]
    for origin in origins:
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#@\s*]+", origin):
            raise _unreadable(name, "origins such as https://audio.example.com", origin)
    return frozenset(origins)


def _speakers(environ: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the issuer of speakers' tokens, their audience and their scope."""
    issuer = environ.get("SPEAKER_ISSUER", "").strip()
    audience = environ.get("SPEAKER_AUDIENCE", "").strip()
    scope = environ.get("SPEAKER_SCOPE", "").strip()
    if issuer and not re.fullmatch(_ISSUER, issuer):
        raise _unreadable("SPEAKER_ISSUER", "a URL such as https://login.example.com", issuer)
    if issuer and not audience:
        raise _unreadable("SPEAKER_AUDIENCE", "given with SPEAKER_ISSUER", "")
    if not issuer and (audience or scope):
        name = "SPEAKER_AUDIENCE" if audience else "SPEAKER_SCOPE"
        raise _unreadable("SPEAKER_ISSUER", f"given with {name}", "")
    if scope and not re.fullmatch(_SCOPE, scope):
        raise _unreadable("SPEAKER_SCOPE", "one scope, without spaces", scope)
    return issuer, audience, scope


def _needs_token(environ: Mapping[str, str], name: str, issuer: str) -> bool:
    text = environ.get(name, "").strip() or "false"
    if text not in ("true", "false"):
        raise _unreadable(name, "true or false", text)
    if text == "true" and not issuer:
        raise _unreadable("SPEAKER_ISSUER", f"given with {name}", "")
    return text == "true"


def _languages(environ: Mapping[str, str], name: str) -> frozenset[str]:
    try:
        return frozenset(validate_language_code(code, name) for code in _listed(environ, name))
    except ValidationError as refused:
        raise ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, str(refused)) from refused


def _unreadable(name: str, wanted: str, text: str) -> ApplicationError:
    message = f"{name} must be {wanted}, got {text[:40]!r}"
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)
