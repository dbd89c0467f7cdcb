"""Deploys stacks to the emulator, by way of CloudFormation, as they are deployed to AWS."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .sources.project import BUCKET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["BUCKET", "DeployError", "Deployer"]

_DEPLOY_SECONDS = 120.0
_POLL_SECONDS = 0.05
_REASONS = 5  # more of them say the same
# `ROLLBACK_COMPLETE` and the like are ends too, bad ones.
_GOOD_ENDS = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
# Such a stack cannot be updated:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_NEVER_WAS = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}


class DeployError(Exception):
    """The stack was refused, or did not come up; the text names the resources."""


class Deployer:
    """One stack in one emulator; `client` makes boto3 clients by the name of a service."""

    def __init__(self, client: Callable[[str], Any], stack: str) -> None:
        self._s3 = client("s3")
        self._cloudformation = client("cloudformation")
        self._stack = stack
        with contextlib.suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
            self._s3.create_bucket(Bucket=BUCKET)
        self._uploaded: set[str] = set()

    def deploy(
        self,
        template: Mapping[str, Any],
        archives: Mapping[str, bytes],
        parameters: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Create or update the stack, wait for it, and return its outputs.

        `archives` are zips by key; a key that holds the digest of its content is uploaded once, and
        CloudFormation sees a change by the key alone.
        """
        for key, content in archives.items():
            self._upload(key, content)
        body = json.dumps(template).encode()
        key = f"{hashlib.sha256(body).hexdigest()[:32]}.template.json"
        self._upload(key, body)
        # A template in the request may have 51,200 bytes, one in S3 a megabyte:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
        endpoint = self._s3.meta.endpoint_url
        order = {
            "StackName": self._stack,
            "TemplateURL": f"{endpoint}/{BUCKET}/{key}",
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in (parameters or {}).items()
            ],
        }
        before = self._describe()
        if before is not None and before["StackStatus"] in _NEVER_WAS:
            self.delete()
            before = None
        try:
            if before is None:
                self._cloudformation.create_stack(**order)
            else:
                self._cloudformation.update_stack(**order)
        except ClientError as error:
            message = error.response["Error"]["Message"]
            if before is not None and "No updates are to be performed" in message:
                return _outputs(before)
            raise DeployError(f"stack {self._stack} is refused: {message}") from error
        return self._wait()

    def delete(self) -> None:
        """Delete the stack and all that it has made, and wait until it is gone."""
        self._cloudformation.delete_stack(StackName=self._stack)
        until = time.monotonic() + _DEPLOY_SECONDS
        while (stack := self._describe()) and not stack["StackStatus"].startswith(
            "DELETE_COMPLETE"
        ):
            if stack["StackStatus"] == "DELETE_FAILED" or time.monotonic() > until:
                raise DeployError(f"stack {self._stack} cannot be deleted: {self._reasons()}")
            time.sleep(_POLL_SECONDS)

    def resources(self) -> list[dict[str, Any]]:
        """Return what the stack has now, as CloudFormation's ListStackResources does."""
        pages = self._cloudformation.get_paginator("list_stack_resources")
        found = pages.paginate(StackName=self._stack)
        return [resource for page in found for resource in page["StackResourceSummaries"]]

    def _upload(self, key: str, content: bytes) -> None:
        if key not in self._uploaded:
            self._s3.put_object(Bucket=BUCKET, Key=key, Body=content)
            self._uploaded.add(key)

    def _describe(self) -> dict[str, Any] | None:
        try:
            found = self._cloudformation.describe_stacks(StackName=self._stack)["Stacks"]
        except ClientError:
            return None
        return dict(found[0])

    def _wait(self) -> dict[str, str]:
        until = time.monotonic() + _DEPLOY_SECONDS
        while time.monotonic() < until:
            stack = self._describe()
            if stack is not None and not stack["StackStatus"].endswith("_IN_PROGRESS"):
                if stack["StackStatus"] in _GOOD_ENDS:
                    return _outputs(stack)
                raise DeployError(f"stack {self._stack} cannot be deployed: {self._reasons()}")
            time.sleep(_POLL_SECONDS)
        raise DeployError(f"stack {self._stack} was not there after {_DEPLOY_SECONDS:.0f} s")

    def _reasons(self) -> str:
        """Return why the last operation failed: of each resource that did, what the emulator says."""
        events = self._cloudformation.describe_stack_events(StackName=self._stack)["StackEvents"]
        latest = takewhile(lambda event: not _begins(event, self._stack), events)
        reasons = [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
            for event in reversed([*latest])
            if event["ResourceStatus"].endswith("_FAILED")
        ]
        return "; ".join(reasons[:_REASONS]) or "no reason given"


def _begins(event: Mapping[str, Any], stack: str) -> bool:
    """Return whether an event is the begin of an operation on the stack: those before it are of others."""
    begun = event["ResourceStatus"] in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}
    return begun and event["LogicalResourceId"] == stack


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
