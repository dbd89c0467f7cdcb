"""Modules that hide others of their name, or are hidden by them.

The runtime starts with its own modules and then searches the function's folder, its layers, the
SDK that it brings, and Python's standard library, in this order:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from layerctl.archive import import_roots
from layerctl.findings import error, warning
from layerctl.versions import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layerctl.archive import Archive
    from layerctl.findings import AttachedLayer, Finding, FunctionFacts

__all__ = ["LOADED_BEFORE", "check_function_shadows", "check_standard_names", "modules_of"]

# What Lambda's runtime client has imported before it looks into /var/task and /opt, under each Python
# from 3.11: `sys.modules` after `import awslambdaric.__main__` (a test compares them).
LOADED_BEFORE = frozenset(
    """
    abc atexit awslambdaric builtins codecs collections contextlib copyreg decimal encodings enum functools
    genericpath importlib io itertools json keyword linecache logging marshal math numbers operator
    os posix posixpath re reprlib runtime_client site stat string sys textwrap threading time traceback
    types warnings weakref zipimport
    """.split()
)
# Nothing that runs on Lambda imports these from the standard library: who has a `test` means their own.
_NEVER_MISSED = frozenset(
    "antigravity ensurepip idlelib lib2to3 test this tkinter turtle turtledemo venv".split()
)
# boto3 takes one minor version of botocore: https://github.com/boto/boto3/blob/develop/setup.cfg
_SDK = {"boto3", "botocore"}
# What they import, all of it packages: https://github.com/boto/botocore/blob/develop/setup.cfg
_OF_SDK = _SDK | {"dateutil", "jmespath", "s3transfer", "urllib3"}
# https://docs.python.org/3/library/site.html#module-sitecustomize
_AT_START = {"sitecustomize", "usercustomize"}


def check_standard_names(
    origin: str, modules: Mapping[str, str], subject: str, handler: str = ""
) -> Iterator[Finding]:
    """Check `modules`, paths by name, against what the runtime and Python bring under that name."""
    standard = sys.stdlib_module_names - _NEVER_MISSED - LOADED_BEFORE
    if hiding := sorted(modules.keys() & standard):
        yield error(
            subject,
            "hides-standard-library",
            f"{modules[hiding[0]]} of {origin} hides Python's {', '.join(hiding)}, also from the "
            "standard library itself",
            f"rename {modules[hiding[0]]}, or leave out the requirement that brings it",
        )
    if hidden := sorted(modules.keys() & LOADED_BEFORE):
        is_handler = handler.partition(".")[0] in hidden
        yield (error if is_handler else warning)(
            subject,
            "never-imported",
            f"{modules[hidden[0]]} of {origin} is never imported: Lambda's runtime has loaded its own "
            f"{', '.join(hidden)} before",
            f"rename {modules[hidden[0]]}, or leave out the requirement that brings it",
        )
    if files := sorted(
        name for name in modules.keys() & _OF_SDK if not modules[name].endswith("/")
    ):
        yield error(
            subject,
            "hides-sdk",
            f"{modules[files[0]]} of {origin} hides the package {', '.join(files)} of the AWS SDK",
            f"rename {modules[files[0]]}",
        )
    if started := sorted(modules.keys() & _AT_START):
        yield warning(
            subject,
            "runs-at-start",
            f"{modules[started[0]]} of {origin} is for Python's own start: where its folder is searched "
            "by then it runs before everything else, and elsewhere never",
            "have the handler import what it does, under another name",
        )
    if len(part := modules.keys() & _SDK) == 1:
        [brought], [other] = part, _SDK - part
        yield warning(
            subject,
            "sdk-in-part",
            f"{origin} has {brought} without {other}, so the runtime's {other} of another version "
            "works with it",
            f"add {other}, or leave {brought} out",
        )


def check_function_shadows(facts: FunctionFacts, holder: AttachedLayer | None) -> Iterator[Finding]:
    """Find modules of the same name in a function and its layers, and in what Lambda brings."""
    function = facts.function
    own = facts.code.modules("") if facts.code else {}
    if facts.code:
        yield from check_standard_names(facts.code.origin, own, function.name, function.handler)
    for layer in facts.layers:
        found = modules_of(layer.archive, function.python)
        yield from check_standard_names(short(layer.arn), found, function.name, function.handler)
    if holder:
        yield from _hides_the_layer(facts, holder, own)


def _hides_the_layer(
    facts: FunctionFacts, layer: AttachedLayer, own: Mapping[str, str]
) -> Iterator[Finding]:
    """Find other modules of the names that the layer brings; the function's folder comes first."""
    function = facts.function
    names = modules_of(layer.archive, function.python).keys()
    for name in sorted(names & own.keys()):
        yield error(
            function.name,
            "shadowed-by-function",
            f"its own {own[name]} hides {name} of {short(layer.arn)}",
            f"remove {own[name]} from the function's package, or rename it",
        )
    for other in facts.layers:
        there = modules_of(other.archive, function.python) if other is not layer else {}
        if shared := sorted(names & there.keys()):
            yield error(
                function.name,
                "shadowed-by-layer",
                f"{short(other.arn)} and {short(layer.arn)} both hold {', '.join(shared)}: "
                "the files of both are mixed",
                "detach one of them, or build it without these",
            )


def modules_of(archive: Archive | None, python: str) -> dict[str, str]:
    """Return what a layer brings for one Python: the path of each module, by its name."""
    if archive is None:
        return {}
    return {
        name: path
        for root in reversed(import_roots(python))
        for name, path in archive.modules(root).items()
    }
