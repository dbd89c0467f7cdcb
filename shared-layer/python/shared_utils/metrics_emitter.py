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
import threading
import time

from . import _wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Self

__all__ = ["METRICS", "UNITS", "MetricSet", "MetricsContext", "MetricsEmitter"]

# One row a metric: its unit, then the dimensions that split it.
METRICS: dict[str, tuple[str, ...]] = {
    "ControlMessagesReceived": ("Count", "ActionType"),
    "ControlMessageLatency": ("Milliseconds", "ActionType"),
    "ListenerNotificationLatency": ("Milliseconds",),
    "ListenersNotified": ("Count",),
    "ListenerNotificationFailures": ("Count", "ErrorType"),
    "StatusQueriesReceived": ("Count",),
    "StatusQueryLatency": ("Milliseconds",),
    "PeriodicStatusUpdatesSent": ("Count",),
    "LambdaErrors": ("Count", "Handler", "ErrorType"),
    "DynamoDBErrors": ("Count", "Operation", "ErrorCode"),
    "AudioChunksReceived": ("Count",),
    "AudioChunkSize": ("Bytes",),
    "AudioProcessingLatency": ("Milliseconds",),
    "AudioChunksDropped": ("Count", "Reason"),
    "AudioBufferOverflows": ("Count",),
    "TranscribeStreamInitLatency": ("Milliseconds",),
    "TranscribeStreamErrors": ("Count", "ErrorType"),
    "RateLimitViolations": ("Count", "MessageType"),
    "ConnectionsClosedForRateLimit": ("Count",),
    "ColdStarts": ("Count", "Handler"),
    "MessageLatency": ("Milliseconds", "ActionType"),
    # Two separate sets: one by ActionType, one by ErrorCode.
    "MessageFailures": ("Count", "ActionType", "ErrorCode"),
}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
_SIZES = (
    "Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits Gigabits Terabits".split()
)
UNITS = frozenset(
    ["Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"]
    + _SIZES
    + [f"{size}/Second" for size in _SIZES]
)

DEFAULT_NAMESPACE = "WebSocketAudio"
MAX_METRICS = 100
MAX_VALUES = 100
MAX_DIMENSIONS = 30
MAX_METRIC_NAME = 255
MAX_DIMENSION_NAME = 250
MAX_DIMENSION_VALUE = 1024
MAX_NAMESPACE = 255
_MAX_VALUE = 2.0**360

# A dimension with more values than this is not from a closed set; the next ones count as "Other".
MAX_DIMENSION_VALUES = 100
# Properties that differ between the values of one document are kept side by side, up to here.
_MAX_PROPERTY_VALUES = 10

_HEAD = frozenset(("_aws", "timestamp", "level"))
# Members of a line that are neither a metric nor a dimension.
_RESERVED = frozenset(
    "_aws timestamp level component message sessionId connectionId requestId correlationId operation"
    " errorCode durationMs coldStart traceId samplingRate context error".split()
)
_IDS = ("sessionid", "connectionid", "requestid", "correlationid", "userid", "traceid", "messageid")

_Metric = tuple[str, int]  # unit, resolution
_Dimensions = tuple[tuple[str, str], ...]

_warned: set[str] = set()


def _warn(message: str, *args: object) -> None:
    """Report each kind of refusal once; the value itself is not shown."""
    try:
        text = message % tuple(ascii(_wire.text(arg, 40)) for arg in args)
        if text not in _warned and len(_warned) < 100:
            _warned.add(text)
            logging.getLogger(__name__).warning("%s", text)
    except Exception:  # somebody's log handler: a metric must not break the request
        pass


def _is_name(name: object, limit: int) -> bool:
    return (
        type(name) is str
        and 0 < len(name) <= limit
        and name.isascii()
        and name.isprintable()
        and not name.isspace()
        and name[0] != ":"
    )


class _Group:
    """The values of one dimension set that have not been written yet."""

    __slots__ = ("metrics", "properties", "values")

    def __init__(self) -> None:
        self.metrics: dict[str, _Metric] = {}
        self.values: dict[str, Any] = {}
        self.properties: dict[str, object] = {}


class MetricsEmitter:
    """Collect metrics and write them as EMF documents, one for each distinct dimension set.

    `namespace` is METRICS_NAMESPACE, else `WebSocketAudio`; `dimensions` are added to every set;
    `enabled=False`, or METRICS_ENABLED=false, turns everything off. With `window_seconds` the
    values of several invocations share a document: counts are summed, other values kept in a
    list, and `flush_due` writes when the window is over or a list is full. Python on Lambda gets
    no SIGTERM without an extension: at most one window is lost when an environment dies.
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
        self._lock = threading.Lock()
        self._clock = clock
        self._window_ns = int(window_seconds * 1e9)
        self._since = 0
        self._groups: dict[_Dimensions, _Group] = {}
        self._whole: set[_Dimensions] = {()}  # dimensions that are good as they are
        self._fitting: set[tuple[tuple[str, ...], ...]] = set()
        self._seen: dict[str, set[str]] = {}
        self._directives: dict[object, str] = {}
        if enabled is None:
            enabled = os.environ.get("METRICS_ENABLED", "true").strip().lower() not in (
                "false",
                "0",
                "off",
            )
        self.enabled = enabled
        self.namespace = _namespace(namespace or os.environ.get("METRICS_NAMESPACE"))
        self._defaults: _Dimensions = ()
        self._defaults = self._checked(tuple((dimensions or {}).items()))[0]

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
            if (
                type(value) is not float and type(value) is not int
            ) or not -_MAX_VALUE <= value <= _MAX_VALUE:
                number = _number(value)
                if number is None:
                    _warn("metric %s refused: its value is not a finite number", metric_name)
                    return
                value = number
            key: _Dimensions = ()
            if dimensions:
                key = tuple(dimensions.items())
                if key not in self._whole:
                    key, moved = self._checked(key)
                    properties = {**moved, **properties}
            with self._lock:
                self._add(key, metric_name, value, (unit, resolution), properties)
        except Exception:  # names, dimensions or properties with methods of their own
            _warn("metric refused: %s", metric_name)

    def _add(
        self,
        key: _Dimensions,
        name: str,
        value: float,
        metric: _Metric,
        properties: dict[str, object],
    ) -> None:
        group = self._groups.get(key)
        if group is None:
            if not self._groups:
                self._since = self._clock()
            elif len(self._groups) >= MAX_METRICS:
                self._write_all()
            group = self._groups[key] = _Group()
        if name not in group.values:
            metric = self._accepted(name, metric, key)
            if not metric[0]:
                return
            if len(group.values) >= MAX_METRICS:
                self._write(key, group)
                group = self._groups[key] = _Group()
            group.metrics[name] = metric
            group.values[name] = value
        else:
            if group.metrics[name] != metric and group.metrics[name] != self._accepted(
                name, metric, key
            ):
                _warn("metric %s refused: it has another unit in the same document", name)
                return
            before = group.values[name]
            if self._window_ns and metric[0] == "Count":
                group.values[name] = before + value
            elif type(before) is not list:
                group.values[name] = [before, value]
            elif len(before) < MAX_VALUES:
                before.append(value)
            else:
                self._write(key, group)
                group = self._groups[key] = _Group()
                group.metrics[name] = metric
                group.values[name] = value
        for field, content in properties.items():
            if content is not None and group.properties.get(field, content) is content:
                group.properties[field] = content
            elif content is not None:
                group.properties[field] = _beside(group.properties[field], content)

    def _accepted(self, name: object, metric: _Metric, key: _Dimensions) -> _Metric:
        """Return the metric's unit and resolution as CloudWatch takes them; no unit: refused."""
        if (
            not _is_name(name, MAX_METRIC_NAME)
            or name in _RESERVED
            or name in dict(key + self._defaults)
        ):
            _warn("metric %s refused: not a metric name, or taken", name)
            return "", 0
        unit, resolution = metric
        if type(unit) is not str or unit not in UNITS:
            _warn("metric %s: unknown unit %s, written without", name, unit)
            unit = "None"
        if resolution not in (1, 60) or type(resolution) is not int:
            _warn("metric %s: resolution must be 1 or 60 seconds", name)
            resolution = 60
        return unit, resolution

    def _checked(self, given: tuple[tuple[Any, Any], ...]) -> tuple[_Dimensions, dict[str, object]]:
        """Return the dimensions that CloudWatch takes, and the others as properties."""
        accepted: list[tuple[str, str]] = []
        moved: dict[str, object] = {}
        whole = True
        for name, value in given:
            shown = str(value) if isinstance(value, (str, int)) and type(value) is not bool else ""
            squashed = _wire.squash(name) if isinstance(name, str) else ""
            if squashed.endswith(_IDS):
                _warn("dimension %s refused: an id is a property, see the documentation", name)
            elif not _is_name(name, MAX_DIMENSION_NAME) or name in _RESERVED:
                _warn("dimension %s refused: not a dimension name", name)
            elif (
                not _is_name(shown.lstrip(":"), MAX_DIMENSION_VALUE)
                or len(shown) > MAX_DIMENSION_VALUE
            ):
                _warn("dimension %s refused: its value is not 1 to 1024 ASCII characters", name)
            elif len(accepted) + len(self._defaults) >= MAX_DIMENSIONS:
                _warn("dimension %s refused: a metric has 30 at the most", name)
            elif name not in dict(self._defaults):
                seen = self._seen.setdefault(name, set())
                if shown not in seen and len(seen) >= MAX_DIMENSION_VALUES:
                    _warn("dimension %s has too many values, further ones count as Other", name)
                    shown, whole = "Other", False
                seen.add(shown)
                accepted.append((name, shown))
                continue
            whole = False
            if type(name) is str:
                moved[name] = value
        checked = tuple(accepted)
        if whole and all(type(value) is str for _, value in given):
            self._whole.add(given)
        return checked, moved

    def _fit(self, members: tuple[str, ...], properties: tuple[str, ...]) -> bool:
        """Return whether properties of these names may stand beside these members as they are."""
        if (members, properties) not in self._fitting:
            if not _wire.all_open(properties) or not {*members, *_HEAD}.isdisjoint(properties):
                return False
            if len(self._fitting) > 1024:  # names made from data must not fill the memory
                self._fitting.clear()
            self._fitting.add((members, properties))
        return True

    def _directive(self, key: _Dimensions, metrics: dict[str, _Metric]) -> str:
        """Return the EMF directive after its timestamp, made once for each shape."""
        shape = (tuple(name for name, _ in key), tuple(metrics.items()))
        text = self._directives.get(shape)
        if text is None:
            if len(self._directives) > 1024:
                self._directives.clear()
            names = [name for name, _ in self._defaults] + list(shape[0])
            declared = [
                {"Name": name, "Unit": unit} | ({"StorageResolution": 1} if resolution == 1 else {})
                for name, (unit, resolution) in metrics.items()
            ]
            directive = {
                "Namespace": self.namespace,
                "Dimensions": [names, []] if names else [[]],
                "Metrics": declared,
            }
            text = self._directives[shape] = f',"CloudWatchMetrics":[{_wire.encode(directive)}]}}'
        return text

    def _members(self, key: _Dimensions, group: _Group, now: int, leave_out: frozenset[str]) -> str:
        """Return a document's members as JSON text, from `"_aws"` on."""
        members: dict[str, Any] = dict(self._defaults + key)
        members.update(group.values)
        properties = group.properties
        if properties:
            if not (_wire.all_plain(properties.values()) and _wire.all_open(tuple(properties))):
                properties = _wire.clean(properties)
            for field, content in properties.items():
                if field not in members and field not in leave_out:
                    members[field] = content
        try:
            text = _wire.encode(members)[1:-1]
        except ValueError:  # a property that is NaN
            text = _wire.encode(
                _wire.clean(properties) | dict(self._defaults + key) | group.values
            )[1:-1]
        return (
            f'"_aws":{{"Timestamp":{now // 1_000_000}{self._directive(key, group.metrics)},{text}'
        )

    def _write(self, key: _Dimensions, group: _Group) -> None:
        now = self._clock()
        members = self._members(key, group, now, _HEAD)
        _wire.write(f'{{"timestamp":"{_wire.timestamp(now)}","level":"{_level}",{members}}}\n')

    def _write_all(self) -> None:
        groups, self._groups = self._groups, {}
        for key, group in groups.items():
            if group.values:
                self._write(key, group)

    def flush(self) -> None:
        """Write what was collected; nothing is written when there is nothing."""
        try:
            with self._lock:
                self._write_all()
        except Exception:  # watching must not break the request
            _warn("metrics could not be written")

    def flush_due(self) -> None:
        """Write at the end of an invocation: at once, or once `window_seconds` are over."""
        if not self._window_ns or self._clock() - self._since >= self._window_ns:
            self.flush()

    def take(self) -> list[str]:
        """Return what was collected as JSON members (`,"_aws":...`) for a log line, and forget it.

        Ids are left out: the line has them.
        """
        with self._lock:
            groups, self._groups = self._groups, {}
        now = self._clock()
        return [
            "," + self._members(key, group, now, _RESERVED)
            for key, group in groups.items()
            if group.values
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush_due()

    def metric_set(self, metrics: Mapping[str, str], dimensions: tuple[str, ...] = ()) -> MetricSet:
        """Return a set of metrics (name: unit) that are always emitted together, checked once here."""
        return MetricSet(self, metrics, dimensions)

    def emit_cold_start(self, handler_name: str) -> None:
        """Count this environment's start, once, and not under provisioned concurrency."""
        global _cold
        if _cold:
            _cold = False
            self._emit("ColdStarts", 1, (handler_name,))

    def _emit(
        self, name: str, value: float, dimension_values: tuple[str, ...] = (), **ids: object
    ) -> None:
        unit, *names = METRICS[name]
        dimensions = dict(zip(names, dimension_values, strict=True)) if names else None
        self.emit_metric(name, value, unit, dimensions, **ids)

    def emit_control_message_received(self, session_id: str, action_type: str) -> None:
        """Count a control message."""
        self._emit("ControlMessagesReceived", 1, (action_type,), sessionId=session_id)

    def emit_control_message_latency(
        self, session_id: str, action_type: str, latency_ms: float
    ) -> None:
        """Add how long a control message took, in milliseconds."""
        self._emit("ControlMessageLatency", latency_ms, (action_type,), sessionId=session_id)

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
        ids = {"sessionId": session_id, "connectionId": connection_id}
        self._emit("ListenerNotificationFailures", 1, (error_type,), **ids)

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
        self._emit("LambdaErrors", 1, (handler_name, error_type))

    def emit_dynamodb_error(self, operation: str, error_code: str) -> None:
        """Count a DynamoDB call that failed."""
        self._emit("DynamoDBErrors", 1, (operation, error_code))

    def emit_audio_chunk_received(self, session_id: str, chunk_size: int) -> None:
        """Count an audio chunk and add its size, in bytes."""
        self._emit("AudioChunksReceived", 1, sessionId=session_id)
        self._emit("AudioChunkSize", chunk_size, sessionId=session_id)

    def emit_audio_processing_latency(self, session_id: str, latency_ms: float) -> None:
        """Add how long an audio chunk took, in milliseconds."""
        self._emit("AudioProcessingLatency", latency_ms, sessionId=session_id)

    def emit_audio_chunk_dropped(self, session_id: str, reason: str) -> None:
        """Count an audio chunk that was not passed on."""
        self._emit("AudioChunksDropped", 1, (reason,), sessionId=session_id)

    def emit_audio_buffer_overflow(self, session_id: str) -> None:
        """Count an audio buffer that overflowed."""
        self._emit("AudioBufferOverflows", 1, sessionId=session_id)

    def emit_transcribe_stream_init_latency(self, session_id: str, latency_ms: float) -> None:
        """Add how long a transcription stream took to start, in milliseconds."""
        self._emit("TranscribeStreamInitLatency", latency_ms, sessionId=session_id)

    def emit_transcribe_stream_error(self, session_id: str, error_type: str) -> None:
        """Count a transcription stream that failed."""
        self._emit("TranscribeStreamErrors", 1, (error_type,), sessionId=session_id)

    def emit_rate_limit_violation(
        self, session_id: str, connection_id: str, message_type: str
    ) -> None:
        """Count a message that came too fast."""
        ids = {"sessionId": session_id, "connectionId": connection_id}
        self._emit("RateLimitViolations", 1, (message_type,), **ids)

    def emit_connection_closed_for_rate_limit(self, session_id: str, connection_id: str) -> None:
        """Count a connection that was closed because its messages came too fast."""
        ids = {"sessionId": session_id, "connectionId": connection_id}
        self._emit("ConnectionsClosedForRateLimit", 1, **ids)


class MetricSet:
    """Metrics that always go out together: names, units and dimension names are checked once."""

    __slots__ = ("_directive", "_emitter", "_names", "_usable")

    def __init__(
        self, emitter: MetricsEmitter, metrics: Mapping[str, str], dimensions: tuple[str, ...]
    ) -> None:
        self._emitter = emitter
        units = {name: (unit, 60) for name, unit in metrics.items()}
        self._names = (*dimensions, *units)
        key = tuple((name, "") for name in dimensions)
        self._usable = all(emitter._accepted(n, m, key) == m for n, m in units.items())
        self._directive = (len(dimensions), units, emitter._directive(key, units))

    def emit(self, *values: Any, **properties: object) -> None:
        """Write one document: the dimensions' values, then the metrics', in the order declared."""
        emitter = self._emitter
        if not emitter.enabled:
            return
        split, units, directive = self._directive
        try:
            if (
                self._usable
                and not emitter._window_ns
                and len(values) == len(self._names)
                and tuple(zip(self._names, values[:split], strict=False)) in emitter._whole
                and all(
                    (type(v) is float or type(v) is int) and -_MAX_VALUE <= v <= _MAX_VALUE
                    for v in values[split:]
                )
                and _wire.all_plain(properties.values())
                and emitter._fit(self._names, tuple(properties))
            ):
                now = emitter._clock()
                members = dict(emitter._defaults)
                members.update(zip(self._names, values, strict=True))
                members.update(properties)
                _wire.write(
                    f'{{"timestamp":"{_wire.timestamp(now)}","level":"{_level}","_aws":'
                    f'{{"Timestamp":{now // 1_000_000}{directive},{_wire.encode(members)[1:-1]}}}\n'
                )
                return
        except Exception:  # a value with methods of its own, or a property that is NaN
            pass
        dimensions = dict(zip(self._names, values[:split], strict=False))
        for (name, (unit, _)), value in zip(units.items(), values[split:], strict=False):
            emitter.emit_metric(name, value, unit, dimensions, **properties)
        emitter.flush_due()


class MetricsContext:
    """Time a block and emit it in milliseconds, also when the block raises."""

    __slots__ = ("_arguments", "_emitter", "_started")

    def __init__(
        self,
        emitter: MetricsEmitter,
        metric_name: str,
        dimensions: Mapping[str, str] | None = None,
        **properties: object,
    ) -> None:
        self._emitter = emitter
        self._arguments = metric_name, dimensions, properties

    def __enter__(self) -> Self:
        self._started = time.perf_counter_ns()
        return self

    def __exit__(self, *_: object) -> None:
        elapsed_ms = (time.perf_counter_ns() - self._started) / 1e6
        name, dimensions, properties = self._arguments
        self._emitter.emit_metric(name, elapsed_ms, "Milliseconds", dimensions, **properties)


def _number(value: object) -> float | None:
    """Return a finite number within CloudWatch's range, None for anything else; True is not 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float, _wire.Decimal)):
        return None
    number = value if type(value) is int else float(value)
    return number if -_MAX_VALUE <= number <= _MAX_VALUE else None


def _namespace(name: object) -> str:
    if name is None:
        return DEFAULT_NAMESPACE
    if not _is_name(name, MAX_NAMESPACE) or str(name).startswith("AWS/"):
        _warn("namespace %s refused, using " + DEFAULT_NAMESPACE, name)
        return DEFAULT_NAMESPACE
    return str(name)


def _beside(before: object, content: object) -> object:
    """Return both values of a property: two sessions in one document are both searchable."""
    values = before if type(before) is list else [before]
    if len(values) < _MAX_PROPERTY_VALUES and content not in values:
        values = [*values, content]
    return values if len(values) > 1 else values[0]


# The line carries a level that the function's own filter lets through: a stray INFO would be dropped
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
_level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").strip().upper()
if _level not in ("WARN", "ERROR", "FATAL"):
    _level = "INFO"
_cold = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "provisioned-concurrency"
