"""Writes the measured numbers into the README: `python benchmarks/_table.py PYTHON [PYTHON]`.

Each PYTHON has the peers (`make bench` makes two such environments and names them). Every benchmark
is run RUNS times, five unless the variable says otherwise, each Python on a core of its own. What is quoted of a ratio is its least
favourable median, with the range of the medians beside it. Everything after the `measured` mark of
the README is replaced. `--zip layer.zip` is passed on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from _harness import ratio_text

RUNS = int(os.environ.get("RUNS", "5"))
HERE = Path(__file__).resolve().parent
QUESTIONS = (
    "cold_import",
    "bytecode",
    "first_message",
    "log_line",
    "metrics",
    "control_message",
    "audio_message",
    "zip_size",
)
MARK = "<!-- measured: what follows is written by _table.py -->\n"


def measure(python: str, question: str, options: list[str], core: int) -> dict[str, Any]:
    """Run a benchmark RUNS times, and return its last report with the worst of each ratio in it."""
    reports = [_run(python, question, options, core) for _ in range(RUNS)]
    for rows in zip(*(report["budgets"] for report in reports), strict=True):
        _keep_the_worst(rows)
    return reports[-1]


def _keep_the_worst(rows: tuple[dict[str, Any], ...]) -> None:
    """Put the least favourable ratio of all runs, and their range, into the last row."""
    values = sorted(row["value"] for row in rows if row["value"] is not None)
    if values:
        spread = f" ({ratio_text(values[0])} to {ratio_text(values[-1])})"
        rows[-1]["measured"] = ratio_text(values[-1]) + spread * (len(values) > 1)
        rows[-1]["met"] = all(row["met"] for row in rows)


def _run(python: str, question: str, options: list[str], core: int) -> dict[str, Any]:
    """Run a benchmark on a core of its own: the Pythons are measured beside each other."""
    command = ["taskset", "-c", str(core), python, str(HERE / f"{question}.py"), "--json", *options]
    report: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    )
    return report


def budget_rows(reports: list[dict[str, Any]]) -> list[str]:
    """Return a row for each budget; a column for each Python."""
    rows = []
    for same in zip(*(report["budgets"] for report in reports), strict=True):
        measured = [row["measured"] + ("" if row["met"] else " **missed**") for row in same]
        rows.append(f"| {same[0]['what']} | {same[0]['budget']} | {' | '.join(measured)} |")
    return rows


def table_rows(reports: list[dict[str, Any]]) -> list[str]:
    """Return a row for each contender; a column for each Python."""
    rows = []
    for tables in zip(*(report["tables"] for report in reports), strict=True):
        medians = [{row["contender"]: row["median"] for row in table["rows"]} for table in tables]
        for name in medians[0]:
            values = " | ".join(f"{median[name]:.2f}" for median in medians)
            rows.append(f"| {tables[0]['question']} | {name} | {tables[0]['unit']} | {values} |")
    return rows


def text(runs: dict[str, list[dict[str, Any]]]) -> str:
    first = next(iter(runs.values()))
    columns = [report["machine"].partition(" (")[0] for report in first]
    rules = " | ---" * len(columns)
    heads = " | ".join(columns)
    notes = [note for reports in runs.values() for note in reports[0]["notes"]]
    machines = [f"- {report['machine']}" for report in first]
    blocks = [
        "## Measured",
        "\n".join(machines) + f"\n- {first[0]['peers']}",
        f"Budgets are what the first may cost at most of the second. Of {RUNS} runs on an idle machine, each Python"
        " on a core of its own, the least favourable median is quoted, with the range of the medians.",
        f"| what | budget | {heads} |\n| --- | ---{rules} |\n"
        + "\n".join(row for reports in runs.values() for row in budget_rows(reports)),
        "Medians of all contenders, of the last run:",
        f"| question | contender | unit | {heads} |\n| --- | --- | ---{rules} |\n"
        + "\n".join(row for reports in runs.values() for row in table_rows(reports)),
        "\n".join(f"- {note}" for note in notes),
    ]
    return "\n\n".join(blocks) + "\n"


def main(arguments: list[str]) -> None:
    at = arguments.index("--zip") if "--zip" in arguments else len(arguments)
    pythons, options = arguments[:at], arguments[at:]
    if not pythons:
        sys.exit(__doc__)
    runs = {}
    for question in QUESTIONS:
        with ThreadPoolExecutor(len(pythons)) as pool:
            jobs = [
                pool.submit(measure, python, question, options, core)
                for core, python in enumerate(pythons)
            ]
        runs[question] = [job.result() for job in jobs]
    readme = HERE / "README.md"
    readme.write_text(readme.read_text().partition(MARK)[0] + MARK + "\n" + text(runs))


if __name__ == "__main__":
    main(sys.argv[1:])
