"""Deploys the CDK template to the emulator, by way of CloudFormation, as it is deployed to AWS.

What the machine cannot have as AWS has it, `localize` changes; `docs/local.md` lists it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .assembly import Template

__all__ = ["BUCKET", "DeployError", "Deployer", "localize", "uploads"]

BUCKET = "local-assets"

_DEPLOY_SECONDS = 120.0
# `ROLLBACK_COMPLETE` and the like are ends too, bad ones.
_GOOD_ENDS = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


class DeployError(Exception):
    """The stack was refused, or did not come up; the text names the resources."""


def localize(template: Template, keys: Mapping[str, str], settings: Mapping[str, str]) -> Template:
    """Return the template as this machine can have it. Nothing else of it changes.

    - Zips are found in the emulator's bucket: `keys` has the new S3 key of each old one.
    - `settings` win over the variables of every function.
    - Schedules are disabled: the emulator would run the functions with a worker of its own. The
      system's scheduler reads them and runs them.
    - An authorizer without identity sources says so: left out, the emulator puts `Authorization` there.
    - The check for the CDK's bootstrap stack is left out; assets need none here.
    - Alarms on metric math, and saved queries, are left out: the emulator has neither.
    """
    local = copy.deepcopy(template)
    local.pop("Rules", None)
    local.get("Parameters", {}).pop("BootstrapVersion", None)
    local["Resources"] = {
        name: resource for name, resource in local["Resources"].items() if not _unknown(resource)
    }
    for resource in local["Resources"].values():
        properties = resource.get("Properties", {})
        for place in _asset_places(properties):
            if place["S3Key"] in keys:
                place |= {"S3Bucket": BUCKET, "S3Key": keys[place["S3Key"]]}
        if resource["Type"] == "AWS::Lambda::Function":
            properties.setdefault("Environment", {}).setdefault("Variables", {}).update(settings)
        if resource["Type"] == "AWS::ApiGatewayV2::Authorizer":
            properties.setdefault("IdentitySource", [])
        if resource["Type"] == "AWS::Events::Rule" and "ScheduleExpression" in properties:
            properties["State"] = "DISABLED"
    return local


def _unknown(resource: Mapping[str, Any]) -> bool:
    metric_math = "Metrics" in resource.get("Properties", {})
    return resource["Type"] == "AWS::Logs::QueryDefinition" or (
        resource["Type"] == "AWS::CloudWatch::Alarm" and metric_math
    )


def _asset_places(properties: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("Code", "Content"):
        if isinstance(properties.get(name), dict) and "S3Key" in properties[name]:
            yield properties[name]


def uploads(archives: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the new key of each archive by its old one, and the archives by their new keys.

    A key holds the digest of its content: CloudFormation sees a change by the key alone.
    """
    keys = {old: f"{hashlib.sha256(data).hexdigest()[:32]}.zip" for old, data in archives.items()}
    return keys, {keys[old]: data for old, data in archives.items()}


class Deployer:
    """One stack in one emulator; `client` makes boto3 clients by the name of a service."""

    def __init__(self, client: Callable[[str], Any], stack: str) -> None:
        self._s3 = client("s3")
        self._cloudformation = client("cloudformation")
        self._stack = stack
        self._s3.create_bucket(Bucket=BUCKET)
        self._uploaded: set[str] = set()

    def deploy(self, template: Template, archives: Mapping[str, bytes]) -> dict[str, str]:
        """Create or update the stack, wait for it, and return its outputs."""
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
        }
        before = self._describe()
        try:
            if before is None:
                self._cloudformation.create_stack(**order)
            else:
                self._cloudformation.update_stack(**order)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise DeployError(f"CloudFormation refused the template: {error}") from error
        return self._wait()

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
                    outputs = stack.get("Outputs", [])
                    return {output["OutputKey"]: output["OutputValue"] for output in outputs}
                raise DeployError(f"{stack['StackStatus']}: {'; '.join(self._reasons())}")
            time.sleep(0.05)
        raise DeployError(f"the stack was not there after {_DEPLOY_SECONDS:.0f} s")

    def _reasons(self) -> list[str]:
        events = self._cloudformation.describe_stack_events(StackName=self._stack)["StackEvents"]
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED")
        ][:5] or ["no reason given"]
