"""What IAM says of the calls that functions make to this machine's API Gateway and Lambda."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wslocal.sigv4 import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from wslocal.credentials import Issued

__all__ = ["Permissions"]

# While IAM gives no answer, the one before it counts for so long: on AWS a store that stalls does not
# stall IAM, and posts go on.
_STALE_SECONDS = 60.0
# Ours: how long an answer of IAM is trusted.
_LASTS_SECONDS = 5.0
# Of our own: an IAM that is silent must not take the threads in which environments start and end.
_THREADS = 2


@dataclass(slots=True)
class _Known:
    """What IAM was asked about one role, action and resource, and what it said."""

    asked_at: float = float("-inf")
    asking: asyncio.Future[bool] | None = None
    answered_at: float = float("-inf")
    answer: bool = False


class Permissions:
    """Asks IAM whether a role may do something, and remembers it for a while.

    An answer that is older is asked for again, and used until the new one has come.
    """

    def __init__(self, iam: Any, clock: Callable[[], float]) -> None:
        self._iam = iam
        self._clock = clock
        self._known: dict[tuple[str, str, str], _Known] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="iam")

    def close(self) -> None:
        """Ask no more; a question that is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self, signer: Issued, action: str, resource: str) -> None:
        """Return if the signer's role may; Refused in AWS's words if it may not."""
        if not await self.allows(signer.role_arn, action, resource):
            raise Refused(
                "AccessDeniedException",
                f"User: {signer.session_arn} is not authorized to perform: "
                f"{action} on resource: {resource}",
            )

    def forget(self) -> None:
        """Ask again: roles may have changed."""
        self._known.clear()

    async def allows(self, role_arn: str, action: str, resource: str) -> bool:
        """Return whether a role may do `action` to a resource, by its ARN; the account's root may."""
        if role_arn.endswith(":root"):
            return True
        now = self._clock()
        known = self._known.setdefault((role_arn, action, resource), _Known())
        if known.asking is None and now - known.asked_at > _LASTS_SECONDS:
            known.asked_at = now
            loop = asyncio.get_running_loop()
            known.asking = loop.run_in_executor(
                self._threads, self._ask, role_arn, action, resource
            )
            known.asking.add_done_callback(lambda asking: self._answered(known, asking))
        if now - known.answered_at <= _STALE_SECONDS:
            return known.answer
        if known.asking is None:  # the last one failed, just now
            raise OSError("IAM gave no answer")
        return await asyncio.shield(known.asking)

    def _answered(self, known: _Known, asking: asyncio.Future[bool]) -> None:
        known.asking = None
        if not asking.cancelled() and asking.exception() is None:
            known.answered_at, known.answer = self._clock(), asking.result()

    def _ask(self, role_arn: str, action: str, resource: str) -> bool:
        answer = self._iam.simulate_principal_policy(
            PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource]
        )
        return all(one["EvalDecision"] == "allowed" for one in answer["EvaluationResults"])
