"""Answers what API Gateway asks on `$connect`: who connects, and whether they may.

Whoever has a good token, or none, may connect: what a subject is needed for, the functions decide, unless
listeners need a token too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from access_tokens import check_token
from policies import allow
from refusals import TokenRefused
from shared_utils import error_code_of, get_structured_logger
from token_places import token_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from access_tokens import TokenHolder
    from issuer_documents import KeysUnavailable
    from issuer_keys import IssuerKeys
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
    """Answers an event; `metrics` counts who is refused, by code as every function does, and by reason."""

    def __init__(self, settings: TokenSettings, keys: IssuerKeys, metrics: MetricsEmitter) -> None:
        self._settings = settings
        self._keys = keys
        self._metrics = metrics

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any] | Exception:
        """Return a policy, or what is to be raised when nobody writes a line for it any more."""
        try:
            return allow(event["methodArn"], self._identify(event), self._settings.scope)
        except TokenRefused as refused:
            code = str(refused.code)
            logger.warning("Token refused", reason=refused.reason, errorCode=code)
            self._metrics.emit_metric("TokensRefused", 1, "Count", {"Reason": refused.reason})
            self._metrics.emit_message_failure(_ACTION, code)
            return Unauthorized()
        except Exception as error:  # the edge: the runtime must not write what is in it
            code = str(error_code_of(error))
            logger.error("No answer", error=error, errorCode=code)
            self._metrics.emit_message_failure(_ACTION, code)
            return AuthorizerFailed(code)

    def _identify(self, event: Mapping[str, Any]) -> TokenHolder | None:
        token = token_of(event)
        if token is not None:
            return check_token(token, self._keys, self._settings)
        if self._settings.listeners_need_token:
            raise TokenRefused("missing")
        return None


def report_failure(failure: KeysUnavailable) -> None:
    """Write that the known keys serve because new ones cannot be had."""
    logger.warning("The known keys serve", reason="keysUnavailable", cause=failure.message)
