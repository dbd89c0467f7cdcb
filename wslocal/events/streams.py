"""Reads a DynamoDB stream for a function, as Lambda does: each shard in order.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from wslocal.lambda_host.results import HostError

from .batches import failed_items
from .errors import EventError
from .in_threads import in_thread
from .stream_records import created_at, discarded_record, sequence_number, stream_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from wslocal.failures import FailureLog
    from wslocal.lambda_host.local_lambda import LocalLambda
    from wslocal.lambda_host.results import InvocationResult

    from .described import Descriptions
    from .destinations import Destinations
    from .mappings import EventSourceMapping

__all__ = ["StreamPoller"]

# Lambda polls a shard four times a second; half of that costs half, and is soon enough here.
_POLL_SECONDS = 0.5
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
_MAX_RECORDS = 1000
# Ours, as AWS names no number: before a batch is tried again, doubled each time.
_FIRST_WAIT_SECONDS, _LAST_WAIT_SECONDS, _LEAST_WAIT_SECONDS = 1.0, 60.0, 0.1

Record = dict[str, Any]


@dataclass(slots=True)
class _Shard:
    """How far a shard is read."""

    shard_id: str
    iterator: str | None
    last: str = ""  # the number of the last record that was read


@dataclass(slots=True)
class _Part:
    """Records that go to the function together, how often they went, and how often they waited."""

    records: list[Record]
    attempts: int = 0
    waits: int = 0


class StreamPoller:
    """Reads records until cancelled; `streams` is a boto3 client of its own."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        functions: LocalLambda,
        streams: Any,
        failures: FailureLog,
        *,
        descriptions: Descriptions,
        destinations: Destinations,
        retry_scale: float,
        clock: Callable[[], float],
    ) -> None:
        self._mapping = mapping
        self._functions = functions
        self._streams = streams
        self._failures = failures
        self._descriptions = descriptions
        self._destinations = destinations
        self._retry_scale = retry_scale
        self._clock = clock
        table = mapping.source_arn.partition(":table/")[2].partition("/")[0]
        self._what = f"the stream of {table} of {mapping.function}"
        self._shards: list[_Shard] = []

    async def prepare(self) -> None:
        """Take the place at which to begin: what is written from now on is not missed."""
        arn = self._mapping.source_arn
        found = await in_thread(lambda: self._streams.describe_stream(StreamArn=arn))
        for shard in found["StreamDescription"]["Shards"]:
            self._shards.append(_Shard(shard["ShardId"], None))
            self._shards[-1].iterator = await self._iterator(self._shards[-1])

    async def run(self) -> None:
        """Read all shards, one beside the other."""
        async with asyncio.TaskGroup() as group:
            for shard in self._shards:
                group.create_task(self._follow(shard))

    async def _follow(self, shard: _Shard) -> None:
        while True:
            try:
                if shard.iterator is None:
                    shard.iterator = await self._iterator(shard)
                records = await self._collect(shard)
            except (OSError, BotoCoreError, ClientError) as error:
                self._failures.report(self._what, error)
                shard.iterator = None
                records = []
            if records:
                await self._deliver(shard, [one for one in records if self._mapping.wants(one)])
            else:
                await asyncio.sleep(_POLL_SECONDS)

    async def _iterator(self, shard: _Shard) -> str:
        asked = {"StreamArn": self._mapping.source_arn, "ShardId": shard.shard_id}
        if shard.last:
            asked |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": shard.last}
        else:
            start = "TRIM_HORIZON" if self._mapping.from_the_start else "LATEST"
            asked |= {"ShardIteratorType": start}
        answer = await in_thread(lambda: self._streams.get_shard_iterator(**asked))
        iterator: str = answer["ShardIterator"]
        return iterator

    async def _collect(self, shard: _Shard) -> list[Record]:
        """Return a batch, which may be empty; with a window, what comes within it."""
        size = self._mapping.batch_size
        records = await self._read(shard, size)
        until = time.monotonic() + self._mapping.window_seconds
        while records and len(records) < size and time.monotonic() < until:
            await asyncio.sleep(_POLL_SECONDS)
            records += await self._read(shard, size - len(records))
        return records

    async def _read(self, shard: _Shard, count: int) -> list[Record]:
        asked = {"ShardIterator": shard.iterator, "Limit": min(count, _MAX_RECORDS)}
        answer = await in_thread(lambda: self._streams.get_records(**asked))
        records = [stream_record(one, self._mapping.source_arn) for one in answer["Records"]]
        shard.iterator = answer.get("NextShardIterator")
        if records:
            shard.last = sequence_number(records[-1])
        return records

    async def _deliver(self, shard: _Shard, records: list[Record]) -> None:
        """Go on only when all records are done or given up."""
        parts = [_Part(records)] if records else []
        while parts:
            parts[:1] = await self._attempt(shard, parts[0])

    async def _attempt(self, shard: _Shard, part: _Part) -> list[_Part]:
        """Hand records to the function; return what is left of them to do."""
        if (left := await self._without_old(shard, part)) is not part:
            return [left] if left.records else []
        function = self._mapping.function
        try:
            result = await self._functions.invoke(function, {"Records": part.records})
        except HostError as error:
            self._failures.report(self._what, error)
            await self._wait(part)
            return [_Part(part.records, part.attempts, part.waits + 1)]
        numbers = [sequence_number(record) for record in part.records]
        failed = failed_items(result, numbers, reports=self._mapping.reports_failures)
        if not failed:
            return []
        first = min(numbers.index(number) for number in failed)
        rest = part.records[first:]
        if self._mapping.bisects and first == 0 and len(rest) > 1:
            half = len(rest) // 2  # which takes nothing of the retries
            return [_Part(some, part.attempts, part.waits) for some in (rest[:half], rest[half:])]
        attempts = part.attempts + 1
        if self._mapping.max_retries is not None and attempts > self._mapping.max_retries:
            await self._give_up(shard, rest, result, "RetryAttemptsExhausted", attempts)
            return []
        await self._wait(part)
        return [_Part(rest, attempts, part.waits + 1)]

    async def _without_old(self, shard: _Shard, part: _Part) -> _Part:
        """Give up the records that are too old; return `part` if none is."""
        limit = self._mapping.max_age_seconds
        if limit is None:
            return part
        now = self._clock()
        old = [record for record in part.records if now - created_at(record) > limit]
        if not old:
            return part
        await self._give_up(shard, old, None, "RecordAgeExceeded", part.attempts)
        return _Part(part.records[len(old) :], part.attempts, part.waits)

    async def _give_up(
        self,
        shard: _Shard,
        records: list[Record],
        result: InvocationResult | None,
        condition: str,
        attempts: int,
    ) -> None:
        text = f"{len(records)} records are given up: {condition}"
        self._failures.report(self._what, EventError(text))
        if not self._mapping.on_failure_arn:
            return
        try:
            described = await self._descriptions.get(self._mapping.function)
            record = discarded_record(
                described,
                records,
                result,
                stream_arn=self._mapping.source_arn,
                shard_id=shard.shard_id,
                condition=condition,
                attempts=attempts,
                now=self._clock(),
            )
            target = self._mapping.on_failure_arn
            await self._destinations.send(described.role_arn, target, record)
        except (EventError, HostError, OSError, BotoCoreError, ClientError) as error:
            self._failures.report(f"OnFailure of {self._what}", error)

    async def _wait(self, part: _Part) -> None:
        seconds = min(_FIRST_WAIT_SECONDS * 2 ** min(part.waits, 10), _LAST_WAIT_SECONDS)
        await asyncio.sleep(max(seconds * self._retry_scale, _LEAST_WAIT_SECONDS))
