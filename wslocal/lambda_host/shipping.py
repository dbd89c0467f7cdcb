"""Ships lines to CloudWatch Logs and metric documents to CloudWatch, in batches, on the side.

A line that is an EMF document becomes metrics as CloudWatch makes them of it:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter, defaultdict, deque
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from wslocal.failures import FailureLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .lines import LogLine

__all__ = ["Shipper", "metric_data"]

# Emulator and functions share the processor: one call with many lines is cheaper than many calls.
_INTERVAL_SECONDS = 1.0
# What may wait to be shipped, in lines and in characters; a function that prints without end loses
# what is beyond.
_MAX_WAITING_LINES, _MAX_WAITING_BYTES = 200_000, 64 << 20
# How long the end of a run waits for an API that does not answer.
_LAST_SECONDS = 2.0
_UNREACHABLE = (exceptions.ConnectionError, exceptions.HTTPClientError)
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
_BATCH_LINES, _BATCH_BYTES, _LINE_OVERHEAD_BYTES, _LINE_BYTES = 10_000, 1_048_576, 26, 1_000_000
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_BATCH_METRICS, _METRIC_VALUES = 1_000, 150
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
_LARGEST_VALUE = 2**360
_SIZES = [
    f"{size}{kind}" for kind in ("bytes", "bits") for size in ("Kilo", "Mega", "Giga", "Tera")
]
_RATES = ["Bytes", "Bits", *_SIZES, "Count"]
_UNITS = {"Seconds", "Microseconds", "Milliseconds", "Percent", "None", *_RATES} | {
    f"{unit}/Second" for unit in _RATES
}
_LAST_SECOND = 4_102_444_800  # the year 2100: what is beyond was no time in milliseconds


_log = logging.getLogger(__name__)


class Shipper:
    """Takes lines at any time; `run` ships them, `flush` does so at once.

    While the API cannot be reached, lines wait, up to a bound: what is beyond is dropped, and counted.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._logs = client("logs")
        self._cloudwatch = client("cloudwatch")
        self._lines: deque[LogLine] = deque()
        self._calls: deque[Callable[[], object]] = deque()
        self._streams: set[tuple[str, str]] = set()
        self._shipping = threading.Lock()
        self._failures = FailureLog(_log, (OSError, BotoCoreError, ClientError))
        # Each counter is written by one thread: lines come on the loop, and leave in another thread.
        self._taken_bytes = self._shipped_bytes = 0
        self._is_full = False
        self._is_closed = False
        self.dropped = 0
        self.problems: Counter[str] = Counter()

    def take(self, line: LogLine) -> None:
        """Keep `line` for the next batch."""
        waiting = self._taken_bytes - self._shipped_bytes
        if len(self._lines) < _MAX_WAITING_LINES and waiting < _MAX_WAITING_BYTES:
            self._is_full = False
            self._taken_bytes += len(line.text)
            self._lines.append(line)
            return
        self.dropped += 1
        if not self._is_full:
            self._is_full = True
            _log.warning("too many lines wait to be shipped: new ones are dropped")

    async def run(self) -> None:
        """Ship until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            try:
                await self.flush()
            except Exception as error:  # whatever it was: the next lines are shipped all the same
                self._failures.report("a batch of lines was lost", error)

    async def flush(self) -> None:
        """Ship what was taken so far; what the API refuses is counted in `problems`."""
        await asyncio.to_thread(self._ship)

    async def close(self) -> None:
        """Ship what is left, for as long as an end may take, and report what was not shipped."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self.flush()
        except TimeoutError:
            pass  # what waits is counted below
        self._is_closed = True
        self._failures.flush()
        if self.dropped:
            _log.warning("%d lines were dropped before they were shipped", self.dropped)
        if waiting := len(self._lines) + len(self._calls):
            _log.warning("CloudWatch took no more: %d lines or batches were not shipped", waiting)

    def _ship(self) -> None:
        """Do what an earlier time has left, then what came since."""
        with self._shipping:
            if self._do_calls():
                lines = [self._lines.popleft() for _ in range(len(self._lines))]
                self._shipped_bytes += sum(len(line.text) for line in lines)
                self._calls.extend(self._calls_for(lines))
                self._do_calls()

    def _do_calls(self) -> bool:
        """Return whether all could be done; False as soon as the API cannot be reached."""
        while self._calls:
            try:
                self._calls[0]()
            except (ClientError, BotoCoreError) as error:
                self.problems[f"{type(error).__name__}: {error}"[:500]] += 1
                if isinstance(error, _UNREACHABLE):
                    if not self._is_closed:
                        self._failures.report("log lines and metrics wait", error)
                    return False
            self._calls.popleft()
        return True

    def _calls_for(self, lines: list[LogLine]) -> Iterator[Callable[[], object]]:
        streams: defaultdict[tuple[str, str], list[LogLine]] = defaultdict(list)
        for line in lines:
            streams[line.log_group, line.log_stream].append(line)
        for (group, stream), own in streams.items():
            for events in _batches(own):
                yield partial(self._put_lines, group, stream, events)
        documents = (line.document for line in lines if '"_aws"' in line.text)
        for namespace, data in metric_data(filter(None, documents)).items():
            for start in range(0, len(data), _BATCH_METRICS):
                batch = data[start : start + _BATCH_METRICS]
                yield partial(
                    self._cloudwatch.put_metric_data, Namespace=namespace, MetricData=batch
                )

    def _put_lines(self, group: str, stream: str, events: list[dict[str, Any]]) -> None:
        where = {"logGroupName": group, "logStreamName": stream}
        if (group, stream) not in self._streams:
            _create(self._logs.create_log_group, logGroupName=group)
            _create(self._logs.create_log_stream, **where)
            self._streams.add((group, stream))
        self._logs.put_log_events(**where, logEvents=events)


def _create(call: Callable[..., object], **names: str) -> None:
    try:
        call(**names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _batches(lines: list[LogLine]) -> Iterator[list[dict[str, Any]]]:
    """Cut lines into batches that PutLogEvents takes."""
    batch: list[dict[str, Any]] = []
    size = 0
    for line in lines:
        text = line.text.encode(errors="replace")[:_LINE_BYTES].decode(errors="ignore")
        cost = len(text.encode()) + _LINE_OVERHEAD_BYTES
        if batch and (len(batch) == _BATCH_LINES or size + cost > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append({"timestamp": line.timestamp_ms, "message": text})
        size += cost
    yield batch


def metric_data(documents: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the MetricData of PutMetricData by namespace; equal series of one second are merged.

    What a document does not say properly is left out, as CloudWatch does.
    """
    series: defaultdict[tuple[Any, ...], Counter[float]] = defaultdict(Counter)
    for document in documents:
        for key, values in _series(document):
            series[key].update(values)
    data: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for (namespace, name, dimensions, unit, resolution, second), counts in series.items():
        pairs = list(counts.items())
        for start in range(0, len(pairs), _METRIC_VALUES):
            part = pairs[start : start + _METRIC_VALUES]
            data[namespace].append(
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
                    "Timestamp": datetime.fromtimestamp(second, UTC),
                    "Values": [value for value, _ in part],
                    "Counts": [float(times) for _, times in part],
                    "Unit": unit,
                    "StorageResolution": resolution,
                }
            )
    return data


def _series(document: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], list[float]]]:
    """Yield what identifies each series, and its values; one bad series would cost a whole batch."""
    try:
        second = document["_aws"]["Timestamp"] // 1000
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                values = _numbers(document.get(metric["Name"]))
                unit, resolution = metric.get("Unit", "None"), metric.get("StorageResolution", 60)
                known = unit in _UNITS and resolution in {1, 60} and 0 <= second <= _LAST_SECOND
                for names in directive["Dimensions"] if values and known else ():
                    dimensions = tuple((name, document[name]) for name in names)
                    texts = (directive["Namespace"], metric["Name"], *sum(dimensions, ()))
                    if all(isinstance(text, str) and text.strip() for text in texts):
                        yield (*texts[:2], dimensions, unit, resolution, int(second)), values
    except (KeyError, TypeError, AttributeError):
        return


def _numbers(target: object) -> list[float]:
    """Return the values of a metric; none if the document has something else there."""
    values: list[Any] = target if isinstance(target, list) else [target]
    if all(_is_value(value) for value in values):
        return [float(value) for value in values]
    return []


def _is_value(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -_LARGEST_VALUE <= value <= _LARGEST_VALUE  # type: ignore[operator]
