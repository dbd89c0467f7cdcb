"""Writes the measured numbers into the README: `python benchmarks/_table.py PYTHON [PYTHON]`.

Each PYTHON has the peers (`make bench` makes such environments and names them). Every benchmark is
run RUNS times, five unless the variable says otherwise, each Python on a core of its own. What is
quoted of a ratio is its least favourable median, with the range of the medians beside it. The part
of the README after its `measured` mark is replaced. `--zip layer.zip` is passed on.

With `--alone` it is the other part: benchmarks that have servers and want all of the machine, one
Python after the other. Each Python is a column there; AWS's new SDK wants 3.12.
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
ALONE = ("handler_cold_start", "cold_start_parts", "dynamodb")
MARK = "<!-- measured: what follows is written by _table.py -->\n"
MARK_ALONE = "<!-- measured alone: what follows is written by _table.py --alone -->\n"


def measure(
    python: str, question: str, options: list[str], core: int | None = None
) -> dict[str, Any]:
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


def _run(python: str, question: str, options: list[str], core: int | None) -> dict[str, Any]:
    """Run a benchmark, on a core of its own if one is named."""
    command = [python, str(HERE / f"{question}.py"), "--json", *options]
    pinned = command if core is None else ["taskset", "-c", str(core), *command]
    report: dict[str, Any] = json.loads(
        subprocess.run(pinned, check=True, stdout=subprocess.PIPE).stdout
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
        for name in dict.fromkeys(name for median in medians for name in median):
            values = " | ".join(f"{m[name]:.2f}" if name in m else "-" for m in medians)
            rows.append(f"| {tables[0]['question']} | {name} | {tables[0]['unit']} | {values} |")
    return rows


def text(title: str, how: str, runs: dict[str, list[dict[str, Any]]]) -> str:
    first = next(iter(runs.values()))
    columns = [report["machine"].partition(" (")[0] for report in first]
    rules = " | ---" * len(columns)
    heads = " | ".join(columns)
    notes = [note for reports in runs.values() for note in reports[0]["notes"]]
    machines = [f"- {report['machine']}" for report in first]
    blocks = [
        f"## {title}",
        "\n".join(machines) + f"\n- {first[-1]['peers']}",
        f"Budgets are what the first may cost at most of the second. Of {RUNS} runs on an idle machine, {how},"
        " the least favourable median is quoted, with the range of the medians.",
        f"| what | budget | {heads} |\n| --- | ---{rules} |\n"
        + "\n".join(row for reports in runs.values() for row in budget_rows(reports)),
        "Medians of all contenders, of the last run:",
        f"| question | contender | unit | {heads} |\n| --- | --- | ---{rules} |\n"
        + "\n".join(row for reports in runs.values() for row in table_rows(reports)),
        "\n".join(f"- {note}" for note in notes),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def beside_each_other(pythons: list[str], options: list[str]) -> str:
    """Measure what needs one core only."""
    runs = {}
    for question in QUESTIONS:
        with ThreadPoolExecutor(len(pythons)) as pool:
            jobs = [
                pool.submit(measure, python, question, options, core)
                for core, python in enumerate(pythons)
            ]
        runs[question] = [job.result() for job in jobs]
    return text("Measured", "each Python on a core of its own", runs)


def one_by_one(pythons: list[str], options: list[str]) -> str:
    """Measure what needs the whole machine."""
    runs = {q: [measure(python, q, options) for python in pythons] for q in ALONE}
    return text("Measured, cold starts and DynamoDB", "one Python after the other", runs)


def main(arguments: list[str]) -> None:
    alone = "--alone" in arguments
    arguments = [argument for argument in arguments if argument != "--alone"]
    at = arguments.index("--zip") if "--zip" in arguments else len(arguments)
    pythons, options = arguments[:at], arguments[at:]
    if not pythons:
        sys.exit(__doc__)
    measured = (one_by_one if alone else beside_each_other)(pythons, options)
    readme = HERE / "README.md"
    before, _, after = readme.read_text().partition(MARK)
    parallel, _, rest = after.partition(MARK_ALONE)
    if alone:
        rest = f"\n{measured}"
    else:
        parallel = f"\n{measured}"
    readme.write_text(f"{before}{MARK}{parallel.rstrip()}\n\n{MARK_ALONE}{rest}")


if __name__ == "__main__":
    main(sys.argv[1:])
