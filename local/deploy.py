"""Makes the CDK template one that this machine can have; `wslocal` deploys it as it is deployed to AWS.

What the machine cannot have as AWS has it, `localize` changes; `docs/local.md` lists it.
"""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING, Any

from wslocal import BUCKET, Deployer, DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .assembly import Template

__all__ = ["BUCKET", "DeployError", "Deployer", "localize", "uploads"]


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
