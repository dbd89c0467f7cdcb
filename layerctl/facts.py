"""Gathers what the checks need to know of a function: its package and its layers, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from layerctl import fleet, versions
from layerctl.aws import code_of, explain
from layerctl.check_zip import holds
from layerctl.errors import LayerctlError, WrongInputError
from layerctl.findings import AttachedLayer, FunctionFacts

if TYPE_CHECKING:
    from layerctl.archive import Archive
    from layerctl.aws import Aws

__all__ = ["Gatherer"]


class Gatherer:
    """Reads functions and layers; what several functions share is downloaded once."""

    def __init__(self, aws: Aws, package: str) -> None:
        self._aws = aws
        self._package = package
        self._code: dict[str, Archive] = {}
        self._layers: dict[str, AttachedLayer] = {}

    def gather(self, function: fleet.FunctionConfiguration) -> FunctionFacts:
        """Return the facts of a function; what cannot be read says why."""
        layers = tuple(self._layer(arn, function.python) for arn in function.layers)
        return FunctionFacts(function, self._package_of(function), layers)

    def _package_of(self, function: fleet.FunctionConfiguration) -> Archive | None:
        if function.package_type != "Zip" or not function.python:
            return None
        digest = function.code_sha256
        if digest not in self._code:
            self._code[digest] = fleet.read_code(function)
        return self._code[digest]

    def _layer(self, arn: str, python: str) -> AttachedLayer:
        if arn not in self._layers:
            self._layers[arn] = self._read(arn, python)
        return self._layers[arn]

    def _read(self, arn: str, python: str) -> AttachedLayer:
        try:
            version, archive = versions.fetch(self._aws, arn)
        except (ClientError, LayerctlError) as error:
            if not _concerns_the_layer(error):
                raise
            return AttachedLayer(arn, None, None, problem=_reason(error))
        newest = self._newest(arn) if holds(archive, self._package, python) is not None else 0
        return AttachedLayer(arn, version, archive, newest)

    def _newest(self, arn: str) -> int:
        try:
            rows = versions.list_versions(self._aws, versions.layer_of(arn))
        except ClientError as error:
            if code_of(error) != "AccessDeniedException":
                raise
            return 0
        # A layer of another account may have the name of one of ours.
        return max(
            (row.number for row in rows if row.arn.rpartition(":")[0] == arn.rpartition(":")[0]),
            default=0,
        )


_OF_THE_LAYER = (
    "ResourceNotFoundException",
    "AccessDeniedException",
    "InvalidParameterValueException",
)


def _concerns_the_layer(error: ClientError | LayerctlError) -> bool:
    return isinstance(error, WrongInputError) or code_of(error) in _OF_THE_LAYER


def _reason(error: ClientError | LayerctlError) -> str:
    if code_of(error) == "ResourceNotFoundException":
        return "the version does not exist any more"
    return str(explain(error))
