"""The commands. Each reads what is there, has a plan or findings made of it, shows them, acts."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from layerctl import doctor, fleet, moving, publishing, show, versions
from layerctl.archive import Archive
from layerctl.errors import WrongInputError
from layerctl.options import (
    PACKAGE,
    Names,
    OneLineErrors,
    ZipFile,
    ask,
    aws_options,
    name_options,
    selection_options,
    version_option,
)
from layerctl.regions import check_known, parse_regions, publish_in, refuse_failures

if TYPE_CHECKING:
    from layerctl.aws import Aws

__all__ = ["main"]

_RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")

_zip_type = ZipFile(exists=True, dir_okay=False)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_package = click.option(
    "--package", default=PACKAGE, show_default=True, help="The package that the zip must hold."
)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@version_option
def main() -> None:
    """Publish the shared layer, see who uses it, move functions, find what is wrong.

    Exit codes: 0 done, or healthy; 1 stopped half-way, or doctor found an error; 2 nothing was
    changed: wrong input, refused, or AWS did not answer.
    """


@main.command()
@click.argument("archive", metavar="ZIP", type=_zip_type)
@name_options
@aws_options
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    default=_RUNTIMES,
    help="A runtime that the zip is for; repeatable. Python 3.11 to 3.14 if none is named.",
)
@click.option("--regions", metavar="NAME,NAME", help="Several, in place of --region.")
@click.option("--public", is_flag=True, help="Let every AWS account use it.")
@click.option("--yes", is_flag=True, help="Do not ask before it becomes public.")
@click.option("--force", is_flag=True, help="Change also what a CloudFormation stack owns.")
@_package
@_json
def publish(
    aws: Aws,
    names: Names,
    archive: Path,
    runtimes: tuple[str, ...],
    regions: str | None,
    public: bool,
    yes: bool,
    force: bool,
    package: str,
    as_json: bool,
) -> None:
    """Publish ZIP as a new version if its content is new; move the parameters to it."""
    content = Archive(archive.read_bytes(), archive.name)
    chosen = parse_regions(regions) if regions is not None else []
    if chosen and aws.chosen_region:
        raise WrongInputError(
            "--region names one region and --regions several: leave one of them out"
        )
    if chosen:
        check_known(chosen, aws)
    if public and not yes:
        account = aws.in_region(chosen[0]).account if chosen else aws.account
        what = f"{versions.describe(content, package)}, as {names.layer} of account {account}"
        places = ", ".join(chosen or [aws.region])
        click.echo(f"{what}, in {places}. What others attach or download stays theirs.", err=True)
        ask("Let every AWS account use it?", yes)

    def publish_here(here: Aws) -> publishing.Published:
        result = publishing.publish(here, names, content, package, runtimes, force)
        return publishing.share(here, result) if public else result

    if not chosen:
        result = publish_here(aws)
        click.echo(json.dumps(asdict(result), indent=2) if as_json else result.sentence)
        return
    report = (lambda row: None) if as_json else show.region_row(chosen)
    results = publish_in(aws, chosen, publish_here, report)
    if as_json:
        click.echo(json.dumps([result.row for result in results], indent=2))
    refuse_failures(results)


@main.command("versions")
@name_options
@aws_options
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="How many of the newest versions to show.",
)
@_json
def list_versions(aws: Aws, names: Names, limit: int, as_json: bool) -> None:
    """List the layer's versions: date, digest, runtimes, and which functions use each."""
    rows = versions.list_versions(aws, names.layer)
    if not rows:
        raise WrongInputError(
            f"there is no layer {names.layer} here: publish it, or name it with --layer"
        )
    used = fleet.users(aws, rows[0].arn.rpartition(":")[0])
    digests = [versions.hexadecimal(versions.read_version(aws, row.arn)[1]) for row in rows[:limit]]
    shown = list(zip(rows, digests, strict=False))
    public = {row.arn for row in rows[:limit] if versions.is_public(aws, row.arn)}
    if as_json:
        table = [
            asdict(row)
            | {"sha256": digest, "used_by": used.get(row.arn, []), "public": row.arn in public}
            for row, digest in shown
        ]
        click.echo(json.dumps(table, indent=2))
        return
    show.version_table(shown, used, rows[0].number)
    if public:
        numbers = [str(row.number) for row in rows if row.arn in public]
        click.echo(f"for every AWS account: {', '.join(numbers)}")
    for arn in sorted(used.keys() - {row.arn for row in rows}):
        click.echo(f"{versions.short(arn)} is deleted and still used by {', '.join(used[arn])}")


@main.command()
@selection_options
@name_options
@aws_options
@click.option(
    "--version",
    "number",
    type=click.IntRange(1),
    help="The version to attach, instead of the newest.",
)
def attach(
    aws: Aws, names: Names, chosen: tuple[str, ...], number: int | None, force: bool, yes: bool
) -> None:
    """Give functions a version of the layer: those named, or all of a stage."""
    plan = moving.plan_attach(aws, names, chosen, number, force)
    _go_on(aws, plan, f"Attach {versions.short(plan.version)}:", yes)


@main.command()
@selection_options
@name_options
@aws_options
@click.option(
    "--to",
    "number",
    type=click.IntRange(1),
    help="The version to go back to, instead of the one before.",
)
def rollback(
    aws: Aws, names: Names, chosen: tuple[str, ...], number: int | None, force: bool, yes: bool
) -> None:
    """Move functions that have a newer version back: to the one before, or to --to."""
    plan = moving.plan_rollback(aws, names, chosen, number, force)
    _go_on(aws, plan, f"Roll back to {versions.short(plan.version)}:", yes)


@main.command("doctor")
@click.argument("archive", metavar="[ZIP]", type=_zip_type, required=False)
@click.option("--function", "chosen", multiple=True, metavar="NAME", help="A function; repeatable.")
@name_options
@aws_options
@click.option(
    "--import",
    "with_import",
    is_flag=True,
    help="Also import the handler, under Lambda's runtime client: runs the function's own code, "
    "without credentials, on this machine.",
)
@click.option("--strict", is_flag=True, help="End with exit code 1 for warnings, too.")
@click.option("--sizes", is_flag=True, help="Show the size of each package.")
@_package
@_json
def examine(
    aws: Aws,
    names: Names,
    archive: Path | None,
    chosen: tuple[str, ...],
    with_import: bool,
    strict: bool,
    sizes: bool,
    package: str,
    as_json: bool,
) -> None:
    """Say what is wrong with a function, a stage or a ZIP, and what to do about it."""
    if bool(archive) + bool(chosen) + bool(names.stage) != 1:
        raise WrongInputError("name what to look at: a ZIP, --function NAME, or --stage NAME")
    if archive:
        content = Archive(archive.read_bytes(), archive.name)
        report = doctor.examine_zip(content, package, with_import)
    else:
        report = doctor.examine_functions(aws, names, chosen, package, with_import)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        show.report(report, sizes)
    sys.exit(any(strict or one.level == "error" for one in report.findings))


def _go_on(aws: Aws, plan: moving.Move, title: str, yes: bool) -> None:
    """Show the plan, ask, carry it out, and show what became of it."""
    show.plan(plan.plan, title)
    if plan.plan.steps:
        ask("Go on?", yes)
        moving.carry_out(aws, plan.plan)
