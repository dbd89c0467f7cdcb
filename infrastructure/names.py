"""What several constructs must name, keep or explain alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, cast

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import IConstruct

    from infrastructure.settings import StageSettings

__all__ = [
    "SYSTEM",
    "acknowledge",
    "encryption_key",
    "function_name",
    "logs_kept",
    "metrics_namespace",
]

SYSTEM = "websocket-audio"

# CloudWatch's names for the numbers of days in `settings.RETENTION_DAYS`.
# fmt: off
_RETENTION = {
    1: "ONE_DAY", 3: "THREE_DAYS", 5: "FIVE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS", 30: "ONE_MONTH",
    60: "TWO_MONTHS", 90: "THREE_MONTHS", 180: "SIX_MONTHS", 365: "ONE_YEAR",
}
# fmt: on


class _Kept(TypedDict):
    retention: logs.RetentionDays
    removal_policy: cdk.RemovalPolicy
    encryption_key: kms.IKey | None


def function_name(settings: StageSettings, module: str) -> str:
    """Return the name by which operators know a function."""
    return f"{SYSTEM}-{settings.stage}-{module}"


def metrics_namespace(settings: StageSettings) -> str:
    """Return where a stage's metrics are: their roll-ups have no dimension that could tell."""
    return f"WebSocketAudio/{settings.stage}"


def logs_kept(scope: IConstruct, settings: StageSettings) -> _Kept:
    """Return how long a log group keeps its lines; it goes with the stack, as its name is fixed."""
    return {
        "retention": logs.RetentionDays[_RETENTION[settings.log_retention_days]],
        "removal_policy": cdk.RemovalPolicy.DESTROY,
        "encryption_key": encryption_key(scope, settings),
    }


def encryption_key(scope: IConstruct, settings: StageSettings) -> kms.IKey | None:
    """Return the customer's key, of which the stack has one construct, or None for those of AWS.

    The key is not the stack's: what may be done with it, its own policy says.
    """
    if not settings.encryption_key_arn:
        return None
    stack = cdk.Stack.of(scope)
    found = stack.node.try_find_child("EncryptionKey")
    if found is not None:
        return cast("kms.IKey", found)
    return kms.Key.from_key_arn(stack, "EncryptionKey", settings.encryption_key_arn)


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Tell cdk-nag why one of its findings is meant to be so; any other one stops the deployment."""
    said = cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{finding}", reason=reason)
    cdk.Validations.of(construct).acknowledge(said)
