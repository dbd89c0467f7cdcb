"""Where the outcome of an invocation goes: queues and functions, with the right of the function's role.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import asyncio
import json
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .errors import EventError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from wslocal.lambda_host.local_lambda import LocalLambda
    from wslocal.lambda_host.results import InvocationResult

    from .described import Described

__all__ = [
    "Destinations",
    "check_target",
    "invocation_record",
    "letter_attributes",
    "moment",
    "payload_of",
]

# The first kilobyte of the message goes with a dead letter.
_MAX_MESSAGE_BYTES = 1024
_PLAYED = {"sqs", "lambda"}


def check_target(arn: str, what: str) -> None:
    """EventError if `arn`, that of `what` in a few words, leads to what is not played."""
    service = arn.split(":")[2] if arn.count(":") > 2 else ""
    if arn and (service not in _PLAYED or arn.endswith(".fifo")):
        raise EventError(
            f"{what} leads to {arn}: only standard SQS queues and Lambda functions are played,"
            " so give it one of these, or none"
        )


class Destinations:
    """Sends records; `invoke` hands an event to a function asynchronously, by its name."""

    def __init__(
        self, functions: LocalLambda, invoke: Callable[[str, bytes], Awaitable[object]]
    ) -> None:
        self._functions = functions
        self._invoke = invoke
        self._urls: dict[str, str] = {}

    @cached_property
    def _sqs(self) -> Any:
        return self._functions.client("sqs")

    async def send(
        self,
        role_arn: str,
        target_arn: str,
        body: bytes,
        attributes: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Send `body`, JSON, with the right of a role; EventError if it may not, or the target is none."""
        check_target(target_arn, "a destination")
        is_queue = ":sqs:" in target_arn
        action = "sqs:SendMessage" if is_queue else "lambda:InvokeFunction"
        if not await self._functions.permissions.allows(role_arn, action, target_arn):
            raise EventError(f"{role_arn} has no right to {action} on {target_arn}")
        if is_queue:
            await asyncio.to_thread(self._post, target_arn, body.decode(), dict(attributes or {}))
        else:
            await self._invoke(target_arn.rpartition(":function:")[2], body)

    def _post(self, queue_arn: str, body: str, attributes: dict[str, Any]) -> None:
        if queue_arn not in self._urls:
            name = queue_arn.rpartition(":")[2]
            self._urls[queue_arn] = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self._sqs.send_message(
            QueueUrl=self._urls[queue_arn], MessageBody=body, MessageAttributes=attributes
        )


def invocation_record(
    described: Described,
    event: bytes,
    result: InvocationResult | None,
    *,
    request_id: str,
    condition: str,
    attempts: int,
    now: float,
) -> bytes:
    """Return the record of an asynchronous invocation; `result` is the last attempt's, if there was one."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": moment(now),
        "requestContext": {
            "requestId": request_id,
            "functionArn": described.qualified_arn,
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(event),
    }
    if result is not None:
        response: dict[str, Any] = {"statusCode": 200, "executedVersion": described.version}
        if result.error is not None:
            response["functionError"] = "Unhandled"
        record["responseContext"] = response
        record["responsePayload"] = payload_of(result)
    return json.dumps(record).encode()


def payload_of(result: InvocationResult) -> Any:
    """Return what a caller gets: the answer, or the error."""
    if result.error is None:
        return result.payload
    if result.error_body is not None:
        return json.loads(result.error_body)
    return {"errorType": result.error.type, "errorMessage": result.error.message}


def letter_attributes(request_id: str, message: str) -> dict[str, dict[str, str]]:
    """Return the message attributes of a dead letter, whose body is the event itself.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    short = message.encode()[:_MAX_MESSAGE_BYTES].decode(errors="ignore")
    return {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": short or "none"},
    }


def moment(now: float) -> str:
    """Return a time, in seconds since the epoch, as records have it."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03}Z"
