"""Housekeeping, every minute."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

__all__ = ["Schedule"]


class Schedule(Construct):
    """Calls a function every minute.

    A run that fails is not repeated, neither by EventBridge nor by Lambda: the next one comes
    within a minute, and finds the same work. For the same reason no queue keeps failed events:
    they hold nothing but a time. That runs fail or are missing, two alarms tell.
    """

    def __init__(self, scope: Construct, construct_id: str, *, function: lambda_.Function) -> None:
        super().__init__(scope, construct_id)
        minute = cdk.Duration.minutes(1)
        function.configure_async_invoke(retry_attempts=0, max_event_age=minute)
        events.Rule(
            self,
            "EveryMinute",
            description="Expires sessions and connections, warns before the two-hour limit",
            schedule=events.Schedule.rate(minute),
            targets=[targets.LambdaFunction(function, retry_attempts=0, max_event_age=minute)],
        )
