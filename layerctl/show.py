"""What people read: plans, outcomes, versions and findings as text for a terminal or a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from layerctl.errors import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from layerctl.findings import Finding, Report
    from layerctl.planning import Plan, Step
    from layerctl.regions import RegionResult
    from layerctl.versions import LayerVersion

__all__ = ["brief_runtimes", "console", "plan", "progress", "region_row", "report", "version_table"]

_LONGEST_STATE = len("published, public already")
_STATES = {"done": "green", "failed": "red", "not done": "yellow"}


def console() -> Console:
    """Return the console of standard output; made late, so that it finds what a test put there."""
    return Console(highlight=False)


def plan(plan: Plan, title: str) -> None:
    """Print the steps, and how many functions need none."""
    out = console()
    if plan.steps:
        out.print(f"[bold]{escape(title)}[/bold]")
        width = max(len(step.name) for step in plan.steps)
        for step in plan.steps:
            out.print(f"  {escape(step.name):{width}}  {escape(_move(step))}", soft_wrap=True)
    if plan.settled:
        out.print(f"nothing to do for {escape(', '.join(plan.settled))}")


def progress(steps: Sequence[Step]) -> Callable[[str, Step], None]:
    """Return what prints one step with its state, in the columns that fit all of them."""
    width = max((len(step.name) for step in steps), default=0)

    def row(state: str, step: Step) -> None:
        out.print(
            f"[{_STATES[state]}]{state:8}[/]  {escape(step.name):{width}}  {escape(_move(step))}",
            soft_wrap=True,
        )

    out = console()
    return row


def region_row(regions: Sequence[str]) -> Callable[[RegionResult], None]:
    """Return what prints a region's result: what was done, and the ARN or the error, in one line."""
    width = max(map(len, regions))

    def row(result: RegionResult) -> None:
        colour = "red" if result.error else "green"
        text = result.published.arn if result.published else str(result.error)
        state = f"[{colour}]{result.state:{_LONGEST_STATE}}[/]"
        out.print(f"{result.region:{width}}  {state}  {escape(text)}", soft_wrap=True)

    out = console()
    return row


def version_table(
    rows: Iterable[tuple[LayerVersion, str]], used: Mapping[str, Sequence[str]], newest: int
) -> None:
    """Print versions, newest first: date, digest, runtimes and who uses each."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
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
    for finding, subjects in _alike(report.findings):
        colour = "red" if finding.level == "error" else "yellow"
        out.print(f"[{colour}]{finding.level}[/]  [bold]{escape(subjects)}[/bold]  {finding.code}")
        out.print(Padding(escape(finding.message), (0, 0, 0, 4)))
        _remedy(out, finding.remedy)
    if sizes:
        _sizes(report.sizes)
    errors = sum(finding.level == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    found = (
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
        if errors or warnings
        else "healthy"
    )
    out.print(f"{found}; looked at {escape(', '.join(report.subjects))}")


def _alike(findings: Iterable[Finding]) -> list[tuple[Finding, str]]:
    """Return findings that differ in their subject only as one, errors first."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for one in sorted(findings, key=lambda one: (one.level, one.code, one.message)):
        groups.setdefault((one.code, one.message, one.remedy), []).append(one)
    return [(group[0], ", ".join(one.subject for one in group)) for group in groups.values()]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _remedy(out: Console, remedy: str) -> None:
    """Print a remedy; a command stays on one line, so that it can be copied."""
    text = f"[green]->[/green] {escape(remedy)}"
    if remedy.startswith(f"{COMMAND} "):
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


def _move(step: Step) -> str:
    """Return `L:2 -> 3`: the layer's name once, so that a row fits 80 columns."""
    layer, _, number = step.after.rpartition(":")
    same = layer and step.before.startswith(f"{layer}:")
    return f"{step.before} -> {number if same else step.after}"


def _sizes(sizes: Mapping[str, Mapping[str, int]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("unpacked bytes", justify="right")  # of 262,144,000
    table.add_column("package", overflow="fold")
    for subject, parts in sizes.items():
        table.add_row(f"{sum(parts.values()):,}", f"[bold]{escape(subject)}[/bold]")
        for name, size in parts.items():
            table.add_row(f"{size:,}", f"  {escape(name)}")
    console().print(table)
