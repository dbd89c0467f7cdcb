"""What a template asks for and the emulator's CloudFormation forgets: kept in outputs, and made by API calls.

Outputs are what CloudFormation makes values of, such as the ARN of a queue, and does not act on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .resources import Resources

__all__ = ["keep", "make_kept", "without_kept"]

_FUNCTION = "AWS::Lambda::Function"
_TABLES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
_NAME = re.compile(r"WslocalKept(Concurrency|DeadLetters|Loops|TimeToLive)Of(.+)")
# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionRecursionConfig.html
_LOOPS_END = "Terminate"


def keep(resources: Resources) -> None:
    """Add outputs for what would be forgotten to the template."""
    outputs = resources.template.setdefault("Outputs", {})
    for name, resource in resources.active().items():
        for kind, value in _forgotten(resource, resources):
            if value is not None and value != {"Ref": "AWS::NoValue"}:
                outputs[f"WslocalKept{kind}Of{name}"] = {"Value": value}


def _forgotten(resource: dict[str, Any], resources: Resources) -> Iterator[tuple[str, Any]]:
    properties = resource.get("Properties", {})

    def part(*path: str) -> Any:
        value = properties
        for key in path:
            value = resources.chosen(value.get(key)) if isinstance(value, dict) else None
        return value

    if resource["Type"] == _FUNCTION:
        yield "Concurrency", part("ReservedConcurrentExecutions")
        yield "DeadLetters", part("DeadLetterConfig", "TargetArn")
        yield "Loops", part("RecursiveLoop")
    elif resource["Type"] in _TABLES and part("TimeToLiveSpecification", "Enabled") is True:
        yield "TimeToLive", part("TimeToLiveSpecification", "AttributeName")


def without_kept(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the outputs that are the template's own."""
    return {name: value for name, value in outputs.items() if not _NAME.fullmatch(name)}


def make_kept(client: Callable[[str], Any], stack: str) -> None:
    """Have what the outputs of a stack keep, and no more of it, in its functions and tables."""
    cloudformation = client("cloudformation")
    [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    wanted: dict[tuple[str, str], str] = {}
    for output in described.get("Outputs", []):
        if found := _NAME.fullmatch(output["OutputKey"]):
            wanted[found[1], found[2]] = output["OutputValue"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    for page in pages:
        for resource in page["StackResourceSummaries"]:
            kind, name = resource["ResourceType"], resource["LogicalResourceId"]
            own = {key: value for (key, of), value in wanted.items() if of == name}
            if kind == _FUNCTION:
                _make_function(client("lambda"), resource["PhysicalResourceId"], own)
            elif kind in _TABLES:
                attribute = own.get("TimeToLive", "")
                _make_table(client("dynamodb"), resource["PhysicalResourceId"], attribute)


def _make_function(client: Any, name: str, own: Mapping[str, str]) -> None:
    found = client.get_function(FunctionName=name)
    reserved = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    if "Concurrency" in own:
        client.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=int(own["Concurrency"])
        )
    elif reserved is not None:
        client.delete_function_concurrency(FunctionName=name)
    target = found["Configuration"].get("DeadLetterConfig", {}).get("TargetArn", "")
    if own.get("DeadLetters", "") != target:
        config = {"TargetArn": own.get("DeadLetters", "")}
        client.update_function_configuration(FunctionName=name, DeadLetterConfig=config)
    loops = client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"]
    if own.get("Loops", _LOOPS_END) != loops:
        client.put_function_recursion_config(
            FunctionName=name, RecursiveLoop=own.get("Loops", _LOOPS_END)
        )


def _make_table(client: Any, name: str, attribute: str) -> None:
    """Have the items of a table end by an attribute; by none, if it is empty."""
    found = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    before = found.get("AttributeName", "") if found["TimeToLiveStatus"] == "ENABLED" else ""
    if attribute != before:
        specification = {"AttributeName": attribute or before, "Enabled": bool(attribute)}
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
