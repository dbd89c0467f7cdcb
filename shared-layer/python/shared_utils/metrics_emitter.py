"""CloudWatch metrics as embedded metric format (EMF) lines on stdout; no API call in the request.

Emitting never raises: what CloudWatch would refuse is left out with one warning through
`logging`. An id is a searchable property, never a dimension, and every metric also goes
out without dimensions, so that an alarm can be set on it. Limits are those of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
and of the CloudWatch API, the smaller of the two.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from decimal import Decimal
from enum import Enum

from . import _cleaning, _json, _redaction, _stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Self, TypeVar

    F = TypeVar("F", bound=Callable[..., object])

    _Record = tuple["_Key", Any, dict[str, object]]  # with the value and the properties
    _Group = tuple[tuple[tuple[str, str], ...], bool]  # dimensions as CloudWatch takes them
    _Metric = tuple[str, str, int]  # name, unit, resolution
    # A document's text (none: it takes a closer look), its values' with gaps, and a length of
    # these up to which no value is long.
    _Plan = tuple[str, str, int]

__all__ = ["METRICS", "UNITS", "MetricsContext", "MetricsEmitter"]

# One row a metric: its unit, then the dimension sets that split it.
METRICS: dict[str, tuple[str, *tuple[tuple[str, ...], ...]]] = {
    "ControlMessagesReceived": ("Count", ("ActionType",)),
    "ControlMessageLatency": ("Milliseconds", ("ActionType",)),
    "ListenerNotificationLatency": ("Milliseconds",),
    "ListenersNotified": ("Count",),
    "ListenerNotificationFailures": ("Count", ("ErrorType",)),
    "StatusQueriesReceived": ("Count",),
    "StatusQueryLatency": ("Milliseconds",),
    "PeriodicStatusUpdatesSent": ("Count",),
    "LambdaErrors": ("Count", ("Handler", "ErrorType")),
    "DynamoDBErrors": ("Count", ("Operation", "ErrorCode")),
    "AudioChunksReceived": ("Count",),
    "AudioChunkSize": ("Bytes",),
    "AudioProcessingLatency": ("Milliseconds",),
    "AudioChunksDropped": ("Count", ("Reason",)),
    "AudioBufferOverflows": ("Count",),
    "TranscribeStreamInitLatency": ("Milliseconds",),
    "TranscribeStreamErrors": ("Count", ("ErrorType",)),
    "RateLimitViolations": ("Count", ("MessageType",)),
    "ConnectionsClosedForRateLimit": ("Count",),
    "ColdStarts": ("Count", ("Handler",)),
    "MessageLatency": ("Milliseconds", ("ActionType",)),
    "MessageFailures": ("Count", ("ActionType",), ("ErrorCode",)),
}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
_SCALES = ("", "kilo", "mega", "giga", "tera")
_SIZES = [(scale + size).capitalize() for size in ("bytes", "bits") for scale in _SCALES]
UNITS = frozenset(
    ("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None", *_SIZES)
).union(f"{size}/Second" for size in _SIZES)

_NAMESPACE = "WebSocketAudio"
_MAX_METRICS = _MAX_VALUES = 100
_MAX_DIMENSIONS = 30
_MAX_NAME = 255  # of a metric and of a namespace
_MAX_DIMENSION_NAME = 250
_MAX_DIMENSION_VALUE = 1024
_MIN_VALUE, _MAX_VALUE = -(2.0**360), 2.0**360
# Integers in between need no comparison with a float.
_MIN_SAFE, _MAX_SAFE = -(2**53), 2**53

# A dimension with more values than this is not from a closed set; the next ones count as "Other".
_MAX_DIMENSION_VALUES = 100
# Properties that differ between the values of one document are kept side by side, up to here.
_MAX_PROPERTY_VALUES = 10
# So many values are written even if nobody flushes: a hundred messages of three each.
_MAX_WAITING = 300
# Names that come from data must not fill the memory.
_MAX_KEPT = 1024

_HEAD = frozenset(("_aws", "timestamp", "level"))
# Members of a log line: neither a metric nor a dimension has such a name.
_RESERVED = _HEAD.union(
    ("component", "message", "sessionId", "connectionId", "requestId", "correlationId"),
    ("operation", "errorCode", "durationMs", "coldStart", "traceId", "samplingRate"),
    ("context", "error"),
)
_IDS = ("sessionid", "connectionid", "requestid", "correlationid", "userid", "traceid", "messageid")
_quote, _looks_secret, _timestamp = _json.quote, _redaction.suspect, _json.timestamp
_SHORT = _cleaning.SHORT_CHARS

# The line carries a level that the function's own filter lets through: a stray INFO would be dropped
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
_level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").strip().upper()
if _level not in ("WARN", "ERROR", "FATAL"):
    _level = "INFO"
_cold = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "provisioned-concurrency"
_warned: set[str] = set()


def _warn(message: str, *args: object) -> None:
    """Report each kind of refusal once; of a value at most 40 characters are shown."""
    try:
        text = message % tuple(ascii(_cleaning.text(arg, 40)) for arg in args)
        if text not in _warned and len(_warned) < 100:
            _warned.add(text)
            logging.getLogger(__name__).warning("%s", text)
    except Exception:  # somebody's log handler: a metric must not break the request
        pass


def _is_text(value: str, limit: int) -> bool:
    return (
        0 < len(value) <= limit and value.isascii() and value.isprintable() and bool(value.strip())
    )


def _is_name(name: object, limit: int) -> bool:
    return type(name) is str and _is_text(name, limit) and name[0] != ":"


def _number(value: object) -> float:
    """Return a number within CloudWatch's range; True is not 1."""
    if type(value) is int and _MIN_SAFE < value < _MAX_SAFE:
        return value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        number = int.__index__(value) if isinstance(value, int) else float(value)
        if _MIN_VALUE <= number <= _MAX_VALUE:
            return number
    raise ValueError("the value is not a finite number")


def _shown(value: object) -> str:
    """Return a dimension's value as text, never cut; empty for what counts nothing."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return str.__str__(value)
    return _cleaning.text(value) if isinstance(value, int) and type(value) is not bool else ""


def _keep(kept: dict[Any, Any], key: object, value: Any) -> Any:
    if len(kept) >= _MAX_KEPT:
        kept.clear()
    kept[key] = value
    return value


def _put_beside(properties: dict[str, Any], given: dict[str, object]) -> None:
    """Add properties: two sessions in one document are both searchable."""
    for name, content in given.items():
        if content is None:
            continue
        try:
            before = properties.setdefault(name, content)
            if before is not content:
                values = before if type(before) is list else [before]
                if len(values) < _MAX_PROPERTY_VALUES and content not in values:
                    properties[name] = [*values, content]
        except Exception as error:  # a value with methods of its own
            _warn("property %s refused: %s", name, error)


def _add_up(sums: list[float], numbers: list[float]) -> None:
    """Add numbers to the last of `sums`, or begin another where CloudWatch's range ends."""
    if sum(map(abs, numbers)) <= _MAX_VALUE:
        numbers = [sum(numbers)]
    for number in numbers:
        if sums and abs(sums[-1] + number) <= _MAX_VALUE:
            sums[-1] += number
        else:
            sums.append(number)


def _are_plain(numbers: list[Any]) -> bool:
    """Return whether no number needs a look of its own: NaN, too, is not below anything."""
    try:
        return {*map(type, numbers)} <= {int, float} and sum(map(abs, numbers)) < _MAX_SAFE
    except Exception:  # an integer beyond any float, a type's own methods
        return False


def _filled(plan: _Plan, numbers: Sequence[Any], properties: dict[str, Any]) -> str:
    """Return a document with these values; empty, or TypeError, when one needs a closer look."""
    head, form, chars = plan
    for number in numbers:
        kind = type(number)
        if not (
            (kind is int and _MIN_SAFE < number < _MAX_SAFE)
            or (kind is float and _MIN_VALUE <= number <= _MAX_VALUE)
        ):
            return ""
    if not properties:
        return head and head + form % (*numbers,)
    texts = properties.values()
    values = form % (*numbers, *map(_quote, texts))
    if _looks_secret(values) or (len(values) > chars and max(map(len, texts)) > _SHORT):
        return ""
    return head and head + values


class _Key:
    """A metric as it was asked for; what CloudWatch takes of it is `judged` when it is written."""

    __slots__ = ("apart", "dimensions", "judged", "name", "resolution", "unit")

    def __init__(
        self,
        name: Any,
        unit: Any,
        resolution: Any = 60,
        dimensions: tuple[tuple[Any, Any], ...] = (),
        apart: bool = False,  # whether each dimension is a set of its own
    ) -> None:
        self.name = name
        self.unit = unit
        self.resolution = resolution
        self.dimensions = dimensions
        self.apart = apart
        self.judged: tuple[_Group, _Metric, dict[str, object]] | None = None


class MetricsEmitter:
    """Collect metrics and write them as EMF documents, one for each distinct dimension set.

    `namespace` is METRICS_NAMESPACE, else `WebSocketAudio`; `dimensions` are added to every set;
    `enabled=False`, or METRICS_ENABLED=false, turns everything off. With `window_seconds` the
    values of several invocations share a document: counts are summed, other values listed, and
    `flush_due` writes once the window is over, or 300 values wait. Python on Lambda gets no
    SIGTERM without an extension: at most one window is lost when an environment dies.
    """

    def __init__(
        self,
        namespace: str | None = None,
        *,
        dimensions: Mapping[str, str] | None = None,
        enabled: bool | None = None,
        window_seconds: float = 0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._window_ns = int(window_seconds * 1e9)
        self._since = 0
        # Its ends are atomic: no lock that a fork, a signal or a log handler could find held.
        self._waiting: deque[_Record] = deque()
        self._seen: dict[str, set[str]] = {}
        self._keys: dict[object, _Key] = {}
        self._plans: dict[object, _Plan] = {}
        setting = os.environ.get("METRICS_ENABLED", "").strip().lower()
        self.enabled = setting not in ("false", "0", "off") if enabled is None else enabled
        self.namespace = namespace or os.environ.get("METRICS_NAMESPACE") or _NAMESPACE
        if not _is_name(self.namespace, _MAX_NAME) or self.namespace.startswith("AWS/"):
            _warn("namespace %s refused, using %s", self.namespace, _NAMESPACE)
            self.namespace = _NAMESPACE
        self._defaults: dict[str, str] = {}
        self._defaults = dict(self._checked(tuple((dimensions or {}).items()))[0])

    def emit_metric(
        self,
        /,
        metric_name: str,
        value: float,
        unit: str = "None",
        dimensions: Mapping[str, str] | None = None,
        resolution: int = 60,
        **properties: object,
    ) -> None:
        """Add one value: `unit` is one of CloudWatch's 27, `resolution` 60 or 1 (high) seconds.

        `properties` are searchable members of the line, such as ids.
        """
        if not self.enabled:
            return
        try:
            parts: tuple[object, ...]
            if dimensions:
                parts = metric_name, unit, resolution, *dimensions, *dimensions.values()
            else:
                parts = metric_name, unit, resolution
            key = self._keys[parts]
        except Exception:  # a new one, or one that cannot be hashed or read
            try:
                given = tuple(dimensions.items()) if dimensions else ()
                key = self._new_key(parts, _Key(metric_name, unit, resolution, given))
            except Exception:
                _warn("metric %s refused: its dimensions cannot be read", metric_name)
                return
        waiting = self._waiting
        waiting.append((key, value, properties))
        if len(waiting) >= _MAX_WAITING:
            self.flush()

    def _emit(self, name: str, value: float, *dimensions: str, **ids: object) -> None:
        if self.enabled:
            try:
                key = self._keys[name, dimensions]
            except Exception:
                unit, *sets = METRICS[name]
                names = [dimension for names in sets for dimension in names]
                given = tuple(zip(names, dimensions, strict=True))
                key = _Key(name, unit, 60, given, len(sets) > 1)
                self._new_key((name, dimensions), key)
            self._waiting.append((key, value, ids))
            if len(self._waiting) >= _MAX_WAITING:
                self.flush()

    def _new_key(self, parts: object, key: _Key) -> _Key:
        try:
            _keep(self._keys, parts, key)
        except Exception:  # somebody's `__hash__`
            pass
        return key

    # --- what CloudWatch takes -------------------------------------------------------------------

    def _judge(self, key: _Key) -> tuple[_Group, _Metric, dict[str, object]]:
        """Return a metric as CloudWatch takes it, with what was no dimension; raise if it does not."""
        if key.judged is not None:
            return key.judged
        name, unit, resolution = key.name, key.unit, key.resolution
        dimensions, moved = self._checked(key.dimensions)
        if not _is_name(name, _MAX_NAME) or name in _RESERVED:
            raise ValueError("not a metric name")
        if name in self._defaults or name in dict(dimensions):
            raise ValueError("a dimension has this name")
        if type(unit) is not str or unit not in UNITS:
            _warn("metric %s: unknown unit %s, written without", name, unit)
            unit = "None"
        if type(resolution) is not int or resolution not in (1, 60):
            _warn("metric %s: resolution must be 1 or 60 seconds", name)
            resolution = 60
        key.judged = (dimensions, key.apart), (name, unit, resolution), moved
        return key.judged

    def _checked(
        self, given: tuple[tuple[Any, Any], ...]
    ) -> tuple[tuple[tuple[str, str], ...], dict[str, object]]:
        """Return the dimensions that CloudWatch takes, and the others as properties."""
        accepted: dict[str, str] = {}
        moved: dict[str, object] = {}
        for name, value in given:
            if type(name) is not str:
                _warn("dimension %s refused: not a dimension name", name)
                continue
            shown = _shown(value)
            reason = ""
            if _redaction.squash(name).endswith(_IDS) or _redaction.policy.needs(name):
                reason = "an id or a secret is no dimension"
            elif not _is_name(name, _MAX_DIMENSION_NAME) or name in _RESERVED:
                reason = "not a dimension name"
            elif not _is_text(shown, _MAX_DIMENSION_VALUE) or _looks_secret(shown):
                reason = "not 1 to 1024 ASCII characters"
            elif len(accepted) + len(self._defaults) >= _MAX_DIMENSIONS:
                reason = "a metric has 30 at the most"
            if reason or name in self._defaults:
                _warn("dimension %s refused: %s", name, reason or "every metric has it")
                moved[name] = value
                continue
            seen = self._seen.setdefault(name, set())
            if shown not in seen and len(seen) >= _MAX_DIMENSION_VALUES:
                _warn("dimension %s has too many values, further ones count as Other", name)
                shown = "Other"
            seen.add(shown)
            accepted[name] = shown
        return tuple(accepted.items()), moved

    # --- documents -------------------------------------------------------------------------------

    def _head(self, group: _Group, metrics: Iterable[_Metric]) -> str:
        """Return a document's text after its time, up to its last dimension."""
        dimensions, apart = group
        names = [name for name, _ in dimensions]
        sets = [
            [*self._defaults, *some]
            for some in ([[n] for n in names] if apart and names else [names])
        ]
        directive = {
            "Namespace": self.namespace,
            "Dimensions": [*sets, []] if sets[0] else sets,
            "Metrics": [
                {"Name": name, "Unit": unit} | ({"StorageResolution": 1} if seconds == 1 else {})
                for name, unit, seconds in metrics
            ],
        }
        members = _json.encode(self._defaults | dict(dimensions))[1:-1]
        return f',"CloudWatchMetrics":[{_json.encode(directive)}]}}{members and "," + members}'

    def _plan(self, shape: object, keys: Sequence[_Key], properties: Iterable[str]) -> _Plan:
        """Work out, once for each shape, the document of metrics with these properties."""
        names = tuple(properties)
        found = [self._judge(key) for key in keys]
        group = found[0][0]
        metrics = {
            metric[0]: metric for same, metric, moved in found if same == group and not moved
        }
        taken = _HEAD.union(self._defaults, dict(group[0]), metrics)
        head = form = ""
        room = len(metrics) == len(keys) and len(keys) + len(names) <= _MAX_METRICS
        if room and not any(map(_redaction.policy.needs, names)) and taken.isdisjoint(names):
            head = self._head(group, metrics.values())
            for name, gap in [*((m, "%r") for m in metrics), *((n, "%s") for n in names)]:
                form += f",{_quote(name)}:".replace("%", "%%") + gap
        chars = len(form) - 2 * (len(keys) + len(names)) + _SHORT
        return _keep(self._plans, shape, (head, form, chars))  # type: ignore[no-any-return]

    def _at_once(self, records: list[_Record], left_out: frozenset[str]) -> str:
        """Return the one document that holds all records; empty if it takes a closer look."""
        keys, numbers, several = zip(*records)  # noqa: B905 - `strict` costs as much again
        properties: dict[str, Any] = {}
        if any(several):
            for own in several:
                if own and own != properties:
                    if properties:
                        return ""
                    properties = own
            if not left_out.isdisjoint(properties):
                properties = {n: properties[n] for n in properties if n not in left_out}
        shape = (_redaction.policy, *keys, *properties)
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._plan(shape, keys, properties)
        return _filled(plan, numbers, properties)

    def _one_by_one(self, records: list[_Record], left_out: frozenset[str]) -> Iterator[str]:
        by_key: dict[_Key, list[tuple[Any, dict[str, object]]]] = {}
        for key, value, given in records:
            by_key.setdefault(key, []).append((value, given))
        groups: dict[_Group, tuple[dict[_Metric, list[float]], dict[str, object]]] = {}
        for key, values in by_key.items():
            try:
                group, metric, moved = self._judge(key)
            except Exception as error:  # refused, or something with methods of its own
                _warn("metric %s refused: %s", key.name, error)
                continue
            numbers: list[float] = [value for value, _ in values]
            several = [moved, *(given for _, given in values if given)]
            if not _are_plain(numbers):
                numbers, several = [], [moved]
                for value, given in values:
                    try:
                        numbers.append(_number(value))
                        several.append(given)
                    except Exception as error:
                        _warn("metric %s refused: %s", key.name, error)
            if not numbers:
                continue
            series, properties = groups.setdefault(group, ({}, {}))
            if self._window_ns and metric[1] == "Count":
                _add_up(series.setdefault(metric, []), numbers)
            else:
                series.setdefault(metric, []).extend(numbers)
            for given in several:
                _put_beside(properties, given)
        for group, (series, properties) in groups.items():
            described = _cleaning.clean(properties)
            while series:
                yield self._text(group, series, described, left_out)

    def _text(
        self,
        group: _Group,
        series: dict[_Metric, list[float]],
        properties: dict[str, object],
        left_out: frozenset[str],
    ) -> str:
        """Return a document's text with as many of the values as it may hold, and take these out."""
        metrics: dict[str, _Metric] = {}
        for metric in series:
            if len(metrics) < _MAX_METRICS:
                metrics.setdefault(metric[0], metric)
        text = self._head(group, metrics.values())
        for name, metric in metrics.items():
            numbers = series.pop(metric)
            if rest := numbers[_MAX_VALUES:]:
                series[metric] = rest
            shown = numbers[:_MAX_VALUES] if len(numbers) > 1 else numbers[0]
            text += f",{_quote(name)}:{_json.encode(shown)}"
        taken = left_out.union(self._defaults, dict(group[0]), metrics)
        room = _cleaning.MAX_LINE_BYTES
        for name, content in properties.items():
            member = f",{_quote(name)}:{_json.encode(content)}"
            room -= len(member)
            if name not in taken and room >= 0:
                text += member
        return text

    def _documents(self, left_out: frozenset[str]) -> Iterable[str]:
        records: list[_Record] = []
        waiting = self._waiting
        try:
            while waiting:
                records.append(waiting.popleft())
        except IndexError:  # another thread took the last one
            pass
        if not records or not self.enabled:
            return ()
        try:
            if not self._window_ns and (text := self._at_once(records, left_out)):
                return (text,)
        except Exception:  # a metric that is refused, or something that cannot be hashed
            pass
        return self._one_by_one(records, left_out)

    def _write(self, text: str) -> None:
        now = self._clock()
        _stdout.write(
            f'{{"timestamp":"{_timestamp(now)}","level":"{_level}",'
            f'"_aws":{{"Timestamp":{now // 1_000_000}{text}}}\n'
        )

    def flush(self) -> None:
        """Write what was collected; nothing is written when there is nothing."""
        self._since = 0
        if not self._waiting:
            return
        try:
            for text in self._documents(_HEAD):
                self._write(text)
        except Exception as error:  # watching must not break the request
            _warn("metrics could not be written: %s", error)

    def flush_due(self) -> None:
        """Write at the end of an invocation: at once, or once `window_seconds` are over."""
        if self._window_ns:
            now = self._clock()
            self._since = self._since or now
            if 0 <= now - self._since < self._window_ns:
                return
        self.flush()

    def take(self) -> list[str]:
        """Return what was collected as JSON members (`,"_aws":...`) for a log line, and forget it.

        Ids are left out: the line has them. What has a `service`, as a line may, is written apart.
        """
        taken: list[str] = []
        for text in self._documents(_RESERVED):
            if '"service":' in text:
                self._write(text)
            else:
                taken.append(f',"_aws":{{"Timestamp":{self._clock() // 1_000_000}{text}')
        return taken

    @property
    def line_level(self) -> str:
        """The level of the emitter's own lines: above INFO where Lambda would drop an INFO line."""
        return _level

    # --- an invocation ---------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush_due()

    def invocation(self, handler_name: str) -> _Invocation:
        """Count a cold start, and flush in the end, also when the call raises.

        `@metrics.invocation("audio")` on a handler, or `with metrics.invocation("audio"):`.
        """
        return _Invocation(self, handler_name)

    # --- the metrics of the system, `METRICS` ----------------------------------------------------

    def emit_cold_start(self, handler_name: str) -> None:
        """Count this environment's start, once, and not under provisioned concurrency."""
        global _cold
        if _cold:
            _cold = False
            self._emit("ColdStarts", 1, handler_name)

    def emit_message_latency(self, action_type: str, latency_ms: float) -> None:
        """Add how long a message took, in milliseconds."""
        self._emit("MessageLatency", latency_ms, action_type)

    def emit_message_failure(self, action_type: str, error_code: str) -> None:
        """Count a message that was refused or failed, by action and, apart from that, by code."""
        self._emit("MessageFailures", 1, action_type, error_code)

    def emit_control_message_received(self, session_id: str, action_type: str) -> None:
        """Count a control message."""
        self._emit("ControlMessagesReceived", 1, action_type, sessionId=session_id)

    def emit_control_message_latency(
        self, session_id: str, action_type: str, latency_ms: float
    ) -> None:
        """Add how long a control message took, in milliseconds."""
        self._emit("ControlMessageLatency", latency_ms, action_type, sessionId=session_id)

    def emit_listener_notification_latency(
        self, session_id: str, listener_count: int, latency_ms: float
    ) -> None:
        """Add how long it took to notify `listener_count` listeners, in milliseconds."""
        self._emit("ListenerNotificationLatency", latency_ms, sessionId=session_id)
        self._emit("ListenersNotified", listener_count, sessionId=session_id)

    def emit_listener_notification_failure(
        self, session_id: str, connection_id: str, error_type: str
    ) -> None:
        """Count a listener that could not be notified."""
        self._emit(
            "ListenerNotificationFailures",
            1,
            error_type,
            sessionId=session_id,
            connectionId=connection_id,
        )

    def emit_status_query_received(self, session_id: str) -> None:
        """Count a status query."""
        self._emit("StatusQueriesReceived", 1, sessionId=session_id)

    def emit_status_query_latency(self, session_id: str, latency_ms: float) -> None:
        """Add how long a status query took, in milliseconds."""
        self._emit("StatusQueryLatency", latency_ms, sessionId=session_id)

    def emit_periodic_status_update_sent(self, session_id: str) -> None:
        """Count a status update that nobody asked for."""
        self._emit("PeriodicStatusUpdatesSent", 1, sessionId=session_id)

    def emit_lambda_error(self, handler_name: str, error_type: str) -> None:
        """Count an invocation that failed."""
        self._emit("LambdaErrors", 1, handler_name, error_type)

    def emit_dynamodb_error(self, operation: str, error_code: str) -> None:
        """Count a DynamoDB call that failed."""
        self._emit("DynamoDBErrors", 1, operation, error_code)

    def emit_audio_chunk_received(self, session_id: str, chunk_size: int) -> None:
        """Count an audio chunk and add its size, in bytes."""
        self._emit("AudioChunksReceived", 1, sessionId=session_id)
        self._emit("AudioChunkSize", chunk_size, sessionId=session_id)

    def emit_audio_processing_latency(self, session_id: str, latency_ms: float) -> None:
        """Add how long an audio chunk took, in milliseconds."""
        self._emit("AudioProcessingLatency", latency_ms, sessionId=session_id)

    def emit_audio_chunk_dropped(self, session_id: str, reason: str) -> None:
        """Count an audio chunk that was not passed on."""
        self._emit("AudioChunksDropped", 1, reason, sessionId=session_id)

    def emit_audio_buffer_overflow(self, session_id: str) -> None:
        """Count an audio buffer that overflowed."""
        self._emit("AudioBufferOverflows", 1, sessionId=session_id)

    def emit_transcribe_stream_init_latency(self, session_id: str, latency_ms: float) -> None:
        """Add how long a transcription stream took to start, in milliseconds."""
        self._emit("TranscribeStreamInitLatency", latency_ms, sessionId=session_id)

    def emit_transcribe_stream_error(self, session_id: str, error_type: str) -> None:
        """Count a transcription stream that failed."""
        self._emit("TranscribeStreamErrors", 1, error_type, sessionId=session_id)

    def emit_rate_limit_violation(
        self, session_id: str, connection_id: str, message_type: str
    ) -> None:
        """Count a message that came too fast."""
        self._emit(
            "RateLimitViolations", 1, message_type, sessionId=session_id, connectionId=connection_id
        )

    def emit_connection_closed_for_rate_limit(self, session_id: str, connection_id: str) -> None:
        """Count a connection that was closed because its messages came too fast."""
        self._emit(
            "ConnectionsClosedForRateLimit", 1, sessionId=session_id, connectionId=connection_id
        )


class _Invocation:
    def __init__(self, emitter: MetricsEmitter, handler_name: str) -> None:
        self._emitter = emitter
        self._handler_name = handler_name

    def __enter__(self) -> MetricsEmitter:
        self._emitter.emit_cold_start(self._handler_name)
        return self._emitter

    def __exit__(self, *_: object) -> None:
        self._emitter.flush_due()

    def __call__(self, function: F) -> F:
        from . import _functions

        return _functions.wrap(function, lambda *_, **__: self, "@metrics.invocation")  # type: ignore[no-any-return]


class MetricsContext:
    """Time a block, or each call of a function, and emit it in milliseconds, also when it raises."""

    def __init__(
        self,
        emitter: MetricsEmitter,
        metric_name: str,
        dimensions: Mapping[str, str] | None = None,
        **properties: Any,
    ) -> None:
        self._metric = emitter, metric_name, dimensions
        self._properties = properties

    def __enter__(self) -> None:
        self._started = time.perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        elapsed_ms = (time.perf_counter_ns() - self._started) / 1e6
        emitter, name, dimensions = self._metric
        emitter.emit_metric(name, elapsed_ms, "Milliseconds", dimensions, **self._properties)

    def __call__(self, function: F) -> F:
        """Return the function with each of its calls timed."""
        from . import _functions

        return _functions.wrap(function, self._again, "@MetricsContext")  # type: ignore[no-any-return]

    def _again(self, *_: object, **__: object) -> MetricsContext:
        """Return a context of its own for one call: calls may overlap."""
        return MetricsContext(*self._metric, **self._properties)
