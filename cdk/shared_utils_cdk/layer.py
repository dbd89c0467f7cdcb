"""The layer as a construct that any stack can use, any number of times.

layer = SharedUtilsLayer(self, "SharedUtilsLayer")
lambda_.Function(self, "MyFunction", ..., layers=[layer.version])
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from .archives import LayerArgumentError, bundled_archive, read_archive

if TYPE_CHECKING:
    from .archives import LayerArchive

__all__ = ["SharedUtilsLayer"]

# What the layer is tested for, and Lambda has a runtime for.
_PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
_NAME = r"[a-zA-Z0-9_-]{1,140}"
# Of a name that is made here, so that the ARN of a version, with up to 63 characters besides, has at most 140: Lambda
# refused functions with a longer one (https://github.com/aws/aws-cdk/issues/25526). By its API it now takes 2,048
# (https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html), so that a name that is given may be longer.
_MAX_OWN_NAME_LENGTH = 77
_VERSION_ARN = rf"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{{12}}:layer:{_NAME}:[0-9]+"
# aws and ssm are reserved: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
_PREFIX = r"(?!/(?i:aws|ssm)(?:/|\Z))(/[a-zA-Z0-9_.-]+)+"


class SharedUtilsLayer(Construct):
    """The layer, published by this stack, or a version of it that is there already.

    `version` is what a function takes in `layers=`. A changed zip makes CloudFormation publish a new version and
    switch the stack's functions to it in the same deployment. It would then delete the version before, to which no
    function could go back, and which no new function could be given: that version is retained.
    """

    version: lambda_.ILayerVersion

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pythons: Iterable[str] | None = None,
        archive: str | os.PathLike[str] | None = None,
        version_arn: str | None = None,
        layer_name: str | None = None,
        parameter_prefix: str | None = None,
    ) -> None:
        """Publish the layer, or take the version that `version_arn` names; raise `LayerArgumentError`.

        None is the default of each, as is what `try_get_context` returns for a key that is not there.
        `pythons`: for which Pythons the layer has bytecode, such as `["3.13"]`; else for all that the wheel has.
        A function with another one compiles the layer's modules at each cold start.
        `archive`: the path of a zip of the layer, in place of those in the wheel.
        `version_arn`: nothing is published, so that it goes with none of `pythons`, `archive` and `layer_name`.
        `layer_name`: else one from the stack's name and the construct's path, which no other stack has.
        `parameter_prefix`: such as `/chat/layer`: the ARN and the number of the version are in the SSM parameters
        `arn` and `version` below it. Without it there are none, as no two layers may have the same.
        """
        super().__init__(scope, construct_id)
        _check(
            "version_arn", version_arn, _VERSION_ARN, "the ARN of a layer version, with its number"
        )
        _check("layer_name", layer_name, _NAME, "1 to 140 letters, digits, - or _")
        _check("parameter_prefix", parameter_prefix, _PREFIX, "a path such as /chat/layer")
        wanted = _checked_pythons(pythons)
        path = _checked_path(archive)
        if path is not None and wanted:
            raise LayerArgumentError("archive", "takes the place of pythons: give one of them")
        if version_arn is not None:
            given = {"pythons": wanted or None, "archive": path, "layer_name": layer_name}
            for name, value in given.items():
                if value is not None:
                    raise LayerArgumentError(
                        name, "is of a layer that is published, and with version_arn none is"
                    )
            self.version = lambda_.LayerVersion.from_layer_version_arn(self, "Pinned", version_arn)
        else:
            found = bundled_archive(wanted) if path is None else read_archive(path)
            self.version = self._publish(found, layer_name)
        if parameter_prefix is not None:
            self._write_parameters(parameter_prefix)

    def _publish(self, archive: LayerArchive, name: str | None) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            "Version",
            # The name would else be the logical id, which other stacks may have, too: their versions would stand
            # among ours in one list, https://github.com/aws/aws-cdk/issues/18563
            layer_version_name=name
            or cdk.Names.unique_resource_name(
                self,
                max_length=_MAX_OWN_NAME_LENGTH,
                separator="-",
                allowed_special_characters="-_",
            ),
            code=lambda_.Code.from_asset(str(archive.path)),
            description=f"shared_utils {archive.version}, build {archive.build}",
            license="MIT",
            compatible_runtimes=[
                lambda_.Runtime(
                    f"python{python}", lambda_.RuntimeFamily.PYTHON, supports_inline_code=True
                )
                for python in _PYTHONS
            ],
            compatible_architectures=[lambda_.Architecture.ARM_64, lambda_.Architecture.X86_64],
            # Both policies of CloudFormation: an update replaces the version, and keeps the old one.
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _write_parameters(self, prefix: str) -> None:
        self._reserve(prefix)
        arn = self.version.layer_version_arn
        # arn:aws:lambda:eu-west-1:123456789012:layer:SharedUtilsLayer:7
        number = cdk.Fn.select(7, cdk.Fn.split(":", arn))
        ssm.StringParameter(self, "Arn", parameter_name=f"{prefix}/arn", string_value=arn)
        ssm.StringParameter(self, "Number", parameter_name=f"{prefix}/version", string_value=number)

    def _reserve(self, prefix: str) -> None:
        """Leave a mark in the stack, which is no resource, so that a second layer cannot have the same parameters.

        CloudFormation would find out during the deployment.
        """
        if cdk.Token.is_unresolved(prefix):
            return
        stack = cdk.Stack.of(self)
        mark = f"shared_utils_cdk parameters {prefix.replace('/', ':')}"
        if stack.node.try_find_child(mark) is not None:
            raise LayerArgumentError(
                "parameter_prefix",
                f"must be one that no other layer of the stack has, got {prefix!r}",
            )
        Construct(stack, mark)


def _checked_pythons(pythons: Iterable[str] | None) -> tuple[str, ...]:
    """Return them; what can be read once only, such as a generator, is read here."""
    if pythons is None:
        return ()
    if isinstance(pythons, Iterable) and not isinstance(pythons, str):
        wanted = tuple(pythons)
        if all(isinstance(python, str) for python in wanted):
            return wanted
    raise LayerArgumentError("pythons", f"must be a list such as ['3.13'], got {pythons!r}")


def _checked_path(archive: str | os.PathLike[str] | None) -> Path | None:
    if archive is None:
        return None
    if not isinstance(archive, str | os.PathLike) or not archive:
        raise LayerArgumentError("archive", f"must be the path of a zip, got {archive!r}")
    return Path(archive)


def _check(argument: str, value: str | None, pattern: str, wanted: str) -> None:
    """Refuse a value that CloudFormation would refuse; what only the deployment knows is left to it."""
    if value is None or cdk.Token.is_unresolved(value):
        return
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise LayerArgumentError(argument, f"must be {wanted}, got {str(value)[:200]!r}")
