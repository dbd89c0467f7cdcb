"""Deploys a project to an emulator for the tests of its sources, as the tool does."""

import hashlib
import json
import time

from wslocal.gateway.definition import Api, read_api
from wslocal.sources import BUCKET, Fitted, complete, fit

DEPLOY_SECONDS = 60.0


def deploy(emulator, project, *, leave_out=(), environment=None) -> dict[str, Fitted]:
    """Deploy each stack, and return what was made of it by its name."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    fitted = {}
    for stack in project.stacks:
        for key, archive in stack.archives.items():
            s3.put_object(Bucket=BUCKET, Key=key, Body=archive)
        fitted[stack.name] = fit(stack, leave_out=leave_out, environment=environment)
        deploy_stack(emulator, stack, fitted[stack.name].template)
        complete(emulator.client, stack.name, fitted[stack.name])
    return fitted


def deploy_stack(emulator, stack, template) -> None:
    """Create or update one stack, and wait until it is there."""
    body = json.dumps(template).encode()
    key = f"{hashlib.sha256(body).hexdigest()}.json"
    emulator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    client = emulator.client("cloudformation")
    there = {one["StackName"] for one in client.describe_stacks()["Stacks"]}
    (client.update_stack if stack.name in there else client.create_stack)(
        StackName=stack.name,
        TemplateURL=f"{emulator.endpoint}/{BUCKET}/{key}",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": text}
            for name, text in stack.parameters.items()
        ],
    )
    until = time.monotonic() + DEPLOY_SECONDS
    status = "CREATE_IN_PROGRESS"
    while status.endswith("_IN_PROGRESS"):
        assert time.monotonic() < until, f"{stack.name} is not there"
        status = client.describe_stacks(StackName=stack.name)["Stacks"][0]["StackStatus"]
    reasons = [
        event["ResourceStatusReason"]
        for event in client.describe_stack_events(StackName=stack.name)["StackEvents"]
        if "ResourceStatusReason" in event
    ]
    assert status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, f"{status}: {reasons}"


def websocket_apis(emulator, project) -> list[Api]:
    """Return a project's WebSocket APIs as the gateway reads them, one for each of their stages."""
    client = emulator.client("apigatewayv2")
    apis = [
        client.get_api(ApiId=one) for one in ids_of(emulator, project, "AWS::ApiGatewayV2::Api")
    ]
    return [
        read_api(client, api["ApiId"], stage["StageName"])
        for api in apis
        if api["ProtocolType"] == "WEBSOCKET"
        for stage in client.get_stages(ApiId=api["ApiId"])["Items"]
    ]


def ids_of(emulator, project, kind) -> list[str]:
    """Return the physical ids of a project's resources of one type."""
    client = emulator.client("cloudformation")
    return [
        resource["PhysicalResourceId"]
        for stack in project.stacks
        for resource in client.describe_stack_resources(StackName=stack.name)["StackResources"]
        if resource["ResourceType"] == kind
    ]
