"""The function that API Gateway asks on `$connect` who connects, by the access token of an OIDC issuer.

API Gateway answers 401 only to an exception that says exactly `Unauthorized`, and 500 to any other. Lambda
counts both as errors, and its runtime writes a line of its own for each, at level ERROR, with this file's name
and nothing of the token: nothing a function can do prevents that. Ours is one WARN line a minute for each
reason to refuse and each network that tokens come from.

Beside the layer it has PyJWT and cryptography in its zip. To load this module takes about 90 ms of CPU, of
which TLS is 26, and 21 MB (x86_64, CPython 3.11, from the zip with its bytecode).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from issuer_keys import IssuerKeys
from quiet_lines import QuietLines
from shared_utils import MetricsEmitter, configure_lambda_logging, invocation
from token_authorizer import NAME, TokenAuthorizer, logger, report_failure
from token_settings import TokenSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["handler"]

configure_lambda_logging()
metrics = MetricsEmitter()
# Ours, as in the handlers of the functions: what a flood of refusals makes has a document of its own so often.
windowed_metrics = MetricsEmitter(window_seconds=10)
try:
    settings = TokenSettings.read(os.environ)
except Exception as error:
    logger.error("The function cannot start", error=error)
    raise
keys = IssuerKeys(settings.issuer, report=report_failure)
authorizer = TokenAuthorizer(settings, keys, metrics, windowed_metrics, QuietLines())


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
    """Return the policy for a client that may connect; raise for any other."""
    with invocation(event, context), metrics.invocation(NAME), windowed_metrics:
        answer = authorizer.answer(event)
    if isinstance(answer, Exception):
        raise answer
    return answer
