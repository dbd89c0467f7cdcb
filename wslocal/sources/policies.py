"""AWS's own policies that the emulator does not know: what functions use of them, as policies of the role."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from .known import emulator_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .resources import Resources

__all__ = ["fit_role", "known_policies"]

_PREFIX = "arn:aws:iam::aws:policy/"
_SEED = re.compile(r"^        \('([A-Za-z0-9_/-]+)',$", re.MULTILINE)

# Actions and resource: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
_ALLOWED: dict[str, tuple[list[str], str]] = {
    "AmazonAPIGatewayAdministrator": (["apigateway:*"], "arn:aws:apigateway:*::/*"),
    "AmazonAPIGatewayInvokeFullAccess": (
        ["execute-api:Invoke", "execute-api:ManageConnections"],
        "arn:aws:execute-api:*:*:*",
    ),
    "AmazonDynamoDBFullAccess_v2": (["dynamodb:*"], "*"),
    "AmazonDynamoDBReadOnlyAccess": (
        [
            *("dynamodb:BatchGetItem", "dynamodb:Describe*", "dynamodb:List*", "dynamodb:GetItem"),
            *("dynamodb:GetResourcePolicy", "dynamodb:Query", "dynamodb:Scan"),
            "dynamodb:PartiQLSelect",
        ],
        "*",
    ),
    "AmazonEventBridgeFullAccess": (["events:*", "schemas:*", "scheduler:*"], "*"),
    "AmazonSSMFullAccess": (["ssm:*"], "*"),
    "AmazonSSMReadOnlyAccess": (["ssm:Describe*", "ssm:Get*", "ssm:List*"], "*"),
    "AWSLambda_FullAccess": (["lambda:*"], "*"),
    "AWSLambdaExecute": (["logs:*", "s3:GetObject", "s3:PutObject"], "*"),
    "CloudWatchFullAccess": (["cloudwatch:*", "logs:*"], "*"),
    "CloudWatchFullAccessV2": (["cloudwatch:*", "logs:*"], "*"),
    "SecretsManagerReadWrite": (["secretsmanager:*"], "*"),
}


@functools.cache
def known_policies() -> frozenset[str]:
    """Return the names, with their paths, of AWS's policies that the emulator has."""
    return frozenset(_SEED.findall(emulator_source("services/iam.py")))


def fit_role(resource: dict[str, Any], resources: Resources) -> Iterator[str]:
    """Write out what the emulator does not know of a role's policies, and yield what nobody here does."""
    properties = resource.get("Properties", {})
    arns = properties.get("ManagedPolicyArns")
    if not isinstance(arns, list):
        return
    kept, written = [], []
    for one in arns:
        arn = resources.values.value(one)
        name = arn.removeprefix(_PREFIX) if isinstance(arn, str) else ""
        if name == arn or not name or name in known_policies():
            kept.append(one)
        elif name in _ALLOWED:
            actions, resource_arn = _ALLOWED[name]
            written.append(_policy(name, actions, resource_arn))
        else:
            yield f"its policy {name}: what it allows is not known here"
    properties["ManagedPolicyArns"] = kept
    if written:
        properties["Policies"] = [*(properties.get("Policies") or []), *written]


def _policy(name: str, actions: list[str], resource: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"PolicyName": name, "PolicyDocument": document}
