"""The shared layer as a construct that any stack can use.

layer = SharedUtilsLayer(self, "SharedUtilsLayer")
lambda_.Function(self, "MyFunction", ..., layers=[layer.version])
"""

from __future__ import annotations

import ast
import zipfile
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infrastructure.archives import build_layer
from infrastructure.settings import PYTHONS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SharedUtilsLayer"]


class SharedUtilsLayer(Construct):
    """The layer built from the sources as they are, or an older version by its ARN.

    Layer versions cannot be changed, so a changed build makes CloudFormation publish a new version
    and switch the functions to it in the same deployment. The old version stays: it is what a
    rollback names. `parameter_prefix` is where the ARN in use and its version number are found in
    the SSM parameter store, for functions of other stacks.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        layer_name: str = "SharedUtilsLayer",
        parameter_prefix: str = "/shared-utils/layer",
        pythons: tuple[str, ...] = ("3.11",),
        version_arn: str = "",
    ) -> None:
        super().__init__(scope, construct_id)
        self.version: lambda_.ILayerVersion = (
            lambda_.LayerVersion.from_layer_version_arn(self, "Pinned", version_arn)
            if version_arn
            else self._publish(layer_name, build_layer(pythons))
        )
        arn = self.version.layer_version_arn
        # arn:aws:lambda:eu-west-1:123456789012:layer:SharedUtilsLayer:7
        number = (
            version_arn.split(":")[7] if version_arn else cdk.Fn.select(7, cdk.Fn.split(":", arn))
        )
        ssm.StringParameter(self, "Arn", parameter_name=f"{parameter_prefix}/arn", string_value=arn)
        ssm.StringParameter(
            self, "Number", parameter_name=f"{parameter_prefix}/version", string_value=number
        )

    def _publish(self, name: str, archive: Path) -> lambda_.LayerVersion:
        version, build = describe(archive)
        return lambda_.LayerVersion(
            self,
            "Version",
            layer_version_name=name,
            code=lambda_.Code.from_asset(str(archive)),
            description=f"shared_utils {version}, build {build}",
            license="MIT",
            compatible_runtimes=[runtime(python) for python in PYTHONS],
            compatible_architectures=[lambda_.Architecture.ARM_64, lambda_.Architecture.X86_64],
            # Both policies of CloudFormation: an update replaces the version, and keeps the old one.
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )


def runtime(python: str) -> lambda_.Runtime:
    """Return Lambda's runtime of a Python version such as 3.13."""
    return lambda_.Runtime(
        f"python{python}", lambda_.RuntimeFamily.PYTHON, supports_inline_code=True
    )


def describe(archive: Path) -> tuple[str, str]:
    """Return the package's version and the digest of its sources, as the zip tells them."""
    with zipfile.ZipFile(archive) as content:
        module = ast.parse(content.read("python/shared_utils/__init__.py"))
    names = {
        node.targets[0].id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    return str(names["__version__"]), str(names["__build__"])
