"""Shows what the demo saw: tables for a person at a terminal, plain text for a pipe."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

from rich import box
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from .record import code_of, percentile

if TYPE_CHECKING:
    from rich.console import Console

    from .record import Record

__all__ = ["show_summary"]


def show_summary(console: Console, record: Record) -> None:
    """Print everything; what went wrong comes last, where the eye is."""
    _show_lines(console, record)
    console.print(_error_table(record))
    console.print(_metrics_table(record))
    console.print(_totals_table(record))
    for problem in record.problems[:20]:
        console.print(Text(f"unexpected: {problem}", style="bold red"))
    verdict, style = (
        ("as expected", "bold green")
        if not record.problems
        else (f"{len(record.problems)} unexpected", "bold red")
    )
    console.print(Text(f"demo: {verdict}", style=style))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _show_lines(console: Console, record: Record) -> None:
    console.print(Text("\nLog lines: one of each kind, at most four", "bold"))
    highlight = JSONHighlighter()
    for line in _chosen_lines(record):
        text = Text(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
        highlight.highlight(text)
        console.print(text, soft_wrap=not console.is_terminal)


def _chosen_lines(record: Record) -> list[dict[str, Any]]:
    """Return one log line of each message and code that occurred."""
    chosen: dict[tuple[object, object, object], dict[str, Any]] = {}
    for line in record.lines:
        if "_aws" not in line:
            chosen.setdefault((line["message"], line.get("errorCode"), line.get("coldStart")), line)
    return list(chosen.values())[:4]


def _error_table(record: Record) -> Table:
    table = _table("Error replies", "what was broken", "code", "sentence")
    for column in table.columns:
        column.justify = "left"
    rows = {(message.kind, reply["code"], reply["message"]) for message, reply in record.refused()}
    for row in sorted(rows, key=lambda row: (row[1], row[0])):
        table.add_row(*(Text(cell) for cell in row))
    return table


def _metrics_table(record: Record) -> Table:
    table = _table("Metrics", "name", "count", "sum", "min", "average", "p95", "max", "unit")
    for name, metric in record.metrics().items():
        values = metric.values
        numbers = [
            sum(values),
            min(values),
            statistics.fmean(values),
            percentile(values, 95),
            max(values),
        ]
        table.add_row(name, str(len(values)), *map(_number, numbers), metric.unit)
    return table


def _totals_table(record: Record) -> Table:
    results = record.results
    taken = sum(code_of(result) is None for result in results)
    warm = [result.duration_ms for result in results[1:]]
    table = _table("Invocations", "", "")
    table.show_header = False
    table.add_row("messages sent", str(len(results)))
    table.add_row("chunks taken", str(taken))
    table.add_row("messages refused", str(len(results) - taken))
    table.add_row("cold start: process, runtime, imports", f"{results[0].init_ms:.1f} ms")
    table.add_row("cold start: first message", f"{results[0].duration_ms:.1f} ms")
    table.add_row("warm message: median", f"{statistics.median(warm):.2f} ms")
    table.add_row("warm message: p95", f"{percentile(warm, 95):.2f} ms")
    table.add_row("log lines per message", f"{len(record.lines) / len(results):.2f}")
    for kind, is_taken in (("chunk taken", True), ("message refused", False)):
        sizes = [
            size
            for size, result in zip(record.log_bytes, results, strict=True)
            if (code_of(result) is None) is is_taken
        ]
        table.add_row(f"bytes logged per {kind}", f"{statistics.fmean(sizes):.0f}")
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"
