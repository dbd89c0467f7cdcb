"""Whether a function's role may invoke another function: its own policies, or that function's.

Within one account either is enough, unless one of the role's own policies denies it:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-id-rdp.html
"""

from __future__ import annotations

import asyncio
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .invoke_requests import InvokeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wslocal.credentials import Issued
    from wslocal.lambda_host.local_lambda import LocalLambda

__all__ = ["InvokeRights", "policy_names"]

ACTION = "lambda:InvokeFunction"


class InvokeRights:
    """Asks IAM, and the policy of the function if the role has no right of its own."""

    def __init__(self, functions: LocalLambda) -> None:
        self._functions = functions
        self._iam = functions.client("iam")
        self._lambda = functions.client("lambda")

    async def check(self, signer: Issued, function: str, arn: str) -> None:
        """Return if the signer may invoke `function`, by name; InvokeError if it may not."""
        if await self._functions.permissions.allows(signer.role_arn, ACTION, arn):
            return
        why = await asyncio.to_thread(self._refusal, signer, function, arn)
        if why:
            text = f"User: {signer.session_arn} is not authorized to perform: {ACTION} on resource: {arn}"
            raise InvokeError("AccessDeniedException", 403, f"{text} {why}")

    def _refusal(self, signer: Issued, function: str, arn: str) -> str:
        """Return why not, in AWS's words; an empty text if the function's own policy lets it in."""
        found = self._iam.simulate_principal_policy(
            PolicySourceArn=signer.role_arn, ActionNames=[ACTION], ResourceArns=[arn]
        )
        if any(one["EvalDecision"] == "explicitDeny" for one in found["EvaluationResults"]):
            return "with an explicit deny in an identity-based policy"
        if policy_names(self._policy(function), signer):
            return ""
        return f"because no identity-based policy allows the {ACTION} action"

    def _policy(self, function: str) -> list[dict[str, Any]]:
        name, _, qualifier = function.partition(":")
        asked = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
        try:
            policy = json.loads(self._lambda.get_policy(**asked)["Policy"])
        except self._lambda.exceptions.ResourceNotFoundException:
            return []
        return list(policy["Statement"])


def policy_names(statements: list[dict[str, Any]], signer: Issued) -> bool:
    """Return whether one of a function's policy lets this role, or its session, in by name.

    A statement that names the account leaves the decision to the role's own policies. One with a
    condition is not played: it lets nobody in.
    """
    return any(
        statement["Effect"] == "Allow"
        and not statement.get("Condition")
        and any(fnmatchcase(ACTION, action) for action in _texts(statement["Action"]))
        and {"*", signer.role_arn, signer.session_arn} & set(_principals(statement["Principal"]))
        for statement in statements
    )


def _principals(principal: str | Mapping[str, str | list[str]]) -> list[str]:
    return [principal] if isinstance(principal, str) else _texts(principal.get("AWS", []))


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
