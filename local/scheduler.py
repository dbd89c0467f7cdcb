"""The deployed schedules of this system: wslocal's."""

from wslocal import (
    DeployedSchedule,
    ScheduleError,
    read_schedules,
    run_schedules,
    scheduled_event,
    seconds_between,
)

__all__ = [
    "DeployedSchedule",
    "ScheduleError",
    "read_schedules",
    "run_schedules",
    "scheduled_event",
    "seconds_between",
]
