"""What the doctor found, as values; and how Python packages and layers are told from their zips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from layerctl.errors import COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerctl.archive import Archive
    from layerctl.fleet import FunctionConfiguration
    from layerctl.versions import LayerVersion

__all__ = ["AttachedLayer", "Finding", "FunctionFacts", "Report", "Wanted", "error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with `subject`, and what to do about it. `code` is for programs."""

    level: Literal["error", "warning"]
    subject: str
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The package that functions should be able to import, and what remedies name."""

    package: str
    layer: str
    stage: str = ""

    def attach(self, function: str, layer: str = "") -> str:
        """Return the command that gives the function, or all of its stage, the newest version."""
        if self.stage:
            return f"{COMMAND} attach --stage {self.stage}"
        return f"{COMMAND} attach --function {function} --layer {layer or self.layer}"


@dataclass(frozen=True, slots=True)
class AttachedLayer:
    """A layer of a function, in its place. `archive` is None when it could not be read."""

    arn: str
    version: LayerVersion | None
    archive: Archive | None
    newest: int = 0  # version number; 0 when it was not asked for
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """All that the checks know of a function."""

    function: FunctionConfiguration
    code: Archive | None
    layers: tuple[AttachedLayer, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, and unpacked bytes by subject and package."""

    subjects: tuple[str, ...]
    findings: tuple[Finding, ...]
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def error(subject: str, code: str, message: str, remedy: str) -> Finding:
    """Return a finding that breaks the function, now or at its next start."""
    return Finding("error", subject, code, message, remedy)


def warning(subject: str, code: str, message: str, remedy: str) -> Finding:
    """Return a finding that costs something, or that will bite later."""
    return Finding("warning", subject, code, message, remedy)
