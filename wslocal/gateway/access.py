"""What IAM says of calls to `@connections`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wslocal.sigv4 import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from wslocal.lambda_host.deployed import Issued

__all__ = ["Permissions"]


class Permissions:
    """Asks IAM whether a role may do something to connections, and remembers it for a while."""

    def __init__(
        self, iam: Any, region: str, api: str, lasts_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._iam = iam
        self._region = region
        self._api = api  # api id and stage
        self._lasts_seconds = lasts_seconds
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, asyncio.Future[bool]]] = {}

    async def check(self, signer: Issued, method: str) -> None:
        """Return if the signer's role may; Refused in AWS's words if it may not."""
        account = signer.role_arn.split(":")[4]
        # The ARN has no connection's own id: AWS names the method, as its refusals show.
        resource = (
            f"arn:aws:execute-api:{self._region}:{account}:{self._api}/{method}"
            "/@connections/{connectionId}"
        )
        if not await self._allows(signer.role_arn, resource):
            raise Refused(
                "AccessDeniedException",
                f"User: {signer.session_arn} is not authorized to perform: "
                f"execute-api:ManageConnections on resource: {resource}",
            )

    def forget(self) -> None:
        """Ask again: roles may have changed."""
        self._known.clear()

    async def _allows(self, role_arn: str, resource: str) -> bool:
        now = self._clock()
        asked_at, answer = self._known.get((role_arn, resource), (float("-inf"), None))
        if answer is None or now - asked_at > self._lasts_seconds:
            answer = asyncio.ensure_future(asyncio.to_thread(self._ask, role_arn, resource))
            self._known[role_arn, resource] = now, answer
        return answer.result() if answer.done() else await asyncio.shield(answer)

    def _ask(self, role_arn: str, resource: str) -> bool:
        answer = self._iam.simulate_principal_policy(
            PolicySourceArn=role_arn,
            ActionNames=["execute-api:ManageConnections"],
            ResourceArns=[resource],
        )
        return all(one["EvalDecision"] == "allowed" for one in answer["EvaluationResults"])
