"""Published versions of a layer: read them, publish one."""

from __future__ import annotations

import ast
import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from layerctl.archive import Archive, code_sha256
from layerctl.aws import code_of, download
from layerctl.errors import AwsError, WrongInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layerctl.aws import Aws

__all__ = [
    "LayerVersion",
    "describe",
    "fetch",
    "is_public",
    "layer_of",
    "list_versions",
    "make_public",
    "number_of",
    "publish",
    "read_version",
    "short",
]

ARCHITECTURES = ("x86_64", "arm64")

# Of the statement in a version's policy; the action is the only one that such a policy may hold:
# https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html
_PUBLIC, _USE = "public", "lambda:GetLayerVersion"


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """A version as Lambda lists it. Nothing of it can change once it is published."""

    arn: str
    number: int
    created: str  # as AWS writes it: 2026-01-31T10:00:00.000+0000
    description: str
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]


def layer_of(arn: str) -> str:
    """Return the layer's name in a version's ARN."""
    return arn.split(":")[6]


def number_of(arn: str) -> int:
    """Return the version's number in its ARN."""
    return int(arn.split(":")[7])


def short(arn: str) -> str:
    """Return a version as people write it: `SharedUtilsLayer:7`."""
    return f"{layer_of(arn)}:{number_of(arn)}"


def list_versions(aws: Aws, layer: str) -> list[LayerVersion]:
    """Return the versions that exist, newest first; none for a layer that does not."""
    pages = aws.functions.get_paginator("list_layer_versions").paginate(LayerName=layer)
    try:
        rows = [_version(row) for page in pages for row in page["LayerVersions"]]
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return []
        raise
    return sorted(rows, key=lambda version: version.number, reverse=True)


def read_version(aws: Aws, arn: str) -> tuple[LayerVersion, str, str]:
    """Return a version, its zip's digest as Lambda tells it, and where the zip is."""
    row = aws.functions.get_layer_version_by_arn(Arn=arn)
    return _version(row), row["Content"]["CodeSha256"], row["Content"]["Location"]


def fetch(aws: Aws, arn: str) -> tuple[LayerVersion, Archive]:
    """Return a version and its zip, which must be the one that Lambda says it is."""
    version, digest, location = read_version(aws, arn)
    content = download(location, short(arn))
    if code_sha256(content) != digest:
        raise AwsError(f"{short(arn)} is not what its digest says: publish it again")
    return version, Archive(content, short(arn))


def publish(aws: Aws, layer: str, archive: Archive, package: str, runtimes: Sequence[str]) -> str:
    """Publish the zip, read it back, compare, and return the new version's ARN."""
    row = aws.functions.publish_layer_version(
        LayerName=layer,
        Description=describe(archive, package),
        LicenseInfo="MIT",
        CompatibleRuntimes=list(runtimes),
        CompatibleArchitectures=list(ARCHITECTURES),
        Content={"ZipFile": archive.content},
    )
    arn: str = row["LayerVersionArn"]
    _, published = fetch(aws, arn)
    if published.content != archive.content:
        raise AwsError(f"{short(arn)} was published and is not the same when read back")
    return arn


def is_public(aws: Aws, arn: str) -> bool:
    """Return whether every AWS account may use a version."""
    try:
        row = aws.functions.get_layer_version_policy(
            LayerName=layer_of(arn), VersionNumber=number_of(arn)
        )
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":  # it has no policy
            return False
        raise
    return any(_is_for_all(statement) for statement in json.loads(row["Policy"])["Statement"])


def make_public(aws: Aws, arn: str) -> bool:
    """Let every AWS account use a version; return False if each could already."""
    if is_public(aws, arn):
        return False
    aws.functions.add_layer_version_permission(
        LayerName=layer_of(arn),
        VersionNumber=number_of(arn),
        StatementId=_PUBLIC,
        Action=_USE,
        Principal="*",
    )
    return True


def _is_for_all(statement: dict[str, Any]) -> bool:
    """Return whether a statement names everybody; one for an organization has a condition."""
    everybody = statement.get("Principal") in ("*", {"AWS": "*"})
    return statement.get("Effect") == "Allow" and everybody and not statement.get("Condition")


def describe(archive: Archive, package: str) -> str:
    """Return `shared_utils 1.2.0, build 0123abcd`, from what the package's source says."""
    source = f"python/{package}/__init__.py"
    if source not in archive:
        return package
    try:
        tree = ast.parse(archive.read(source))
    except (SyntaxError, ValueError) as error:
        raise WrongInputError(f"{source} in {archive.origin} is not Python: {error}") from error
    facts = {
        target.id: str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    words = [f"{package} {facts['__version__']}"] if "__version__" in facts else [package]
    return ", ".join(words + ([f"build {facts['__build__']}"] if "__build__" in facts else []))


def hexadecimal(digest: str) -> str:
    """Return Lambda's base64 digest as `sha256sum` prints it."""
    return base64.b64decode(digest).hex()


def _version(row: dict[str, Any]) -> LayerVersion:
    return LayerVersion(
        arn=row["LayerVersionArn"],
        number=int(row["Version"]),
        created=row.get("CreatedDate", ""),
        description=row.get("Description", ""),
        runtimes=tuple(row.get("CompatibleRuntimes", ())),
        architectures=tuple(row.get("CompatibleArchitectures", ())),
    )
