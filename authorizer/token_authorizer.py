"""Answers what API Gateway asks on `$connect`: who connects, and whether they may.

Whoever has a good token, or none, may connect: what a subject is needed for, the functions decide, unless
listeners need a token too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from access_tokens import check_token
from policies import allow
from quiet_lines import network_of
from refusals import TokenRefused
from shared_utils import error_code_of, get_structured_logger
from token_places import token_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from access_tokens import TokenHolder
    from issuer_documents import KeysUnavailable
    from issuer_keys import IssuerKeys
    from quiet_lines import QuietLines
    from shared_utils import MetricsEmitter
    from token_settings import TokenSettings

__all__ = [
    "NAME",
    "AuthorizerFailed",
    "TokenAuthorizer",
    "Unauthorized",
    "logger",
    "report_failure",
]

NAME = "Authorizer"
_ACTION = "authorize"

logger = get_structured_logger(NAME)


class Unauthorized(Exception):  # noqa: N818 - its text is what API Gateway looks for
    """Makes API Gateway answer 401.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-lambda-function-create.html
    """

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class AuthorizerFailed(Exception):  # noqa: N818 - as Unauthorized
    """Makes API Gateway answer 500; its text is the code, and the line has the rest."""


class TokenAuthorizer:
    """Answers an event, and counts who is refused, by code as every function does, and by reason.

    API Gateway asks it before any limit of ours is looked at, so whoever is refused, as often as they like,
    costs one line a minute: `lines` says which. What has no line is counted in `windowed_metrics`, whose
    sums are written every few seconds; what has one in `metrics`, at once.
    """

    def __init__(
        self,
        settings: TokenSettings,
        keys: IssuerKeys,
        metrics: MetricsEmitter,
        windowed_metrics: MetricsEmitter,
        lines: QuietLines,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._metrics = metrics
        self._windowed_metrics = windowed_metrics
        self._lines = lines

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any] | Exception:
        """Return a policy, or what is to be raised when nobody writes a line for it any more."""
        try:
            return allow(event["methodArn"], self._identify(event), self._settings.scope)
        except TokenRefused as refused:
            code, network = str(refused.code), _network_of(event)
            count = self._lines.count(refused.reason, network)
            if count:
                fields = {"reason": refused.reason, "sourceIp": network, "count": count}
                logger.warning("Token refused", errorCode=code, **fields)
            metrics = self._metrics if count else self._windowed_metrics
            metrics.emit_metric("TokensRefused", 1, "Count", {"Reason": refused.reason})
            metrics.emit_message_failure(_ACTION, code)
            return Unauthorized()
        except Exception as error:  # the edge: the runtime must not write what is in it
            code, network = str(error_code_of(error)), _network_of(event)
            count = self._lines.count(f"{code} {type(error).__name__}", network)
            if count:
                logger.error(
                    "No answer", error=error, errorCode=code, sourceIp=network, count=count
                )
            metrics = self._metrics if count else self._windowed_metrics
            metrics.emit_message_failure(_ACTION, code)
            return AuthorizerFailed(code)

    def _identify(self, event: Mapping[str, Any]) -> TokenHolder | None:
        token = token_of(event)
        if token is not None:
            return check_token(token, self._keys, self._settings)
        if self._settings.listeners_need_token:
            raise TokenRefused("missing")
        return None


def _network_of(event: Mapping[str, Any]) -> str:
    try:
        return network_of(event["requestContext"]["identity"]["sourceIp"])
    except (KeyError, TypeError):  # an event that is none of API Gateway's
        return network_of(None)


def report_failure(failure: KeysUnavailable) -> None:
    """Write that the known keys serve because new ones cannot be had."""
    logger.warning("The known keys serve", reason="keysUnavailable", cause=failure.message)
