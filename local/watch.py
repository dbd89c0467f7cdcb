"""`logs`, `metrics` and `status`: what an operator sees, read through the AWS APIs.

CloudWatch Logs and CloudWatch are asked as on AWS; only `status` knows the process itself.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from wslocal import printable

from .words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from .state import RunningSystem

__all__ = [
    "LEVELS",
    "LogFilter",
    "follow_logs",
    "metric_rows",
    "metric_table",
    "read_logs",
    "read_status",
    "status_table",
]

# From the least to the most serious, as Lambda's log-level filter knows them.
LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_STYLES = {"WARN": "yellow", "ERROR": "bold red", "FATAL": "bold red", "DEBUG": "dim"}
# The function's name says it, or it is for machines.
_SAID_OTHERWISE = ("_aws", "component", "service", "traceId")
_POLL_SECONDS = 0.5
_STATUS_SECONDS = 3.0
_PERIOD_SECONDS = 60  # CloudWatch has no finer one for a metric of standard resolution
# A terminal of 60 columns shows them all.
_METRIC_WIDTHS = (10, 13, 11, 11, 11)
_LONGEST_NUMBER = 1e9
# Events are shipped a moment after they were written, and not in the order of their times.
_LATE_MS = 5_000


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines to show; None is any."""

    session: str | None = None
    connection: str | None = None
    level: str = "TRACE"
    metrics: bool = False  # lines that carry metrics and nothing else, too

    def takes(self, line: Mapping[str, Any]) -> bool:
        """Return whether a parsed line is to be shown."""
        level = line.get("level")
        return (
            self.session in (None, line.get("sessionId"))
            and self.connection in (None, line.get("connectionId"))
            and (level not in LEVELS or LEVELS.index(level) >= LEVELS.index(self.level))
            and (self.metrics or not carries_only_metrics(line))
        )


def carries_only_metrics(line: Mapping[str, Any]) -> bool:
    """Return whether a line is an EMF document that says nothing else."""
    return "_aws" in line and line.get("message", "Metrics") == "Metrics"


def follow_logs(
    running: RunningSystem, chosen: LogFilter, console: Console, *, follow: bool
) -> None:
    """Print the lines of all functions in the order of their times; with `follow`, for ever."""
    seen: set[str] = set()
    since = 0
    while True:
        newest = since
        for event in read_logs(running, since):
            if event["eventId"] in seen:
                continue
            seen.add(event["eventId"])
            newest = max(newest, event["timestamp"])
            line = parse_line(event["message"])
            if chosen.takes(line):
                console.print(render_line(event["function"], line), soft_wrap=True)
        since = max(0, newest - _LATE_MS)
        if not follow or getattr(console.file, "is_lost", False):  # nobody reads it any more
            return
        time.sleep(_POLL_SECONDS)


def read_logs(running: RunningSystem, since_ms: int = 0) -> list[dict[str, Any]]:
    """Return the events of the stack's functions since a time, each with its `function`."""
    logs = running.client("logs")
    events = []
    for group in _log_groups(running):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=since_ms
        )
        function = group.removeprefix("/aws/lambda/")
        events += [event | {"function": function} for page in pages for event in page["events"]]
    return sorted(events, key=lambda event: event["timestamp"])


def _log_groups(running: RunningSystem) -> list[str]:
    pages = (
        running.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=running.stack)
    )
    return [
        f"/aws/lambda/{resource['PhysicalResourceId']}"
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    ]


def parse_line(text: str) -> dict[str, Any]:
    """Return a line's members; a line that is not JSON is its own message."""
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    return line if isinstance(line, dict) else {"message": text.rstrip("\n")}


def render_line(function: str, line: Mapping[str, Any]) -> Text:
    """Return a line for people: time, level, function, message, then everything else."""
    rest = dict(line)
    moment = str(rest.pop("timestamp", ""))[11:23]
    level = str(rest.pop("level", ""))
    message = str(rest.pop("message", "metrics" if "_aws" in rest else ""))
    for name in _SAID_OTHERWISE:
        rest.pop(name, None)
    if isinstance(context := rest.get("context"), dict) and "environment" in context:
        # Of Lambda and the layer, and as long as all else: which layer it is may matter.
        environment = context["environment"]
        version = environment.get("layerVersion") if isinstance(environment, dict) else None
        message += f" (first line of its environment{f', with layer {version}' if version else ''})"
        rest["context"] = {name: value for name, value in context.items() if name != "environment"}
        if not rest["context"]:
            del rest["context"]
    stack = (
        (rest.get("error") or {}).pop("stack", []) if isinstance(rest.get("error"), dict) else []
    )
    text = Text(f"{moment} ", style="dim")
    text.append(f"{level:5} ", style=_STYLES.get(level, "green"))
    text.append(f"{_short(function):12} ", style="cyan")
    text.append(printable(message), style="default")
    for name, value in rest.items():
        shown = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        text.append(f" {printable(name)}=", style="dim")
        text.append(printable(shown), style="default")
    for frame in stack:
        text.append(f"\n    {printable(frame)}", style="dim")
    return text


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric without dimensions, as CloudWatch adds it up."""

    name: str
    unit: str
    count: float
    total: float
    low: float
    average: float
    high: float


def metric_rows(running: RunningSystem, minutes: int = 60) -> list[MetricRow]:
    """Return the roll-up of each metric that was seen in the last minutes, by name."""
    cloudwatch = running.client("cloudwatch")
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=running.namespace)
    found: dict[str, list[list[dict[str, str]]]] = {}
    for page in pages:
        for metric in page["Metrics"]:
            found.setdefault(metric["MetricName"], []).append(metric.get("Dimensions") or [])
    return [
        row
        for name, sets in sorted(found.items())
        if [] in sets
        for row in _row(cloudwatch, running.namespace, name, sets, minutes)
    ]


def _row(
    cloudwatch: Any, namespace: str, name: str, sets: list[list[dict[str, str]]], minutes: int
) -> Iterator[MetricRow]:
    now = time.time()
    times = {"StartTime": now - minutes * 60, "EndTime": now + 60}
    count, total = _without_dimensions(cloudwatch, namespace, name, sets, times)
    if not count:
        return
    # What has dimensions was written without them, too: the least and the most are those of all.
    points = cloudwatch.get_metric_statistics(
        **times,
        Namespace=namespace,
        MetricName=name,
        Period=_PERIOD_SECONDS,
        Statistics=["Minimum", "Maximum"],
    )["Datapoints"]
    yield MetricRow(
        name,
        points[0].get("Unit", "None"),
        count,
        total,
        min(point["Minimum"] for point in points),
        total / count,
        max(point["Maximum"] for point in points),
    )


def _without_dimensions(
    cloudwatch: Any,
    namespace: str,
    name: str,
    sets: list[list[dict[str, str]]],
    times: dict[str, float],
) -> tuple[float, float]:
    """Return how many values a metric without dimensions has, and their sum.

    A query without dimensions gets all sets together from the emulator (wslocal/CONFORMANCE.md), one with
    dimensions gets that set. One request asks for all, so that no value comes between the answers.
    """
    queries = {
        f"{kind.lower()}{number}": {
            "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions},
            "Period": _PERIOD_SECONDS,
            "Stat": kind,
        }
        for kind in ("SampleCount", "Sum")
        for number, dimensions in enumerate(sorted(sets, key=len))
    }
    results = cloudwatch.get_metric_data(
        **times,
        MetricDataQueries=[{"Id": key, "MetricStat": query} for key, query in queries.items()],
    )["MetricDataResults"]
    sums = {result["Id"]: sum(result["Values"]) for result in results}
    count, total = (
        sums[f"{kind}0"] - sum(sums[f"{kind}{number}"] for number in range(1, len(sets)))
        for kind in ("samplecount", "sum")
    )
    return count, total


def metric_table(rows: list[MetricRow]) -> Group:
    """Return the metrics, each with its numbers in a line of its own: names are as long as a line of numbers."""
    heads = ("count", "sum", "min", "average", "max")
    lines = [Text(_columns(heads), style="bold")]
    for row in rows:
        numbers = (row.count, row.total, row.low, row.average, row.high)
        lines += [Text(f"{row.name}, {row.unit}"), Text(_columns([*map(_number, numbers)]))]
    return Group(*lines)


def _columns(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, _METRIC_WIDTHS, strict=True))


def read_status(running: RunningSystem) -> dict[str, Any]:
    """Ask the running process how its functions and connections are; RunNotFoundError if it is silent."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_STATUS_SECONDS)
        connection.connect(str(running.control_socket))
        connection.sendall(b'{"command": "status"}\n')
        with connection.makefile("rb") as answer:
            return dict(json.load(answer))


def status_table(functions: list[dict[str, Any]]) -> Group:
    """Return the functions' states as a table, and what failed in lines after it."""
    columns = {
        "environments": "running",
        "busy": "busy",
        "waiting": "waiting",
        "invocations": "invoked",
        "coldStarts": "cold",
    }
    table = plain_table("function", *columns.values())
    for function in functions:
        table.add_row(_short(function["name"]), *(_number(function[column]) for column in columns))
    prefixes = sorted(
        {function["name"].removesuffix(_short(function["name"])) for function in functions}
    )
    named = [f"each name begins with {prefix}" for prefix in prefixes if prefix]
    return Group(table, *named, *filter(None, map(_failures, functions)))


def _failures(function: dict[str, Any]) -> str:
    """Return what failed in a function; empty if nothing did."""
    kinds = {"errors": "error", "timeouts": "timeout", "crashes": "crash", "throttles": "throttle"}
    numbers = {noun: function[kind] for kind, noun in kinds.items() if function[kind]}
    kinds_of_failure = ", ".join(counted(number, noun) for noun, number in numbers.items())
    return f"{_short(function['name'])}: {kinds_of_failure}" if kinds_of_failure else ""


def _short(name: str) -> str:
    """Return a function's name without the stack's, which all of them have."""
    return name.rpartition("-")[2]


def plain_table(*columns: str) -> Table:
    """Return a table whose first column is text and whose others are numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _number(value: float) -> str:
    if abs(value) >= _LONGEST_NUMBER:
        return f"{value:.2e}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
