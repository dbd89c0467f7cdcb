"""What invokes functions besides a WebSocket API: other functions, queues, streams and schedules."""

from .asynchronous import AsynchronousInvocations
from .errors import EventError
from .lambda_api import LambdaApi
from .schedules import (
    DeployedSchedule,
    ScheduleError,
    read_schedules,
    run_schedules,
    scheduled_event,
    seconds_between,
)
from .sources import EventSources, check

__all__ = [
    "AsynchronousInvocations",
    "DeployedSchedule",
    "EventError",
    "EventSources",
    "LambdaApi",
    "ScheduleError",
    "check",
    "read_schedules",
    "run_schedules",
    "scheduled_event",
    "seconds_between",
]
