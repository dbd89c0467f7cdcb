"""The answer that lets a client connect, in the form that API Gateway takes from an authorizer.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from access_tokens import TokenHolder

__all__ = ["MAX_RESULT_BYTES", "allow"]

# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_RESULT_BYTES = 8 * 1024


def allow(method_arn: str, holder: TokenHolder | None, needed_scope: str) -> dict[str, Any]:
    """Return the policy for this one route; every event of the connection then has the context.

    A result that is too large with all scopes has the needed one only, if the holder has it.
    """
    result = _result(method_arn, holder and holder.subject, holder.scopes if holder else ())
    if holder and len(json.dumps(result)) > MAX_RESULT_BYTES:
        scopes = tuple(scope for scope in holder.scopes if scope == needed_scope)
        result = _result(method_arn, holder.subject, scopes)
    return result


def _result(method_arn: str, subject: str | None, scopes: tuple[str, ...]) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": method_arn}
    result: dict[str, Any] = {
        "principalId": subject or "anonymous",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
    if subject:
        result["context"] = {"subject": subject, "scopes": " ".join(scopes)}
    return result
