"""`doctor`: gathers facts and has them checked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from layerctl import check_function, fleet, importing, parameters
from layerctl.bytecode import pythons_of
from layerctl.check_sources import modules_below
from layerctl.check_stage import check_stage
from layerctl.check_zip import check_zip, holds
from layerctl.facts import Gatherer
from layerctl.findings import Report, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from layerctl.archive import Archive
    from layerctl.aws import Aws
    from layerctl.findings import Finding, FunctionFacts
    from layerctl.options import Names

__all__ = ["examine_functions", "examine_zip"]


def examine_zip(archive: Archive, package: str, with_import: bool) -> Report:
    """Examine a zip that is not published."""
    findings = list(check_zip(archive, package))
    if with_import:
        ours = f"3.{sys.version_info.minor}"
        pythons = pythons_of(archive) or [ours]
        python = ours if ours in pythons else pythons[-1]
        zips = (None, [archive])
        modules = _modules(archive, package, python)
        findings += importing.check_import(
            archive.origin, [_probe(package)], python, zips, {}, modules
        )
    return Report(
        (archive.origin,),
        tuple(findings),
        {archive.origin: dict(archive.sizes("python/").most_common())},
    )


def examine_functions(
    aws: Aws, names: Names, chosen: Sequence[str], package: str, with_import: bool
) -> Report:
    """Examine functions by name, or a whole stage."""
    functions = (
        [fleet.read_function(aws, name) for name in dict.fromkeys(chosen)]
        if chosen
        else fleet.functions_of_stage(aws, names.function_prefix)
    )
    gatherer = Gatherer(aws, package)
    facts = [gatherer.gather(function) for function in functions]
    wanted = Wanted(package, names.layer, names.stage)
    findings = [row for one in facts for row in check_function.check_function(one, wanted)]
    if with_import:
        findings += [row for one in facts for row in _import(one, package)]
    if names.stage:
        values = parameters.read(aws, names.parameters)
        findings += check_stage(names.stage, facts, package, names.parameters, values)
    return Report(
        tuple(one.function.name for one in facts),
        tuple(findings),
        {one.function.name: check_function.sizes(one) for one in facts},
    )


def _import(facts: FunctionFacts, package: str) -> Iterator[Finding]:
    function = facts.function
    if function.python and function.package_type == "Zip":
        layers = [layer.archive for layer in facts.layers if layer.archive]
        held = check_function.holder(facts, package)
        yield from importing.check_import(
            function.name,
            [function.handler, _probe(package)],
            function.python,
            (facts.code, layers),
            function.variables,
            _modules(held.archive, package, function.python) if held and held.archive else (),
        )


def _modules(archive: Archive, package: str, python: str) -> list[str]:
    """Return the modules of the package that this Python imports."""
    root = holds(archive, package, python)
    return [] if root is None else modules_below(archive, root, package)


def _probe(package: str) -> str:
    """Return a handler that any module has: the runtime client imports it and stops there."""
    return f"{package}.__name__"
