"""Polls a queue for a function, as Lambda does.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from wslocal.lambda_host.results import HostError
from wslocal.lambda_host.runtime_api import MAX_PAYLOAD_BYTES
from wslocal.tasks import Tasks

from .batches import failed_items
from .in_threads import in_thread
from .queue_records import as_filtered, queue_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wslocal.failures import FailureLog
    from wslocal.lambda_host.local_lambda import LocalLambda

    from .mappings import EventSourceMapping

__all__ = ["QueuePoller"]

# "Lambda starts processing five batches at a time"; here it stays with them.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
_BATCHES_AT_A_TIME = 5
# The most that SQS waits for, and gives or deletes at once:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
_MAX_WAIT_SECONDS, _MAX_MESSAGES = 20, 10
# Ours: before the next poll of a queue that could not be polled, or that was short of a batch.
_AFTER_FAILURE_SECONDS, _BETWEEN_SHORT_POLLS_SECONDS = 1.0, 0.2

Record = dict[str, Any]


class QueuePoller:
    """Reads messages until cancelled; `sqs` is a boto3 client of its own."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        functions: LocalLambda,
        sqs: Any,
        failures: FailureLog,
    ) -> None:
        self._mapping = mapping
        self._functions = functions
        self._sqs = sqs
        self._failures = failures
        self._what = f"the queue {mapping.source_arn.rpartition(':')[2]} of {mapping.function}"
        self._url = ""

    async def prepare(self) -> None:
        """Find the queue."""
        name = self._mapping.source_arn.rpartition(":")[2]
        answer = await in_thread(lambda: self._sqs.get_queue_url(QueueName=name))
        self._url = answer["QueueUrl"]

    async def run(self) -> None:
        """Poll, and hand batches to the function, so many at a time as may be."""
        free = asyncio.Semaphore(self._mapping.max_concurrency or _BATCHES_AT_A_TIME)
        batches = Tasks(self._failures)
        try:
            while True:
                await free.acquire()
                try:
                    records = await self._collect()
                except (OSError, BotoCoreError, ClientError) as error:
                    self._failures.report(self._what, error)
                    await asyncio.sleep(_AFTER_FAILURE_SECONDS)
                    records = []
                if records:
                    task = batches.spawn(self._handle(records), self._what)
                    task.add_done_callback(lambda _: free.release())
                else:
                    free.release()
        finally:
            await batches.end()

    async def _collect(self) -> list[Record]:
        """Return a batch; it may be empty if nothing comes for 20 s."""
        size = self._mapping.batch_size
        records = await self._receive(size, _MAX_WAIT_SECONDS)
        until = time.monotonic() + self._mapping.window_seconds
        while records and len(records) < size and (left := until - time.monotonic()) > 0:
            wait = min(math.floor(left), _MAX_WAIT_SECONDS)
            more = await self._receive(size - len(records), wait)
            records += more
            if not more:
                await asyncio.sleep(min(left, _BETWEEN_SHORT_POLLS_SECONDS))
        return records

    async def _receive(self, count: int, wait_seconds: int) -> list[Record]:
        """Return records that the function wants; delete what it does not want."""
        answer = await in_thread(
            lambda: self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(count, _MAX_MESSAGES),
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        )
        mapping = self._mapping
        records = [
            queue_record(message, mapping.source_arn, mapping.region)
            for message in answer.get("Messages", [])
        ]
        unwanted = [record for record in records if not mapping.wants(as_filtered(record))]
        await self._delete(unwanted)
        return [record for record in records if record not in unwanted]

    async def _handle(self, records: list[Record]) -> None:
        """Invoke the function; what fails comes again after the queue's visibility timeout."""
        for batch in _cut(records):
            try:
                result = await self._functions.invoke(self._mapping.function, {"Records": batch})
            except HostError as error:
                self._failures.report(self._what, error)
                continue
            ids = [record["messageId"] for record in batch]
            failed = failed_items(result, ids, reports=self._mapping.reports_failures)
            try:
                await self._delete([one for one in batch if one["messageId"] not in failed])
            except (OSError, BotoCoreError, ClientError) as error:
                self._failures.report(self._what, error)

    async def _delete(self, records: Sequence[Record]) -> None:
        for start in range(0, len(records), _MAX_MESSAGES):
            entries = [
                {"Id": str(number), "ReceiptHandle": record["receiptHandle"]}
                for number, record in enumerate(records[start : start + _MAX_MESSAGES])
            ]
            await in_thread(lambda entries=entries: self._delete_now(entries))  # type: ignore[misc]

    def _delete_now(self, entries: list[dict[str, str]]) -> None:
        self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)


def _cut(records: list[Record]) -> Iterator[list[Record]]:
    """Give batches that an event has room for."""
    batch: list[Record] = []
    room = MAX_PAYLOAD_BYTES - 1024
    for record in records:
        size = len(json.dumps(record)) + 2
        if batch and size > room:
            yield batch
            batch, room = [], MAX_PAYLOAD_BYTES - 1024
        batch.append(record)
        room -= size
    yield batch
