"""Shows what the demo saw: tables for a person at a terminal, plain text for a pipe."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

from rich import box
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from .record import percentile

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
    table = _table("Error replies, as posted to the sender", "what was broken", "code", "sentence")
    for column in table.columns:
        column.justify = "left"
    rows = {
        (exchange.message.kind, exchange.reply["code"], exchange.reply["message"])
        for exchange in record.refused()
        if exchange.reply is not None
    }
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
    first = record.exchanges[0].result
    taken, refused = record.taken(), record.refused()
    speech = sum(exchange.message.kind == "chunk" for exchange in taken)
    warm = [exchange.result.duration_ms for exchange in taken if exchange.result is not first]
    answered = [exchange.result.duration_ms for exchange in refused]
    table = _table("Invocations", "", "")
    table.show_header = False
    table.add_row("messages sent", str(len(record.exchanges)))
    table.add_row("chunks taken", str(len(taken)))
    table.add_row("messages refused", str(len(refused)))
    table.add_row("cold start: process, runtime, imports", _milliseconds(first.init_ms or 0, 1))
    table.add_row("cold start: first message", _milliseconds(first.duration_ms, 1))
    for kind, durations in (("chunk", warm), ("refusal, with its reply", answered)):
        if durations:
            table.add_row(f"warm {kind}: median", _milliseconds(statistics.median(durations)))
            table.add_row(f"warm {kind}: p95", _milliseconds(percentile(durations, 95)))
    table.add_row("log lines per message", f"{len(record.lines) / len(record.exchanges):.2f}")
    table.add_row("bytes logged per chunk of the speech", _average(record.speech_bytes, speech))
    table.add_row("bytes logged per refusal", _average(record.refusal_bytes, len(refused)))
    return table


def _milliseconds(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f} ms"


def _average(total: int, count: int) -> str:
    return f"{total / count:.0f}" if count else "-"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"
