"""Who owns what: the resources of a CloudFormation stack are moved by deploying it.

A change from outside would be undone by the stack's next deployment, without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from layerctl.aws import code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layerctl.aws import Aws

__all__ = ["STACK_TAG", "parameter_owner", "resource_owner"]

# CloudFormation puts it on every resource that can have tags:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
STACK_TAG = "aws:cloudformation:stack-name"


def parameter_owner(aws: Aws, names: Iterable[str]) -> str:
    """Return the stack that one of these parameters belongs to, else ''."""
    for name in names:
        if owner := _tags(aws, name).get(STACK_TAG) or resource_owner(aws, name):
            return owner
    return ""


def resource_owner(aws: Aws, physical_id: str) -> str:
    """Return the stack that holds a resource, else ''."""
    try:
        rows = aws.stacks.describe_stack_resources(PhysicalResourceId=physical_id)
    except ClientError as error:
        if code_of(error) == "ValidationError":  # "Stack for ... does not exist"
            return ""
        raise
    return next((row["StackName"] for row in rows["StackResources"]), "")


def _tags(aws: Aws, parameter: str) -> Mapping[str, str]:
    try:
        rows = aws.parameters.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter)
    except ClientError as error:
        if code_of(error) == "InvalidResourceId":  # there is no such parameter yet
            return {}
        raise
    return {row["Key"]: row["Value"] for row in rows["TagList"]}
