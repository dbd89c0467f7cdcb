"""What can be wrong between a function and its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerctl.archive import BUILD, import_roots
from layerctl.check_entries import check_entries
from layerctl.check_shadows import check_function_shadows
from layerctl.check_sources import check_sources
from layerctl.check_zip import MAX_UNPACKED_BYTES, check_bytecode, holds, misplaced
from layerctl.findings import error, warning
from layerctl.planning import MAX_LAYERS
from layerctl.versions import layer_of, number_of, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layerctl.archive import Archive
    from layerctl.findings import AttachedLayer, Finding, FunctionFacts, Wanted

__all__ = ["check_function", "holder", "sizes"]

# Above this part of the 250 MB the next dependency may be one too many.
_NEARLY_FULL = 0.8


def check_function(facts: FunctionFacts, wanted: Wanted) -> Iterator[Finding]:
    """Check everything that can be told without running the function's code."""
    function = facts.function
    if function.package_type != "Zip":
        yield error(
            function.name,
            "container-image",
            "it is a container image, which takes no layers",
            "copy the package into the image",
        )
    elif not function.python:
        yield error(
            function.name,
            "not-python",
            f"it runs {function.runtime}, and the layer is Python",
            "attach the layer to Python functions only",
        )
    else:
        for check in (_state, _attachment, _unreadable, _entries, _shadows, _handler, _limits):
            yield from check(facts, wanted)


def holder(facts: FunctionFacts, package: str) -> AttachedLayer | None:
    """Return the layer that the package is imported from: files of later layers win."""
    return next(iter(_holders(facts, package)), None)


def sizes(facts: FunctionFacts) -> Mapping[str, int]:
    """Return unpacked bytes by package: the function's own, then each layer's."""
    found: dict[str, int] = {}
    if facts.code:
        found |= facts.code.sizes("")
    for layer in facts.layers:
        if layer.archive:
            parts = layer.archive.sizes("python/")
            found |= {f"{short(layer.arn)}/{name}": size for name, size in parts.items()}
    return dict(sorted(found.items(), key=lambda row: -row[1]))


def _holders(facts: FunctionFacts, package: str) -> list[AttachedLayer]:
    python = facts.function.python
    return [
        layer
        for layer in reversed(facts.layers)
        if layer.archive and holds(layer.archive, package, python) is not None
    ]


def _state(facts: FunctionFacts, _: Wanted) -> Iterator[Finding]:
    function = facts.function
    if "Failed" in (function.state, function.update_status):
        yield error(
            function.name,
            "update-failed",
            f"its last update failed: {function.update_reason or 'AWS gives no reason'}",
            "mend the cause and update it again; until then the older configuration runs",
        )


def _attachment(facts: FunctionFacts, wanted: Wanted) -> Iterator[Finding]:
    function = facts.function
    layer = holder(facts, wanted.package)
    if layer is None:
        yield from _not_attached(facts, wanted)
        return
    if layer.newest > number_of(layer.arn):
        name = layer_of(layer.arn)
        yield warning(
            function.name,
            "outdated",
            f"it uses {short(layer.arn)}, and there is {name}:{layer.newest}",
            wanted.attach(function.name, name),
        )
    yield from _compatible(facts, layer)
    if layer.archive:
        root = holds(layer.archive, wanted.package, function.python) or ""
        yield from check_sources(layer.archive, root, wanted.package, function.name)
        yield from check_bytecode(layer.archive, wanted.package, function.python, function.name)


def _not_attached(facts: FunctionFacts, wanted: Wanted) -> Iterator[Finding]:
    function = facts.function
    wrong = next(
        (
            (layer, place)
            for layer in facts.layers
            if layer.archive
            and (place := _elsewhere(layer.archive, wanted.package, function.python))
        ),
        None,
    )
    if wrong:
        layer, place = wrong
        yield error(
            function.name,
            "no-python-folder" if not place.startswith("python/") else "other-python",
            f"{short(layer.arn)} has {wanted.package} at {place}, where Python {function.python} does "
            "not look",
            f"put it below python/ at the zip's root and publish that, or {BUILD}",
        )
    elif not any(layer.archive is None for layer in facts.layers):
        have = ", ".join(short(arn) for arn in function.layers) or "none"
        yield error(
            function.name,
            "not-attached",
            f"no layer of it holds {wanted.package}; its layers: {have}",
            wanted.attach(function.name),
        )


def _elsewhere(archive: Archive, package: str, python: str) -> str:
    """Return where the package is for other Pythons, or for none."""
    for entry in archive.below("python/lib/"):
        if entry.path.endswith(f"/site-packages/{package}/__init__.py") and (
            f"/python{python}/" not in entry.path
        ):
            return entry.path.removesuffix("/__init__.py")
    return misplaced(archive, package)


def _compatible(facts: FunctionFacts, layer: AttachedLayer) -> Iterator[Finding]:
    function, version = facts.function, layer.version
    if version is None:
        return
    if version.runtimes and function.runtime not in version.runtimes:
        yield error(
            function.name,
            "runtime-not-declared",
            f"it runs {function.runtime}; {short(layer.arn)} is for {', '.join(version.runtimes)}",
            f"publish a version with --runtime {function.runtime}, or change the function's runtime",
        )
    if version.architectures and function.architecture not in version.architectures:
        yield error(
            function.name,
            "architecture-not-declared",
            f"it runs on {function.architecture}; {short(layer.arn)} is for "
            f"{', '.join(version.architectures)}",
            "publish a version for that architecture, or change the function's",
        )


def _unreadable(facts: FunctionFacts, _: Wanted) -> Iterator[Finding]:
    for layer in facts.layers:
        if layer.archive is None:
            yield warning(
                facts.function.name,
                "layer-unreadable",
                f"{short(layer.arn)} cannot be looked into: {layer.problem}",
                "attach a version that exists and that you may read (lambda:GetLayerVersion)",
            )


def _shadows(facts: FunctionFacts, wanted: Wanted) -> Iterator[Finding]:
    yield from check_function_shadows(facts, holder(facts, wanted.package))


def _entries(facts: FunctionFacts, _: Wanted) -> Iterator[Finding]:
    for archive in (facts.code, *(layer.archive for layer in facts.layers)):
        if archive:
            yield from check_entries(archive, facts.function.name)


def _handler(facts: FunctionFacts, _: Wanted) -> Iterator[Finding]:
    """Find a handler's module that is nowhere: neither the function nor its layers have it."""
    function, code = facts.function, facts.code
    module, dot, attribute = function.handler.rpartition(".")
    path = module.replace(".", "/")
    if code is None or not dot or not attribute:
        return
    zips = [(code, "")] + [
        (layer.archive, root)
        for layer in facts.layers
        if layer.archive
        for root in import_roots(function.python)
    ]
    endings = (".py", "/__init__.py", ".pyc", ".so")
    if not any(f"{root}{path}{end}" in one for one, root in zips for end in endings):
        yield error(
            function.name,
            "handler-missing",
            f"its handler is {function.handler}, and there is no {path}.py in its package",
            "correct the handler, or zip the package so that the module is at its root",
        )


def _limits(facts: FunctionFacts, _: Wanted) -> Iterator[Finding]:
    function = facts.function
    archives = [facts.code, *(layer.archive for layer in facts.layers)]
    total = sum(archive.unpacked_bytes for archive in archives if archive)
    if total > MAX_UNPACKED_BYTES * _NEARLY_FULL:
        largest = [f"{name} {size / 1024**2:.1f} MB" for name, size in sizes(facts).items()][:3]
        yield warning(
            function.name,
            "nearly-too-large",
            f"with its layers it unpacks to {total / 1024**2:.1f} of 250 MB; the largest are "
            f"{', '.join(largest)}",
            "leave the largest out, or use a container image",
        )
    if len(facts.layers) >= MAX_LAYERS:
        yield warning(
            function.name,
            "no-room-for-layers",
            f"it has {len(facts.layers)} layers of {MAX_LAYERS}",
            "merge two of them before another one is needed",
        )
