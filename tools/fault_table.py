"""The tables of web/README.md on faults that are made on purpose, from what `python -m tests.page_faults` measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "table"]

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "tests" / "page_faults" / "results.json"
_HEADS = (
    "what happens",
    "to whom",
    "the person is shown",
    "the listener hears",
    "delay before, after",
    "live again",
)
_PARTS = {
    "microphone": "from the microphone to the page: device, browser, resampler",
    "chunk": "filling a chunk",
    "network": "from sending to receiving: gateway, functions, gateway",
    "waiting": "from receiving to the sound device: buffer and player",
    "output": "sound device, as the browser says (`outputLatency`)",
    "total": "from microphone to ear",
}
# Shorter losses are the edges of a silence.
_SLOT_SECONDS = 0.25

Row = dict[str, Any]


def table(results: Path = RESULTS) -> str:
    """Return the tables in Markdown."""
    kept = json.loads(results.read_text())
    run, measured = kept["run"], kept["measured"]
    low, high = run["load"]
    versions = " and ".join(run["versions"][name] for name in sorted(run["versions"]))
    parts = [
        f"Last run on {run['date']}, with {versions}, on {run['system']} with {run['cores']} cores, "
        f"whose load average was {low:g} to {high:g} meanwhile."
    ]
    sections = {f"Faults in {browser}": _fault_table(rows) for browser, rows in measured.items()}
    sections["From microphone to ear"] = _journey_table(measured)
    sections["Long and large sessions"] = _session_list(measured.get("Chromium", {}))
    parts += [f"### {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join(parts)


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _fault_table(measured: dict[str, Row]) -> str:
    lines = [_line(_HEADS), _line(["---"] * len(_HEADS))]
    for name, row in measured.items():
        if "before_ms" not in row:  # of another table
            continue
        what, _, role = name.rpartition(": ")
        shown = " ".join(f"“{sentence}”" for sentence in row["shown"]) or "nothing new"
        lines.append(
            _line(
                [what, role, shown, _heard(row), _delay(row), _seconds(row["live_again_seconds"])]
            )
        )
    return "\n".join(lines)


def _heard(row: Row) -> str:
    silent, lost = row["silent_seconds"], row["lost_seconds"]
    said = [f"{silent:g} s of silence" if silent else "no silence"]
    said.append(f"{lost:g} s lost" if lost >= _SLOT_SECONDS else "nothing lost")
    said.append({0: "clean", 1: "1 click"}.get(row["seams"], f"{row['seams']} clicks"))
    return ", ".join(said)


def _delay(row: Row) -> str:
    before, after = (
        f"{row[name]:g} ms" if row[name] is not None else "none"
        for name in ("before_ms", "after_ms")
    )
    return f"{before}, {after}"


def _seconds(value: float | None) -> str:
    return "no" if value is None else f"within {value:g} s"


def _journey_table(measured: dict[str, dict[str, Row]]) -> str:
    found = {
        browser: rows["microphone to ear"]
        for browser, rows in sorted(measured.items())
        if "microphone to ear" in rows
    }
    if not found:
        return ""
    heads = ["part", *(f"{browser}: p50, p95, p99 in ms" for browser in found)]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for name, what in _PARTS.items():
        lines.append(_line([what, *(", ".join(map(str, row[name])) for row in found.values())]))
    return "\n".join(lines)


def _session_list(rows: dict[str, Row]) -> str:
    lines = []
    if (ten := rows.get("ten minutes")) is not None:
        delays = [delay for ear in ten["minutes"] for delay in ear]
        lines.append(
            f"- 10 minutes, a speaker and {len(ten['minutes'])} listeners in Chromium: the median delay of a minute was "
            f"{min(delays)} to {max(delays)} ms, at most {max(max(ear) - min(ear) for ear in ten['minutes'])} ms apart for one "
            f"listener; {sum(ten['lost'])} chirps of the voice were not heard, {sum(ten['seams'])} clicks."
        )
    if (twenty := rows.get("twenty listeners")) is not None:
        worst = max(ear[-1] for ear in twenty["delay"])
        lines.append(
            f"- 20 listeners for a minute, {len(twenty['delay'])} of them pages: {sum(twenty['missing'])} chunks missing at the others, "
            f"{sum(twenty['lost'])} chirps not heard at the pages, whose delay was at most {worst} ms (p99)."
        )
    return "\n".join(lines)
