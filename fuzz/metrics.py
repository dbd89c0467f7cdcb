"""Metrics with anything in them: never an exception, and documents that CloudWatch takes."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from fuzz.draws import PLANTED, Draws
from fuzz.judging import captured, lines_of
from shared_utils import _stdout
from shared_utils.metrics_emitter import METRICS, UNITS, MetricsContext, MetricsEmitter

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["try_input"]

_NAMES = (*METRICS, "Own", "own metric", ":own", "message", "_aws", "sessionId", "x" * 256)
_DIMENSIONS = ("ActionType", "ErrorType", "Handler", "sessionId", "UserId", "level", "x" * 251)
_PROPERTIES = ("sessionId", "connectionId", "data", "level", "_aws", "self", "Own", "timestamp")
_UNITS = (*sorted(UNITS), "count", "")
# Those that take values of the system's own kinds, by position.
_METHODS = {
    name: len(inspect.signature(method).parameters) - 1
    for name, method in vars(MetricsEmitter).items()
    if name.startswith("emit_") and name != "emit_metric"
}
_MAX_NUMBER = 2.0**360
# An EMF document is an event of CloudWatch Logs:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
_MAX_BYTES = 256 * 1024


def try_input(data: bytes) -> None:
    """Emit some metrics, and judge what is written."""
    draws = Draws(data)
    _stdout.dropped = 0
    with captured() as stream:
        emitter = MetricsEmitter(
            draws.pick(("Namespace", None, draws.text())),
            dimensions=_named(draws) if draws.flag() else None,
            window_seconds=draws.pick((0, 10)),
            clock=lambda: 1_767_225_600_000_000_000,
        )
        for _ in range(draws.up_to(9)):
            draws.pick((_emit_any, _emit_any, _emit_own, _time))(draws, emitter)
        emitter.flush_due()
        emitter.flush()
        again = emitter.take()
    assert again == [], "something is left after it was written"
    assert _stdout.dropped == 0, "a line was lost"
    for line in lines_of(stream, _MAX_BYTES):
        if "_aws" in line:
            _check(line)


def _dimensions(draws: Draws) -> Any:
    return draws.value() if draws.up_to(9) == 9 else _named(draws)


def _named(draws: Draws) -> dict[str, Any]:
    return {
        draws.pick(_DIMENSIONS) if draws.flag() else draws.text(): draws.value()
        for _ in range(draws.up_to(40))
    }


def _emit_any(draws: Draws, emitter: MetricsEmitter) -> None:
    name: Any = draws.pick(_NAMES) if draws.flag() else draws.value()
    value: Any = draws.number() if draws.flag() else draws.value()
    unit: Any = draws.pick(_UNITS) if draws.flag() else draws.value()
    resolution: Any = draws.pick((1, 60)) if draws.flag() else draws.value()
    properties = {
        draws.pick(_PROPERTIES) if draws.flag() else draws.text(): draws.pick(
            (draws.value, draws.value, draws.wide)
        )()
        for _ in range(draws.up_to(4))
    }
    if draws.flag():
        properties["password"] = PLANTED
    for taken in ("metric_name", "value", "unit", "dimensions", "resolution"):
        properties.pop(taken, None)
    for _ in range(draws.pick((1, 1, 1, 120))):
        emitter.emit_metric(name, value, unit, _dimensions(draws), resolution, **properties)


def _emit_own(draws: Draws, emitter: MetricsEmitter) -> None:
    name = draws.pick(list(_METHODS))
    method: Callable[..., None] = getattr(emitter, name)
    method(*(draws.value() for _ in range(_METHODS[name])))


def _time(draws: Draws, emitter: MetricsEmitter) -> None:
    name: Any = draws.pick(_NAMES)
    with MetricsContext(emitter, name):
        pass


def _check(line: dict[str, Any]) -> None:
    """Ask of a document what CloudWatch wants of one."""
    found = line["_aws"]
    assert isinstance(found["Timestamp"], int), "its time is no integer"
    for directive in found["CloudWatchMetrics"]:
        assert directive["Namespace"], "it has no namespace"
        names = [metric["Name"] for metric in directive["Metrics"]]
        assert len(names) == len(set(names)) <= 100, "too many metrics, or one twice"
        for metric in directive["Metrics"]:
            assert metric.get("Unit", "None") in UNITS, "its unit is none of CloudWatch's"
            _check_values(line[metric["Name"]])
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) == len(set(dimensions)) <= 30, "too many dimensions"
            for name in dimensions:
                _check_dimension(name, line[name])
                assert name not in names, "a metric and a dimension have one name"


def _check_values(values: Any) -> None:
    several = values if isinstance(values, list) else [values]
    assert 1 <= len(several) <= 100, "no value, or too many"
    for value in several:
        assert type(value) in (int, float), "a value is no number"
        assert math.isfinite(value), "a value is not finite"
        assert abs(value) <= _MAX_NUMBER, "a value is too large"


def _check_dimension(name: str, value: Any) -> None:
    assert isinstance(value, str), "a dimension's value is no text"
    assert 0 < len(value) <= 1024, "a dimension's value is empty or too long"
    assert 0 < len(name) <= 250, "a dimension's name is empty or too long"
    assert name not in ("sessionId", "connectionId", "UserId"), "an id is a dimension"
