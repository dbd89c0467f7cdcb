"""Records of a DynamoDB stream as a function gets them, and what is said of those that are given up.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .destinations import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wslocal.lambda_host.results import InvocationResult

    from .described import Described

__all__ = ["created_at", "discarded_record", "sequence_number", "stream_record"]


def stream_record(record: Mapping[str, Any], stream_arn: str) -> dict[str, Any]:
    """Return the record of what boto3's `get_records` gave."""
    made: dict[str, Any] = {**_json(record), "eventSourceARN": stream_arn}
    if "userIdentity" in made:  # a deletion by time to live
        made["userIdentity"] = {
            "principalId": made["userIdentity"]["PrincipalId"],
            "type": made["userIdentity"]["Type"],
        }
    return made


def _json(value: Any) -> Any:
    """Return a value of boto3's as JSON has it: times in seconds since the epoch, bytes in base64."""
    if isinstance(value, dict):
        return {key: _json(one) for key, one in value.items()}
    if isinstance(value, list | set | tuple):
        return [_json(one) for one in value]
    if isinstance(value, datetime):
        seconds = value.timestamp()
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def sequence_number(record: Mapping[str, Any]) -> str:
    """Return by which a batch's answer names a record."""
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def created_at(record: Mapping[str, Any]) -> float:
    """Return when a record was written, in seconds since the epoch."""
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def discarded_record(
    described: Described,
    batch: Sequence[Mapping[str, Any]],
    result: InvocationResult | None,
    *,
    stream_arn: str,
    shard_id: str,
    condition: str,
    attempts: int,
    now: float,
) -> bytes:
    """Return the record of a batch that is given up; it has no data of the table's."""
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": str(uuid.uuid4()) if result is None else result.request_id,
            "functionArn": described.qualified_arn,
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "version": "1.0",
        "timestamp": moment(now),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": sequence_number(batch[0]),
            "endSequenceNumber": sequence_number(batch[-1]),
            "approximateArrivalOfFirstRecord": _second(created_at(batch[0])),
            "approximateArrivalOfLastRecord": _second(created_at(batch[-1])),
            "batchSize": len(batch),
            "streamArn": stream_arn,
        },
    }
    if result is not None:
        record["responseContext"] = {"statusCode": 200, "executedVersion": described.version}
        if result.error is not None:
            record["responseContext"]["functionError"] = "Unhandled"
    return json.dumps(record).encode()


def _second(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
