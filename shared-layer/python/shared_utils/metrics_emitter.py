"""CloudWatch metrics as embedded metric format (EMF) lines on stdout; no API call in the request.

Emitting never raises: what CloudWatch would refuse is left out with one warning through
`logging`. An id is a searchable property, never a dimension, and every metric also goes
out without dimensions, so that an alarm can be set on it.
"""

from __future__ import annotations

import logging
import os
import time
from _contextvars import ContextVar  # `contextvars` only re-exports it, at twice the cost
from collections import deque
from enum import Enum

from . import _cleaning, _emf, _invocation, _redaction, _stdout
from ._emf import UNITS, Document, Group, Layout, Metric
from ._json import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Self, TypeVar

    from ._emf import Dimensions

    F = TypeVar("F", bound=Callable[..., object])

    # A metric as CloudWatch takes it, with what was no dimension and became a property.
    _Judged = tuple[Metric, dict[str, object]]
    _Record = tuple[_Judged, Any, dict[str, object]]  # with the value and the properties

__all__ = ["METRICS", "UNITS", "MetricsContext", "MetricsEmitter"]

#: One row per metric: its unit, then the dimension sets that split it.
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
    "DynamoDBErrors": ("Count", ("Operation",), ("ErrorCode",)),
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

_NAMESPACE = "WebSocketAudio"

# A dimension with more values than this is not from a closed set; the next ones count as "Other".
_MAX_DIMENSION_VALUES = 100
# So many values are written even if nobody flushes: a hundred messages of three each.
_MAX_WAITING = 300
# So much that was worked out is kept.
_MAX_KEPT = 1024

# The line carries a level that the function's own filter lets through: a stray INFO would be dropped
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
_level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").strip().upper()
if _level not in ("WARN", "ERROR", "FATAL"):
    _level = "INFO"

_warned: set[str] = set()
_MAX_WARNINGS = 100


def _warn(message: str, *args: object) -> None:
    """Report each kind of refusal once; of a value at most 40 characters are shown."""
    try:
        text = message % tuple(ascii(_cleaning.text(arg, 40)) for arg in args)
        if text not in _warned and len(_warned) < _MAX_WARNINGS:
            _warned.add(text)
            logging.getLogger(__name__).warning("%s", text)
    except (Exception, SystemExit):  # somebody's log handler: a metric must not break the request
        pass


def _refuse(what: str, name: object, limit: int, reason: str) -> None:
    """Report a name that is not taken; one that is too long says nothing but its length."""
    if type(name) is str and len(name) > limit:
        _warn(f"{what} refused: its name has {len(name)} characters, at most {limit}")
    else:
        _warn(f"{what} %s refused: {reason}", name)


def _is_key(dimension: tuple[object, object]) -> bool:
    """Return whether a dimension's value is equal to nothing but the same text, as True is to 1."""
    value = dimension[1]
    return type(value) is str or (isinstance(value, str) and isinstance(value, Enum))


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
        self.window_seconds = window_seconds
        self._window_ns = int(window_seconds * 1e9)
        self._since = 0
        # Its ends are atomic: no lock that a fork, a signal or a log handler could find held.
        self._waiting: deque[_Record] = deque()
        self._seen: dict[str, set[str]] = {}  # values, by dimension
        # What was worked out under these rules, and how often something was.
        self._rules = _redaction.policy
        self._count = 0
        self._judged: dict[object, _Judged] = {}
        self._groups: dict[object, Group] = {}
        self._layouts: dict[object, Layout] = {}
        setting = os.environ.get("METRICS_ENABLED", "").strip().lower()
        self.enabled = setting not in ("false", "0", "off") if enabled is None else enabled
        self.namespace = namespace or os.environ.get("METRICS_NAMESPACE") or _NAMESPACE
        if not _emf.is_name(self.namespace) or self.namespace.startswith("AWS/"):
            _refuse("namespace", self.namespace, _emf.MAX_NAME, f"using '{_NAMESPACE}'")
            self.namespace = _NAMESPACE
        self._defaults: dict[str, str] = {}
        self._defaults = dict(self._take_dimensions(tuple((dimensions or {}).items()))[0])

    def windowed(self, window_seconds: float) -> MetricsEmitter:
        """Return another emitter with this one's settings, whose documents are for so many seconds."""
        return MetricsEmitter(
            self.namespace,
            dimensions=self._defaults,
            enabled=self.enabled,
            window_seconds=window_seconds,
            clock=self._clock,
        )

    # --- collecting ------------------------------------------------------------------------------

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
        if self._rules is not _redaction.policy:
            self._forget()
        asked: object = None
        try:
            if dimensions:
                asked = metric_name, unit, resolution, *dimensions, *dimensions.values()
            else:
                asked = metric_name, unit, resolution
            judged: _Judged | None = self._judged[asked]
        except (Exception, SystemExit):  # a new one, or one that cannot be hashed or read
            judged = self._judge(asked, metric_name, unit, resolution, dimensions)
        if judged is not None:
            self._waiting.append((judged, value, properties))
            if len(self._waiting) >= _MAX_WAITING:
                self.flush()

    def _emit(self, name: str, value: float, *dimensions: str, **ids: object) -> None:
        """Add one value of a metric of the system; the dimensions' order is that of its row."""
        if not self.enabled:
            return
        if self._rules is not _redaction.policy:
            self._forget()
        try:
            judged: _Judged | None = self._judged[name, dimensions]
        except (Exception, SystemExit):
            unit, *sets = METRICS[name]
            names = [dimension for one in sets for dimension in one]
            given = dict(zip(names, dimensions, strict=True))
            judged = self._judge((name, dimensions), name, unit, 60, given, len(sets) > 1)
        if judged is not None:
            self._waiting.append((judged, value, ids))
            if len(self._waiting) >= _MAX_WAITING:
                self.flush()

    def _make_room(self) -> None:
        """Count what is worked out and kept; names that come from data must not fill the memory."""
        self._count += 1
        if self._count > _MAX_KEPT:
            self._forget()

    def _forget(self) -> None:
        """Forget what was worked out: other rules may hold now."""
        self._rules = _redaction.policy
        self._count = 0
        self._judged.clear()
        self._groups.clear()
        self._layouts.clear()

    # --- what CloudWatch takes -------------------------------------------------------------------

    def _judge(
        self,
        asked: object,
        name: Any,
        unit: Any,
        resolution: Any,
        dimensions: Mapping[Any, Any] | None,
        apart: bool = False,
    ) -> _Judged | None:
        """Return a metric as CloudWatch takes it, None if it does not."""
        self._make_room()
        try:
            given = tuple(dimensions.items()) if dimensions else ()
            accepted, moved = self._take_dimensions(given)
            is_kept = type(unit) is str and type(resolution) is int and all(map(_is_key, given))
        except (Exception, SystemExit):  # a foreign object's methods
            _warn("metric %s refused: its dimensions cannot be read", name)
            return None
        if not _emf.is_name(name) or name in _emf.RESERVED:
            _refuse("metric", name, _emf.MAX_NAME, "not a metric name")
            return None
        if name in self._defaults or name in dict(accepted):
            _warn("metric %s refused: a dimension has this name", name)
            return None
        if type(unit) is not str or unit not in UNITS:
            _warn("metric %s: unknown unit %s, written without", name, unit)
            unit = "None"
        if type(resolution) is not int or resolution not in (1, 60):
            _warn("metric %s: resolution must be 1 or 60 seconds", name)
            resolution = 60
        judged = self._metric(name, unit, resolution, accepted, apart), moved
        if is_kept:
            self._judged[asked] = judged
        return judged

    def _metric(
        self, name: str, unit: str, resolution: int, dimensions: Dimensions, apart: bool
    ) -> Metric:
        """Return the one metric of this kind, in the first group that has it or room for it."""
        number, metric = 0, None
        while metric is None:
            key = dimensions, apart, number
            group = self._groups.setdefault(key, Group(dimensions, apart))
            metric = group.metric(name, unit, resolution)
            number += 1
        return metric

    def _take_dimensions(
        self, given: tuple[tuple[Any, Any], ...]
    ) -> tuple[Dimensions, dict[str, object]]:
        """Return the dimensions that CloudWatch takes, and the others as properties."""
        accepted: dict[str, str] = {}
        moved: dict[str, object] = {}
        for name, value in given:
            if type(name) is not str:
                _warn("dimension %s refused: not a dimension name", name)
                continue
            text = _emf.dimension_text(value)
            reason = _emf.dimension_refusal(name, text)
            if name in self._defaults:
                reason = "every metric has it"
            elif not reason and len(accepted) + len(self._defaults) >= _emf.MAX_DIMENSIONS:
                reason = "a metric has 30 at the most"
            if reason:
                _refuse("dimension", name, _emf.MAX_DIMENSION_NAME, reason)
                moved[name] = value
            else:
                accepted[name] = self._counted_as(name, text)
        return tuple(accepted.items()), moved

    def _counted_as(self, name: str, text: str) -> str:
        """Return a dimension's value, or Other when it has too many."""
        if len(self._seen) >= _MAX_KEPT:
            self._seen.clear()
        seen = self._seen.setdefault(name, set())
        if text not in seen and len(seen) >= _MAX_DIMENSION_VALUES:
            _warn("dimension %s has too many values, further ones count as Other", name)
            return "Other"
        seen.add(text)
        return text

    # --- writing ---------------------------------------------------------------------------------

    def _texts(self, left_out: frozenset[str]) -> list[tuple[Layout, str]]:
        """Take what waits; return each document's layout, and its text after the time."""
        texts = []
        for document in self._documents():
            shape = (left_out, document.group, *document.values, None, *document.properties)
            layout = self._layouts.get(shape)
            if layout is None:
                self._make_room()
                layout = Layout(self.namespace, self._defaults, document, left_out)
                self._layouts[shape] = layout
                for name in document.properties:
                    if name in layout.taken and name not in _emf.IDS:  # these a line has
                        _warn(
                            "property %s left out: the line has another member of this name", name
                        )
            texts.append((layout, document.text(layout)))
        return texts

    def _documents(self) -> list[Document]:
        documents: list[Document] = []
        not_full: dict[Group, Document] = {}
        waiting, finite = self._waiting, _emf.finite
        try:
            while waiting:
                (metric, moved), value, given = waiting.popleft()
                try:
                    number = finite(value)
                except (Exception, SystemExit):  # NaN, or an object's own methods
                    _warn("metric %s refused: the value is not a finite number", metric.name)
                    continue
                is_summed = self._window_ns > 0 and metric.unit == "Count"
                document = not_full.get(metric.group)
                if document is not None and metric.name not in document.values:
                    document.values[metric.name] = number
                elif document is None or not document.put(metric.name, number, is_summed):
                    document = not_full[metric.group] = Document(metric.group)
                    document.put(metric.name, number, is_summed)
                    documents.append(document)
                if given:
                    document.put_beside(given)
                if moved:
                    document.put_beside(moved)
        except IndexError:  # another thread took the last one
            pass
        return documents if self.enabled else []

    def _write(self, text: str) -> None:
        now = self._clock()
        _stdout.write(
            f'{{"timestamp":"{timestamp(now)}","level":"{_level}",'
            f'"_aws":{{"Timestamp":{now // 1_000_000}{text}}}\n'
        )

    def flush(self) -> None:
        """Write what was collected; nothing is written when there is nothing."""
        self._since = 0
        try:
            for _, text in self._texts(_emf.HEAD):
                self._write(text)
        except (Exception, SystemExit) as error:  # watching must not break the request
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
        try:
            for layout, text in self._texts(_emf.RESERVED):
                if layout.has_service:
                    self._write(text)
                else:
                    taken.append(f',"_aws":{{"Timestamp":{self._clock() // 1_000_000}{text}')
        except (Exception, SystemExit) as error:
            _warn("metrics could not be written: %s", error)
        return taken

    @property
    def line_level(self) -> str:
        """The level of the emitter's own lines: above INFO where Lambda would drop an INFO line."""
        return _level

    # --- an invocation ---------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.flush_due()
        else:
            self.flush()  # a failure waits for no window

    def invocation(self, handler_name: str) -> _Invocation:
        """Count a cold start, and flush in the end, also when the call raises.

        `@metrics.invocation("audio")` on a handler, or `with metrics.invocation("audio"):`.
        """
        return _Invocation(self, handler_name)

    # --- the metrics of the system, `METRICS` ----------------------------------------------------

    def emit_cold_start(self, handler_name: str) -> None:
        """Count this environment's start, once, and not under provisioned concurrency."""
        if self.enabled and _invocation.count_cold_start():
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
        """Count a DynamoDB call that failed, by operation and, apart from that, by code."""
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
    """One emitter's block around each invocation of a function; it holds nothing of any of them."""

    def __init__(self, emitter: MetricsEmitter, handler_name: str) -> None:
        self._emitter = emitter
        self._handler_name = handler_name

    def __enter__(self) -> MetricsEmitter:
        self._emitter.emit_cold_start(self._handler_name)
        return self._emitter

    def __exit__(self, *error: object) -> None:
        self._emitter.__exit__(*error)

    def __call__(self, function: F) -> F:
        from . import _functions

        return _functions.wrap(function, lambda *_, **__: self, "@metrics.invocation")  # type: ignore[no-any-return]


# The blocks that are timed, in this thread or task, and when each began; the innermost is last.
_timed: ContextVar[tuple[tuple[MetricsContext, int], ...]] = ContextVar(
    "shared_utils.timed", default=()
)


class MetricsContext:
    """Time a block, or each call of a function, and emit it in milliseconds, also when it raises.

    One object may be entered again before it is left, and by several threads and tasks.
    """

    def __init__(
        self,
        emitter: MetricsEmitter,
        metric_name: str,
        dimensions: Mapping[str, str] | None = None,
        **properties: Any,
    ) -> None:
        self._emitter = emitter
        self._metric = metric_name, dimensions
        self._properties = properties

    def __enter__(self) -> None:
        _timed.set((*_timed.get(), (self, time.perf_counter_ns())))

    def __exit__(self, *_: object) -> None:
        ended = time.perf_counter_ns()
        timed = _timed.get()
        name, dimensions = self._metric
        for position in reversed(range(len(timed))):
            block, started = timed[position]
            if block is self:
                _timed.set(timed[:position] + timed[position + 1 :])
                self._emitter.emit_metric(
                    name, (ended - started) / 1e6, "Milliseconds", dimensions, **self._properties
                )
                return
        _warn("metric %s refused: its block began in another thread or task", name)

    def __call__(self, function: F) -> F:
        """Return the function with each of its calls timed."""
        from . import _functions

        return _functions.wrap(function, lambda *_, **__: self, "@MetricsContext")  # type: ignore[no-any-return]
