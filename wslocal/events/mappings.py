"""A deployed event source mapping, and why it can or cannot be played.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .destinations import check_target
from .errors import EventError
from .patterns import matches, read_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RIGHTS", "EventSourceMapping", "read_mapping"]

# What each kind of source asks of the role of the function:
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaSQSQueueExecutionRole.html
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaDynamoDBExecutionRole.html
RIGHTS = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"),
}


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """What Lambda polls, and for which function; times in seconds, None for no bound."""

    uuid: str
    kind: str  # sqs or dynamodb
    source_arn: str
    function: str  # its name, with a qualifier behind a colon
    batch_size: int
    window_seconds: float
    reports_failures: bool
    patterns: tuple[Mapping[str, Any], ...] = ()
    # Of queues only.
    max_concurrency: int | None = None
    # Of streams only.
    from_the_start: bool = False
    max_retries: int | None = None
    max_age_seconds: float | None = None
    bisects: bool = False
    on_failure_arn: str = ""

    def __hash__(self) -> int:
        """Of what never changes; the patterns have no hash."""
        return hash(self.uuid)

    @property
    def region(self) -> str:
        """The source's."""
        return self.source_arn.split(":")[3]

    def wants(self, record: Mapping[str, Any]) -> bool:
        """Return whether one of the filters, if there are any, lets a record pass."""
        return not self.patterns or any(matches(pattern, record) for pattern in self.patterns)


def read_mapping(found: Mapping[str, Any]) -> EventSourceMapping:
    """Return what ListEventSourceMappings says of one; EventError if it cannot be played."""
    function = found["FunctionArn"].rpartition(":function:")[2]
    source_arn = found.get("EventSourceArn", "")
    what = f"the event source of {function}"
    kind = source_arn.split(":")[2] if source_arn.count(":") > 4 else "self-managed Kafka"
    if kind not in RIGHTS:
        raise EventError(
            f"{what} is {source_arn or kind}: only SQS and DynamoDB streams are played, so leave the"
            " mapping out"
        )
    for key in _NOT_PLAYED:
        if found.get(key):
            raise EventError(f"{what} has {key}, which is not played: leave it out")
    on_failure = found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
    check_target(on_failure, f"OnFailure of {what}")
    filters = found.get("FilterCriteria", {}).get("Filters", [])
    retries = found.get("MaximumRetryAttempts", -1)
    age = found.get("MaximumRecordAgeInSeconds", -1)
    return EventSourceMapping(
        uuid=found["UUID"],
        kind=kind,
        source_arn=source_arn,
        function=function,
        batch_size=found.get("BatchSize", 10),
        window_seconds=found.get("MaximumBatchingWindowInSeconds", 0),
        reports_failures="ReportBatchItemFailures" in found.get("FunctionResponseTypes", []),
        patterns=tuple(read_pattern(one["Pattern"], what) for one in filters),
        max_concurrency=found.get("ScalingConfig", {}).get("MaximumConcurrency"),
        from_the_start=found.get("StartingPosition") == "TRIM_HORIZON",
        max_retries=retries if retries is not None and retries >= 0 else None,
        max_age_seconds=age if age is not None and age >= 0 else None,
        bisects=bool(found.get("BisectBatchOnFunctionError")),
        on_failure_arn=on_failure,
    )


_NOT_PLAYED = ("TumblingWindowInSeconds", "ProvisionedPollerConfig", "KMSKeyArn")
