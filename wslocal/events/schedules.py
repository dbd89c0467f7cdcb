"""Runs the deployed schedules: what EventBridge does on AWS.

The rules are read from the emulator, where they are deployed but disabled: it would run the
functions with a worker of its own. On AWS a rule invokes asynchronously; so give `run_schedules` what
`AsynchronousInvocations.run_due` does.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import EventError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

__all__ = [
    "DeployedSchedule",
    "ScheduleError",
    "read_schedules",
    "run_schedules",
    "scheduled_event",
    "seconds_between",
]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


class ScheduleError(EventError):
    """A rule that cannot be followed here."""


@dataclass(frozen=True, slots=True)
class DeployedSchedule:
    """A function and how often it runs; `event` is None if it gets EventBridge's own."""

    rule_arn: str
    function: str
    every_seconds: float
    event: Any = None


def read_schedules(client: Callable[[str], Any], stack: str) -> list[DeployedSchedule]:
    """Return what the stack's rules say, one schedule a target."""
    events = client("events")
    resources = client("cloudformation").get_paginator("list_stack_resources")
    names = [
        resource["PhysicalResourceId"].rpartition("/")[2]
        for page in resources.paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Events::Rule"
    ]
    rules = [events.describe_rule(Name=name) for name in names]
    return [
        DeployedSchedule(
            rule["Arn"],
            target["Arn"].rpartition(":function:")[2],
            _seconds_of(rule),
            json.loads(target["Input"]) if "Input" in target else None,
        )
        for rule in rules
        if rule.get("ScheduleExpression")
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    ]


def _seconds_of(rule: Mapping[str, Any]) -> float:
    try:
        return seconds_between(rule["ScheduleExpression"])
    except ScheduleError as error:
        raise ScheduleError(f"rule {rule['Name']}: {error}; leave it out") from error


def seconds_between(expression: str) -> float:
    """Return the period of `rate(1 minute)`; ScheduleError for anything else, cron for instance."""
    found = re.fullmatch(r"rate\(([1-9][0-9]*) (second|minute|hour|day)s?\)", expression)
    if found is None:
        raise ScheduleError(f"only rate(...) can be followed here, got {expression!r}")
    return float(found[1]) * _SECONDS[found[2]]


def scheduled_event(schedule: DeployedSchedule, now: float) -> Any:
    """Return what the function gets: the rule's own input, else EventBridge's event.

    https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-event.html
    """
    if schedule.event is not None:
        return schedule.event
    _, _, _, region, account, _ = schedule.rule_arn.split(":", 5)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "region": region,
        "resources": [schedule.rule_arn],
        "detail": {},
    }


async def run_schedules(
    schedules: Sequence[DeployedSchedule], run: Callable[[DeployedSchedule], Awaitable[object]]
) -> None:
    """Run each schedule at its times, until cancelled; the first time after one period.

    A run that takes longer than the period makes the next one late, never a second one beside it.
    """
    async with asyncio.TaskGroup() as group:
        for schedule in schedules:
            group.create_task(_repeat(schedule, run))


async def _repeat(
    schedule: DeployedSchedule, run: Callable[[DeployedSchedule], Awaitable[object]]
) -> None:
    while True:
        await asyncio.sleep(schedule.every_seconds)
        await run(schedule)
