"""Lambda's durable execution service, as far as a function with steps and waits needs it: in memory, waits at once.

The SDK calls it as it would call boto3's client; `run` invokes a function until it has ended.
"""

from __future__ import annotations

import datetime
import json
from typing import Any

from aws_durable_execution_sdk_python import lambda_service

from shared_utils.testing import FakeContext

_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders:1/durable-execution/first/execution"
_STATUS = {"START": "STARTED", "SUCCEED": "SUCCEEDED", "FAIL": "FAILED"}


class Service:
    """The operations of one execution, as CheckpointDurableExecution makes them."""

    def __init__(self, event: object) -> None:
        payload = {"InputPayload": json.dumps(event)}
        first = {"Id": "execution", "Type": "EXECUTION", "Status": "STARTED"}
        self.operations: dict[str, dict[str, Any]] = {
            "execution": {**first, "ExecutionDetails": payload}
        }

    def checkpoint_durable_execution(
        self,
        *,
        Updates: list[dict[str, Any]],  # noqa: N803 - the API's name
        **_: object,
    ) -> dict[str, Any]:
        """Keep what was done; a wait ends an hour from now."""
        changed = [self._updated(update) for update in Updates]
        return {"CheckpointToken": "token", "NewExecutionState": {"Operations": changed}}

    def get_durable_execution_state(self, **_: object) -> dict[str, Any]:
        """Return the next page of operations: there is none."""
        return {"Operations": []}

    def _updated(self, update: dict[str, Any]) -> dict[str, Any]:
        kept = ("Id", "Type", "Name", "SubType", "ParentId")
        found = self.operations.setdefault(
            update["Id"], {name: update[name] for name in kept if name in update}
        )
        found["Status"] = _STATUS[update["Action"]]
        if update["Type"] == "STEP" and update["Action"] == "SUCCEED":
            found["StepDetails"] = {"Attempt": 1, "Result": update["Payload"]}
        if update["Type"] == "WAIT":
            later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
            return {**found, "WaitDetails": {"ScheduledEndTimestamp": later}}
        return found

    def end_waits(self) -> None:
        """Let the time of all waits be over."""
        for operation in self.operations.values():
            if operation["Type"] == "WAIT":
                operation["Status"] = "SUCCEEDED"


def run(handler: Any, event: object) -> str:
    """Invoke a durable function until it no longer waits; return its result as JSON text."""
    service, number = Service(event), 0
    lambda_service.LambdaClient._cached_boto_client = service  # type: ignore[assignment]
    answer = {"Status": "PENDING"}
    while answer["Status"] == "PENDING":
        number += 1
        state = {"Operations": list(service.operations.values()), "NextMarker": ""}
        answer = handler(
            {
                "DurableExecutionArn": _ARN,
                "CheckpointToken": "token",
                "InitialExecutionState": state,
            },
            FakeContext(f"lambda-{number}"),
        )
        service.end_waits()
    return answer["Result"]
