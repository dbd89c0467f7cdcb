"""What a REQUEST authorizer is asked before `$connect`, and what its answer means. Values in, values out.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from .answers import INTERNAL_ERROR, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wslocal.lambda_host.results import InvocationResult

    from .definition import IdentitySource

__all__ = [
    "BROKEN",
    "UNAUTHORIZED",
    "AuthorizerError",
    "authorizer_event",
    "decide",
    "has_identity",
    "read_result",
]

UNAUTHORIZED = Failure("Unauthorized", HTTPStatus.UNAUTHORIZED)
BROKEN = Failure(INTERNAL_ERROR, HTTPStatus.INTERNAL_SERVER_ERROR)
# The texts are documented for REST APIs only:
# https://aws.amazon.com/premiumsupport/knowledge-center/api-gateway-403-error-lambda-authorizer/
_NOT_ALLOWED = "User is not authorized to access this resource"
_DENIED = f"{_NOT_ALLOWED} with an explicit deny"

# The headers of the handshake's own hop, which the example in AWS's documentation has.
_HOP = {"Connection": "upgrade", "Upgrade": "websocket", "content-length": "0"}

# Elements of a policy: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
_VERSIONS = ("2012-10-17", "2008-10-17")
_ACTION = "execute-api:Invoke"
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource"}


class AuthorizerError(Exception):
    """An answer that is none for API Gateway. The text names the field, and shows no value."""


def authorizer_event(connect: Mapping[str, Any], method_arn: str) -> dict[str, Any]:
    """Return what an authorizer gets for a client whose `$connect` gets the event `connect`."""
    return {
        "type": "REQUEST",
        "methodArn": method_arn,
        "headers": _HOP | connect["headers"],
        "multiValueHeaders": {name: [value] for name, value in _HOP.items()}
        | connect["multiValueHeaders"],
        "queryStringParameters": connect.get("queryStringParameters", {}),
        "multiValueQueryStringParameters": connect.get("multiValueQueryStringParameters", {}),
        "stageVariables": connect.get("stageVariables", {}),
        "requestContext": connect["requestContext"],
    }


def has_identity(sources: Iterable[IdentitySource], event: Mapping[str, Any]) -> bool:
    """Return whether all identity sources of an authorizer have a value in its event."""
    return all(_value(source, event) not in (None, "") for source in sources)


def _value(source: IdentitySource, event: Mapping[str, Any]) -> object:
    kind, name = source
    match kind:
        case "route.request.header":
            lists = event["multiValueHeaders"].items()
            return "".join("".join(values) for key, values in lists if key.lower() == name.lower())
        case "route.request.querystring":
            return event["queryStringParameters"].get(name)
        case "stageVariables":
            return event["stageVariables"].get(name)
    value = event["requestContext"]
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def read_result(
    result: InvocationResult, method_arn: str, max_bytes: int
) -> dict[str, str] | Failure:
    """Return what `requestContext.authorizer` has in later events, or how the client is refused.

    AuthorizerError for an answer that is not understood.
    """
    if result.error is not None or result.body is None:
        is_refusal = result.error is not None and result.error.message == "Unauthorized"
        return UNAUTHORIZED if is_refusal else BROKEN
    if len(result.body) > max_bytes:
        size = len(result.body)
        raise AuthorizerError(f"an answer must have at most {max_bytes} bytes, got {size}")
    answer = _object(_decode(result.body), "an answer")
    principal = _text(answer.get("principalId"), "principalId")
    if not principal:
        raise AuthorizerError("an answer must have a principalId")
    context = _object({} if answer.get("context") is None else answer["context"], "context")
    values = {name: _text(value, f"context.{name}") for name, value in context.items()}
    decision = decide(answer.get("policyDocument"), method_arn)
    if decision != "Allow":
        return Failure(_DENIED if decision == "Deny" else _NOT_ALLOWED, HTTPStatus.FORBIDDEN)
    return {name: value for name, value in values.items() if value is not None} | {
        "principalId": principal
    }


def _decode(body: bytes) -> object:
    """Return JSON in which numbers are as they were written: each value becomes a text anyway."""
    try:
        return json.loads(body, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise AuthorizerError("an answer must be JSON") from None  # that one keeps the whole text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _object(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AuthorizerError(f"{field} must be an object, got {type(value).__name__}")
    return value


def _text(value: object, field: str) -> str | None:
    """Return a value of the context as API Gateway hands it on: true is "true"."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    kind = type(value).__name__
    raise AuthorizerError(f"{field} must be a string, a number or a boolean, got {kind}")


# --- the policy ------------------------------------------------------------------------------------


def decide(policy: object, resource: str) -> str | None:
    """Return `Deny`, `Allow` or None (no statement is about it) for execute-api:Invoke on an ARN.

    AuthorizerError for what is no policy, and for elements that are not played.
    """
    document = _object(policy, "policyDocument")
    if document.get("Version", "2008-10-17") not in _VERSIONS:
        raise AuthorizerError(f"policyDocument.Version must be one of {', '.join(_VERSIONS)}")
    statements = document.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    effects = {
        _effect(statement, resource, f"policyDocument.Statement[{at}]")
        for at, statement in enumerate(listed)
    }
    return next((effect for effect in ("Deny", "Allow") if effect in effects), None)


def _effect(value: object, resource: str, field: str) -> str | None:
    """Return the effect of a statement on the resource; None if it is about something else."""
    statement = _object(value, field)
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise AuthorizerError(f"{field}.Effect must be Allow or Deny")
    for name in statement.keys() - _ELEMENTS:
        if statement[name]:  # an empty Condition is none
            raise AuthorizerError(f"{field}.{name} is not played")
    # Actions are in any case, ARNs are not.
    is_action = _applies(statement, "Action", _ACTION, field, re.IGNORECASE)
    is_resource = _applies(statement, "Resource", resource, field, re.NOFLAG)
    return str(statement["Effect"]) if is_action and is_resource else None


def _applies(
    statement: Mapping[str, Any], element: str, text: str, field: str, flags: re.RegexFlag
) -> bool:
    """Return whether `Action` or `NotAction` (or those of a resource) of a statement mean a text."""
    given = [name for name in (element, f"Not{element}") if name in statement]
    if len(given) != 1:
        raise AuthorizerError(f"{field} must have either {element} or Not{element}")
    patterns = statement[given[0]]
    listed = patterns if isinstance(patterns, list) else [patterns]
    if not all(isinstance(pattern, str) for pattern in listed):
        raise AuthorizerError(f"{field}.{given[0]} must be a string or a list of strings")
    found = any(re.fullmatch(_regex(pattern), text, flags) for pattern in listed)
    return found is (given[0] == element)


def _regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
