"""What people read: plans, outcomes, versions and findings as text for a terminal or a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from layerctl.doing import Outcome
    from layerctl.findings import Report
    from layerctl.planning import Plan, Step
    from layerctl.versions import LayerVersion

__all__ = ["brief_runtimes", "console", "outcome", "plan", "report", "version_table"]


def console() -> Console:
    """Return the console of standard output; made late, so that it finds what a test put there."""
    return Console(highlight=False)


def plan(plan: Plan, title: str) -> None:
    """Print the steps, and how many functions need none."""
    out = console()
    if plan.steps:
        out.print(f"[bold]{escape(title)}[/bold]")
        out.print(_steps([("", step) for step in plan.steps]))
    if plan.settled:
        out.print(f"nothing to do for {escape(', '.join(plan.settled))}")


def outcome(outcome: Outcome) -> None:
    """Print what was done, what failed and what was left."""
    rows = [("[green]done[/green]", step) for step in outcome.done]
    if outcome.failed:
        rows.append(("[red]failed[/red]", outcome.failed))
    rows += [("[yellow]not done[/yellow]", step) for step in outcome.left]
    console().print(_steps(rows))


def version_table(
    rows: Iterable[tuple[LayerVersion, str]], used: Mapping[str, Sequence[str]], newest: int
) -> None:
    """Print versions, newest first: date, digest, runtimes and who uses each."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("version", justify="right")
    table.add_column("published", no_wrap=True)
    table.add_column("sha256", no_wrap=True)
    table.add_column("python", no_wrap=True)
    table.add_column("used by", overflow="fold")
    for version, digest in rows:
        mark = f"[bold]{version.number}[/bold]" if version.number == newest else f"{version.number}"
        table.add_row(
            mark,
            version.created[:16].replace("T", " "),
            digest[:8],
            brief_runtimes(version.runtimes),
            escape("\n".join(used.get(version.arn, ["-"]))),
        )
    console().print(table)


def report(report: Report, sizes: bool) -> None:
    """Print findings, worst first, each with its remedy; then sizes if they are wanted."""
    out = console()
    for finding in sorted(report.findings, key=lambda one: (one.level, one.subject)):
        colour = "red" if finding.level == "error" else "yellow"
        out.print(
            f"[{colour}]{finding.level}[/{colour}]  [bold]{escape(finding.subject)}[/bold]  "
            f"{finding.code}"
        )
        out.print(Padding(escape(finding.message), (0, 0, 0, 4)))
        _remedy(out, finding.remedy)
    if sizes:
        _sizes(report.sizes)
    errors = sum(finding.level == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    seen = f"{len(report.subjects)} looked at: {', '.join(report.subjects)}"
    out.print(f"{errors} errors, {warnings} warnings; {escape(seen)}", soft_wrap=False)


def _remedy(out: Console, remedy: str) -> None:
    """Print a remedy; a command stays on one line, so that it can be copied."""
    text = f"[green]->[/green] {escape(remedy)}"
    if remedy.startswith("layerctl "):
        out.print(f"    {text}\n", soft_wrap=True)
    else:
        out.print(Padding(text, (0, 0, 1, 4)))


def brief_runtimes(runtimes: Sequence[str]) -> str:
    """Return `3.11-3.14` for a run of Python versions, else a list."""
    minors = sorted(
        int(name.removeprefix("python3.")) for name in runtimes if name.startswith("python3.")
    )
    if not minors or len(minors) != len(runtimes):
        return ", ".join(runtimes) or "any"
    if len(minors) > 2 and minors == list(range(minors[0], minors[-1] + 1)):
        return f"3.{minors[0]}-3.{minors[-1]}"
    return ", ".join(f"3.{minor}" for minor in minors)


def _steps(rows: Sequence[tuple[str, Step]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for state, step in rows:
        cells = [state] if state else []
        table.add_row(*cells, escape(step.name), escape(f"{step.before} -> {_after(step)}"))
    return table


def _after(step: Step) -> str:
    """Return `3` where the layer is the same, so that a row fits 80 columns."""
    layer, _, number = step.after.rpartition(":")
    return number if layer and step.before.startswith(f"{layer}:") else step.after


def _sizes(sizes: Mapping[str, Mapping[str, int]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("unpacked bytes", justify="right")
    table.add_column("package", overflow="fold")
    for subject, parts in sizes.items():
        table.add_row(f"{sum(parts.values()):,}", f"[bold]{escape(subject)}[/bold]")
        for name, size in parts.items():
            table.add_row(f"{size:,}", f"  {escape(name)}")
    console().print(table)
