"""What does a flushed metrics document cost: three metrics, two dimensions, three properties?

Every contender writes one embedded metric format document with the same names, units, dimensions
and properties. Before the clock starts, each document is parsed and compared.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from _harness import Budget, Report, Stdout, become_lambda, build, fail, parse_options, time_calls
from _samples import CONNECTION_ID, REQUEST_ID, SESSION_ID, request_ids

NAMESPACE = "WebSocketAudio"
METRICS = {"Chunks": ("Count", 1), "ChunkSize": ("Bytes", 6400), "Latency": ("Milliseconds", 1.75)}
DIMENSIONS = {"service": "audio", "ActionType": "sendAudio"}
PROPERTIES = {"sessionId": SESSION_ID, "connectionId": CONNECTION_ID}
IDS = request_ids()


def ours() -> Callable[[], object]:
    from shared_utils.metrics_emitter import MetricsEmitter

    emitter = MetricsEmitter(namespace=NAMESPACE)

    def call() -> None:
        dimensions = {"service": "audio", "ActionType": "sendAudio"}
        emitter.emit_metric(
            "Chunks", 1, "Count", dimensions,
            sessionId=SESSION_ID, connectionId=CONNECTION_ID, requestId=next(IDS),
        )  # fmt: skip
        emitter.emit_metric("ChunkSize", 6400, "Bytes", dimensions)
        emitter.emit_metric("Latency", 1.75, "Milliseconds", dimensions)
        emitter.flush()

    return call


def powertools() -> Callable[[], object]:
    from aws_lambda_powertools import Metrics

    metrics = Metrics(namespace=NAMESPACE, service="audio")  # `service` is a dimension

    def call() -> None:
        metrics.add_dimension("ActionType", "sendAudio")
        metrics.add_metric("Chunks", "Count", 1)
        metrics.add_metric("ChunkSize", "Bytes", 6400)
        metrics.add_metric("Latency", "Milliseconds", 1.75)
        metrics.add_metadata("sessionId", SESSION_ID)
        metrics.add_metadata("connectionId", CONNECTION_ID)
        metrics.add_metadata("requestId", next(IDS))
        metrics.flush_metrics()

    return call


def aws_embedded_metrics() -> Callable[[], object]:
    from aws_embedded_metrics.logger.metrics_logger_factory import create_metrics_logger

    metrics = create_metrics_logger()

    # One logger, as in a function that flushes itself: the `metric_scope` decorator makes a new
    # one each time and costs more.
    def call() -> None:
        metrics.set_namespace(NAMESPACE)
        metrics.set_dimensions({"service": "audio", "ActionType": "sendAudio"})
        metrics.put_metric("Chunks", 1, "Count")
        metrics.put_metric("ChunkSize", 6400, "Bytes")
        metrics.put_metric("Latency", 1.75, "Milliseconds")
        metrics.set_property("sessionId", SESSION_ID)
        metrics.set_property("connectionId", CONNECTION_ID)
        metrics.set_property("requestId", next(IDS))
        metrics.flush_sync()

    return call


def by_hand() -> Callable[[], object]:
    def call() -> None:
        print(json.dumps(_document("audio", "sendAudio", 1, 6400, 1.75)))

    return call


def by_hand_orjson() -> Callable[[], object]:
    import orjson

    def call() -> None:
        # `buffer` is the binary stream under the runtime's stdout.
        sys.stdout.buffer.write(
            orjson.dumps(_document("audio", "sendAudio", 1, 6400, 1.75)) + b"\n"
        )
        sys.stdout.buffer.flush()

    return call


def _document(service: str, action: str, chunks: int, size: int, latency: float) -> dict[str, Any]:
    return {
        "_aws": {
            "Timestamp": time.time_ns() // 1_000_000,
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["service", "ActionType"]],
                    "Metrics": [
                        {"Name": "Chunks", "Unit": "Count"},
                        {"Name": "ChunkSize", "Unit": "Bytes"},
                        {"Name": "Latency", "Unit": "Milliseconds"},
                    ],
                }
            ],
        },
        "service": service,
        "ActionType": action,
        "Chunks": chunks,
        "ChunkSize": size,
        "Latency": latency,
        "sessionId": SESSION_ID,
        "connectionId": CONNECTION_ID,
        "requestId": next(IDS),
    }


CONTENDERS = {
    "shared_utils": ours,
    "powertools": powertools,
    "aws_embedded_metrics": aws_embedded_metrics,
    "json.dumps by hand": by_hand,
    "orjson by hand": by_hand_orjson,
}
BUDGETS = [
    Budget("shared_utils", "powertools", 1 / 4),
    Budget("shared_utils", "aws_embedded_metrics", 1 / 4),
]


def check(name: str, call: Callable[[], object], stdout: Stdout) -> None:
    """Stop unless the second call, too, writes the one document with every fact."""
    stdout.captured(call)
    lines = stdout.captured(call)
    if len(lines) != 1:
        fail(f"{name} wrote {len(lines)} lines: {lines}")
    document = json.loads(lines[0])
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    # One value may stand alone or in a list of one.
    values = {
        key: value[0] if isinstance(value, list) else value for key, value in document.items()
    }
    wanted = {**DIMENSIONS, **PROPERTIES, **{key: value for key, (_, value) in METRICS.items()}}
    right = (
        directive["Namespace"] == NAMESPACE
        and sorted(directive["Dimensions"][0]) == sorted(DIMENSIONS)
        and units == {key: unit for key, (unit, _) in METRICS.items()}
        and wanted.items() <= values.items()
        and values["requestId"].startswith(REQUEST_ID[:-12])
        and abs(document["_aws"]["Timestamp"] / 1000 - time.time()) < 60
    )
    if not right:
        fail(f"{name} writes other facts: {lines[0]}")


def main() -> None:
    options = parse_options(__doc__ or "")
    become_lambda()
    stdout = Stdout(options.pipe)
    report = Report("A metrics document", options)
    built, missing = build(CONTENDERS)
    for name, call in built.items():
        check(name, call, stdout)
    samples = time_calls(built, options)
    question = "3 metrics + 2 dimensions + 3 properties, flushed"
    report.add(question, samples, "shared_utils")
    report.check(question, samples, *BUDGETS)
    report.missing(missing)
    report.print(stdout.screen)


if __name__ == "__main__":
    main()
