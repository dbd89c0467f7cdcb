"""Shows what the demo saw: tables for a person at a terminal, plain text for a pipe."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from rich.text import Text

from local.watch import carries_only_metrics, metric_table, plain_table, render_line, status_table

from .record import percentile

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from local.watch import MetricRow

    from .record import DemoResult

__all__ = ["show_summary"]

_SHOWN_LINES = 6


def show_summary(
    console: Console, record: DemoResult, metrics: list[MetricRow], output: Path
) -> None:
    """Print everything; what went wrong comes last, where the eye is."""
    _title(console, "What the listeners heard")
    console.print(_listeners_table(record))
    _title(console, "What was refused, and how")
    console.print(_refusals_table(record))
    _title(console, "From CloudWatch Logs, with the session's id: one line of each kind")
    for function, line in _chosen_lines(record):
        console.print(render_line(function, line), soft_wrap=True)
    _title(console, "From CloudWatch")
    console.print(metric_table(metrics))
    _title(console, "The functions")
    console.print(status_table(record.functions))
    console.print(f"heard by the first listener: {output}")
    for problem in record.problems[:20]:
        console.print(Text(f"unexpected: {problem}", style="bold red"))
    verdict, style = (
        ("as expected", "bold green")
        if not record.problems
        else (f"{len(record.problems)} unexpected", "bold red")
    )
    console.print(Text(f"demo: {verdict}", style=style))


def _title(console: Console, text: str) -> None:
    console.print(Text(f"\n{text}", style="bold"))


def _listeners_table(record: DemoResult) -> Table:
    columns = ("language", "chunks", "missing", "seconds", "latency: median", "p95", "worst")
    table = plain_table(*columns)
    for listener in record.listeners:
        heard = listener.heard
        latencies = heard.latencies_ms or [0.0]
        numbers = (statistics.median(latencies), percentile(latencies, 95), max(latencies))
        table.add_row(
            listener.language,
            f"{len(heard.chunks)} of {record.chunks_sent}",
            str(heard.num_missing),
            f"{heard.recording.seconds:.1f}",
            *(f"{number:.1f} ms" for number in numbers),
        )
    return table


def _refusals_table(record: DemoResult) -> Table:
    table = plain_table("what was broken", "code", "sentence")
    for column in table.columns:
        column.justify = "left"
    for broken, code, sentence in record.refusals:
        table.add_row(broken.kind, code, Text(sentence))
    flood = f"{record.flood_refused} of {record.flood_sent} refused"
    table.add_row(f"{record.flood_sent} requests at once", "RATE_LIMIT_CONTROL_MESSAGES", flood)
    return table


def _chosen_lines(record: DemoResult) -> list[tuple[str, dict[str, Any]]]:
    chosen: dict[object, tuple[str, dict[str, Any]]] = {}
    for function, line in record.lines:
        if not carries_only_metrics(line):
            chosen.setdefault((line["message"], line.get("operation")), (function, line))
    return list(chosen.values())[:_SHOWN_LINES]
