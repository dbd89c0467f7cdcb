"""Shows what the demo saw: tables for a person at a terminal, plain text for a pipe."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from rich.text import Text

from local.client import FLOOR
from local.notices import voice_of
from local.watch import carries_only_metrics, metric_table, plain_table, render_line, status_table
from local.words import counted

from .record import percentile

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from local.watch import MetricRow

    from .record import DemoResult, ListenerResult, Voice

__all__ = ["latency_table", "show_summary", "voice_line"]

_SHOWN_LINES = 6


def show_summary(
    console: Console, record: DemoResult, metrics: list[MetricRow], output: Path
) -> None:
    """Print everything; what went wrong comes last, where the eye is."""
    _title(console, "What the listeners heard")
    console.print(_listeners_table(record))
    for voice in record.voices:
        console.print(voice_line(voice, record.listeners_of(voice)))
    _title(console, "From mouth to ear, in ms")
    console.print("Cold: chunks under way while an environment of the audio function was started.")
    console.print(latency_table(record))
    _title(console, "What was refused, and how")
    for refusal in _refusals(record):
        console.print(refusal)
    _title(console, "From CloudWatch Logs: one line of each kind with the session's id")
    console.print("As long as the terminal is wide; `logs` shows all of them.")
    for function, line in _chosen_lines(record):
        console.print(render_line(function, line), no_wrap=True, overflow="ellipsis")
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
    table = plain_table("language", "hears", "chunks", "missing", "seconds")
    for listener in record.listeners:
        heard = listener.heard
        table.add_row(
            listener.language,
            "speaker" if listener.voice.channel == FLOOR else "interpreter",
            f"{len(heard.chunks)} of {len(listener.voice.chunks)}",
            str(heard.num_missing),
            f"{heard.recording.seconds:.1f}",
        )
    return table


def latency_table(record: DemoResult) -> Table:
    """Return how long chunks were under way, in ms: those that met a cold start apart."""
    table = plain_table("language", "chunks", "median", "p95", "worst")
    for listener in record.listeners:
        for name, latencies in record.latencies_ms(listener).items():
            numbers = ["-"] * 3
            if latencies:
                worst = max(latencies)
                numbers = [
                    f"{number:,.1f}"
                    for number in (statistics.median(latencies), percentile(latencies, 95), worst)
                ]
            table.add_row(f"{listener.language}, {name}", str(len(latencies)), *numbers)
    return table


def voice_line(voice: Voice, listeners: list[ListenerResult]) -> str:
    """Return what became of all that the speaker or an interpreter sent."""
    name = voice_of(voice.channel)
    heard = min((len(one.heard.chunks) for one in listeners), default=0)
    exact = "byte for byte" if all(one.is_exact for one in listeners) else "not byte for byte"
    asked = [len(one.captions) for one in listeners if one.captions is not None]
    return (
        f"{name}: {heard} of {counted(len(voice.chunks), 'chunk')} heard by {counted(len(listeners), 'listener')}, {exact}; "
        f"{min(asked, default=0)} of {counted(len(voice.cues), 'caption')} read by {counted(len(asked), 'listener')}"
    )


def _refusals(record: DemoResult) -> list[str]:
    flood = f"{record.flood_refused} of {record.flood_sent} refused"
    rows = [(broken.kind, code, sentence) for broken, code, sentence in record.refusals]
    rows.append((f"{record.flood_sent} requests at once", "RATE_LIMIT_CONTROL_MESSAGES", flood))
    return [f"{kind}:\n  {code}\n  {sentence}" for kind, code, sentence in rows]


def _chosen_lines(record: DemoResult) -> list[tuple[str, dict[str, Any]]]:
    chosen: dict[object, tuple[str, dict[str, Any]]] = {}
    for function, line in record.lines:
        if not carries_only_metrics(line):
            chosen.setdefault((line["message"], line.get("operation")), (function, line))
    return list(chosen.values())[:_SHOWN_LINES]
