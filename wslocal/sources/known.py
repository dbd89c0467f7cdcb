"""The types of resources that the emulator's CloudFormation knows."""

from __future__ import annotations

import functools
import re
from importlib.util import find_spec
from pathlib import Path

from .project import ProjectError

__all__ = ["emulator_source", "known_types"]

_REGISTRY = "services/cloudformation/provisioners.py"
_BEGIN = "_RESOURCE_HANDLERS = {"
_ROW = re.compile(r'^    "(AWS::[A-Za-z0-9:]+)": \{', re.MULTILINE)


def emulator_source(module: str) -> str:
    """Return the source of one of the emulator's modules: to import it would take a second."""
    spec = find_spec("ministack")
    if spec is None or spec.origin is None:
        raise ProjectError("the emulator, ministack, is not installed: install wslocal again")
    return (Path(spec.origin).parent / module).read_text(encoding="utf-8")


@functools.cache
def known_types() -> frozenset[str]:
    """Return the rows of the emulator's registry."""
    _, begin, registry = emulator_source(_REGISTRY).partition(_BEGIN)
    types = frozenset(_ROW.findall(registry))
    if not begin or "AWS::Lambda::Function" not in types:
        raise ProjectError("this ministack is not one that wslocal knows: install wslocal again")
    return types
